# SPDX-License-Identifier: BSD-3-Clause
"""Judge the results of a run again, with another tolerance, without running anything."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpte.cli import _arguments, _output
from bpte.text import printable, printable_lines

if TYPE_CHECKING:
    from bpte.examine.again import Judged, JudgedOutput

EPILOG = """\
RESULTS is a folder that bpte run -o wrote. An output is judged from its kept value (--keep-outputs)
where --bundle is given, which has the expected values; else from its statistics, as far as they
decide. What they do not decide is not a pass. Metrics are measured again from the kept values.

examples:
  bpte judge results --rtol 1e-3 --atol 1e-5
  bpte judge results --rtol 1e-3 --bundle model.bpte

exit codes:
  0 passed   1 a case failed   2 usage   3 malformed bundle or results
  4 not decided, another bundle, or a run that did not end by its verdicts
  70 a mistake in bpte
"""
#: How many outputs the table shows; JSON has all.
SHOWN = 40


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = __doc__
    parser.epilog = EPILOG
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a results folder")
    for name in ("rtol", "atol"):
        options = {**_arguments.RUN_OPTIONS[name]}
        options["help"] = options["help"].replace("the bundle's", "the one that was used")
        parser.add_argument(f"--{name}", **options)
    parser.add_argument("--bundle", type=Path, metavar="B", help="the bundle that was run")
    parser.add_argument("--junit", type=Path, metavar="XML", help="write a JUnit report, too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")


def run(args: argparse.Namespace) -> int:
    from bpte.bundle import open_bundle
    from bpte.examine.again import judge
    from bpte.files import access
    from bpte.files.atomic import ReportFile
    from bpte.run import report, results_folder

    for path in (args.results, args.bundle):
        if path is not None:
            access.reads_path(path)
    junit = ReportFile(args.junit) if args.junit is not None else None
    results = results_folder.read(args.results)
    with contextlib.ExitStack() as stack:
        bundle = None
        if args.bundle is not None:
            bundle = stack.enter_context(open_bundle(args.bundle, verify=True))
        judged = judge(results, args.rtol, args.atol, bundle)
    if junit is not None:
        junit.write(report.as_junit(judged.run))
    if args.json:
        print(json.dumps(_as_dict(judged), indent=2))
    else:
        _show(judged, hint=bool(results.kept) and bundle is None)
    return judged.run.outcome


def _word(output: JudgedOutput) -> str:
    return "undecided" if output.verdict is None else output.verdict.value


def _as_dict(judged: Judged) -> dict[str, Any]:
    from bpte.run.document import members

    return {
        "state": judged.run.state.value,
        "exit_code": int(judged.run.outcome),
        "message": judged.run.message,
        "outputs": [
            members(output.output, "output")
            | {
                "suite": output.case.suite,
                "method": output.case.method,
                "case": output.case.case,
                **({} if output.case.step is None else {"step": output.case.step}),
                "output": output.number,
                "verdict": _word(output),
                "judged_from": output.source,
            }
            for output in judged.outputs
        ],
        "metrics": [
            members(checked.metric, "metric")
            | {"judged_from": "values" if checked.from_values else "record"}
            for checked in judged.metrics
        ],
    }


def _metrics(judged: Judged) -> str:
    from bpte.run import metric_words

    rows = [
        (
            metric_words.name(checked.metric),
            checked.metric.method,
            checked.metric.verdict.value,
            "values" if checked.from_values else "record",
            metric_words.bounds(checked.metric),
            metric_words.value(checked.metric),
        )
        for checked in judged.metrics
    ]
    head = ("metric", "method", "verdict", "from", "bounds", "value (95 % interval)")
    return _output.table(head, rows, "llllll")


def _show(judged: Judged, hint: bool) -> None:
    from bpte.run import describe

    rows = [
        (
            output.case.method,
            describe.place(output.case),
            output.case.name or "",
            output.number,
            _word(output),
            output.source,
            describe.largest_error(output.output),
            f"{describe.short(output.output.rtol)}, {describe.short(output.output.atol)}",
        )
        for output in judged.outputs
    ]
    order = ("undecided", "fail")  # these first, where not all are shown
    if len(rows) > SHOWN:
        rows.sort(key=lambda row: order.index(row[4]) if row[4] in order else len(order))
    if rows:
        head = ("method", "case", "name", "output", "verdict", "from", "max error", "rtol, atol")
        print(_output.table(head, rows[:SHOWN], "lrlrllll") + "\n")
    if len(rows) > SHOWN:
        print(f"{len(rows)} outputs; {SHOWN} are shown, --json has all.\n")
    if judged.metrics:
        print(_metrics(judged) + "\n")
    undecided = any(output.verdict is None for output in judged.outputs)
    if undecided and hint:
        print("Outputs were kept: --bundle FILE judges from their values.\n")
    elif undecided:
        print("The statistics do not decide all: run it again, with --keep-outputs.\n")
    for output in judged.outputs[:SHOWN]:
        if output.verdict == "fail":
            place = f"{describe.label(output.case)}, output {output.number}"
            print(f"{printable(place)}: {describe.describe_output(output.output)}")
    print(f"{judged.run.state.words}: {printable_lines(judged.run.message)}")
