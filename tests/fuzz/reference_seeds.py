# SPDX-License-Identifier: BSD-3-Clause
"""Writes seeds for fuzz_reference.cpp: small programs that have every operator.

python tests/fuzz/reference_seeds.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine" / "reference"))

import executorch.kernels.quantized  # noqa: F401  (its operators' out variants)
import torch
from operator_cases import GROUPS
from test_operators import export, operators_of


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    for name, make in GROUPS.items():
        torch.manual_seed(0)
        group = make()
        # The first case of each name up to its parameters, while it brings an operator.
        tried: set[str] = set()
        for case in group.cases:
            kind = case.name.split("[")[0].split("(")[0].split("_k")[0]
            if kind in tried:
                continue
            tried.add(kind)
            program = export(group, [case])
            operators = operators_of(program)
            if operators - seen:
                seen |= operators
                (folder / f"{name}_{kind}.pte").write_bytes(program)


if __name__ == "__main__":
    main()
