# SPDX-License-Identifier: BSD-3-Clause
"""Compare the results of two runs, case by case: two targets, engines, versions or days."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpte.cli import _output
from bpte.text import printable, printable_lines

if TYPE_CHECKING:
    from bpte.examine.diff import CasePair, Difference, Elements, MetricPair, OutputPair
    from bpte.run.protocol_keys import Case, FirstMismatch, Output

EPILOG = """\
A and B are folders that bpte run -o wrote. Cases are matched by their names, where these are
unique, else by their numbers. Where outputs were kept on both sides (--keep-outputs), the elements
that differ are shown: the first, and those that differ most.

example:
  bpte run model.bpte -o here
  bpte run model.bpte --board corstone-300 -o there
  bpte diff here there

exit codes:
  0 the same verdicts   1 another verdict, or a case in one alone   2 usage   3 malformed results
  4 a run that did not end by its verdicts, or nothing was judged on both sides
  70 a mistake in bpte
"""
#: How many rows and paragraphs are shown; JSON has all.
SHOWN = 40


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = __doc__
    parser.epilog = EPILOG
    for name in ("A", "B"):
        parser.add_argument(name.lower(), type=Path, metavar=name, help="a results folder")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")


def run(args: argparse.Namespace) -> int:
    from bpte.examine.diff import diff
    from bpte.run import results_folder

    difference = diff(results_folder.read(args.a), results_folder.read(args.b))
    if args.json:
        print(json.dumps(_as_dict(args.a, args.b, difference), indent=2))
    else:
        _show(args.a, args.b, difference)
    return difference.outcome


# --- JSON -----------------------------------------------------------------------------------------


def _as_dict(a: Path, b: Path, difference: Difference) -> dict[str, Any]:
    return {
        "exit_code": int(difference.outcome),
        "message": difference.message,
        "a": str(a),
        "b": str(b),
        "different": {name: list(pair) for name, pair in difference.facts.items()},
        "cases": [_case_dict(pair) for pair in difference.cases],
        "metrics": [_metric_dict(pair) for pair in difference.metrics],
        "only_in_a": [_place(case) for case in difference.only_a],
        "only_in_b": [_place(case) for case in difference.only_b],
    }


def _place(case: Case) -> dict[str, Any]:
    step = {} if case.step is None else {"step": case.step}
    place = {"suite": case.suite, "method": case.method, "case": case.case}
    return place | step | {"name": case.name or ""}


def _case_dict(pair: CasePair) -> dict[str, Any]:
    return _place(pair.case) | {
        "changed": pair.changed,
        "result": [pair.a.counted.value, pair.b.counted.value],
        "outputs": [
            {
                "output": output.number,
                "a": _record(output.a),
                "b": _record(output.b),
                "elements": _elements_dict(output.elements),
            }
            for output in pair.outputs
        ],
    }


def _metric_dict(pair: MetricPair) -> dict[str, Any]:
    from bpte.run.document import members

    sides = (pair.a, pair.b)
    return {
        "changed": pair.changed,
        "result": [None if side is None else side.counted.value for side in sides],
        **{
            name: None if side is None else members(side.metric, "metric")
            for name, side in zip(("a", "b"), sides, strict=True)
        },
    }


def _record(output: Output | None) -> dict[str, Any] | None:
    from bpte.run.document import members

    return None if output is None else members(output, "output")


def _elements_dict(elements: Elements | None) -> dict[str, Any] | None:
    """How B's kept value differs from A's, which counts as the expected one."""
    from bpte.run.document import members

    if elements is None:
        return None
    kept = ("numel", "mismatches", "reason", "max_abs", "sqnr_db", "cosine", "first")
    facts = {k: v for k, v in members(elements.record, "output").items() if k in kept}
    facts["differ"] = facts.pop("mismatches", None)
    if elements.worst is not None:
        facts["worst"] = members(elements.worst, "first")
    return facts


# --- The table ------------------------------------------------------------------------------------


def _show(a: Path, b: Path, difference: Difference) -> None:
    for name, path, run in (("A", a, difference.a), ("B", b, difference.b)):
        started = f", {run.started}" if run.started else ""
        print(f"{name}: {printable(f'{path} ({run.bundle} on {run.board}{started})')}")
    for name, (one, other) in difference.facts.items():
        print(f"  {name}: A {printable(one)}, B {printable(other)}")
    pairs = sorted(difference.cases, key=lambda pair: not pair.changed)  # stable
    rows = [row for pair in pairs for row in _rows(pair)]
    if rows:
        head = ("", "method", "case", "name", "output", "A", "B")
        errors = ("error A", "error B", "SQNR A", "SQNR B", "differ")
        print("\n" + _output.table((*head, *errors), rows[:SHOWN], "llrlrlllllll"))
    if len(rows) > SHOWN:
        print(f"  {len(rows)} rows; {SHOWN} are shown, --json has all.")
    if difference.metrics:
        print("\n" + _metrics(difference.metrics))
    texts = [text for pair in pairs for text in _details(pair)]
    for name, only in (("A", difference.only_a), ("B", difference.only_b)):
        texts += [f"only in {name}: {_label(case)}" for case in only]
    if texts:
        print("\n" + "\n".join(texts[:SHOWN]))
    if len(texts) > SHOWN:
        print(f"... and {len(texts) - SHOWN} more (--json shows all)")
    print(f"\n{printable_lines(difference.message)}")


def _metrics(pairs: Sequence[MetricPair]) -> str:
    from bpte.run import metric_words

    rows = [
        (
            "*" if pair.changed else "",
            metric_words.name(pair.metric),
            pair.metric.method,
            *("-" if side is None else side.counted.value for side in (pair.a, pair.b)),
            *(
                "-" if side is None or side.metric is None else metric_words.value(side.metric)
                for side in (pair.a, pair.b)
            ),
        )
        for pair in pairs
    ]
    head = ("", "metric", "method", "A", "B", "value A", "value B")
    return _output.table(head, rows, "lllllll")


def _label(case: Case) -> str:
    from bpte.run import describe

    name = f' "{case.name}"' if case.name else ""
    return printable(f"{describe.label(case)}{name}")


def _rows(pair: CasePair) -> Iterator[tuple[object, ...]]:
    from bpte.run import describe

    case = pair.case
    head = ("*" if pair.changed else "", case.method, describe.place(case), case.name or "")
    if not pair.outputs:
        yield (*head, "", pair.a.counted.value, pair.b.counted.value, *[""] * 5)
    for output in pair.outputs:
        sides = (output.a, output.b)
        yield (
            *head,
            output.number,
            *("-" if side is None else side.verdict.value for side in sides),
            *("-" if side is None else describe.largest_error(side) for side in sides),
            *("-" if side is None else describe.short(side.sqnr_db) for side in sides),
            _differing(output),
        )


def _differing(output: OutputPair) -> str:
    if output.elements is None:
        return ""
    record = output.elements.record
    if record.numel is None:
        return record.reason or ""
    return f"{record.mismatches} of {record.numel}"


def _details(pair: CasePair) -> Iterator[str]:
    """What changed in a case and why, and which elements differ."""
    label = _label(pair.case)
    if pair.changed:
        yield f"{label}: A {pair.a.counted.value}, B {pair.b.counted.value}"
        for name, side in (("A", pair.a), ("B", pair.b)):
            yield from (f"  {name}: {line}" for line in side.message.splitlines())
    for output in pair.outputs:
        if output.elements is not None and output.elements.record.mismatches:
            record = output.elements.record
            first, worst = _pair_text(record.first), _pair_text(output.elements.worst)
            yield (
                f"{label}, output {output.number}: {record.mismatches} of {record.numel} elements "
                f"differ; the first {first}" + (f"; most {worst}" if worst != first else "")
            )


def _pair_text(pair: FirstMismatch | None) -> str:
    from bpte.run.describe import number

    if pair is None:
        return "unknown"
    at = f"at {list(pair.index)}, " if pair.index else ""
    return f"{at}A {number(pair.expected)}, B {number(pair.actual)}"
