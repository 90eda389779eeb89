# SPDX-License-Identifier: BSD-3-Clause
"""`bpte run` of an Ethos-U bundle on the host: judged by the model, and said to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

STAND_IN = "Ethos-U functional model, not an NPU"


def run(runner: Path, engine: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bpte", "run", *arguments, "--engine", engine]
    environment = {**os.environ, "BPTE_RUNNER": str(runner)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_every_report_says_what_judged(
    bpte_runner: Path, ethosu_bundle: Path, tmp_path: Path, engine: str
) -> None:
    done = run(bpte_runner, engine, ethosu_bundle, "-o", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    head, verdict = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert head.endswith(f"with {STAND_IN}")
    assert verdict == f"passed: 3 of 3 cases passed ({STAND_IN})"
    document = json.loads((tmp_path / "results" / "results.json").read_text())
    assert STAND_IN in document["message"]
    assert [case["stand_in"] for case in document["cases"]] == [STAND_IN] * 3
    junit = ElementTree.parse(tmp_path / "results" / "junit.xml")
    stated = [e.get("value") for e in junit.iterfind(".//property[@name='stand_in']")]
    assert stated == [STAND_IN] * 3


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_a_mismatch_says_it_too(bpte_runner: Path, ethosu_bundle: Path, engine: str) -> None:
    done = run(bpte_runner, engine, ethosu_bundle, "--rtol", "0", "--atol", "0")
    assert done.returncode == 1
    assert f"cases failed ({STAND_IN})" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_nothing_stood_in_where_no_delegate_ran(
    bpte_runner: Path, demo_bundle: Path, engine: str
) -> None:
    done = run(bpte_runner, engine, demo_bundle, "--json")
    assert done.returncode == 0, done.stderr
    assert "stand_in" not in done.stdout
    assert "functional model" not in done.stdout


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_its_memory_is_limited_as_planned_memory(
    bpte_runner: Path, ethosu_bundle: Path, engine: str
) -> None:
    """3,000 bytes are enough for the program's own plan, and not for the NPU's buffers."""
    done = run(bpte_runner, engine, ethosu_bundle, "--max-planned-memory", "3000")
    assert done.returncode == 4
    assert "out_of_memory" in done.stdout + done.stderr
    assert "--max-planned-memory" in done.stdout + done.stderr


def test_pytest_says_it(bpte_runner: Path, ethosu_bundle: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", ethosu_bundle]
    environment = {**os.environ, "BPTE_RUNNER": str(bpte_runner)}
    done = subprocess.run(
        [*command, f"--rootdir={ethosu_bundle.parent}"],
        cwd=ethosu_bundle.parent, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert f"bpte: 3 cases executed by: {STAND_IN}" in done.stdout
