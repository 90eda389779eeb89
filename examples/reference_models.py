# SPDX-License-Identifier: BSD-3-Clause
"""Exports the four models that the reference engine is meant for, portable operators only.

    python examples/reference_models.py OUTPUT_FOLDER [MODEL...]

For each model it writes `<model>.pte`, and for every case k `<model>.case<k>.input<i>.npy` and
`<model>.case<k>.expected<i>.npy`, the expected ones being eager PyTorch's outputs. Seeds are fixed:
the same versions of torch and executorch write the same bytes. The models are small on purpose
(all files together stay below 120 kB), so that they fit a microcontroller and a repository.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from executorch.exir import EdgeCompileConfig, to_edge
from torch import nn
from torch.export import export

CASES = 2


class Mlp(nn.Module):
    """Three linear layers on a batch of two."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layers(x), dim=-1)


class ConvNet(nn.Module):
    """LeNet-like: convolution and pooling twice, then two linear layers; 16x16 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, padding=2)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(4, 8, 3)
        self.pool2 = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(8 * 3 * 3, 24)
        self.fc2 = nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool1(torch.relu(self.conv1(x)))
        x = self.pool2(torch.relu(self.conv2(x)))
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return torch.log_softmax(self.fc2(x), dim=1)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand 1x1, depthwise 3x3, project 1x1, add when shapes allow."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = channels_in * expand
        self.use_residual = stride == 1 and channels_in == channels_out
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.use_residual else self.body(x)


class MobileNet(nn.Module):
    """MobileNetV2 in small: stem, four inverted residuals, head, mean over the image; 24x24 RGB."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.blocks = nn.Sequential(
            InvertedResidual(8, 8, 1, 1),
            InvertedResidual(8, 8, 1, 2),
            InvertedResidual(8, 12, 2, 2),
            InvertedResidual(12, 12, 1, 2),
        )
        self.head = nn.Sequential(nn.Conv2d(12, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6())
        self.classifier = nn.Linear(32, 10)
        for module in self.modules():  # statistics as after training, not 0 and 1
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None and module.running_var is not None
                nn.init.uniform_(module.running_mean, -0.2, 0.2)
                nn.init.uniform_(module.running_var, 0.2, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.2, 0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.blocks(self.stem(x)))
        return self.classifier(x.mean(dim=(2, 3)))


class Encoder(nn.Module):
    """A transformer encoder block over token ids: embedding, self-attention, feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.heads = 16, 2
        self.token = nn.Embedding(32, self.width)
        self.position = nn.Parameter(torch.randn(1, 12, self.width) * 0.1)
        self.qkv = nn.Linear(self.width, 3 * self.width)
        self.proj = nn.Linear(self.width, self.width)
        self.norm1 = nn.LayerNorm(self.width)
        self.norm2 = nn.LayerNorm(self.width)
        self.up = nn.Linear(self.width, 2 * self.width)
        self.down = nn.Linear(2 * self.width, self.width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, length = tokens.shape
        x = self.token(tokens) + self.position
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        q, k, v = (
            t.view(batch, length, self.heads, self.width // self.heads).transpose(1, 2)
            for t in (q, k, v)
        )
        scores = (q @ k.transpose(-2, -1)) / (self.width // self.heads) ** 0.5
        mixed = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + self.proj(mixed)
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


def _floats(*shape: int) -> Callable[[torch.Generator], torch.Tensor]:
    return lambda generator: torch.randn(*shape, generator=generator)


def _tokens(*shape: int) -> Callable[[torch.Generator], torch.Tensor]:
    return lambda generator: torch.randint(0, 32, shape, generator=generator)


MODELS: dict[str, tuple[type[nn.Module], Callable[[torch.Generator], torch.Tensor]]] = {
    "mlp": (Mlp, _floats(2, 16)),
    "convnet": (ConvNet, _floats(1, 1, 16, 16)),
    "mobilenet": (MobileNet, _floats(1, 3, 24, 24)),
    "encoder": (Encoder, _tokens(1, 12)),
}


def write_model(name: str, folder: Path) -> None:
    """Exports one model and its cases into `folder`."""
    make_model, make_input = MODELS[name]
    torch.manual_seed(0)
    model = make_model().eval()
    generator = torch.Generator().manual_seed(1)
    inputs = [make_input(generator) for _ in range(CASES)]
    program = to_edge(
        export(model, (inputs[0],), strict=True),
        compile_config=EdgeCompileConfig(_check_ir_validity=True),
    ).to_executorch()
    (folder / f"{name}.pte").write_bytes(program.buffer)
    with torch.no_grad():
        for case, value in enumerate(inputs):
            np.save(folder / f"{name}.case{case}.input0.npy", value.numpy())
            np.save(folder / f"{name}.case{case}.expected0.npy", model(value).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(MODELS)
    if unknown:
        parser.error(f"no such model: {', '.join(sorted(unknown))} (there are {', '.join(MODELS)})")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.models:
        write_model(name, arguments.folder)


if __name__ == "__main__":
    main()
