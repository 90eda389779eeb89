# SPDX-License-Identifier: BSD-3-Clause
"""Writes programs.h beside this script: exported programs as byte arrays, for tests without files.

    python tests/engine/reference/make_programs.py

Needs torch and executorch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from executorch.exir import to_edge
from torch import nn
from torch.export import Dim, export


class Counter(nn.Module):
    """Adds to a buffer that it keeps, and returns it."""

    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 1.0


class Dense(nn.Module):
    """A linear layer for one to eight rows: out = x @ w.T + b, w = 0, 1, 2 ..., b = 10, 20, 30."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.layer.weight.data = torch.arange(12.0).reshape(3, 4)
        self.layer.bias.data = torch.tensor([10.0, 20.0, 30.0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).view(x.shape[0], 3, 1)


class Lookup(nn.Module):
    """A table of four rows."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 2)
        self.table.weight.data = torch.arange(8.0).reshape(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.table(x)


def program(**methods: torch.export.ExportedProgram) -> bytes:
    return bytes(to_edge(methods).to_executorch().buffer)


def render() -> str:
    rows = Dim("rows", min=1, max=8)
    counter = export(Counter(), (torch.ones(3),))
    dense = export(Dense(), (torch.ones(2, 4),), dynamic_shapes={"x": {0: rows}})
    lookup = export(Lookup(), (torch.zeros(2, dtype=torch.int64),))
    programs = {
        "kCounter": program(forward=counter),
        "kDense": program(forward=dense),
        "kTwoMethods": program(count=counter, look_up=lookup),
    }
    lines = [
        "// SPDX-License-Identifier: BSD-3-Clause",
        "#pragma once",
        "",
        "// Made by make_programs.py: do not edit.",
        "",
        "#include <cstdint>",
        "",
        "// clang-format off",
        "namespace bpte_test {",
    ]
    for name, data in programs.items():
        lines += ["", f"alignas(128) inline constexpr uint8_t {name}[{len(data)}] = {{"]
        for start in range(0, len(data), 24):
            lines.append("  " + "".join(f"{byte}," for byte in data[start : start + 24]))
        lines.append("};")
    lines += ["", "}  // namespace bpte_test", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    (Path(__file__).parent / "programs.h").write_text(render())
