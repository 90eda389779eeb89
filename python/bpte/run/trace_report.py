# SPDX-License-Identifier: BSD-3-Clause
"""What a traced run found, in words and as a table of errors by instruction."""

from __future__ import annotations

import textwrap

from bpte.program.ethosu import BACKEND as ETHOSU
from bpte.run import describe, instructions
from bpte.run.judge import Run
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Case
from bpte.run.records import CaseKey
from bpte.run.table import GAP, Column, cut, fit
from bpte.text import printable

#: When there are more rows than this, only the worst are shown.
SHOWN_ROWS = 40
_LONGEST_NAME = 60

_COLUMNS = (
    Column("instruction"),
    Column("operator", cut=1),
    Column("from", cut=2),
    Column("wrong"),
    Column("max error", drop=1),
    Column("SQNR dB"),
)


def case_lines(run: Run) -> dict[CaseKey, str]:
    """A line for each case or step in which an instruction was wrong, or was not executed."""
    first = instructions.first_wrong(run.transcript.traces)
    lines = {}
    for case in run.transcript.cases:
        key = CaseKey.of(case)
        summary = case.trace
        parts = []
        if (trace := first.get(key)) is not None:
            parts.append(f"first wrong: {describe.wrong_instruction(trace)}")
        if summary is not None and summary.missed:
            parts.append(
                f"{summary.missed} values of the trace were not met: other instructions were "
                "executed than when it was made"
            )
        if parts:
            lines[key] = "; ".join(parts)
    # A case that did not arrive tells how far it came.
    for key, trace in first.items():
        lines.setdefault(key, f"first wrong: {describe.wrong_instruction(trace)}")
    return lines


def _head(case: Case) -> str:
    """The case by its name, and which of its outputs are wrong."""
    name = (
        f'case "{cut(printable(case.name), _LONGEST_NAME)}"'
        if case.name
        else (f"{printable(case.method)}, case {describe.place(case)}")
    )
    failed = [i for i, output in enumerate(case.outputs) if output.verdict is Verdict.FAIL]
    if case.verdict is Verdict.ERROR:
        return f"{name}: did not run"
    if not failed:
        return f"{name}: its outputs are right"
    words = "output" if len(failed) == 1 else "outputs"
    return f"{name}: {words} {', '.join(map(str, failed))} wrong"


def paragraphs(run: Run, width: int) -> list[str]:
    """What was found in each case, for a terminal of so many columns."""
    lines = case_lines(run)
    found = []
    for case in run.transcript.cases:
        if (line := lines.get(CaseKey.of(case))) is not None:
            text = f"{_head(case)}; {line}"
            found.append("\n".join(textwrap.wrap(text, width, subsequent_indent="  ")))
    return found


def rows(run: Run, width: int) -> list[str]:
    """The errors by instruction: a heading, then a line for each, the lowest SQNR first where there
    are many."""
    found = instructions.by_instruction(run.transcript.traces)
    begin = run.transcript.begin
    if not found or begin is None or begin.trace != "all":
        return []
    many = len(found) > SHOWN_ROWS
    if many:
        found = sorted(found, key=lambda row: (not row.wrong, instructions.sqnr(row.trace.result)))
        found = found[:SHOWN_ROWS]
    cells = []
    for row in found:
        trace = row.trace
        chain = f"{trace.chain}/" if trace.chain else ""
        inside = "" if trace.operation is None else f".{trace.operation}"
        origin = ", ".join(text for text in (trace.module or trace.node, trace.source) if text)
        assert trace.result is not None
        cells.append(
            (
                f"{chain}{trace.instruction}{inside}:{trace.output}",
                printable(trace.operator or trace.kind),
                printable(origin),
                f"{row.wrong} of {row.count}" if row.wrong else "-",
                describe.largest_error(trace.result),
                describe.short(row.sqnr_db),
            )
        )
    title = "errors by instruction: " + (
        "each its own, as its inputs were put right" if begin.isolate else "with those before it"
    )
    lines = [title, *(GAP.join(line).rstrip() for line in fit(_COLUMNS, cells, width))]
    if many:
        lines.append(f"The {SHOWN_ROWS} worst are shown; --json has all.")
    return lines


def advice(run: Run, width: int) -> list[str]:
    """What to do next, as far as the records say."""
    begin = run.transcript.begin
    if begin is None or begin.trace is None:
        return []
    wrong = [trace for trace in run.transcript.traces if instructions.is_wrong(trace)]
    texts = []
    if any(trace.kind == "delegate" and trace.operator != ETHOSU for trace in wrong):
        texts.append(
            "A delegate is one instruction. Exported with one delegate for each operator (of "
            "XNNPACK: XnnpackPartitioner(per_op_mode=True)), the program shows which is wrong."
        )
    unseen = sum(case.trace.unseen for case in run.transcript.cases if case.trace is not None)
    if unseen:
        texts.append(
            f"{unseen} values inside of delegates were not compared: this engine does not show "
            "them, and a real NPU cannot. The functional model does (--engine reference)."
        )
    if begin.isolate:
        texts.append(
            "The outputs were put right (--isolate), so they show nothing: without it they decide."
        )
    return [line for text in texts for line in textwrap.wrap(text, width)]
