# SPDX-License-Identifier: BSD-3-Clause
"""The times of instructions: on this host, by both engines, and on an emulated Cortex-M55."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bpte
import trace_support as ts
from bpte.run import launcher
from bpte.run.outcome import Outcome, Verdict
from bpte.run.protocol import Transcript
from bpte.run.records import CaseKey
from bpte.run.request import Request

RUNS = 3


def executed(transcript: Transcript, run: int | None = None) -> dict[CaseKey, list[object]]:
    """Of each case or step, the instructions in the order in which they were executed."""
    found: dict[CaseKey, list[object]] = {CaseKey.of(case): [] for case in transcript.cases}
    for time in transcript.times:
        if run is None or time.run == run:
            at = (time.chain, time.instruction, time.kind, time.operator)
            found[CaseKey.of(time)].append(at)
    return found


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("examples/int8_quantized", "executorch"),
        ("examples/two_methods", "executorch"),
        ("examples/dynamic_batch", "executorch"),
        ("runner-models/loop", "executorch"),
        ("runner-models/control_flow", "executorch"),
        ("runner-models/sequence", "executorch"),
        ("runner-models/stateful_net", "reference"),
        ("runner-models/writes_input", "executorch"),
        ("examples/mlp", "reference"),
    ],
)
def test_every_instruction_of_every_execution(
    name: str,
    engine: str,
    example_models: Path,
    awkward_models: Path,
    bpte_runner: Path,
    tmp_path: Path,
) -> None:
    """As a traced run sees them; and the verdicts and outputs are those of a plain run."""
    bundle = example_models.parent / f"{name}.bpte"
    command = (bpte_runner, bundle, "--engine", engine)
    plain = ts.say(command)
    said = ts.say((*command, "--profile", str(RUNS)))
    assert said.outcome is plain.outcome is Outcome.PASSED, said.transcript.violation
    assert [case.outputs for case in said.transcript.cases] == [
        case.outputs for case in plain.transcript.cases
    ]
    steps = executed(said.transcript, 0)
    assert all(steps.values())
    assert all(executed(said.transcript, run) == steps for run in range(RUNS))
    path = ts.retraced(bpte_runner, bundle, tmp_path / "traced.bpte", engine)
    _, traced = ts.traced(bpte_runner, path, engine, "--trace")
    for case in traced.cases:
        assert case.trace is not None
        assert case.trace.executed == len(steps[CaseKey.of(case)])


def test_what_is_timed(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    """The tool's clock goes on by 7 whenever it is looked at, so each time says what lies in it."""
    values = [np.ones(2, np.float32)] * 6
    case = bpte.MethodTestCase(values, values)
    path = tmp_path / "echo.bpte"
    suite = bpte.MethodTestSuite("echo", [case, case])
    bpte.BundledProgram(b"no program", [suite]).save(path, fit="skip", durable=False)
    for how in ("none", "once"):
        said = ts.say((cpp_tool("runner_tool"), path, how), PROFILE="2")
        assert said.outcome is Outcome.PASSED
        transcript = said.transcript
        assert [(each.case, each.run) for each in transcript.times] == [
            (index, run) for index in (0, 1) for run in (0, 1) for _ in range(6)
        ]
        assert {each.time for each in transcript.times} == {7}
        # Between two looks at the clock; and of each instruction three, without what is written
        # after it, and at the end one.
        assert [(each.run, each.stepped, each.time) for each in transcript.executions] == [
            (run, stepped, time) for run in (0, 1) for stepped, time in ((None, 7), (True, 133))
        ] * 2


def test_what_cannot_be_timed(
    cpp_tool: Callable[[str], Path], bpte_runner: Path, tmp_path: Path
) -> None:
    values = [np.ones(2, np.float32)] * 6
    path = tmp_path / "echo.bpte"
    suite = bpte.MethodTestSuite("echo", [bpte.MethodTestCase(values, values)])
    bpte.BundledProgram(b"no program", [suite]).save(path, fit="skip", durable=False)
    tool = cpp_tool("runner_tool")
    said = ts.say((tool, path, "none"), PROFILE="1", NO_STEPPING="1")
    assert said.outcome is Outcome.INFRASTRUCTURE
    assert said.transcript.error is not None
    assert "does not run instruction by instruction" in said.transcript.error.message
    # The execution that is judged says why.
    said = ts.say((tool, path, "execute", "execution_failed"), PROFILE="2")
    (case,) = said.transcript.cases
    assert (case.verdict, case.error) == (Verdict.ERROR, "execution_failed")
    assert (said.transcript.times, said.transcript.executions) == ((), ())
    assert said.transcript.violation is None


def test_the_outputs_too(demo_bundle: Path, bpte_runner: Path) -> None:
    run = launcher.run(
        Request(demo_bundle, program=bpte_runner, profile=2, keep_outputs=True, timeout=60)
    )
    assert run.outcome is Outcome.PASSED, run.message
    assert len(run.transcript.times) and len(run.kept) == len(run.transcript.cases)
