# SPDX-License-Identifier: BSD-3-Clause
"""Cut the first wrong instruction out of a bundle, into a small one that fails alike."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bpte.cli import _arguments
from bpte.text import printable

EPILOG = """\
The bundle must have a trace: what its instructions should give (bpte record --trace, or EagerTracer
in Python). Where it has gaps, the desk fills them if it has the case right. If it has not, the
instructions of a gap that may be at fault are named.
The new bundle has the one instruction with its constants, its real inputs and the outputs that it
should give. A delegate is one instruction.
It says whose fault it is. The target's: the instruction is right on the desk, which is this host.
The program's: it is wrong there, too. The new bundle must show the same before it is written.

examples:
  bpte reduce model.bpte -o reduced.bpte                     (on this host)
  bpte reduce model.bpte --case 3 --board corstone-300 -o reduced.bpte

exit codes:
  0 done   2 usage, or no trace   3 malformed bundle
  4 no instruction is wrong, or alone it does not fail as it did, or something did not run
  70 a mistake in bpte
"""

_OPTIONS = (
    *("method", "case", "board", "simulator", "engine", "elf", "timeout"),
    *("trace-rtol", "trace-atol", "operators-from", "npu", "trust-target", "load-address"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = __doc__
    parser.epilog = EPILOG
    parser.add_argument("file", type=Path, metavar="FILE", help="the bundle")
    parser.add_argument("-o", "--output", required=True, metavar="B", help="the bundle to write")
    for name in _OPTIONS:
        parser.add_argument(f"--{name}", **_arguments.RUN_OPTIONS[name])
    parser.add_argument("--json", action="store_true", help="for a machine, on stdout")


def run(args: argparse.Namespace) -> int:
    from bpte.examine.reduce import reduce
    from bpte.run.request import Request

    given = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in _OPTIONS}
    given["program"] = given.pop("elf")
    given["operators_from"] = tuple(given["operators_from"])
    reduced = reduce(
        Request(args.file, **given),
        args.output,
        on_note=lambda text: print(f"bpte reduce: {printable(text)}", file=sys.stderr, flush=True),
    )
    saved = reduced.saved
    if args.json:
        facts = {
            "ok": True,
            "path": str(saved.path),
            "file_size": saved.file_size,
            "program_size": saved.program_size,
            "instruction": reduced.instruction,
            "fault": reduced.fault,
            "target": reduced.target,
            "desk": reduced.desk,
            "untraced": reduced.untraced,
        }
        print(json.dumps(facts, indent=2))
        return 0
    print(f"{printable(str(saved.path))}: {reduced.instruction}, {saved.file_size} bytes")
    if reduced.fault == "target":
        words = f"the target's ({reduced.target}): the desk ({reduced.desk}) has it right"
    else:
        words = f"the program's: it is wrong on the desk ({reduced.desk}), too"
    print(printable(f"The fault is {words}."))
    if reduced.untraced:
        numbers = ", ".join(f"{c}:{i}" if c else str(i) for c, i in reduced.untraced)
        print(
            f"Or it lies before: the trace does not have what instruction {numbers} should give. "
            "With a trace of all instructions it is certain."
        )
    return 0
