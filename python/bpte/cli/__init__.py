# SPDX-License-Identifier: BSD-3-Clause
"""The ``bpte`` command.

A verb is a module of this package that has ``configure(parser)`` and ``run(args) -> exit code``; it
is imported only when it is called. To add one, add its line to ``VERBS``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from bpte.cli._guard import EXIT_SIGNAL, Call, guarded
from bpte.files import access
from bpte.run.outcome import Outcome

VERBS = {
    "pack": "put a program and its test cases into a bundle",
    "record": "make a bundle of a program and what it computes here",
    "inspect": "show what a bundle (or a .pte) holds",
    "reduce": "cut the first wrong instruction out into a bundle of its own",
    "run": "run every test case of a bundle and judge its outputs",
    "judge": "judge the results of a run again, with another tolerance",
    "diff": "compare the results of two runs, case by case",
    "check": "verify every rule of the format, checksums included",
    "extract": "take the program out of a bundle, byte for byte",
    "convert": "turn a BP08 bundle into BP09, or back",
}

_EXIT_CODES = (
    "exit codes: 0 done, 2 usage or missing file, 3 malformed bundle, 4 other failure, "
    "70 internal error"
)

__all__ = ["EXIT_SIGNAL", "VERBS", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit code; raises nothing."""
    call = Call("bpte")
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(call, lambda: _dispatch(call, arguments))


def _dispatch(call: Call, arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in VERBS:
        return _run_verb(call, arguments[0], arguments[1:])
    width = max(map(len, VERBS))
    parser = argparse.ArgumentParser(
        prog="bpte",
        usage="bpte VERB ...",
        description="Bundled ExecuTorch programs: a .pte with the test cases that say what it must "
        "compute, in one file.",
        epilog="verbs:\n"
        + "".join(f"  {verb:{width}}  {what}\n" for verb, what in VERBS.items())
        + "\n'bpte VERB --help' explains each, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from bpte import __version__

    parser.add_argument("--version", action="version", version=f"bpte {__version__}")
    parser.add_argument("verb", nargs="?", help=argparse.SUPPRESS)
    args, _ = parser.parse_known_args(arguments)
    if args.verb is None:
        parser.print_help()
        return Outcome.USAGE
    parser.print_usage(sys.stderr)
    print(f"bpte: no verb {args.verb!r}; there are {', '.join(VERBS)}", file=sys.stderr)
    return Outcome.USAGE


def _run_verb(call: Call, verb: str, arguments: Sequence[str]) -> int:
    call.name = f"bpte {verb}"
    module = import_module(f"bpte.cli.{verb}")
    parser = argparse.ArgumentParser(
        prog=call.name,
        description=module.__doc__,
        epilog=_EXIT_CODES if not hasattr(module, "EPILOG") else module.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    args = parser.parse_args(arguments)
    call.as_json = getattr(args, "json", False)
    with access.command():
        code: int = module.run(args)
    return code
