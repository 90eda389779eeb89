# SPDX-License-Identifier: BSD-3-Clause
"""Shows a run: as a table for people, as JUnit XML for machines (as JSON: `bpte.run.document`)."""

from __future__ import annotations

import math
import textwrap
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from bpte.run import budget_words, describe, metric_words, profile_report, trace_report
from bpte.run.judge import Run
from bpte.run.outcome import Counted, State, Verdict
from bpte.run.protocol_keys import Case, Output
from bpte.run.results import Results
from bpte.run.table import GAP, Column, cut, fit, paragraph
from bpte.text import printable, printable_lines

_COLOURS = {"pass": "32", "fail": "31", "error": "31", "unjudged": "33"}
#: When there are more cases than this, only the worst are shown.
SHOWN_CASES = 40
#: How many failed outputs, and cases that did not run, are described.
SHOWN_FAILURES = 20
_LONGEST_NAME = 40  # in front of a failure
#: The columns of a terminal that does not report them.
WIDTH = 80


# --- The table ------------------------------------------------------------------------------------

_COLUMNS = (
    Column("method", cut=1),
    Column("case"),
    Column("name", cut=2),
    Column("verdict"),
    Column("time", drop=1),
    Column("max error"),
    Column("rtol, atol", drop=2),
)


def _worst(outputs: Sequence[Output]) -> str:
    """The largest error of a case's outputs; a NaN is worse than any number."""

    def key(output: Output) -> tuple[int, float]:
        rank = {"-": 0, "inf": 2, "nan": 3}.get(describe.largest_error(output), 1)
        return rank, output.max_abs or 0.0

    return describe.largest_error(max(outputs, key=key)) if outputs else "-"


def _tolerance(case: Case) -> str:
    texts = {
        f"{describe.short(output.rtol)}, {describe.short(output.atol)}"
        for output in case.outputs
        if output.rtol is not None or output.atol is not None
    }
    return texts.pop() if len(texts) == 1 else "several" if texts else "-"


def _badness(case: Case) -> tuple[float, ...]:
    """Orders cases, the worst first: those that did not run, then those with another kind, dtype or
    shape, then by the share of elements outside, then by the largest error."""
    rank = (Verdict.ERROR, Verdict.FAIL, Verdict.UNJUDGED, Verdict.PASS).index(case.verdict)
    failed = [output for output in case.outputs if output.verdict is Verdict.FAIL]
    shares = [(o.mismatches or 0) / o.numel if o.numel else math.inf for o in failed]
    errors = [math.inf if describe.nothing_finite(o) else o.max_abs or 0.0 for o in case.outputs]
    return (
        rank,
        -max(shares, default=0.0),
        -max(errors, default=0.0),
        case.suite,
        case.case,
        case.step or 0,
    )


def _rows(cases: Sequence[Case], unit: str, width: int, colour: bool) -> list[str]:
    rows = [
        (
            printable(case.method),
            describe.place(case),
            printable(case.name or ""),
            case.verdict.value,
            describe.time(case.time, unit),
            _worst(case.outputs),
            _tolerance(case),
        )
        for case in cases
    ]
    verdicts = [case.verdict.value for case in cases]
    return _coloured(fit(_COLUMNS, rows, width), verdicts, colour)


def _coloured(table: list[list[str]], verdicts: Sequence[str], colour: bool) -> list[str]:
    """The lines of a table with a head, the cell with each row's verdict in its colour."""
    lines = []
    for cells, verdict in zip(table, ["", *verdicts], strict=True):
        if colour and (code := _COLOURS.get(verdict)):
            at = next(i for i, cell in enumerate(cells) if cell.strip() == verdict)
            cells[at] = f"\033[{code}m{cells[at]}\033[0m"
        lines.append(GAP.join(cells).rstrip())
    return lines


def _label(case: Case) -> str:
    name = f' "{cut(printable(case.name), _LONGEST_NAME)}"' if case.name else ""
    step = "" if case.step is None else f", step {case.step}"
    return f"{cut(printable(case.method), _LONGEST_NAME)}, case {case.case}{step}{name}"


def _failures(cases: Sequence[Case], width: int) -> list[str]:
    """A paragraph for each output that failed and each case that did not run."""
    paragraphs = []
    for case in cases:
        if case.verdict is Verdict.ERROR:
            text = f"did not run: {describe.error(case)}"
            paragraphs.append(paragraph(_label(case), [text], width))
        for index, output in enumerate(case.outputs):
            if output.verdict is Verdict.FAIL:
                head = f"{_label(case)}, output {index}"
                paragraphs.append(paragraph(head, describe.output_parts(output), width))
    return paragraphs


