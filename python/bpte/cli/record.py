# SPDX-License-Identifier: BSD-3-Clause
"""Record a bundle: run a program here, and keep what it gives as the expected outputs."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from bpte.cli import _arguments
from bpte.text import printable

EPILOG = """\
Inputs are drawn as the program states them, from a seed: for every input by --inputs, for one by
--input. There are
  uniform  uniform(LOW,HIGH)    from 0 to 1, or between these
  normal  normal(MEAN,DEVIATION)
  integers(LOW,HIGH)            both included; integers wider than 8 bits want it
  zeros  ones
  edges                         the type's largest, smallest and denormal values, zeros, ones
  nan                           normal, with NaNs and infinities among them
The first case of a method has dynamic sizes at their bounds, the others below them.
Everything is run twice; a program that does not give the same bits again is refused.
--trace adds what each instruction gives, step by step: bpte run --trace then names the first that
is wrong. It takes more room than the outputs.
With --oracle tosa, Arm's TOSA reference model says what the delegates of an Ethos-U program should
give, from the graphs (--graph) that they were compiled from; --engine computes what is beside them.

examples:
  bpte record model.pte -o model.bpte
  bpte record model.pte -o model.bpte --inputs "uniform(-1,1)" --seed 7 --cases 5 --rtol 1e-3
  bpte record model.pte -o model.bpte --input in0=x.npy --input "in1=integers(0,9)"
  bpte record --from model.bpte -o again.bpte         (its inputs, steps and tolerances)
  bpte record new.pte --from model.bpte -o new.bpte   (those, for another program)
  bpte record model.pte -o traced.bpte --trace --trace-every 2
  bpte record u55.pte -o u55.bpte --oracle tosa --graph u55.tosa

exit codes:
  0 done   2 usage   3 malformed program or bundle
  4 it could not be run, or is not deterministic
  70 a mistake in bpte
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = __doc__
    parser.epilog = EPILOG
    parser.add_argument("program", nargs="?", metavar="PTE", help="the program")
    parser.add_argument("-o", "--output", required=True, metavar="B", help="the bundle to write")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="B",
        help="a bundle whose inputs are kept; its program, too",
    )
    parser.add_argument("--method", metavar="M", help="only this method; default: all")
    parser.add_argument("--inputs", metavar="HOW", help="see below; default: normal")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="inN=WHAT",
        help="an input by its number: HOW, a .npy file, a member of a .npz file (arrays.npz:x), or "
        "a scalar (2, 0.5, true); may be repeated",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="default: 0")
    parser.add_argument("--cases", type=int, metavar="N", help="of each method; default: 3")
    for name in ("rtol", "atol"):
        options = {**_arguments.RUN_OPTIONS[name]}
        options["help"] = options["help"].split(",")[0] + " to write into the bundle"
        parser.add_argument(f"--{name}", **options)
    parser.add_argument("--trace", action="store_true", help="add what each instruction gives")
    parser.add_argument(
        "--trace-floats",
        action="store_true",
        help="of this, only tensors of floating-point types",
    )
    parser.add_argument(
        "--trace-every",
        type=int,
        metavar="N",
        help="of this, only each N-th instruction's: of indexes 0, N, 2 N",
    )
    for name in ("engine", "timeout"):
        parser.add_argument(f"--{name}", **_arguments.RUN_OPTIONS[name])
    parser.add_argument(
        "--oracle", choices=["tosa"], help="what says what to expect, instead of a run"
    )
    parser.add_argument(
        "--graph",
        action="append",
        default=[],
        metavar="[M/N=]F",
        help="with --oracle: the TOSA graph of delegate N of method M (forward/0=x.tosa), which "
        "need not be named if it is the only one; default: those that --from holds",
    )
    parser.add_argument("--elf", type=Path, metavar="E", help="a ready-built runner")
    parser.add_argument("--json", action="store_true", help="for a machine, on stdout")


def run(args: argparse.Namespace) -> int:
    from bpte.cli.pack import report
    from bpte.examine.record import CASES, record
    from bpte.format.tolerance import Tolerance
    from bpte.pack.tensors import PackError

    making = {"method": args.method, "inputs": args.inputs, "seed": args.seed, "cases": args.cases}
    if args.source is not None:
        for name, value in {**making, "input": args.input or None}.items():
            if value is not None:
                raise PackError(f"--{name}: the inputs are those of {args.source}")
    if args.seed is not None and args.seed < 0:
        raise PackError(f"--seed {args.seed}: must not be negative")
    if not args.trace and (args.trace_floats or args.trace_every is not None):
        raise PackError("--trace-floats and --trace-every have no effect without --trace")
    stated = args.rtol is not None or args.atol is not None
    saved = record(
        args.program,
        args.output,
        inputs=args.inputs or "normal",
        given=dict(_input(text) for text in args.input),
        seed=args.seed or 0,
        cases=CASES if args.cases is None else args.cases,
        method=args.method,
        source=args.source,
        tolerance=Tolerance(args.rtol, args.atol) if stated else None,
        trace=args.trace,
        trace_floats=args.trace_floats,
        trace_every=1 if args.trace_every is None else args.trace_every,
        engine=args.engine,
        oracle=args.oracle,
        graphs=_graphs(args.graph),
        runner=args.elf,
        timeout=args.timeout,
        command=shlex.join(["bpte", *_words(args)]),
        on_note=lambda text: print(f"bpte record: {printable(text)}", file=sys.stderr, flush=True),
    )
    report(saved, args.json)
    return 0


def _words(args: argparse.Namespace) -> list[str]:
    """The command line that means this, without where the bundle was written."""
    words = ["record", *([args.program] if args.program else [])]
    kept = {name: getattr(args, name.replace("-", "_")) for name in _KEPT}
    options = {"from": args.source, **kept}
    for name, value in options.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            words += [f"--{name}", str(value)]
    for text in args.input:
        words += ["--input", text]
    for text in args.graph:
        words += ["--graph", text]
    return words


_KEPT = (
    *("method", "inputs", "seed", "cases", "rtol", "atol"),
    *("trace", "trace-floats", "trace-every", "engine", "oracle"),
)


def _graphs(texts: list[str]) -> dict[str, object]:
    """What ``forward/0=x.tosa`` means, each; a path alone has no key. Raises ``PackError``."""
    from bpte.pack.tensors import PackError

    graphs: dict[str, object] = {}
    for text in texts:
        key, _, path = text.partition("=") if "=" in text else ("", "", text)
        if key in graphs:
            raise PackError(f"--graph {text}: there are two graphs {key!r}")
        graphs[key] = path
    return graphs


def _input(text: str) -> tuple[int, object]:
    """What ``in0=x.npy`` means. Raises ``PackError``, ``OSError``."""
    from bpte.examine import inputs
    from bpte.pack.suite_file import key_value, parse_value
    from bpte.pack.tensors import PackError

    name, what = key_value("--input", text)
    number = name.removeprefix("in")
    if number == name or not (number.isascii() and number.isdigit()):
        raise PackError(f"--input {text}: the inputs are named in0, in1, ...")
    if what.partition("(")[0].strip() in inputs.NAMES:
        return int(number), what
    return int(number), parse_value(what, f"--input {name}")
