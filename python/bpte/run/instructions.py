# SPDX-License-Identifier: BSD-3-Clause
"""What a traced run says of instructions: the records `trace`, held against the case that they
belong to, and the errors by instruction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Case, Output, Trace, TraceSummary
from bpte.run.records import CaseKey

#: More than any run has reason to report; refused so that no target can fill the host's memory.
MAX_TRACES = 1_000_000

#: Past every operation of a delegate call, which come before the call itself is done.
_CALL = 1 << 32


class InstructionKey(NamedTuple):
    """Which output of which instruction of a method, or of which operation inside of one."""

    suite: int
    chain: int
    instruction: int
    operation: int
    output: int

    @classmethod
    def of(cls, trace: Trace) -> InstructionKey:
        operation = _CALL if trace.operation is None else trace.operation
        return cls(trace.suite, trace.chain, trace.instruction, operation, trace.output)


def is_wrong(trace: Trace) -> bool:
    """Whether it was compared and was outside of its tolerance."""
    return trace.result is not None and trace.result.verdict is Verdict.FAIL


def contradiction(mode: str | None, traces: Sequence[Trace], case: Case) -> str | None:
    """What in a case's record and in its instructions' cannot all be true, under the mode that
    `begin` states."""
    summary = case.trace
    if mode is None:
        return "instructions are reported, which nobody asked for" if traces or summary else None
    if case.verdict is Verdict.ERROR:
        return None
    if summary is None:
        return "the case does not say what came of its instructions"
    if summary.wrong > summary.compared:
        return f"{summary.wrong} of {summary.compared} outputs of instructions were wrong"
    strict = mode == "strict"
    if bool(summary.strict) is not strict:
        return f"the case was judged {'leniently' if strict else 'strictly'}, the run was not"
    results = [trace for trace in traces if trace.result is not None]
    wrong = sum(map(is_wrong, results))
    if mode == "all" and len(results) != summary.compared:
        return f"{len(results)} of the {summary.compared} compared are reported"
    if wrong > summary.wrong or len(results) > summary.compared:
        return f"{wrong} wrong outputs are reported, of {summary.wrong}"
    if summary.wrong and not wrong:
        return f"{summary.wrong} outputs of instructions were wrong, and the first is not reported"
    return None


def miscounted(told: TraceSummary, traced: int, inside: int) -> str | None:
    """What a case cannot have counted, when its trace in the file has so many entries, and so many
    of them inside of delegates."""
    if told.compared + told.missed + told.unseen == traced and told.unseen <= inside:
        return None
    unseen = f" and {told.unseen} not shown" if told.unseen else ""
    return (
        f"{told.compared} values of instructions compared and {told.missed} missed{unseen}, "
        f"the file has {traced}, {inside} of them inside of delegates"
    )


@dataclass(frozen=True)
class Row:
    """The errors of one output of an instruction, over all cases and steps where it was reported.

    `own`: its inputs were right each time, so that the errors are its own. The worst case is that
    with the lowest SQNR, `where`."""

    key: InstructionKey
    trace: Trace
    where: CaseKey
    count: int
    wrong: int
    max_abs: float | None
    sqnr_db: float | None
    own: bool


def sqnr(output: Output | None) -> float:
    """By which errors are ordered, the worst first; a value without one comes before all."""
    if output is None or output.sqnr_db is None:
        return float("-inf")
    return output.sqnr_db


def by_instruction(traces: Iterable[Trace]) -> list[Row]:
    """The errors by instruction, in the program's order."""
    found: dict[InstructionKey, list[Trace]] = {}
    for trace in traces:
        if trace.result is not None:
            found.setdefault(InstructionKey.of(trace), []).append(trace)
    rows = []
    for key in sorted(found):
        group = found[key]
        worst = min(group, key=lambda trace: (not is_wrong(trace), sqnr(trace.result)))
        assert worst.result is not None
        rows.append(
            Row(
                key,
                worst,
                CaseKey.of(worst),
                len(group),
                sum(map(is_wrong, group)),
                worst.result.max_abs,
                worst.result.sqnr_db,
                all(trace.before == "right" for trace in group),
            )
        )
    return rows


def first_wrong(traces: Iterable[Trace]) -> Mapping[CaseKey, Trace]:
    """The first wrong instruction of each case or step that has one."""
    found: dict[CaseKey, Trace] = {}
    for trace in traces:
        if is_wrong(trace):
            found.setdefault(CaseKey.of(trace), trace)
    return found
