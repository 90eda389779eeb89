# SPDX-License-Identifier: BSD-3-Clause
"""What instructions give, held against a case's trace: on this host, by both engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
import trace_support as ts
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.program import instructions
from bpte.run import identity
from bpte.run.identity import Tracing
from bpte.run.outcome import Outcome, Verdict

# --- Programs, by both engines --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "examples/cnn_channels_last", "examples/two_methods", "examples/dynamic_batch",
        "examples/xnnpack", "examples/int8_quantized", "runner-models/control_flow",
        "runner-models/sequence", "runner-models/recurrent", "runner-models/unplanned",
        "runner-models/stateful_net", "runner-models/empty_tensor", "runner-models/writes_input",
        "runner-models/loop",
    ],
)  # fmt: skip
def test_a_right_program(
    name: str, example_models: Path, awkward_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    """What ExecuTorch gives step by step is what it gives at once, and each value is as recorded:
    views, moves, jumps, states, delegates, sizes below their bounds."""
    bundle = example_models.parent / f"{name}.bpte"
    plain = ts.say((bpte_runner, bundle))
    path = ts.retraced(bpte_runner, bundle, tmp_path / "traced.bpte", "executorch")
    for how in ("strict", "all"):
        outcome, transcript = ts.traced(bpte_runner, path, "executorch", f"--trace={how}")
        assert outcome is plain.outcome is Outcome.PASSED
        for case, before in zip(transcript.cases, plain.transcript.cases, strict=True):
            assert case.outputs == before.outputs
            told = case.trace
            assert told is not None and told.compared > 0
            assert (told.wrong, told.missed) == (0, 0)
        assert len(transcript.traces) == (
            0 if how == "strict" else sum(case.trace.compared for case in transcript.cases)
        )
        assert all(trace.before == "right" for trace in transcript.traces)
    outcome, transcript = ts.traced(bpte_runner, path, "executorch", "--trace", "--isolate")
    # What was put right shows nothing.
    assert outcome is Outcome.INFRASTRUCTURE
    assert {case.verdict for case in transcript.cases} == {Verdict.UNJUDGED}
    finding = identity.check(
        transcript, identity.fingerprint(path), identity.Asked(tracing=Tracing("first", True))
    )
    assert finding.difference is None
    # The file says as much when it is read piece by piece.
    outcome, transcript = ts.traced(bpte_runner, path, "executorch", "--trace=strict", "--source")
    assert outcome is Outcome.PASSED


def test_a_loop_shows_the_rows_that_it_has(awkward_models: Path, bpte_runner: Path) -> None:
    """What puts a row into the result writes its first argument, unlike all other operators."""
    (values,) = ts.recorded(bpte_runner, awkward_models / "loop.bpte", "executorch").values()
    (number,) = {
        each.index
        for each in instructions(awkward_models / "loop.pte")[0].instructions
        if each.operator == "executorch_prim::et_copy_index.tensor"
    }
    copies = [entry.value for entry in values if entry.instruction.index == number]
    whole = np.arange(12, dtype=np.float32).reshape(4, 3) * [2, 4, 6]
    for rows, copy in enumerate(copies, 1):
        assert np.array_equal(copy.array()[:rows], whole[:rows])
    assert len(copies) == 4


@pytest.mark.parametrize("engine", ["executorch", "reference"])
@pytest.mark.parametrize("name", ["convnet", "encoder", "stateful_net"])
def test_seeded_faults(
    name: str,
    engine: str,
    reference_models: Any,
    awkward_models: Path,
    bpte_runner: Path,
    tmp_path: Path,
) -> None:
    """One weight changed, of each tensor in turn: the first wrong instruction is the first that
    has the tensor, and alone by its own error no other is wrong."""
    program, suites = ts.one_case(name, reference_models, awkward_models)
    plain = ts.plain_bundle(tmp_path / "plain.bpte", program, suites)
    traces = ts.recorded(bpte_runner, plain, "executorch")
    path = ts.traced_bundle(tmp_path / "right.bpte", program, suites, traces)
    outcome, transcript = ts.traced(bpte_runner, path, engine, "--trace=strict")
    assert (outcome, transcript.traces) == (Outcome.PASSED, ())

    tried = red = 0
    for flip in ts.flipped_weights(program.read_bytes()):
        path = ts.traced_bundle(tmp_path / "wrong.bpte", flip.program, suites, traces)
        outcome, free = ts.traced(bpte_runner, path, engine, "--trace")
        alone, own = ts.traced(bpte_runner, path, engine, "--trace=all", "--isolate")
        tried += 1
        if not ts.wrong(free):  # the weight changes nothing
            assert (outcome, ts.wrong(own)) == (Outcome.PASSED, []), flip.users
            continue
        red += 1
        first = free.traces[0]
        assert (first.instruction, first.before) == (flip.users[0], "right")
        assert alone is Outcome.MISMATCH
        assert set(ts.wrong(own)) <= set(flip.users), (ts.wrong(own), flip.users)
        assert ts.wrong(own)[0] == flip.users[0]
        assert all(trace.before == "right" for trace in own.traces)
        assert ts.traced(bpte_runner, path, engine, "--trace=strict")[0] is Outcome.MISMATCH
    assert red >= 5 and red >= tried - 2


# --- An engine that gives back what it is given ---------------------------------------------------

ONE = np.ones(4, np.float32)
NAMES = ["echo.out"] * 4 + ["echo", None]


def entry(number: int, value: Any, output: int = 0) -> TraceValue:
    """An entry of a trace: what the instruction that copies this input gives."""
    return TraceValue(Instruction(number // 3, number % 3), output, value)


Echo = Any


@pytest.fixture
def echo(cpp_tool: Callable[[str], Path], tmp_path: Path) -> Echo:
    """Runs a case with this trace by runner_tool, whose engine copies six inputs."""

    def call(trace: list[TraceValue], *words: str, **environment: str) -> ts.Said:
        values: list[Any] = [ONE] * 6
        case = bpte.MethodTestCase(values, values, trace=trace)
        origin = TracedMethod(TraceOrigin.REFERENCE)
        suite = bpte.MethodTestSuite("echo", [case], traced_method=origin)
        path = tmp_path / "echo.bpte"
        bpte.BundledProgram(b"no program", [suite]).save(path, fit="skip", durable=False)
        return ts.say(
            (cpp_tool("runner_tool"), path, *(words or ("none",))), **{"TRACE": "all"} | environment
        )

    return call


def summary(said: ts.Said) -> tuple[int, ...]:
    (case,) = said.transcript.cases
    assert case.trace is not None
    return case.trace.executed, case.trace.compared, case.trace.wrong, case.trace.missed


def test_which_instruction_and_what_it_gave(echo: Echo) -> None:
    close = ONE + 2e-6
    said = echo([entry(0, ONE), entry(3, ONE * 2), entry(4, close), entry(5, ONE)])
    assert said.outcome is Outcome.PASSED
    assert summary(said) == (6, 4, 1, 0)
    found = [(t.chain, t.instruction, t.kind, t.operator) for t in said.transcript.traces]
    kinds = ["kernel", "kernel", "delegate", "move"]
    numbers = (0, 3, 4, 5)
    assert found == [
        (n // 3, n % 3, kind, NAMES[n]) for n, kind in zip(numbers, kinds, strict=True)
    ]
    # Instructions 1 and 2 were not compared.
    assert [t.before for t in said.transcript.traces] == ["right", "unknown", "wrong", "wrong"]
    wrong = said.transcript.traces[1].result
    assert wrong is not None and wrong.first is not None
    assert (wrong.mismatches, wrong.first.expected, wrong.first.actual) == (4, 2.0, 1.0)
    # The absolute part of the default grows with the expected value.
    assert wrong.atol == pytest.approx(2e-5) and wrong.rtol == pytest.approx(1.3e-6)


def test_the_first_wrong_instruction_only(echo: Echo) -> None:
    said = echo([entry(i, ONE * i) for i in range(6)], TRACE="first")
    assert said.outcome is Outcome.PASSED  # the outputs decide
    assert summary(said) == (6, 6, 5, 0)
    assert [t.instruction for t in said.transcript.traces] == [0]


def test_strictly(echo: Echo) -> None:
    assert echo([entry(0, ONE)], TRACE="strict").outcome is Outcome.PASSED
    said = echo([entry(0, ONE * 2)], TRACE="strict")
    assert said.outcome is Outcome.MISMATCH
    assert said.transcript.cases[0].verdict is Verdict.FAIL
    said = echo([], TRACE="strict")
    assert said.outcome is Outcome.INFRASTRUCTURE
    assert said.transcript.error is not None and said.transcript.error.error == "no_trace"


def test_outputs_that_were_put_right_show_nothing(echo: Echo) -> None:
    """This engine's outputs are its instructions' too: one that is overwritten differs from what
    the case expects."""
    said = echo([entry(0, ONE)], ISOLATE="1")
    assert said.outcome is Outcome.INFRASTRUCTURE
    said = echo([entry(0, ONE * 2)], ISOLATE="1")
    assert said.outcome is Outcome.MISMATCH
    assert said.transcript.cases[0].outputs[0].verdict is Verdict.FAIL


def test_what_was_not_executed_is_missed(echo: Echo) -> None:
    """Entries that do not come up in their order, or that no instruction gives."""
    said = echo([entry(1, ONE), entry(0, ONE), entry(2, ONE)], TRACE="strict")
    assert (said.outcome, summary(said)) == (Outcome.MISMATCH, (6, 2, 0, 1))
    said = echo([entry(1, ONE), TraceValue(Instruction(7, 0), 0, ONE)], TRACE="strict")
    assert (said.outcome, summary(said)) == (Outcome.MISMATCH, (6, 1, 0, 1))
    said = echo([TraceValue(Instruction(0, 0, operation=3), 0, ONE), entry(1, ONE)], TRACE="strict")
    assert (said.outcome, summary(said)) == (Outcome.PASSED, (6, 1, 0, 0))


def inside(operation: int, value: Any) -> TraceValue:
    """An entry for an operation of the delegate; 7, 8 and 9 there are, 8 without a value."""
    return TraceValue(Instruction(1, 1, operation), 0, value)


RIGHT = [entry(number, ONE) for number in range(4)]


def test_operations_inside_of_a_delegate(echo: Echo) -> None:
    trace = [*RIGHT, inside(7, ONE * 2), inside(9, ONE), entry(4, ONE), entry(5, ONE)]
    said = echo(trace, OPERATIONS="1")
    assert said.outcome is Outcome.PASSED  # the outputs decide
    assert summary(said) == (6, 8, 1, 0)
    found = [(t.operation, t.kind, t.operator, t.before) for t in said.transcript.traces[4:]]
    assert found == [
        (7, "operation", "NPU_OP_ECHO", "right"),
        (9, "operation", "NPU_OP_ECHO", "wrong"),
        # Its inputs were right, and so is what it gives: nothing that follows is spoilt.
        (None, "delegate", "echo", "right"),
        (None, "move", None, "right"),
    ]
    said = echo([*trace[:6], entry(5, ONE)], OPERATIONS="1")
    assert said.transcript.traces[-1].before == "wrong"  # nothing shows that it was not spoilt
    assert echo(trace, OPERATIONS="1", TRACE="strict").outcome is Outcome.MISMATCH
    assert echo(trace, TRACE="strict").outcome is Outcome.PASSED  # no one could see


def test_an_operation_is_put_right(echo: Echo) -> None:
    trace = [inside(7, ONE * 2), inside(9, ONE * 2), entry(4, ONE * 2)]
    said = echo(trace, OPERATIONS="1", ISOLATE="1")
    assert ts.wrong_operations(said.transcript) == [7]
    assert summary(said) == (6, 3, 1, 0)


@pytest.mark.parametrize(
    ("operation", "shown", "missed", "unseen"),
    [(8, True, 0, 1), (10, True, 1, 0), (7, False, 0, 1)],
)
def test_an_operation_that_is_not_seen(
    echo: Echo, tmp_path: Path, operation: int, shown: bool, missed: int, unseen: int
) -> None:
    """Without memory for its value, not there, or of an engine that shows none."""
    shows = {"OPERATIONS": "1"} if shown else {}
    said = echo([*RIGHT, inside(operation, ONE), entry(4, ONE)], **shows)
    (case,) = said.transcript.cases
    assert case.trace is not None
    assert (case.trace.compared, case.trace.missed, case.trace.unseen) == (5, missed, unseen)
    facts = identity.fingerprint(tmp_path / "echo.bpte")
    asked = identity.Asked(tracing=Tracing("all"))
    assert identity.check(said.transcript, facts, asked).difference is None
    echo([*RIGHT, entry(4, ONE), entry(5, ONE)])  # as many, but none of them inside
    facts = identity.fingerprint(tmp_path / "echo.bpte")
    found = identity.check(said.transcript, facts, asked).difference or ""
    assert (f"missed and {unseen} not shown, the file has 6, 0 of them inside" in found) is bool(
        unseen
    ), found


def test_an_output_that_is_not_there_is_wrong(echo: Echo) -> None:
    said = echo([entry(0, ONE, output=1)])
    (trace,) = said.transcript.traces
    assert trace.result is not None and trace.result.reason == "kind"
    assert summary(said) == (6, 1, 1, 0)


def test_values_of_an_instruction(echo: Echo) -> None:
    said = echo([entry(0, ONE), entry(1, ONE)], "once", TRACE="first", DUMP="1")
    assert [t.instruction for t in said.transcript.traces] == [1, 1]  # in each of the two chains
    np.testing.assert_array_equal(said.dumped[0].array(), ONE)
    said = echo([], "once", TRACE="record")
    assert [(t.chain, t.instruction) for t in said.transcript.traces] == [
        (i // 3, i % 3) for i in range(6)
    ]
    assert sorted(said.dumped) == list(range(6))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"NO_STEPPING": "1"}, "the engine echo does not run instruction by instruction"),
        ({"TRACE": "record"}, "the values of instructions are sent with the outputs"),
        ({"DUMP": "0"}, "the values of instructions are sent with the outputs"),
    ],
)
def test_what_cannot_be_traced(echo: Echo, environment: dict[str, str], message: str) -> None:
    said = echo([entry(0, ONE)], **environment)
    assert said.outcome is Outcome.INFRASTRUCTURE
    assert said.transcript.error is not None and message in said.transcript.error.message


def test_a_record_without_trace_is_as_before(echo: Echo) -> None:
    plain, traced = echo([], TRACE="off"), echo([entry(0, ONE)], TRACE="off")
    assert plain.transcript.cases == traced.transcript.cases
    assert traced.transcript.begin is not None and traced.transcript.begin.trace is None


def test_counts_are_held_against_the_file(echo: Echo, tmp_path: Path) -> None:
    said = echo([entry(0, ONE), entry(1, ONE)])
    facts = identity.fingerprint(tmp_path / "echo.bpte")
    asked = identity.Asked(tracing=Tracing("all"))
    assert identity.check(said.transcript, facts, asked).difference is None
    echo([entry(0, ONE)])
    facts = identity.fingerprint(tmp_path / "echo.bpte")
    found = identity.check(said.transcript, facts, asked).difference or ""
    assert "2 values of instructions compared and 0 missed, the file has 1, 0 of" in found
