# SPDX-License-Identifier: BSD-3-Clause
"""Budgets: judged by the runner, and by the desk, over an engine and a target whose figures are
known (runner_tool.cpp: a case takes 7 cycles, the plan 1001 bytes and so on up to 1007)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
import transcripts as t
from bpte import Budget, BudgetResource
from bpte.cli import main
from bpte.run import budget_check, budget_words, document, identity
from bpte.run.launcher import judge_budgets, judge_log
from bpte.run.outcome import State, Verdict
from bpte.run.protocol import parse
from bpte.run.request import Request

VALUES: list[Any] = [np.zeros(1, np.float32), np.zeros(1, np.float32), np.int8([1]), 7, 1.5, True]
FIGURES = {
    BudgetResource.TIME_CYCLES: 7,
    BudgetResource.PLANNED_MEMORY: 1001,
    BudgetResource.STATIC_MEMORY: 1004,
    BudgetResource.STACK: 1006,
    BudgetResource.FLASH: 1007,
}

Judged = tuple[int, Any, bytes, Path]


@pytest.fixture
def run(cpp_tool: Callable[[str], Path], tmp_path: Path) -> Callable[..., Judged]:
    def call(budgets: list[Budget], *, wrong: bool = False, **environment: str) -> Judged:
        path = tmp_path / "echo.bpte"
        expected = [*VALUES[:3], 8 if wrong else 7, *VALUES[4:]]
        steps = [bpte.MethodTestCase(VALUES, VALUES)] * 2
        cases = [bpte.MethodTestCase(VALUES, expected), bpte.MethodTestCase(steps=steps)]
        suites = [bpte.MethodTestSuite("echo", cases)]
        bundled = bpte.BundledProgram(b"no program", suites, budgets=budgets)
        bundled.save(path, fit="skip", durable=False)
        done = subprocess.run(
            [cpp_tool("runner_tool"), path, "none"],
            capture_output=True, check=False, timeout=60, env=os.environ | environment,
        )  # fmt: skip
        transcript = parse(done.stdout)
        assert transcript.violation is None, (transcript.violation, done.stdout)
        assert transcript.outcome == done.returncode
        finding = identity.check(transcript, identity.fingerprint(path), identity.Asked())
        assert finding.difference is None
        return done.returncode, transcript, done.stdout, path

    return call


Runner = Callable[..., Judged]


@pytest.mark.parametrize("resource", FIGURES)
def test_one_more_than_the_limit_is_red(resource: BudgetResource, run: Runner) -> None:
    figure = FIGURES[resource]
    for method in (None, "echo"):
        code, transcript, *_ = run([Budget(resource, figure, method)])
        (found,) = transcript.budgets
        assert (code, found.verdict, found.amount) == (0, Verdict.PASS, figure)
        code, transcript, output, path = run([Budget(resource, figure - 1, method)])
        (found,) = transcript.budgets
        assert (code, found.verdict, found.amount) == (1, Verdict.FAIL, figure)
        result = judge_log(Path("log"), [output], Request(path))
        assert result.state is State.MISMATCH
        assert f"exceed {figure - 1:,} by 1" in result.message
        assert result.message.startswith(f"budget of {resource.name.lower().replace('_', ' ')}")
        # The desk's own judgement is the same.
        found_here = budget_check.judge(
            [Budget(resource, figure - 1)],
            transcript.begin, transcript.cases, transcript.resources,
        )[0]  # fmt: skip
        assert replace(found_here, budget=0, method=method) == found


def test_what_the_target_cannot_measure_is_never_green(run: Runner) -> None:
    """Another unit of time; or bytes that it does not tell."""
    for budget in (
        Budget(BudgetResource.TIME_NS, 1 << 60),
        Budget(BudgetResource.TIME_INSTRUCTIONS, 1 << 60),
    ):
        code, transcript, output, path = run([budget])
        assert (code, transcript.budgets[0].error) == (4, "not_measured")
        assert (
            "not measured by this target" in judge_log(Path("l"), [output], Request(path)).message
        )
    code, transcript, *_ = run([Budget(BudgetResource.FLASH, 1 << 60)], NO_METER="1")
    assert (code, transcript.budgets[0].verdict, transcript.resources) == (4, Verdict.ERROR, None)


def test_a_budget_of_another_target_does_not_hold(run: Runner) -> None:
    """The tool's target is "nowhere"."""
    other = Budget(BudgetResource.FLASH, 1, target="somewhere")
    assert run([other])[0] == 0
    assert run([replace(other, target="nowhere")])[0] == 1


