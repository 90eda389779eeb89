# SPDX-License-Identifier: BSD-3-Clause
"""Turns what went wrong into a message and an exit code, for all verbs.

Users see no traceback, and a mistake in bpte never looks like a verdict.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bpte import __version__
from bpte.cli import _terminal
from bpte.run.outcome import Outcome, StateError
from bpte.text import printable

#: Added to the number of the signal that ended the command, as a shell shows it.
EXIT_SIGNAL = 128

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass
class Call:
    """What is being done, for messages: the words of the command line that name it, and whether
    errors go to standard output as JSON, too."""

    name: str
    as_json: bool = False


class Terminated(BaseException):
    """A signal asked the command to end. Everything is cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def guarded(call: Call, action: Callable[[], int]) -> int:
    """Runs the action. Returns its exit code, or that of the error, which was reported."""
    try:
        with _signals(), _terminal.doors() as output:
            code = _exit_code(call, action)
            output.flush()
            sys.stderr.flush()
            # An answer that could not be written is a failure, whatever it was.
            return _report_error(call, output.failure) if output.failure else code
    except KeyboardInterrupt:
        return EXIT_SIGNAL + signal.SIGINT
    except Terminated as signalled:
        return EXIT_SIGNAL + signalled.number


def _exit_code(call: Call, action: Callable[[], int]) -> int:
    try:
        return action()
    except SystemExit as request:  # argparse has said what there is to say
        if isinstance(request.code, str):
            print(request.code, file=sys.stderr)
            return Outcome.USAGE
        return request.code or Outcome.PASSED
    except Exception as error:
        return _report_error(call, error)


def _report_error(call: Call, error: Exception) -> int:
    code, facts = _explain(error) or (Outcome.INTERNAL, {"message": _internal(error)})
    print(f"{call.name}: {printable(str(facts['message']))}", file=sys.stderr)
    if code == Outcome.INTERNAL:
        print(_bug_report(call, error), file=sys.stderr)
    if call.as_json:
        print(json.dumps({"ok": False, "error": facts}, indent=2))
    return code


def _explain(error: Exception) -> tuple[int, dict[str, object]] | None:
    """Exit code and facts of an error that is the file's, the caller's or the machine's; nothing
    for one that is ours."""
    from bpte.format.rules import BundleError

    if isinstance(error, BundleError):
        return error.rule.exit_code, error.to_json()
    if isinstance(error, OSError):
        from bpte.files.access import WrongFileError

        reason = error.strerror or str(error)
        name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
        message = f"{name}: {reason}" if name is not None else reason
        usage = (
            error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)
            or isinstance(error, WrongFileError)
        )  # fmt: skip
        return Outcome.USAGE if usage else Outcome.INFRASTRUCTURE, {"message": message}
    if isinstance(error, MemoryError):
        what = f": {error}" if str(error) else ""
        return Outcome.INFRASTRUCTURE, {"message": f"not enough memory{what}"}
    if isinstance(error, StateError):
        return error.state.outcome, {"message": str(error)}
    results = sys.modules.get("bpte.run.results_error")
    if results is not None and isinstance(error, results.ResultsError):
        return Outcome.MALFORMED, {"message": str(error)}
    program = sys.modules.get("bpte.program")
    if program is not None and isinstance(error, program.ProgramError):
        return Outcome.MALFORMED, {"message": str(error)}
    values = sys.modules.get("bpte.pack.tensors")
    if values is not None and isinstance(error, values.PackError):
        facts: dict[str, object] = {"message": str(error)}
        if error.method is not None:
            facts["method"] = error.method
        if error.place is not None:
            facts["place"] = {k: v for k, v in error.place._asdict().items() if v is not None}
        return Outcome.USAGE, facts
    return None


# --- Mistakes of our own --------------------------------------------------------------------------


def _internal(error: Exception) -> str:
    text = str(error)
    if len(text) > 500:
        text = text[:500] + "..."
    return f"internal error: {type(error).__name__}" + (f": {text}" if text else "")


def _bug_report(call: Call, error: Exception) -> str:
    """What a report of the mistake must contain."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [
        "This is a mistake in bpte, not a verdict. Nothing was judged. Please report it with the",
        f"lines above and below, and with the file if you can; {_VARIABLE}=1 shows more.",
        f"  {call.name}, bpte {__version__}, {python}, {platform.platform()}",
        *(f"  at {place}" for place in _places(error)),
    ]
    if os.environ.get(_VARIABLE):
        lines += traceback.format_exception(error)
    return "\n".join(lines)


_VARIABLE = "BPTE_TRACEBACK"


def _places(error: Exception) -> list[str]:
    """The last calls of bpte's, and where it ended, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    shown = ours[-4:]
    if frames and frames[-1] not in shown:
        shown.append(frames[-1])
    return [f"{_short(frame.filename)}:{frame.lineno}, {frame.name}" for frame in shown]


def _short(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(_PACKAGE.parent)) if _PACKAGE in path.parents else path.name


# --- Signals --------------------------------------------------------------------------------------


def _terminate(number: int, _: FrameType | None) -> None:
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # once is enough: the cleaning up is not disturbed
    raise Terminated(number)


_HANDLERS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: _terminate,
    signal.SIGHUP: _terminate,
}


@contextmanager
def _signals() -> Iterator[None]:
    """Has signals that end a process raise, so that files and processes are cleaned up.

    Those that the caller ignores stay ignored, as nohup wants it. Signals are a matter of the main
    thread; called from another one, this changes nothing.
    """
    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [name for name in _HANDLERS if signal.getsignal(name) is signal.SIG_DFL]
    try:
        for name in ours:
            signal.signal(name, _HANDLERS[name])
        yield
    finally:
        for name in ours:
            signal.signal(name, signal.SIG_DFL)
