# SPDX-License-Identifier: BSD-3-Clause
"""Real exported models, from eager PyTorch to a verdict: every example passes, and none can hide a
wrong number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte

NAMES = (
    "mlp",
    "cnn_channels_last",
    "two_methods",
    "scalar_input",
    "dynamic_batch",
    "xnnpack",
    "int8_quantized",
    "int8_tensors",
)


def run_bpte(*words: str | Path, runner: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import bpte.cli, sys; sys.exit(bpte.cli.main())", *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BPTE_RUNNER": str(runner)},
    )


def rebuilt(
    folder: Path, name: str, change: tuple[int, int, int] | None = None
) -> bpte.BundledProgram:
    """The bundle, put together again; `change`: (suite, case, output) with a wrong element."""
    suites = []
    with bpte.open(folder / f"{name}.bpte") as bundle:
        for s, suite in enumerate(bundle.suites):
            cases = []
            for c, case in enumerate(suite.test_cases):
                outputs: list[Any] = [
                    np.array(value) if isinstance(value, np.ndarray) else value
                    for value in case.expected_outputs
                ]
                if change is not None and change[:2] == (s, c):
                    flat = outputs[change[2]].reshape(-1)
                    flat[-1] = flat[-1] + 100 if flat[-1] < 0 else flat[-1] - 100
                inputs = [
                    np.array(value) if isinstance(value, np.ndarray) else value
                    for value in case.inputs
                ]
                cases.append(bpte.MethodTestCase(inputs, outputs, name=case.name))
            suites.append(
                bpte.MethodTestSuite(suite.method_name, cases, tolerances=suite.tolerances)
            )
    return bpte.BundledProgram(folder / f"{name}.pte", suites)


@pytest.mark.parametrize("name", NAMES)
def test_passes(name: str, example_models: Path, bpte_runner: Path) -> None:
    done = run_bpte("run", example_models / f"{name}.bpte", runner=bpte_runner)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_one_wrong_element_is_found(
    name: str, example_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.bpte"
    program = rebuilt(example_models, name, change=(0, 1, 0))
    program.save(path, durable=False)
    with bpte.open(path) as bundle:
        suite = bundle.suites[0]
        wrong = suite.test_cases[1].expected_outputs[0]
        expected = wrong.reshape(-1)[-1]
        index = [size - 1 for size in wrong.shape]
        method = suite.method_name

    done = run_bpte("run", path, runner=bpte_runner)
    assert done.returncode == 1, done.stdout + done.stderr
    shown = done.stdout
    assert method in shown
    assert "case 1" in shown
    assert "output 0" in shown
    assert str(index) in shown
    assert f"{expected:.6g}"[:5] in shown

    machine = run_bpte("run", path, "--json", runner=bpte_runner)
    assert machine.returncode == 1
    report = json.loads(machine.stdout)
    (failed,) = [case for case in report["cases"] if case["verdict"] == "fail"]
    first = failed["outputs"][0]["first"]
    assert (failed["method"], failed["case"]) == (method, 1)
    assert first["index"] == index
    assert first["expected"] == pytest.approx(float(expected), rel=1e-6)
    assert abs(first["actual"] - first["expected"]) > 90


@pytest.mark.parametrize("name", NAMES)
def test_extracts_the_very_program(name: str, example_models: Path, tmp_path: Path) -> None:
    program = tmp_path / "out.pte"
    command = [sys.executable, "-c", "import bpte.cli, sys; sys.exit(bpte.cli.main())"]
    bundle = example_models / f"{name}.bpte"
    subprocess.run([*command, "extract", bundle, "-o", program], check=True)
    assert program.read_bytes() == (example_models / f"{name}.pte").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_program_lies_aligned_inside_the_mapping(
    name: str, example_models: Path, bpte_runner: Path
) -> None:
    bundle = example_models / f"{name}.bpte"
    done = subprocess.run([bpte_runner, bundle], capture_output=True, text=True, check=True)
    begin = json.loads(done.stdout.splitlines()[0].removeprefix("#bpte "))
    address = int(begin["program_address"], 16)
    assert address % 128 == 0
    # The file is mapped at a page, so that the program's address tells its offset.
    assert (address - begin["program_offset"]) % os.sysconf("SC_PAGE_SIZE") == 0
    assert begin["program_offset"] + begin["program_size"] <= bundle.stat().st_size