def test_a_failed_case_and_a_kept_budget(run: Runner) -> None:
    assert run([Budget(BudgetResource.FLASH, 1 << 60)], wrong=True)[0] == 1


RESOURCES = t.resources(flash=128)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([t.budget(65, verdict="pass"), t.resources(planned_memory=65)], "the verdict is fail"),
        ([t.budget(), t.budget(), RESOURCES], "budget 0 twice"),
        ([t.budget(63), RESOURCES], "63 bytes, the resources have 64"),
        ([t.budget()], "64 bytes, the resources have None"),
        ([t.budget(resource="money"), RESOURCES], "no such resource"),
        ([t.budget(budget=None), RESOURCES], "'budget' is missing"),
        ([RESOURCES, RESOURCES], "a second record of resources"),
        ([t.error("e", "m", 4), t.budget(), RESOURCES], "a budget after the error record"),
        (
            [t.budget(1233, 2000, resource="time_cycles", suite=0, case=0), RESOURCES],
            "its time is not the longest of the cases",
        ),
        (
            [t.budget(1234, 2000, resource="time_ns", suite=0, case=0), RESOURCES],
            "its time is not the longest of the cases",
        ),
    ],
)  # fmt: skip
def test_records_that_cannot_all_be_true(records: list[dict[str, Any]], says: str) -> None:
    whole = [t.begin(1), t.case(0), *records]
    read = parse(t.lines([*whole, t.end(whole)]))
    assert says in (read.violation or "") and read.outcome == 4


def test_a_target_that_did_not_judge_the_files_budgets(run: Runner, tmp_path: Path) -> None:
    _, transcript, _, path = run([Budget(BudgetResource.FLASH, 1007)])
    bundle = identity.fingerprint(path)
    for budgets, says in (
        ((), "the file states a budget of flash, which the target did not judge"),
        ((replace(transcript.budgets[0], limit=2000),), "the file's is ('flash', 1007, None)"),
        ((*transcript.budgets, replace(transcript.budgets[0], budget=1)), "does not hold for this"),
    ):
        found = identity.check(replace(transcript, budgets=budgets), bundle, identity.Asked())
        assert says in (found.difference or "")


# --- On the command line --------------------------------------------------------------------------


def test_how_budgets_are_written() -> None:
    parsed = budget_words.parse("time<=2.5ms, arena <= 64KiB,flash<=1MiB,instructions<=2.5M")
    assert [(budget.resource.name, budget.limit) for budget in parsed] == [
        ("TIME_NS", 2_500_000),
        ("PLANNED_MEMORY", 65536),
        ("FLASH", 1 << 20),
        ("TIME_INSTRUCTIONS", 2_500_000),
    ]
    for text, says in (
        ("time<=25", "time has a limit in ns, us, ms, s"),
        ("flash<=1KB", "flash has a limit in B, KiB"),
        ("money<=1", "there is no resource 'money'"),
        ("flash<1KiB", "a budget is RESOURCE<=LIMIT"),
        ("flash<=0", "the limit of a budget must be 1 to"),
        ("", "a budget is RESOURCE<=LIMIT"),
    ):
        with pytest.raises(ValueError, match=says):
            budget_words.parse(text)


