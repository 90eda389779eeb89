# SPDX-License-Identifier: BSD-3-Clause
"""Exports programs whose weights lie in data files (`.ptd`): `python data_models.py FOLDER`.

NAME.pte, the data files in the folder NAME, and NAME.bpte, packed from ExecuTorch's own object.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from executorch.exir import ExecutorchBackendConfig, to_edge
from torch import nn
from torch.export import export

import bpte

Model = tuple[Any, list[bpte.MethodTestSuite]]


class Coder(nn.Module):
    """Two methods; both use `shared`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 3)
        self.decoder = nn.Linear(3, 6)
        self.shared = nn.Parameter(torch.randn(3))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.encoder(x)) * self.shared

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(z + self.shared)


class Method(nn.Module):
    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self.module, self.name)(x)


def external() -> Model:
    """Weights in two files, each used by a method of its own, and one tensor that both use."""

    def file_of(node: torch.fx.Node) -> str:
        return "decoder" if "decoder" in node.name else "encoder"

    module = Coder().eval()
    inputs = {"encode": torch.randn(2, 6), "decode": torch.randn(2, 3)}
    programs = {name: export(Method(module, name), (x,)) for name, x in inputs.items()}
    config = ExecutorchBackendConfig(external_constants=file_of)
    program = to_edge(programs).to_executorch(config)
    suites = [
        bpte.MethodTestSuite(name, [bpte.MethodTestCase((x,), [getattr(module, name)(x)])] * 2)
        for name, x in inputs.items()
    ]
    return program, suites


MODELS: dict[str, Callable[[], Model]] = {"external": external}


def main() -> None:
    folder = Path(sys.argv[1])
    for name, make in MODELS.items():
        torch.manual_seed(1)
        with torch.no_grad():
            program, suites = make()
        program.save(str(folder / f"{name}.pte"))
        (folder / name).mkdir(exist_ok=True)
        program.write_tensor_data_to_file(str(folder / name))
        bpte.BundledProgram(program, suites).save(folder / f"{name}.bpte")


if __name__ == "__main__":
    main()
