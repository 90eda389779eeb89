# SPDX-License-Identifier: BSD-3-Clause
"""A checkout whose accelerator was not built, as on a machine without Python's headers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"


def test_the_sources_alone_are_enough(tmp_path: Path) -> None:
    """The folder with the accelerator's sources has the accelerator's name."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "python" / "bpte", tmp_path / "bpte", ignore=ignored)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.pop("BPTE_NATIVE", None)

    def run(*words: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    program = (
        "import bpte; from bpte.program import _codec;"
        "print(bpte.__file__, _codec.native_available())"
    )
    assert run("-c", program).split() == [str(tmp_path / "bpte" / "__init__.py"), "False"]
    assert "forward" in run("-m", "bpte", "inspect", MLP)