def _text(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main([*words])
    return capsys.readouterr().out


def test_budgets_of_a_command_line(
    demo_bundle: Path, bpte_runner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(demo_bundle), "--elf", str(bpte_runner)]

    def call(*more: str) -> tuple[int, dict[str, Any], str]:
        capsys.readouterr()
        code = main([*words, *more, "--json"])
        text = capsys.readouterr().out
        return code, json.loads(text), _text(capsys, *words, *more)

    code, found, _ = call("--budget", "arena<=1GiB,time<=100s")
    assert (code, found["message"]) == (0, "3 of 3 cases passed, 2 of 2 budgets kept")
    planned = found["resources"]["planned_memory"]
    assert found["budgets"][0]["amount"] == planned
    assert call("--budget", f"arena<={planned}")[0] == 0
    code, found, text = call("--budget", f"arena<={planned - 1}")
    assert (code, found["state"], found["cases"][0]["result"]) == (1, "mismatch", "passed")
    assert f"{planned:,} bytes exceed {planned - 1:,} by 1" in text
    # What a host cannot measure is not green.
    for asked in ("flash<=1GiB", "stack<=1GiB", "cycles<=100G", "instructions<=100G"):
        code, found, text = call("--budget", asked)
        assert (code, found["state"]) == (4, "not_run"), asked
        assert "not measured by this target" in text
    assert main([*words, "--count-instructions"]) == 2
    # A log is judged alike.
    log = tmp_path / "log.txt"
    log.write_bytes(subprocess.run([bpte_runner, demo_bundle], capture_output=True).stdout)
    assert main(["run", "--log", str(log), "--budget", f"arena<={planned}"]) == 0
    assert main(["run", "--log", str(log), "--budget", f"arena<={planned - 1}"]) == 1
    assert main(["run", str(demo_bundle), "--budget", "arena<=1KB"]) == 2


def test_against_an_earlier_run(
    demo_bundle: Path, bpte_runner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "base.json"
    words = ["run", str(demo_bundle), "--elf", str(bpte_runner)]
    assert main([*words, "--save", str(base)]) == 0
    saved = json.loads(base.read_text())
    for case in saved["cases"]:
        case["time"] = 10**9
    base.write_text(json.dumps(saved))
    assert main([*words, "--against", str(base), "--slower", "5%"]) == 0
    assert "3 of 3 budgets kept" in capsys.readouterr().out
    saved["cases"][1]["time"] = 1
    base.write_text(json.dumps(saved))
    assert main([*words, "--against", str(base), "--slower", "5%"]) == 1
    text = capsys.readouterr().out
    assert "budget of time ns of forward: " in text and "exceed 1 by" in text and "case 1" in text
    saved["begin"]["unit"] = "cycles"
    base.write_text(json.dumps(saved))
    assert main([*words, "--against", str(base)]) == 4
    assert main([*words, "--slower", "5%"]) == 2
    base.write_text("{}")
    assert main([*words, "--against", str(base)]) == 3


def test_slower_is_a_share_of_each_time() -> None:
    read = parse(t.whole("pass", "pass"))
    assert read.begin is not None
    for slower, times, verdicts in (
        (0.05, (1295, 1296), ["pass", "fail"]),  # 1234 * 1.05 is 1295.7
        (0.0, (1234, 1235), ["pass", "fail"]),
    ):
        baseline = budget_check.Baseline("cycles", read.cases, slower)
        now = [replace(c, time=x) for c, x in zip(read.cases, times, strict=True)]
        found = budget_check.against(baseline, read.begin, now)
        assert [budget.verdict.value for budget in found] == verdicts
    gone = budget_check.against(baseline, read.begin, now[:1])
    assert [budget.verdict.value for budget in gone] == ["pass", "error"]


def test_results_with_budgets_are_read_back(run: Runner, tmp_path: Path) -> None:
    _, _, output, path = run([Budget(BudgetResource.FLASH, 1006)])
    result = judge_log(Path("log"), [output], Request(path))
    result = judge_budgets(result, budget_words.parse("arena<=1001,stack<=2000"))
    text = document.as_json(result)
    again = document.from_json(text.encode(), tmp_path)
    assert (
        again.transcript.budgets == result.transcript.budgets and len(again.transcript.budgets) == 3
    )
    for change in ({"verdict": "pass"}, {"amount": 1000}, {"limit": 1007}):
        changed = json.loads(text)
        changed["budgets"][0] |= change
        with pytest.raises(ValueError):
            document.from_json(json.dumps(changed).encode(), tmp_path)