def _defaults(cases: Sequence[Case], width: int) -> list[str]:
    """What to do about a mismatch at a default tolerance."""
    names = {
        output.dtype or output.kind
        for case in cases
        for output in case.outputs
        if output.reason == "elements" and describe.uses_default_tolerance(output)
    }
    if not names:
        return []
    text = (
        f"These tolerances are the defaults of {', '.join(sorted(filter(None, names)))}. State "
        "what the model needs when packing, or try others with --rtol and --atol."
    )
    return ["", *textwrap.wrap(printable(text), width)]


_METRIC_COLUMNS = (
    Column("metric", cut=1),
    Column("method", cut=2),
    Column("verdict"),
    Column("bounds"),
    Column("value (95 % interval)"),
)
#: How many samples that an accuracy misses are listed.
SHOWN_SAMPLES = 10


def _metrics(run: Run, width: int, colour: bool) -> list[str]:
    """A table of the metrics; confusion matrices, and the samples that accuracies miss."""
    transcript = run.transcript
    if not transcript.metrics:
        return []
    rows = [
        (
            printable(metric_words.name(metric)),
            printable(metric.method),
            metric.verdict.value,
            metric_words.bounds(metric),
            metric_words.value(metric),
        )
        for metric in transcript.metrics
    ]
    verdicts = [metric.verdict.value for metric in transcript.metrics]
    lines = ["", *_coloured(fit(_METRIC_COLUMNS, rows, width), verdicts, colour)]
    for metric in transcript.metrics:
        if metric.verdict in (Verdict.FAIL, Verdict.ERROR):
            head = printable(metric_words.label(metric))
            lines += ["", paragraph(head, [printable(metric_words.why(metric))], width)]
        drawn = metric_words.matrix(metric, transcript.confusion)
        lines += ["", *drawn] if drawn else []
        missed = list(metric_words.missed(metric, transcript.cases))
        if missed:
            lines += ["", f"{printable(metric_words.label(metric))} misses:"]
            lines += [f"  {line}" for line in missed[:SHOWN_SAMPLES]]
        if len(missed) > SHOWN_SAMPLES:
            lines.append(f"  ... and {len(missed) - SHOWN_SAMPLES} more (--json has all)")
    return lines


_BUDGET_COLUMNS = (
    Column("budget"),
    Column("verdict"),
    Column("limit", right=True),
    Column("used", right=True),
    Column("by"),
)


def _budgets(run: Run, width: int, colour: bool) -> list[str]:
    budgets = run.transcript.budgets
    if not budgets:
        return []
    rows = [
        (
            printable(budget_words.name(budget)),
            budget.verdict.value,
            f"{budget.limit:,}",
            budget_words.amount(budget.amount, budget.resource),
            budget_words.where(budget),
        )
        for budget in budgets
    ]
    verdicts = [budget.verdict.value for budget in budgets]
    return ["", *_coloured(fit(_BUDGET_COLUMNS, rows, width), verdicts, colour)]


def _memory(run: Run, width: int) -> list[str]:
    """What the target took, if it said so; and what its times are, where that may be mistaken."""
    lines = []
    if (resources := run.transcript.resources) is not None:
        text = "memory in bytes: " + budget_words.memory(resources)
        lines += ["", *textwrap.wrap(text, width)]
    begin = run.transcript.begin
    if begin is not None and begin.unit == "instructions":
        lines += ["", "Times are instructions that an emulator counted. They are not cycles."]
    return lines


def _head(run: Run) -> list[str]:
    begin = run.transcript.begin
    if begin is None:
        return []
    engine = printable(run.transcript.engine) or "?"
    where = printable(begin.target) + (f" ({printable(run.simulator)})" if run.simulator else "")
    lines = [f"{printable(str(run.bundle))} on {where}, engine {engine}"]
    if begin.program_address is not None:
        lines.append(f"program: {begin.program_size} bytes in place at {begin.program_address:#x}")
    return lines


