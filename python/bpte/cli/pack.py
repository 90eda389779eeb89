# SPDX-License-Identifier: BSD-3-Clause
"""Put a program and its test cases into a bundle.

Cases are given one by one, or in a suite file, or both. A value is a .npy file, a member of a .npz
file (arrays.npz:x), or a scalar (2, 0.5, true).

examples:
  bpte pack model.pte --case in=x.npy out=y.npy -o model.bpte
  bpte pack model.pte --ptd model.ptd --case in=x.npy out=y.npy -o model.bpte
  bpte pack model.pte --case in=a.npy,b.npy,2 out=y.npy name=small --rtol 1e-3 -o model.bpte
  bpte pack model.pte --suite suite.toml -o model.bpte
  bpte pack --base model.bpte --suite other.toml -o other.bpte   # its program, other cases

a suite file; its array files lie relative to it:
  [metadata]
  model = "mobilenet_v2"

  [[suite]]
  method = "forward"
  tolerance = { rtol = 1e-3, atol = 1e-5 }

  [[suite.case]]
  name = "cat"
  inputs = ["cat.npy", "more.npz:scale", 2, true]
  outputs = ["cat_out.npy"]
  tolerance = { min_sqnr_db = 30.0 }            # or tolerances = [{...}, ...]: one per output

  [[suite.case]]                                # no outputs: the case only runs
  inputs = [{ file = "x.npy", dim_order = [0, 2, 3, 1] }, { file = "h.npy", dtype = "bfloat16" }]

a sequence: steps run one after another, without the method being loaded again. Output 1 of a step
becomes input 0 of the next, which leaves it out:
  [[suite.case]]
  carry = { 1 = 0 }
  step = [
    { inputs = ["state.npy", "x0.npy"], outputs = ["y0.npy", "state1.npy"] },
    { inputs = ["x1.npy"], outputs = ["y1.npy", "state2.npy"] },
  ]

further keys of a suite, and of the file:
  rows = { inputs = ["x.npy"], outputs = ["y.npy"] }   # a case for each row of the arrays
  labels = "labels.npy"                         # a row for each case; or in a case: labels = 3
  metric.top1 = ">= 0.95"
  metric.mean_squared_error = "<= 1e-3"
  metric.confusion_matrix = { classes = 10 }    # reported

  weights = ["model.ptd"]                       # these two stand above the first suite
  budget = [{ resource = "flash", limit = 131072, method = "forward", target = "corstone-300" }]

A tolerance may state rtol, atol (LSBs for an integer output), max_outlier_share, min_sqnr_db,
min_cosine, nan_policy ("unequal", "equal", "ignore") and not_compared.
Arrays of a file have no memory order of their own worth keeping: they are stored in the one that
the program's input wants, where it is known.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bpte.cli import _output
from bpte.text import printable

if TYPE_CHECKING:
    from bpte.pack.producer import BundledProgram


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", nargs="?", help="the .pte file")
    parser.add_argument(
        "--base",
        metavar="BPTE",
        help="take program, weights, named data and metadata out of this bundle; its suites and "
        "budgets are replaced",
    )
    parser.add_argument("-o", "--output", required=True, help="the .bpte file to write")
    parser.add_argument(
        "--case",
        action="append",
        nargs="+",
        default=[],
        metavar=("in=A,B", "out=Y"),
        help="one test case: in=VALUE,... [out=VALUE,...] [name=TEXT]; may be repeated",
    )
    parser.add_argument("--suite", metavar="TOML", help="a suite file, see above")
    parser.add_argument("--method", help="the method of the --case options (default: forward)")
    parser.add_argument("--rtol", type=float, help="relative tolerance of the --case options")
    parser.add_argument("--atol", type=float, help="absolute tolerance of the --case options")
    parser.add_argument(
        "--meta",
        action="append",
        default=[],
        metavar="KEY=TEXT",
        help="a line of metadata, such as model=resnet50; may be repeated",
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="KEY=FILE",
        help="a file to go along as named data; may be repeated",
    )
    parser.add_argument(
        "--ptd",
        action="append",
        default=[],
        metavar="FILE",
        help="a data file of the program: its external weights; may be repeated",
    )
    add_format_options(parser)
    parser.add_argument(
        "--no-fit",
        action="store_true",
        help="do not look at the program, which may be anything: its methods are not held against "
        "the cases",
    )


def add_format_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what kind of file is written and how."""
    from bpte.format import header

    parser.add_argument(
        "--format",
        choices=header.FORMATS,
        default=header.BP09,
        help="bp09 (default), or bp08, which ExecuTorch 1.x reads",
    )
    parser.add_argument(
        "--drop",
        action="store_true",
        help="leave out what bp08 cannot carry, with a warning, rather than refuse",
    )
    parser.add_argument(
        "--alignment",
        type=int,
        metavar="BYTES",
        help="of the program in the file (default: 4096 from 1 MiB on, else 128)",
    )
    parser.add_argument(
        "--no-sync", action="store_true", help="do not wait until the file is on the disk"
    )
    parser.add_argument("--json", action="store_true", help="for a machine, on stdout")


