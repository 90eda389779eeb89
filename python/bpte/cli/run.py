# SPDX-License-Identifier: BSD-3-Clause
"""Runs every test case of a bundle, on this machine or on a board, and judges its outputs."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bpte.cli import _arguments, _output
from bpte.files import access
from bpte.files.atomic import ReportFile
from bpte.run import document, etdump, launcher, report
from bpte.run.budget_check import Baseline
from bpte.run.outcome import Outcome, State
from bpte.run.results_error import ResultsError
from bpte.run.results_folder import ResultsFolder
from bpte.text import printable

EPILOG = """\
examples:
  bpte run model.bpte
  bpte run model.bpte --method forward --case 0 --rtol 1e-3 --atol 1e-5
  bpte run model.bpte --case "a cat"
  bpte run model.bpte --board corstone-300 --simulator qemu --timeout 60
  bpte run model.bpte --board corstone-300 --elf firmware.elf --junit results.xml
  bpte run model.bpte --board corstone-300 --elf firmware.elf --linked
  bpte run model.bpte -o results --keep-outputs   (a folder, for bpte judge and bpte diff)
  bpte run model.bpte --board corstone-300 --budget "instructions<=2M,arena<=64KiB,flash<=256KiB"
  bpte run model.bpte --save base.json, and later: --against base.json --slower 5%
  bpte run model.bpte --profile --etdump model.etdp   (for ExecuTorch's Inspector)
  bpte run model.bpte --log uart.txt         (judges a recorded output of that bundle)
  bpte run --log uart.txt --rtol 1e-3        (judges a recorded output again)

exit codes:
  0 passed   1 a case, metric or budget failed   2 usage   3 malformed bundle
  4 it could not be run: not started, hung, died, faulted, protocol cut short, nothing judged,
    contradictory records, another bundle
  70 a mistake in bpte
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments on a parser of its own."""
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the bundle")
    for name, options in _arguments.RUN_OPTIONS.items():
        parser.add_argument(f"--{name}", **options)
    parser.add_argument(
        "--log",
        type=Path,
        metavar="TXT",
        help="judge this recorded output (-: standard input); nothing is run. With FILE: only if "
        "it is about that bundle",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write the results: JSON, a JUnit report, what the target said",
    )
    parser.add_argument(
        "--budget",
        type=_arguments.budgets,
        action="extend",
        default=[],
        metavar="B",
        help='what the run may take: "time<=25ms,arena<=64KiB,flash<=128KiB"; also static, stack, '
        "instructions, cycles. Time is that of each execution",
    )
    parser.add_argument(
        "--save", type=Path, metavar="JSON", help="write the results, to compare later runs with"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="JSON",
        help="no execution may be slower than it was in these results (--save, or results.json)",
    )
    parser.add_argument(
        "--slower",
        type=_arguments.percent,
        metavar="P",
        help="by how much it may be, such as 5%%; default: 0%%",
    )
    parser.add_argument("--junit", type=Path, metavar="XML", help="write a JUnit report, too")
    parser.add_argument(
        "--etdump",
        type=Path,
        metavar="ETDP",
        help="write what --profile, --dump and --keep-outputs give for ExecuTorch's Inspector: the "
        "values into ETDP.bin, its debug buffer",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument(
        "--keep-outputs",
        action="store_true",
        help="fetch the outputs' values, too: into the results, and held against the records",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show on stderr what the target says, as it comes"
    )


def _usage(message: str) -> int:
    print(f"bpte run: {printable(message)}", file=sys.stderr)
    return Outcome.USAGE


def _show_text(data: bytes) -> None:
    sys.stderr.write(data.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))
    sys.stderr.flush()


def _show_note(text: str) -> None:
    print(f"bpte run: {text}", file=sys.stderr, flush=True)


class _Reports(NamedTuple):
    """What is written beside the results, where it was asked for."""

    junit: ReportFile | None
    save: ReportFile | None
    etdump: ReportFile | None
    #: Beside the ETDump, if there are any.
    values: ReportFile | None

    def write(self, result: launcher.Run) -> None:
        """Raises ``OSError``."""
        if self.junit is not None:
            self.junit.write(report.as_junit(result))
        if self.save is not None:
            self.save.write(document.as_json(result).encode())
        if self.etdump is not None and self.values is not None:
            try:
                made = etdump.etdump(result)
            except etdump.EtdumpError as error:
                return _show_note(f"no ETDump was written: {printable(str(error))}")
            self.etdump.write(made.data)
            if made.values:
                self.values.write(made.values)
            if made.left_out:
                _show_note(
                    f"the ETDump is without {made.left_out} values of types that ExecuTorch's "
                    "Inspector does not read"
                )


def _announce_files(arguments: argparse.Namespace) -> _Reports:
    """Holds what will be written, before anything is run, against all that is read: by this
    program, by the build, or by the target. Raises ``OSError``."""
    inputs = [arguments.file, arguments.log, arguments.elf, arguments.against]
    inputs += arguments.operators_from
    for path in inputs:
        if path is not None:
            access.reads_path(path)
    paths = [arguments.junit, arguments.save, arguments.etdump]
    values = None if arguments.etdump is None else f"{arguments.etdump}.bin"
    return _Reports(*(None if path is None else ReportFile(path) for path in (*paths, values)))


def _request(arguments: argparse.Namespace) -> launcher.Request:
    request = _arguments.request(arguments.file, lambda name: getattr(arguments, name))
    budgets = tuple(arguments.budget)
    return replace(request, keep_outputs=arguments.keep_outputs, budgets=budgets)


def _baseline(arguments: argparse.Namespace) -> Baseline | None:
    """Raises ``ResultsError``, ``OSError``."""
    if arguments.against is None:
        return None
    earlier = document.from_json(access.read_input(arguments.against), arguments.against.parent)
    begin = earlier.transcript.begin
    if begin is None or earlier.state not in (State.PASSED, State.MISMATCH):
        raise ResultsError(f"{arguments.against}: that run did not end by its verdicts")
    unit, cases = begin.unit, earlier.transcript.cases
    return Baseline(unit, cases, arguments.slower or 0.0)


def _judge_log(
    arguments: argparse.Namespace, on_text: Callable[[bytes], None] | None
) -> launcher.Run:
    """Raises OSError."""
    request = _request(arguments) if arguments.file is not None else None
    if str(arguments.log) == "-":
        pieces = _pieces(sys.stdin.buffer, on_text)
        result = launcher.judge_log(Path("standard input"), pieces, request)
    else:
        with access.open_stream(arguments.log) as file:
            result = launcher.judge_log(arguments.log, _pieces(file, on_text), request)
    if arguments.rtol is not None or arguments.atol is not None:
        result = launcher.judge_again(result, arguments.rtol, arguments.atol)
    return result


def _pieces(file: BinaryIO, on_text: Callable[[bytes], None] | None) -> Iterator[bytes]:
    """A log may be larger than memory."""
    while piece := file.read(1 << 16):
        if on_text is not None:
            on_text(piece)
        yield piece


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb; returns the exit code."""
    if arguments.file is None and arguments.log is None:
        return _usage("give a FILE, or --log, or both")
    if arguments.slower is not None and arguments.against is None:
        return _usage("--slower: slower than what? (--against)")
    fetches = arguments.profile, arguments.dump, arguments.keep_outputs or None, arguments.log
    if arguments.etdump is not None and not any(each is not None for each in fetches):
        return _usage("--etdump: of what? (--profile, --dump, --keep-outputs)")
    try:
        reports = _announce_files(arguments)
        baseline = _baseline(arguments)
    except OSError as error:
        return _usage(f"{error.filename}: {error.strerror}")
    try:
        if arguments.output is None:
            result = _result(arguments, baseline, None)
        else:
            with ResultsFolder(arguments.output) as folder:
                result = _result(arguments, baseline, folder.say)
                folder.write(result)
        reports.write(result)
    except OSError as error:
        return _usage(f"{error.filename}: {error.strerror}")
    if arguments.json:
        print(document.as_json(result))
    elif result.state is State.USAGE:
        return _usage(result.message)
    else:
        width = shutil.get_terminal_size((report.WIDTH, 24)).columns
        print(report.table(result, _output.use_colour(), width))
    return result.outcome


def _result(
    arguments: argparse.Namespace,
    baseline: Baseline | None,
    on_text: Callable[[bytes], None] | None,
) -> launcher.Run:
    """Raises OSError."""
    result = _judged(arguments, on_text)
    if arguments.budget or baseline is not None:
        result = launcher.judge_budgets(result, arguments.budget, baseline)
    return result


def _judged(arguments: argparse.Namespace, on_text: Callable[[bytes], None] | None) -> launcher.Run:
    """Raises OSError."""
    if arguments.log is not None:
        return _judge_log(arguments, on_text)
    shown = [show for show in (on_text, _show_text if arguments.verbose else None) if show]

    def on_output(data: bytes) -> None:
        for show in shown:
            show(data)

    return launcher.run(_request(arguments), on_text=on_output, on_note=_show_note)


def main(argv: list[str] | None = None) -> int:
    """The verb as a program of its own: python -m bpte.cli.run."""
    parser = argparse.ArgumentParser(prog="bpte run")
    configure(parser)
    arguments = parser.parse_args(argv)
    with access.command():
        return run(arguments)
