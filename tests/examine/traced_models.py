# SPDX-License-Identifier: BSD-3-Clause
"""Small models whose instructions are traced: exported in this process, because a trace made from
PyTorch needs the edge program."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from executorch.exir import to_edge, to_edge_transform_and_lower
from torch import nn
from torch.export import Dim, export


@dataclass(frozen=True)
class Model:
    """``edge`` is as it was before ``program`` was made of it. ``inputs``: by method, of each
    case."""

    edge: Any
    program: Any
    inputs: dict[str, Sequence[tuple[Any, ...]]]


class Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = self.features(x).mean(dim=(2, 3))
        return torch.softmax(self.classifier(pooled), dim=-1)


class Encoder(nn.Module):
    """One block: attention, a norm (an operator with three outputs), a split (a list of them)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.mix(self.norm(x)).split(8, dim=-1)
        weights = torch.softmax(query @ key.transpose(1, 2) * 0.35, dim=-1)
        return x + self.out(weights @ value)


class Recurrent(nn.Module):
    """Keeps a state between executions."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(6, 4)
        self.register_buffer("state", torch.zeros(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        new = torch.tanh(self.step(torch.cat([x, self.state], dim=1)))
        self.state.copy_(new)
        return new * 2 + x.sum()


class Branch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        z = torch.cond(y.sum() > 0, lambda v: v + 1, lambda v: v - 1, (y,))
        return z * y


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(5, 2)
        self.decoder = nn.Linear(2, 5)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.encoder(x))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.decoder(z))


class Only(nn.Module):
    """One method of a module as `forward`."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, x: torch.Tensor) -> Any:
        return getattr(self.module, self.name)(x)


def _made(edge: Any, **inputs: Sequence[tuple[Any, ...]]) -> Model:
    before = copy.deepcopy(edge)
    return Model(before, edge.to_executorch(), inputs)


def conv_channels_last() -> Model:
    cases = [(torch.randn(1, 3, 10, 8).to(memory_format=torch.channels_last),) for _ in range(2)]
    module = Conv().eval().to(memory_format=torch.channels_last)
    return _made(to_edge(export(module, cases[0])), forward=cases)


def encoder() -> Model:
    cases = [(torch.randn(2, 5, 8),) for _ in range(2)]
    return _made(to_edge(export(Encoder().eval(), cases[0])), forward=cases)


def recurrent() -> Model:
    cases = [(torch.randn(1, 2),) for _ in range(4)]
    return _made(to_edge(export(Recurrent().eval(), cases[0])), forward=cases)


def branch() -> Model:
    cases = [(torch.full((3,), value),) for value in (1.0, -1.0)]
    return _made(to_edge(export(Branch(), cases[0])), forward=cases)


def two_methods() -> Model:
    module = Two().eval()
    inputs = {"encode": [(torch.randn(3, 5),)], "decode": [(torch.randn(3, 2),)]}
    programs = {name: export(Only(module, name), cases[0]) for name, cases in inputs.items()}
    return _made(to_edge(programs), **inputs)


def dynamic() -> Model:
    cases = [(torch.randn(rows, 5),) for rows in (4, 1, 3)]
    rows = Dim("rows", min=1, max=4)
    module = Only(Two().eval(), "encode")
    exported = export(module, cases[0], dynamic_shapes=({0: rows},))
    return _made(to_edge(exported), forward=cases)


def xnnpack() -> Model:
    """What XNNPACK takes is delegated; the norm and the split are not."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    cases = [(torch.randn(2, 5, 8),) for _ in range(2)]
    exported = export(Encoder().eval(), cases[0])
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    return _made(edge, forward=cases)


MODELS: dict[str, Callable[[], Model]] = {
    make.__name__: make
    for make in (conv_channels_last, encoder, recurrent, branch, two_methods, dynamic, xnnpack)
}


@functools.cache
def model(name: str) -> Model:
    """Exported once in a process. The same versions give the same program."""
    torch.manual_seed(0)
    with torch.no_grad():
        return MODELS[name]()
