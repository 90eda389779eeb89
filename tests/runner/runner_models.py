# SPDX-License-Identifier: BSD-3-Clause
"""Exports the awkward models that test_host_runner.py runs: `python runner_models.py FOLDER`.

Each is there for one thing that an engine can get wrong; NAME.pte and NAME.bpte are written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from executorch.exir import ExecutorchBackendConfig, to_edge
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass
from functorch.experimental.control_flow import map as loop_over
from torch import nn
from torch.export import export

import bpte

Model = tuple[Any, list[tuple[tuple[Any, ...], list[Any]] | bpte.MethodTestCase]]


class Counter(nn.Module):
    """Adds up what it has seen: wrong as soon as one case's state reaches the next."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.full((3,), 10.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def stateful() -> Model:
    """Its buffer begins with a stored value, 10."""
    config = ExecutorchBackendConfig(passes=[InitializedMutableBufferPass(["total"])])
    x = torch.ones(3)
    program = to_edge(export(Counter(), (x,))).to_executorch(config)
    return program, [((x,), [torch.full((3,), 22.0)])] * 3


def stateful_zero() -> Model:
    """Its buffer has no stored value: it begins as zeros."""
    x = torch.ones(3)
    program = to_edge(export(Counter(), (x,))).to_executorch()
    return program, [((x,), [torch.full((3,), 2.0)])] * 3


def sequence() -> Model:
    """Steps whose state is in the program, twice: each case begins with the stored value."""
    program, _ = stateful()
    x = torch.ones(3)
    steps = [bpte.MethodTestCase((x,), [torch.full((3,), 2.0 * (11 + i))]) for i in range(4)]
    return program, [bpte.MethodTestCase(steps=steps), bpte.MethodTestCase(steps=steps)]


class Recurrent(nn.Module):
    def forward(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x * state, state + x


def recurrent() -> Model:
    """Steps whose state is carried. What the bundle states for it is wrong in the second step,
    which only a run that is taught notices."""
    x, zero, one = torch.ones(2), torch.zeros(2), torch.ones(2)
    program = to_edge(export(Recurrent(), (x, zero))).to_executorch()
    steps = [
        bpte.MethodTestCase((x, zero), [zero, one]),
        bpte.MethodTestCase((x, one * 9), [one, one * 2]),
        bpte.MethodTestCase((x, one * 2), [one * 2, one * 3]),
    ]
    return program, [bpte.MethodTestCase(steps=steps, carry={1: 1})] * 2


class StatefulNet(nn.Module):
    """A small recurrent net whose state is in the program."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros(1, 6))
        self.into = nn.Linear(4, 6)
        self.back = nn.Linear(6, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.sigmoid(self.into(x) + self.back(self.state))
        self.state.copy_(state)
        return self.out(state)


def stateful_net() -> Model:
    """Steps through a net with weights and a state."""
    torch.manual_seed(5)
    inputs = [torch.randn(1, 4) for _ in range(3)]
    net = StatefulNet()
    program = to_edge(export(net, (inputs[0],))).to_executorch()
    net.state.zero_()
    close = bpte.Tolerance(rtol=1e-4, atol=1e-5)
    steps = [bpte.MethodTestCase((x,), [net(x)], tolerances=close) for x in inputs]
    return program, [bpte.MethodTestCase(steps=steps)]


class WritesInput(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        return x * 3


def _unplanned(module: nn.Module, *inputs: torch.Tensor) -> Any:
    planning = MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    config = ExecutorchBackendConfig(memory_planning_pass=planning)
    return to_edge(export(module, inputs)).to_executorch(config)


def writes_input() -> Model:
    """Writes to an input that lies, read-only, in the file; two cases share its bytes."""
    x = torch.zeros(4)
    program = _unplanned(WritesInput(), x)
    # The mutated input comes first, as an output.
    outputs = len(program.executorch_program.execution_plan[0].outputs)
    expected = [torch.ones(4)] * (outputs - 1) + [torch.full((4,), 3.0)]
    return program, [((torch.zeros(4),), expected)] * 2


class Unplanned(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x + y, x, (x * y).to(torch.int64)


def unplanned() -> Model:
    """Neither inputs nor outputs are in the memory plan; one output is an input."""
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    return _unplanned(Unplanned(), x, y), [((x, y), list(Unplanned()(x, y)))] * 2


class Scalars(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[Any, ...]:
        return x.shape[0], 2.5, True, x


def scalar_outputs() -> Model:
    x = torch.tensor([1.0, 2.0, 3.0])
    return to_edge(export(Scalars(), (x,))).to_executorch(), [((x,), [3, 2.5, True, x])]


class Empty(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


def empty_tensor() -> Model:
    """A tensor without elements."""
    x = torch.zeros(0, 3)
    return to_edge(export(Empty(), (x,))).to_executorch(), [((x,), [x])]


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def positive(x: torch.Tensor) -> torch.Tensor:
            return x * 2

        def negative(x: torch.Tensor) -> torch.Tensor:
            return x - 1

        return torch.cond(x.sum() > 0, positive, negative, [x])


def control_flow() -> Model:
    """Which instructions run depends on the input."""
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -2.0])
    program = to_edge(export(Branches(), (a,))).to_executorch()
    return program, [((x,), [Branches()(x)]) for x in (a, b, a)]


class Mapped(nn.Module):
    """A loop over rows, whose body needs a value from before it."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        scale = y * 2
        rows: torch.Tensor = loop_over(lambda row, s: row * s, x, scale)
        return rows


def loop() -> Model:
    x, y = torch.arange(12.0).reshape(4, 3), torch.tensor([1.0, 2.0, 3.0])
    program = to_edge(export(Mapped(), (x, y))).to_executorch()
    return program, [((x, y), [x * y * 2])]


class Divide(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.div(x, y, rounding_mode="trunc")


def crash() -> Model:
    """The one quotient of int32 that is none: processors trap on it (x86), kernels do not ask."""
    x, y = torch.tensor([7], dtype=torch.int32), torch.tensor([2], dtype=torch.int32)
    program = to_edge(export(Divide(), (x, y))).to_executorch()
    worst = (torch.tensor([-(2**31)], dtype=torch.int32), torch.tensor([-1], dtype=torch.int32))
    return program, [((x, y), [x // y]), (worst, [x])]


MODELS: dict[str, Callable[[], Model]] = {
    make.__name__: make
    for make in (
        stateful,
        stateful_zero,
        sequence,
        recurrent,
        stateful_net,
        writes_input,
        unplanned,
        scalar_outputs,
        empty_tensor,
        control_flow,
        loop,
        crash,
    )
}


def main() -> None:
    folder = Path(sys.argv[1])
    for name, make in MODELS.items():
        with torch.no_grad():
            program, cases = make()
        program.save(str(folder / f"{name}.pte"))
        made = [
            case if isinstance(case, bpte.MethodTestCase) else bpte.MethodTestCase(*case)
            for case in cases
        ]
        suite = bpte.MethodTestSuite("forward", made)
        bpte.BundledProgram(folder / f"{name}.pte", [suite]).save(folder / f"{name}.bpte")


if __name__ == "__main__":
    main()
