# SPDX-License-Identifier: BSD-3-Clause
"""What the first call in a process costs: what is imported, and that nothing is generated."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import bpte.program
from bpte.program import deserialize_pte
from bpte.program._codec import Binding

ROOT = Path(__file__).parents[2]
PACKAGE = Path(bpte.program.__file__).parent
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"


def test_import_loads_what_writing_needs() -> None:
    code = "import sys, bpte.program; print(*sorted(m for m in sys.modules if 'bpte' in m))"
    environment = {**os.environ, "BPTE_NATIVE": "0"}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    needed = ["", "._codec", "._errors", "._pte", "._schema", "._tables"]
    assert out.split() == ["bpte", *(f"bpte.program{name}" for name in needed), "bpte.text"]


def test_every_public_name_is_there() -> None:
    assert all(getattr(bpte.program, name) is not None for name in bpte.program.__all__)
    assert not hasattr(bpte.program, "no_such_name")


def test_nothing_is_generated() -> None:
    """No source text at run time: neither at import nor for a schema."""
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile"), f"{path}:{node.lineno}"


def test_the_benchmark_measures_a_fresh_process(executorch: Binding, tmp_path: Path) -> None:
    sys.path.append(str(ROOT / "benchmarks"))
    import program_cold

    objects = tmp_path / "objects.pickle"
    objects.write_bytes(pickle.dumps(deserialize_pte(MLP)))
    imported, called = program_cold.measure(objects, "pure", 1)
    assert imported > 0 and called > 0
