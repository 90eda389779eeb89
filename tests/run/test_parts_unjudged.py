# SPDX-License-Identifier: BSD-3-Clause
"""A bundle with steps, metrics or budgets is never green unless these were judged: by the real
runner, and when a target says that all is well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
import transcripts as t
from bpte.cli import main

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


def cases(wrong: int | None = None) -> list[bpte.MethodTestCase]:
    """The demo's three cases, one of which expects what the program does not give."""
    arrays = np.load(DEMO / "mlp.npz")
    made = []
    for number in range(3):
        expected = arrays[f"out{number}"] + (number == wrong)
        made.append(bpte.MethodTestCase([arrays[f"in{number}"]], [expected], labels=0))
    return made


def sequence(wrong: int | None) -> list[bpte.MethodTestCase]:
    return [bpte.MethodTestCase(steps=cases(wrong))]


METRIC = bpte.Metric(bpte.MetricKind.MEAN_ABSOLUTE_ERROR, minimum=1.0)
REPORTED = bpte.Metric(bpte.MetricKind.TOP_K_ACCURACY)
BUDGET = bpte.Budget(bpte.BudgetResource.PLANNED_MEMORY, 1)
PARTS: dict[str, tuple[bpte.MethodTestSuite, list[bpte.Budget]]] = {
    "steps-first": (bpte.MethodTestSuite("forward", sequence(0)), []),
    "steps-last": (bpte.MethodTestSuite("forward", sequence(2)), []),
    "metrics": (bpte.MethodTestSuite("forward", cases(), metrics=[METRIC]), []),
    "budgets": (bpte.MethodTestSuite("forward", cases()), [BUDGET]),
}


def save(path: Path, part: str) -> Path:
    suite, budgets = PARTS[part]
    bpte.BundledProgram(DEMO / "mlp.pte", [suite], budgets=budgets).save(path, durable=False)
    return path


@pytest.mark.parametrize("part", PARTS)
def test_the_runner_is_not_green(
    part: str, tmp_path: Path, bpte_runner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "m.bpte", part)
    code = main(["run", str(path), "--elf", str(bpte_runner), "--json"])
    printed = capsys.readouterr()
    assert code in (1, 4), printed.err
    assert json.loads(printed.out)["exit_code"] == code
    alone = subprocess.run([bpte_runner, path], capture_output=True, check=False)
    assert alone.returncode in (1, 4)
    plugin = [sys.executable, "-m", "pytest", "-q", f"--bpte-elf={bpte_runner}", path]
    done = subprocess.run(plugin, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stdout


def test_the_same_cases_alone_are_green(tmp_path: Path, bpte_runner: Path) -> None:
    path = tmp_path / "m.bpte"
    suite = bpte.MethodTestSuite("forward", cases())
    bpte.BundledProgram(DEMO / "mlp.pte", [suite]).save(path, durable=False)
    assert main(["run", str(path), "--elf", str(bpte_runner)]) == 0


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"budgets": [BUDGET]}, "a budget of planned_memory"),
        ({"metrics": [METRIC]}, "mean_absolute_error of forward"),
        ({"metrics": [REPORTED]}, "top_k_accuracy of forward"),
    ],
)
def test_a_target_that_judged_the_cases_only(
    more: dict[str, Any], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its records are those of three cases that passed, and no others."""
    path = tmp_path / "m.bpte"
    t.pack(path, t.whole("pass", "pass", "pass"))
    with bpte.open(path) as bundle:
        from bpte.pack.convert import unbundle

        again = unbundle(bundle)
        again.budgets = more.get("budgets", [])
        for suite in again.method_test_suites:
            suite.metrics = more.get("metrics", [])
            for case in suite.test_cases:
                case.labels = 1
        again.save(tmp_path / "parts.bpte", fit="skip", durable=False)
    path = tmp_path / "parts.bpte"
    runner = t.stand_in(tmp_path, t.about(t.whole("pass", "pass", "pass"), path), "sys.exit(0)")
    assert main(["run", str(path), "--elf", str(runner)]) == 4
    assert f"the file states {what}, which the target did not judge" in capsys.readouterr().out
