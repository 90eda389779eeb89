# SPDX-License-Identifier: BSD-3-Clause
"""The ``bpte`` command.

A verb is a module of this package that has ``configure(parser)`` and ``run(args) -> exit code``; it
is imported only when it is called. To add one, add its line to ``VERBS``.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module

VERBS = {
    "pack": "put a program and its test cases into a bundle",
    "inspect": "show what a bundle (or a .pte) holds",
    "run": "run every test case of a bundle and judge its outputs",
    "check": "verify every rule of the format, checksums included",
    "extract": "take the program out of a bundle, byte for byte",
    "convert": "turn a BP08 bundle into BP09, or back",
}

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_MALFORMED = 3
EXIT_INFRASTRUCTURE = 4

_EXIT_CODES = "exit codes: 0 done, 2 usage or missing file, 3 malformed bundle, 4 other failure"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; gives the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in VERBS:
        return _run_verb(arguments[0], arguments[1:])
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
        return EXIT_USAGE
    parser.print_usage(sys.stderr)
    print(f"bpte: no verb {args.verb!r}; there are {', '.join(VERBS)}", file=sys.stderr)
    return EXIT_USAGE


def _run_verb(verb: str, arguments: Sequence[str]) -> int:
    module = import_module(f"bpte.cli.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"bpte {verb}",
        description=module.__doc__,
        epilog=_EXIT_CODES if not hasattr(module, "EPILOG") else module.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    args = parser.parse_args(arguments)
    try:
        code: int = module.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        explained = _explain(error)
        if explained is None:
            raise
        code, facts = explained
        print(f"bpte {verb}: {facts['message']}", file=sys.stderr)
        if getattr(args, "json", False):
            print(json.dumps({"ok": False, "error": facts}, indent=2))
    return code


def _explain(error: Exception) -> tuple[int, dict[str, object]] | None:
    """Exit code and facts of an error that is the file's, the caller's or the machine's; nothing
    for one that is ours."""
    from bpte.format.rules import BundleError

    if isinstance(error, BundleError):
        return error.rule.exit_code, error.to_json()
    if isinstance(error, OSError):
        from bpte.files.atomic import SameFileError

        reason = error.strerror or str(error)
        name = error.filename
        message = f"{name}: {reason}" if name is not None else reason
        usage = (
            error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)
            or isinstance(error, SameFileError)
        )  # fmt: skip
        return EXIT_USAGE if usage else EXIT_INFRASTRUCTURE, {"message": message}
    values = sys.modules.get("bpte.pack.tensors")
    if values is not None and isinstance(error, values.PackError):
        facts: dict[str, object] = {"message": str(error)}
        if error.method is not None:
            facts["method"] = error.method
        if error.place is not None:
            facts["place"] = {k: v for k, v in error.place._asdict().items() if v is not None}
        return EXIT_USAGE, facts
    return None
