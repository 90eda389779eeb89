# SPDX-License-Identifier: BSD-3-Clause
"""Traces made by running: what each instruction of a program gives on this machine, as an engine
that executes it instruction by instruction shows it."""

from __future__ import annotations

from bpte.examine.trace_choice import TraceChoice
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.pack.cases import MethodTestSuite
from bpte.pack.producer import BundledProgram
from bpte.pack.tensors import PackError, normalise
from bpte.run.judge import Run
from bpte.run.outputs_file import value_of
from bpte.run.protocol_keys import Trace
from bpte.run.records import CaseKey

_ORIGINS = {"executorch": TraceOrigin.EXECUTORCH, "reference": TraceOrigin.REFERENCE}
"""Who computed the values, by the name that an engine reports."""

_Labels = dict[tuple[int, int], Instruction]
"""What is known of a method's instructions, by chain and index."""


def give(content: BundledProgram, run: Run, choice: TraceChoice) -> None:
    """Gives each case or step of ``content`` its trace, and each suite its ``traced_method``. What
    is known of an instruction already stays known.

    ``run`` is of a bundle with these suites, and was asked for all values (``Request.trace``:
    "record"). They are read from its scratch file when they are packed. Raises ``PackError`` for an
    engine that a bundle cannot name.
    """
    begin = run.transcript.begin
    engine = "" if begin is None else begin.engine
    if engine not in _ORIGINS:
        known = " and ".join(_ORIGINS)
        raise PackError(f"a trace by the engine {engine!r}: a bundle can only name {known}")
    # A bundle has its suites by their methods' names.
    suites = sorted(content.method_test_suites, key=lambda suite: suite.method_name)
    labels = [_labels(suite) for suite in suites]
    drop(content)
    traces: dict[CaseKey, list[TraceValue]] = {}
    for number, trace in enumerate(run.transcript.traces):
        # What an operation inside of a delegate should give, only another than its model can say.
        if trace.operation is not None or not choice.takes(trace.instruction):
            continue
        value = normalise(value_of(run.dumped[number]))
        if choice.keeps(value):
            entry = TraceValue(_instruction(trace, labels[trace.suite]), trace.output, value)
            traces.setdefault(CaseKey.of(trace), []).append(entry)
    for number, suite in enumerate(suites):
        for index, case in enumerate(suite.test_cases):
            case.trace = traces.get(CaseKey(number, index), ())
            for at, step in enumerate(case.steps):
                step.trace = traces.get(CaseKey(number, index, at), ())
        suite.traced_method = TracedMethod(_ORIGINS[engine], list(labels[number].values()))
    content.metadata |= choice.as_strings()


def drop(content: BundledProgram) -> bool:
    """Takes all traces away, and what is known of instructions. Whether there were any."""
    traced = [suite for suite in content.method_test_suites if suite.traced_method is not None]
    for suite in traced:
        suite.traced_method = None
        for case in suite.test_cases:
            for run in (case, *case.steps):
                run.trace = ()
    for key in TraceChoice().as_strings():
        content.metadata.pop(key, None)
    return bool(traced)


def _labels(suite: MethodTestSuite) -> _Labels:
    traced = suite.traced_method
    listed = () if traced is None else traced.instructions
    return {(each.chain, each.index): each for each in listed if each.operation is None}


def _instruction(trace: Trace, labels: _Labels) -> Instruction:
    """The instruction that the record is about. One that was not known is from now on."""
    operator = trace.operator if trace.kind == "kernel" else None
    unknown = Instruction(trace.chain, trace.instruction, operator_name=operator)
    return labels.setdefault((trace.chain, trace.instruction), unknown)
