# SPDX-License-Identifier: BSD-3-Clause
"""`bpte run` of an Ethos-U bundle on the host: judged by the model, and said to be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bpte

PROGRAM = Path(__file__).resolve().parents[1] / "fixtures" / "cortex_m" / "ethos_u55.pte"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    with np.load(PROGRAM.with_suffix(".npz")) as arrays:
        tolerance = bpte.Tolerance(rtol=0, atol=float(arrays["step"]) * 1.01)
        cases = [
            bpte.MethodTestCase(
                inputs=[arrays[f"in{k}"]],
                expected_outputs=[arrays[f"out{k}"]],
                tolerances=[tolerance],
            )
            for k in range(3)
        ]
    suite = bpte.MethodTestSuite(method_name="forward", test_cases=cases)
    path = tmp_path / "ethos_u55.bpte"
    bpte.BundledProgram(PROGRAM, [suite]).save(path, fit="relayout")
    return path


def run(runner: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bpte", "run", *arguments, "--engine", "reference"]
    environment = {**os.environ, "BPTE_RUNNER": str(runner)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_passes_and_says_what_judged(bpte_runner: Path, bundle: Path) -> None:
    done = run(bpte_runner, bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ethos-U functional model, not an NPU" in done.stdout


def test_its_memory_is_limited_as_planned_memory(bpte_runner: Path, bundle: Path) -> None:
    done = run(bpte_runner, bundle, "--max-planned-memory", "4096")
    assert done.returncode == 4
    assert "planned memory" in done.stdout + done.stderr