def _counts(cases: Sequence[Case]) -> str:
    words = {"passed": Verdict.PASS, "failed": Verdict.FAIL, "not run": Verdict.ERROR}
    words["unjudged"] = Verdict.UNJUDGED
    counts = {
        word: sum(case.verdict is verdict for case in cases) for word, verdict in words.items()
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def table(run: Run, colour: bool = False, width: int = WIDTH) -> str:
    """For a terminal of so many columns. Ends without a newline."""
    cases = run.transcript.cases
    begin = run.transcript.begin
    lines = _head(run)
    worst = sorted(cases, key=_badness)
    if cases and begin is not None:
        many = len(cases) > SHOWN_CASES
        shown = worst[:SHOWN_CASES] if many else cases
        lines += ["", *_rows(shown, begin.unit, width, colour)]
        if many:
            lines += ["", f"{len(cases)} cases: {_counts(cases)}"]
            lines.append(f"The {SHOWN_CASES} worst are shown; --json and --junit report all.")
    lines += _metrics(run, width, colour)
    lines += _budgets(run, width, colour)
    lines += _memory(run, width)
    if details := _failures(worst if len(cases) > SHOWN_CASES else cases, width):
        lines += ["", *details[:SHOWN_FAILURES]]
        if len(details) > SHOWN_FAILURES:
            lines.append(f"... and {len(details) - SHOWN_FAILURES} more (--json shows all)")
    lines += _defaults(cases, width)
    for part in (
        trace_report.paragraphs(run, width),
        trace_report.rows(run, width),
        trace_report.advice(run, width),
        profile_report.paragraphs(run, width),
    ):
        lines += ["", *part] if part else []
    if Results(run).passed_in_vain:
        lines += ["", "What passed does not count, as the run ended badly."]
    if lines:
        lines.append("")
    state = run.state.words
    if colour:
        state = f"\033[1;{'32' if run.state is State.PASSED else '31'}m{state}\033[0m"
    lines.append(f"{state}: {printable_lines(run.message)}")
    return "\n".join(lines)


# --- JUnit ----------------------------------------------------------------------------------------

_TAGS = {Counted.FAILED: "failure", Counted.ERROR: "error", Counted.SKIPPED: "skipped"}


def as_junit(run: Run) -> bytes:
    """One testcase for each case and metric that arrived, and one for the run when it did not end
    by their verdicts. A time is in seconds; cycles are a property."""
    results = Results(run)
    begin = run.transcript.begin
    suite = ElementTree.Element("testsuite", name=printable(f"{run.bundle.name} on {run.board}"))
    for result in results.arrived:
        case = result.case
        assert case is not None  # it arrived
        name = f"{describe.place(case)} {case.name}" if case.name else describe.place(case)
        element = ElementTree.SubElement(
            suite, "testcase", classname=printable(case.method), name=printable(name)
        )
        stated = {}
        if result.seconds is not None:
            element.set("time", f"{result.seconds:.9f}")
        elif case.time is not None and begin is not None:
            stated["time"] = f"{case.time} {begin.unit}".rstrip()
        if case.stand_in:
            stated["stand_in"] = case.stand_in
        if stated:
            properties = ElementTree.SubElement(element, "properties")
            for key, value in stated.items():
                ElementTree.SubElement(properties, "property", name=key, value=printable(value))
        if tag := _TAGS.get(result.counted):
            message = result.message.split("\n")[0]
            ElementTree.SubElement(element, tag, message=message).text = result.message
    for outcome in results.metrics:
        metric = outcome.metric
        assert metric is not None  # it arrived
        name = printable(f"metric {metric_words.name(metric)}")
        element = ElementTree.SubElement(
            suite, "testcase", classname=printable(metric.method), name=name
        )
        properties = ElementTree.SubElement(element, "properties")
        value = metric_words.value(metric)
        ElementTree.SubElement(properties, "property", name="value", value=value)
        if tag := _TAGS.get(outcome.counted):
            ElementTree.SubElement(element, tag, message=outcome.message).text = outcome.message
    for budget in run.transcript.budgets:
        name = printable(f"budget {budget_words.name(budget)}")
        element = ElementTree.SubElement(suite, "testcase", classname="bpte", name=name)
        if tag := _TAGS.get(results.of_budget(budget)):
            message = printable(budget_words.why(budget)) or results.why
            ElementTree.SubElement(element, tag, message=message).text = message
    if table_of_errors := trace_report.rows(run, WIDTH):
        output = ElementTree.SubElement(suite, "system-out")
        output.text = "\n".join(table_of_errors)
    if results.ended_otherwise:
        element = ElementTree.SubElement(suite, "testcase", classname="bpte", name="run")
        ElementTree.SubElement(element, "error", message=results.why)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{run.seconds:.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
