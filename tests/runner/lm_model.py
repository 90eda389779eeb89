# SPDX-License-Identifier: BSD-3-Clause
"""A language model in small, as products ship one: `python lm_model.py FOLDER`.

Llama's shape (RMS norm, rotary positions, attention over a key-value cache, gated feed-forward)
with random weights. The cache is a mutable buffer inside of the program; the weights lie in a data
file beside it. `lm.bpte` holds two cases of 32 steps: each takes the token that the step before was
to choose, and gives the next token's scores.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import export
from torch.nn import functional as F

import bpte

TOKENS, WIDTH, HEADS, LAYERS, STEPS = 64, 32, 4, 2, 32
HEAD = WIDTH // HEADS


def rotated(x: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    low, high = x[..., : HEAD // 2], x[..., HEAD // 2 :]
    return torch.cat([low * cosines - high * sines, low * sines + high * cosines], dim=-1)


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * self.weight


class Layer(nn.Module):
    """One token at a time. `here` is 1 at the token's place in the cache, 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = Norm(), Norm()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.gate = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.down = nn.Linear(2 * WIDTH, WIDTH, bias=False)
        self.register_buffer("keys", torch.zeros(HEADS, STEPS, HEAD))
        self.register_buffer("values", torch.zeros(HEADS, STEPS, HEAD))

    def forward(
        self, x: torch.Tensor, here: torch.Tensor, mask: torch.Tensor, *turn: torch.Tensor
    ) -> torch.Tensor:
        q, k, v = (
            part.view(HEADS, 1, HEAD) for part in self.qkv(self.attention_norm(x)).chunk(3, dim=-1)
        )
        self.keys.copy_(self.keys + rotated(k, *turn) * here)
        self.values.copy_(self.values + v * here)
        scores = torch.bmm(rotated(q, *turn), self.keys.transpose(1, 2)) * HEAD**-0.5 + mask
        heads = torch.bmm(torch.softmax(scores, dim=-1), self.values)
        x = x + self.out(heads.reshape(1, WIDTH))
        y = self.feed_norm(x)
        gate = self.gate(y)
        return x + self.down(gate * torch.sigmoid(gate) * self.up(y))


class LanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        self.norm = Norm()
        self.head = nn.Linear(WIDTH, TOKENS, bias=False)
        places = torch.arange(STEPS).float()
        angles = places[:, None] * 100.0 ** (-torch.arange(HEAD // 2) / (HEAD // 2))
        self.register_buffer("cosines", angles.cos())
        self.register_buffer("sines", angles.sin())
        self.register_buffer("places", places)

    def forward(self, token: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """Token and place, int64 [1]; the scores of the next token, [1, TOKENS]."""
        at = place.to(torch.float32)
        here = (self.places == at).to(torch.float32).view(1, STEPS, 1)
        mask = (self.places > at).to(torch.float32).view(1, 1, STEPS) * -1e9
        tables = (self.cosines, self.sines)
        turn = [F.embedding(place, table).view(1, 1, HEAD // 2) for table in tables]
        x = self.embedding(token)
        for layer in self.layers:
            x = layer(x, here, mask, *turn)
        return self.head(self.norm(x))


def make() -> tuple[Any, bpte.MethodTestSuite]:
    from executorch.exir import ExecutorchBackendConfig, to_edge

    torch.manual_seed(2)
    model = LanguageModel().eval()
    for parameter in model.parameters():
        parameter.data *= 2  # so that the scores are far apart
    token, place = torch.tensor([1]), torch.tensor([0])
    program = to_edge(export(model, (token, place))).to_executorch(
        ExecutorchBackendConfig(external_constants=True)
    )
    for layer in model.layers:
        layer.keys.zero_()
        layer.values.zero_()
    steps = []
    for number in range(STEPS):
        place = torch.tensor([number])
        scores = model(token, place)
        steps.append(bpte.MethodTestCase((token, place), [scores], name=f"token {number}"))
        token = scores.argmax(dim=-1)
    # A second case with the same steps: a cache that was not emptied shows at once.
    cases = [bpte.MethodTestCase(name=name, steps=steps) for name in ("first", "again")]
    return program, bpte.MethodTestSuite("forward", cases, [bpte.Tolerance(rtol=1e-4, atol=1e-4)])


def main() -> None:
    folder = Path(sys.argv[1])
    with torch.no_grad():
        program, suite = make()
    program.save(str(folder / "lm.pte"))
    program.write_tensor_data_to_file(str(folder))
    bpte.BundledProgram(program, [suite]).save(folder / "lm.bpte")


if __name__ == "__main__":
    main()
