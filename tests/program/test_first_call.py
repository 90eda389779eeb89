# SPDX-License-Identifier: BSD-3-Clause
"""What the first call in a process costs: what is imported, and that nothing is generated."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import bpte.program
from bpte.program import _codec, deserialize_pte
from bpte.program._codec import Binding

ROOT = Path(__file__).parents[2]
PACKAGE = Path(bpte.program.__file__).parent
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"


def loaded(code: str, native: str, *arguments: str) -> list[str]:
    """The modules of this package that a fresh process has after ``code``."""
    code += "\nimport sys; print(*sorted(m for m in sys.modules if m.partition('.')[0] == 'bpte'))"
    environment = {**os.environ, "BPTE_NATIVE": native}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.check_output(command, text=True, env=environment).splitlines()[-1].split()


def test_import_loads_nothing_else() -> None:
    assert loaded("import bpte.program", "1") == ["bpte", "bpte.program"]


def test_a_first_call_loads_what_writing_needs(executorch: Binding, tmp_path: Path) -> None:
    if not _codec.native_available():
        pytest.skip("the native accelerator is not built")
    objects = tmp_path / "objects.pickle"
    objects.write_bytes(pickle.dumps(deserialize_pte(MLP)))
    code = "import pickle, sys, bpte.program as p\n"
    code += "p.serialize_pte(pickle.load(open(sys.argv[1], 'rb')))"
    needed = ["", "._codec", "._native", "._pte"]
    assert loaded(code, "1", str(objects)) == ["bpte", *(f"bpte.program{name}" for name in needed)]


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
