# SPDX-License-Identifier: BSD-3-Clause
"""The real ExecuTorch on 64-bit Arm: cross-compiled against its package, in user-mode emulation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bpte.run.footprint import footprint
from bpte.run.request import Request

COMMAND = [sys.executable, "-c", "import bpte.cli, sys; sys.exit(bpte.cli.main())"]
NEEDS = {
    "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
    "qemu-aarch64-static": "qemu-user-static",
}

pytestmark = [
    pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is missing ({package})")
    for tool, package in NEEDS.items()
]


def run(bundle: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the report of a run on the board."""
    command = [*COMMAND, "run", bundle, "--board", "linux-aarch64", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def test_demo(demo_bundle: Path) -> None:
    code, report = run(demo_bundle)
    assert code == 0, report
    assert [case["verdict"] for case in report["cases"]] == ["pass"] * 3
    before = footprint(Request(demo_bundle, "linux-aarch64")).resources
    assert {name: report["resources"].get(name) for name in before} == before
    assert before["planned_memory"]


def test_an_ethos_u_program_runs_by_the_model(ethosu_bundle: Path) -> None:
    code, report = run(ethosu_bundle)
    assert code == 0, report["message"]
    assert report["message"] == "3 of 3 cases passed (Ethos-U functional model, not an NPU)"
    assert report["begin"]["engine"] == "executorch"


def test_strict_tolerance_fails(demo_bundle: Path) -> None:
    """What runs there is judged: another processor's arithmetic may differ in the last bit."""
    code, report = run(demo_bundle, "--rtol", "0", "--atol", "0")
    differs = any(case["outputs"][0]["max_abs"] > 0 for case in report["cases"])
    assert code == (1 if differs else 0)


@pytest.mark.parametrize(
    "name",
    ["cnn_channels_last", "two_methods", "dynamic_batch", "xnnpack", "int8_quantized"],
)
def test_examples(name: str, example_models: Path) -> None:
    code, report = run(example_models / f"{name}.bpte")
    assert code == 0, report