def run(args: argparse.Namespace) -> int:
    from bpte.pack import fit, suite_file
    from bpte.pack.tensors import PackError

    if (args.program is None) == (args.base is None):
        raise PackError("give either a program or --base, and only one")

    loaded = suite_file.load(args.suite) if args.suite else suite_file.EMPTY
    suites = loaded.suites
    if args.case:
        cases = [suite_file.parse_case(words) for words in args.case]
        method = "forward" if args.method is None else args.method
        suites = suite_file.merge(suites, method, cases, args.rtol, args.atol)
    else:
        _refuse_options_of_cases(args)
    if not any(suite.test_cases for suite in suites):
        raise PackError("there are no test cases: give them by --case or --suite")
    if args.program is not None and not args.no_fit:
        fit.require_program(args.program)
    with contextlib.ExitStack() as opened:
        program = _program(args, opened)
        program.method_test_suites = suites
        program.budgets = loaded.budgets
        program.metadata |= loaded.metadata
        program.metadata |= dict(suite_file.key_value("--meta", text) for text in args.meta)
        paths = [*loaded.weights.values(), *map(Path, args.ptd)]
        program.weights |= suite_file.weights_of(paths)
        for name in program.weights:
            program.named_data.pop(name, None)  # a base's, given anew
        program.named_data |= dict(suite_file.key_value("--data", text) for text in args.data)
        saved = program.save(
            args.output,
            format=args.format,
            alignment=args.alignment,
            fit="skip" if args.no_fit else "relayout",
            drop=args.drop,
            durable=not args.no_sync,
            progress=_output.progress("packing"),
        )
    report(saved, args.json)
    return 0


def _program(args: argparse.Namespace, opened: contextlib.ExitStack) -> BundledProgram:
    """What is packed, without suites."""
    from bpte.bundle import Bundle
    from bpte.pack import convert
    from bpte.pack.producer import BundledProgram

    if args.base is None:
        return BundledProgram(args.program)
    return convert.base(opened.enter_context(Bundle(args.base)))


def _refuse_options_of_cases(args: argparse.Namespace) -> None:
    from bpte.pack.tensors import PackError

    for option in ("method", "rtol", "atol"):
        if getattr(args, option) is not None:
            raise PackError(
                f"--{option} is for the cases of --case, and there are none: a suite file states "
                "its own"
            )


def report(saved: object, as_json: bool) -> None:
    """Prints what was written; notes go to stderr."""
    from bpte.pack.producer import Saved

    assert isinstance(saved, Saved)
    for note in saved.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    if as_json:
        print(json.dumps({"ok": True, **saved._asdict(), "path": str(saved.path)}, indent=2))
    else:
        print(
            f"{printable(str(saved.path))}: {saved.format.upper()}, "
            f"{_output.size(saved.file_size)}, program of {saved.program_size} bytes at "
            f"{saved.program_offset}"
        )
