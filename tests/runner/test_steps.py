# SPDX-License-Identifier: BSD-3-Clause
"""Cases with steps: what goes on from one to the next, and what must not, by an engine that gives
back what it is given (runner_tool.cpp)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.run import identity
from bpte.run.outcome import Outcome
from bpte.run.protocol import Transcript, parse

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = A[::-1] * 10


def values(a: Any = A, b: Any = B, integer: int = 7, real: float = 1.5) -> list[Any]:
    return [a, b, np.array([1], np.int8), integer, real, True]


def step(inputs: list[Any], outputs: list[Any] | None = None, **options: Any) -> Any:
    return bpte.MethodTestCase(inputs, inputs if outputs is None else outputs, **options)


Runner = Callable[..., tuple[Outcome, Transcript, identity.Finding]]


@pytest.fixture
def run(cpp_tool: Callable[[str], Path], tmp_path: Path) -> Runner:
    def call(
        cases: list[Any],
        *failure: str,
        teach: bool = False,
        carry_bytes: int | None = None,
    ) -> tuple[Outcome, Transcript, identity.Finding]:
        path = tmp_path / "echo.bpte"
        suites = [bpte.MethodTestSuite("echo", cases)]
        bundled = bpte.BundledProgram(b"no program", suites)
        bundled.save(path, fit="skip", durable=False)
        environment = {"TEACH": "1"} if teach else {}
        if carry_bytes is not None:
            environment["CARRY_BYTES"] = str(carry_bytes)
        done = subprocess.run(
            [cpp_tool("runner_tool"), path, *(failure or ("none",))],
            capture_output=True, check=False, timeout=60, env=environment,
        )  # fmt: skip
        transcript = parse(done.stdout)
        assert transcript.violation is None, done.stdout
        assert transcript.outcome == done.returncode
        finding = identity.check(
            transcript, identity.fingerprint(path), identity.Asked(teach=teach)
        )
        return Outcome(done.returncode), transcript, finding

    return call


def verdicts(transcript: Transcript) -> list[tuple[int, int | None, str]]:
    return [(case.case, case.step, case.verdict.value) for case in transcript.cases]


def test_each_step_has_a_record(run: Runner) -> None:
    steps = [step(values(), name="first"), step(values(A + 1)), step(values(A + 2))]
    cases = [step(values()), bpte.MethodTestCase(steps=steps, name="sequence")]
    outcome, transcript, finding = run(cases)
    assert (outcome, finding.difference) == (Outcome.PASSED, None)
    assert verdicts(transcript) == [(0, None, "pass"), *((1, i, "pass") for i in range(3))]
    assert transcript.cases[1].name == "first"
    assert transcript.begin is not None and transcript.begin.cases == 4


def test_state_lives_from_step_to_step_and_ends_with_the_case(run: Runner) -> None:
    """The engine counts executions since the method was loaded."""
    counted = [step(values(), values(integer=7 + i)) for i in (1, 2, 3)]
    cases = [bpte.MethodTestCase(steps=counted), bpte.MethodTestCase(steps=counted)]
    outcome, transcript, _ = run([*cases, step(values(), values(integer=8))], "count")
    assert outcome is Outcome.PASSED, verdicts(transcript)
    # What expects the state of the case before is red.
    polluted = [step(values(), values(integer=7 + i)) for i in (4, 5, 6)]
    outcome, transcript, _ = run([cases[0], bpte.MethodTestCase(steps=polluted)], "count")
    assert outcome is Outcome.MISMATCH
    assert [v for *_, v in verdicts(transcript)] == ["pass"] * 3 + ["fail"] * 3


def test_an_engine_that_keeps_state_between_cases_is_red(run: Runner) -> None:
    """The first case passes, and pollutes the second."""
    counted = [step(values(), values(integer=7 + i)) for i in (1, 2)]
    cases = [bpte.MethodTestCase(steps=counted, name=name) for name in ("first", "second")]
    outcome, transcript, _ = run(cases, "count_without_reset")
    assert outcome is Outcome.MISMATCH
    assert [v for *_, v in verdicts(transcript)] == ["pass", "pass", "fail", "fail"]
    assert transcript.cases[2].outputs[3].first is not None
    assert transcript.cases[2].outputs[3].first.actual == 10


def test_a_carry_takes_what_the_target_computed(run: Runner) -> None:
    """The bundle states another value, which only --teach takes."""
    stated = values(A + 5, integer=0, real=0.0)
    steps = [step(values()), step(stated, values(A, integer=7, real=1.5))]
    case = bpte.MethodTestCase(steps=steps, carry={0: 0, 3: 3, 4: 4})
    outcome, transcript, finding = run([case])
    assert (outcome, finding.difference) == (Outcome.PASSED, None), transcript.cases
    outcome, transcript, finding = run([case], teach=True)
    assert (outcome, finding.difference) == (Outcome.MISMATCH, None)
    assert verdicts(transcript) == [(0, 0, "pass"), (0, 1, "fail")]
    assert transcript.begin is not None and transcript.begin.teach is True


def test_a_carry_is_a_copy(run: Runner) -> None:
    """This engine's outputs are views of its inputs, so that a carry that aliased would read what
    it has just written: two inputs change places in every step."""
    steps = [
        step(values(A, B)),
        *(step(values(A, B), values(*pair)) for pair in [(B, A), (A, B)] * 2),
    ]
    case = bpte.MethodTestCase(steps=steps, carry={0: 1, 1: 0})
    outcome, transcript, _ = run([case])
    assert outcome is Outcome.PASSED, transcript.cases


def test_after_a_step_that_did_not_run_the_others_do_not(run: Runner) -> None:
    steps = [step(values())] * 4
    outcome, transcript, finding = run(
        [bpte.MethodTestCase(steps=steps), step(values())], "execute_2", "execution_failed"
    )
    assert (outcome, finding.difference) == (Outcome.INFRASTRUCTURE, None)
    assert [v for *_, v in verdicts(transcript)] == ["pass", "error", "error", "error", "pass"]
    assert transcript.cases[2].message == "a step before this one did not run"


def test_a_buffer_that_is_too_small_is_an_error(run: Runner) -> None:
    steps = [step(values())] * 2
    case = bpte.MethodTestCase(steps=steps, carry={0: 0, 1: 1})
    assert run([case], carry_bytes=128)[0] is Outcome.PASSED
    outcome, transcript, _ = run([case], carry_bytes=127)
    assert outcome is Outcome.INFRASTRUCTURE
    assert transcript.cases[1].error == "out_of_memory"
    assert "carry_buffer" in (transcript.cases[1].message or "")


def test_records_of_other_steps_are_not_about_this_bundle(run: Runner, tmp_path: Path) -> None:
    case = bpte.MethodTestCase(steps=[step(values())] * 2)
    _, transcript, finding = run([case, step(values())])
    assert finding.difference is None
    facts = identity.fingerprint(tmp_path / "echo.bpte")
    first, second, third = transcript.cases
    for wrong, says in (
        ((first, replace(second, step=2), third), "step 2: the file's case has 2 steps"),
        ((replace(first, step=None), second, third), "the file's case has 2 steps"),
        ((first, second, replace(third, step=0)), "the file's case has no steps"),
    ):
        found = identity.check(replace(transcript, cases=wrong), facts, identity.Asked())
        assert says in (found.difference or "")
    missing = replace(transcript, begin=replace(transcript.begin, cases=2), cases=(first, third))
    assert identity.check(missing, facts, identity.Asked()).difference
