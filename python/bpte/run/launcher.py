# SPDX-License-Identifier: BSD-3-Clause
"""Runs a bundle on a board and says what became of it.

One place for processes, time limits and run states, whatever the board: the host runner, firmware
under an emulator or a model. What a simulator's command line looks like is its board.toml's; what
the target says is `bpte.run.protocol`'s. A run passes only when a complete protocol says so and
nothing contradicts it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bpte.bundle import open_bundle
from bpte.format.rules import BundleError
from bpte.run import build, identity, process
from bpte.run.board import Board, BoardError, Simulator, find_board
from bpte.run.outcome import Outcome, State, Verdict, run_outcome
from bpte.run.protocol import Parser, Record, Transcript
from bpte.run.rejudge import rejudge
from bpte.run.scratch import Scratch, scratch_folder
from bpte.run.selection import SelectionError, resolve
from bpte.text import printable

#: What the firmware's fault handler prints (platform/cortex_m/fault.cpp).
FAULT_PREFIX = "bpte-fault: "
#: What a firmware and the host runner print in front of a complaint about their arguments.
USAGE_PREFIXES = ("bpte: usage: ", "bpte-run: ")
#: How long a process may take to exit after its end record, and how long one is left to say more
#: that will not exit by itself, or whose exit status means nothing.
SETTLE_SECONDS = 10.0
LINGER_SECONDS = 1.0
#: Lengths of files are signed 32-bit numbers there (Arm's semihosting, SYS_FLEN).
_LARGEST_SEMIHOSTING_FILE = 2**31 - 1
#: Of a .pte file, whatever its version.
_PROGRAM_IDENTIFIER = b"ET"
_KEPT_STDERR = 64 * 1024


@dataclass(frozen=True)
class Request:
    """What to run, and where.

    `bundle` is the file; `program` a ready-built runner or firmware (else it is built).
    `from_file` lets a firmware read the bundle case by case through semihosting instead of finding
    it in memory; `linked` says that the firmware has it linked in. `trust_target` accepts a target
    that cannot prove which bundle it ran (docs/result-protocol.md). `case` is the index of a case
    in each suite, or the name of one case. `rtol` and `atol` replace what the bundle states.
    `timeout` is in seconds; None: the board's.
    """

    bundle: Path
    board: str = "host"
    simulator: str | None = None
    program: Path | None = None
    engine: str | None = None
    method: str | None = None
    case: int | str | None = None
    rtol: float | None = None
    atol: float | None = None
    timeout: float | None = None
    from_file: bool = False
    linked: bool = False
    load_address: int | None = None
    #: What a program's memory plan may take, in bytes; None: the runner's limit.
    max_planned_memory: int | None = None
    trust_target: bool = False
    #: .pte files whose operators alone a firmware is built with.
    operators_from: tuple[Path, ...] = ()


_NOTHING = Transcript(None, (), None, None, None, ())


@dataclass(frozen=True)
class Run:
    """What became of a run. `message` is for people, one line but for the tail of a failed build's
    log; it is fit for a terminal. `transcript` is what the target said, as it said it."""

    state: State
    message: str
    bundle: Path
    board: str
    simulator: str = ""
    command: tuple[str, ...] = ()
    exit_status: int | None = None
    seconds: float = 0.0
    transcript: Transcript = _NOTHING
    stderr: str = ""
    #: What could not be told and was let pass; part of the message.
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return self.state.outcome


class _Refusal(Exception):
    """Ends a run before it began."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True)
class _Process:
    """What is left of a process that ended."""

    transcript: Transcript
    status: int | None  # None: ended by us, after the end record
    timed_out: bool
    stderr: str
    seconds: float


def run(
    request: Request,
    *,
    on_record: Callable[[Record], None] | None = None,
    on_start: Callable[[int], None] | None = None,
    on_text: Callable[[bytes], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Run:
    """Runs and judges. Never raises for what a bundle, a target or a simulator does.

    `on_record` is called for each record as it arrives, `on_start` with the process's id,
    `on_text` with all that the target writes to its standard output, `on_note` with a line for
    people when something takes its time before the start.
    """
    simulator_name = request.simulator or ""
    try:
        board = find_board(request.board)
        _check_file(request.bundle)
        _check_is_no_program(request.bundle)
        _check_options(board, request)
        request = _with_index(request)
        simulator, executable = _pick_simulator(board, request.simulator)
        simulator_name = simulator.name
        program = _program(board, request, on_note)
        load_address = (
            request.load_address if request.load_address is not None else board.load_address
        )
        _check_way(board, request)
        if _preloads(board, request):
            _check_preload(board, request.bundle, load_address)
        bundle = identity.fingerprint(request.bundle)
    except BoardError as error:
        return Run(State.USAGE, str(error), request.bundle, request.board, simulator_name)
    except build.BuildError as error:
        return Run(State.NOT_STARTED, str(error), request.bundle, request.board, simulator_name)
    except _Refusal as error:
        return Run(error.state, str(error), request.bundle, request.board, simulator_name)

    timeout = request.timeout if request.timeout is not None else board.timeout
    with scratch_folder() as scratch:
        folder = scratch.path
        # A name without characters that a simulator's option syntax gives a meaning to.
        (folder / "bundle.bpte").symlink_to(request.bundle.resolve())
        (folder / "program").symlink_to(program.resolve())
        nonce = identity.new_nonce()
        command = _command(board, simulator, executable, request, load_address, timeout, nonce)
        try:
            ended = _execute(command, scratch, timeout, simulator, on_record, on_start, on_text)
        except OSError as error:
            message = f"did not start: {command[0]}: {error.strerror or error}"
            return Run(
                State.NOT_STARTED, message, request.bundle, board.name, simulator.name, command
            )
    asked = _asked(request, nonce)
    state, message = _judge(ended, simulator, timeout, command[0])
    notes: tuple[str, ...] = ()
    if ended.transcript.complete:
        state, message, notes = _held_against(ended.transcript, bundle, asked, state, message)
    return Run(
        state,
        _noted(message, notes),
        request.bundle,
        board.name,
        simulator.name,
        command,
        ended.status,
        ended.seconds,
        ended.transcript,
        ended.stderr,
        notes,
    )


# --- Before the start -----------------------------------------------------------------------------


def _check_file(path: Path) -> None:
    """That there is such a file, and that it is one: a FIFO would be waited for, for ever."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        if regular:
            with path.open("rb"):
                pass
    except OSError as error:
        raise _Refusal(State.USAGE, f"{path}: {error.strerror}") from None
    if not regular:
        raise _Refusal(State.USAGE, f"{path}: not a regular file")


def _check_options(board: Board, request: Request) -> None:
    """What has no effect on this board is refused: nobody is to believe that it had."""
    if board.kind == "firmware":
        if request.max_planned_memory is not None:
            raise _Refusal(
                State.USAGE,
                f"--max-planned-memory: what {board.name}'s programs may plan is the memory "
                "'arena' of its board.toml",
            )
        if request.operators_from and request.program is not None:
            raise _Refusal(State.USAGE, "--operators-from: the firmware is built already (--elf)")
        for path in request.operators_from:
            _check_file(path)
        size = request.bundle.stat().st_size
        if request.from_file and size > _LARGEST_SEMIHOSTING_FILE:
            raise _Refusal(
                State.USAGE,
                f"{request.bundle}: {size} bytes; a firmware reads files of at most "
                f"{_LARGEST_SEMIHOSTING_FILE} through semihosting",
            )
        return
    for option, given in (
        ("--load-address", request.load_address is not None),
        ("--from-file", request.from_file),
        ("--operators-from", request.operators_from),
    ):
        if given:
            raise _Refusal(
                State.USAGE, f"{option}: {board.name} runs no firmware, and has no use for it"
            )


def _check_is_no_program(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if start[4:6] == _PROGRAM_IDENTIFIER:
        raise _Refusal(State.USAGE, _how_to_pack(path))


def _how_to_pack(program: Path) -> str:
    output = program.with_suffix(".bpte").name
    return (
        f"{program} is a program without test cases; make a bundle of both first: "
        f"bpte pack {program} --case in=INPUT.npy out=EXPECTED.npy -o {output}"
    )


def _with_index(request: Request) -> Request:
    """With the index of the case that was asked for by its name."""
    if not isinstance(request.case, str):
        return request
    try:
        with open_bundle(request.bundle) as bundle:
            selection = resolve(bundle, request.method, request.case)
    except BundleError as error:
        raise _Refusal(State.MALFORMED, str(error)) from None
    except SelectionError as error:
        raise _Refusal(State.USAGE, f"{request.bundle}: {error}") from None
    return replace(request, method=selection.method, case=selection.case)


def _check_way(board: Board, request: Request) -> None:
    """Whether the ways that are asked for to hand over the bundle go together."""
    if request.linked and board.kind != "firmware":
        raise _Refusal(State.USAGE, f"--linked is for firmware; {board.name} reads the file")
    if request.linked and (request.from_file or request.load_address is not None):
        other = "--from-file" if request.from_file else "--load-address"
        raise _Refusal(State.USAGE, f"--linked and {other} exclude each other")


def _preloads(board: Board, request: Request) -> bool:
    """Whether the bundle is put into the target's memory before the start."""
    return board.kind == "firmware" and not request.from_file and not request.linked


def _check_preload(board: Board, bundle: Path, load_address: int | None) -> None:
    if load_address is None or board.load_size is None:
        raise _Refusal(
            State.USAGE,
            f"{board.name} has no memory to preload; use --from-file, or --linked for a firmware "
            "that has the bundle linked in",
        )
    size = bundle.stat().st_size
    if size == 0:
        # There would be nothing to preload, and the target would read what lay there before.
        raise _Refusal(State.MALFORMED, f"{bundle}: too_short: the file is empty")
    if size > board.load_size:
        raise _Refusal(
            State.USAGE,
            f"{bundle}: {size} bytes do not fit the {board.load_size} that {board.name} has at "
            f"{load_address:#x}; use --from-file",
        )


def _locate(simulator: Simulator) -> str | None:
    word = simulator.command[0]
    if simulator.environment and (named := os.environ.get(simulator.environment)):
        word = named
    if word == "{program}":
        return word
    return shutil.which(word)


def _pick_simulator(board: Board, name: str | None) -> tuple[Simulator, str]:
    candidates = [s for s in board.simulators if name in (None, s.name)]
    if not candidates:
        names = ", ".join(s.name for s in board.simulators)
        raise _Refusal(State.USAGE, f"{board.name} has no simulator {name!r}; it has: {names}")
    for simulator in candidates:
        if executable := _locate(simulator):
            return simulator, executable
    missing = "; ".join(
        f"{s.command[0]} is not installed" + (f" ({s.install})" if s.install else "")
        for s in candidates
    )
    raise _Refusal(State.NOT_STARTED, f"did not start: {missing}")


def _program(board: Board, request: Request, on_note: Callable[[str], None] | None) -> Path:
    if request.program is not None:
        if not request.program.is_file():
            raise _Refusal(State.USAGE, f"{request.program}: no such file")
        return request.program
    engine = request.engine
    if engine is not None and engine not in board.engines:
        raise _Refusal(
            State.USAGE,
            f"{board.name} has no engine {engine!r}; it has: {', '.join(board.engines)}",
        )
    return build.program(board, engine, request.operators_from, on_note)


#: Characters that no option syntax on the way to a firmware's argument vector gives a meaning to.
_PLAIN = re.compile(rb"[A-Za-z0-9._/+-]")


def _encode(word: str) -> str:
    """Percent-encoded, as the firmware decodes it (platform/cortex_m/arguments.cpp)."""
    return "".join(
        chr(byte) if _PLAIN.match(bytes([byte])) else f"%{byte:02x}" for byte in os.fsencode(word)
    )


def _arguments(board: Board, request: Request, load_address: int | None, nonce: str) -> list[str]:
    words = ["--nonce", nonce]
    if board.kind == "firmware":
        if request.from_file:
            words += ["--file", "bundle.bpte"]
        elif request.linked:
            words += ["--linked", "1"]
        else:
            size = request.bundle.stat().st_size
            words += ["--at", f"{load_address:#x}", "--size", str(size)]
    if request.method is not None:
        words += ["--method", request.method]
    if request.case is not None:
        words += ["--case", str(request.case)]
    for name, value in (("--rtol", request.rtol), ("--atol", request.atol)):
        if value is None:
            continue
        if board.kind == "firmware":  # has nothing that parses a decimal: the bits themselves
            words += [name + "-bits", "0x" + struct.pack(">d", value).hex()]
        else:
            words += [name, repr(value)]
    if board.kind != "firmware" and request.engine is not None:
        words += ["--engine", request.engine]
    if request.max_planned_memory is not None:
        words += ["--max-planned-memory", str(request.max_planned_memory)]
    return [_encode(word) for word in words] if board.kind == "firmware" else words


def _command(
    board: Board,
    simulator: Simulator,
    executable: str,
    request: Request,
    load_address: int | None,
    timeout: float,
    nonce: str,
) -> tuple[str, ...]:
    arguments = _arguments(board, request, load_address, nonce)
    values = {
        "program": "./program",
        "bundle": "./bundle.bpte",
        "load_address": f"{load_address:#x}" if load_address is not None else "",
        "timeout": str(max(1, round(timeout))),
        "arguments": "".join(simulator.argument.format(word) for word in arguments),
    }

    def expand(words: Sequence[str]) -> Iterator[str]:
        for word in words:
            if word == "{arguments...}":
                yield from arguments
            elif word == "{preload...}":
                if _preloads(board, request):
                    yield from expand(simulator.preload)
            else:
                yield word.format(**values)

    first = executable if executable != "{program}" else values["program"]
    return (first, *expand(simulator.command[1:]))


# --- The process ----------------------------------------------------------------------------------


def _execute(
    command: tuple[str, ...],
    scratch: Scratch,
    timeout: float,
    simulator: Simulator,
    on_record: Callable[[Record], None] | None,
    on_start: Callable[[int], None] | None,
    on_text: Callable[[bytes], None] | None,
) -> _Process:
    start = time.monotonic()
    limit = process.Limit(start + timeout)
    parser = Parser()
    stderr = bytearray()

    def on_output(data: bytes, is_stdout: bool) -> None:
        if not is_stdout:
            stderr.extend(data)
            del stderr[:-_KEPT_STDERR]
            return
        if on_text:
            on_text(data)
        for record in parser.feed(data):
            if on_record:
                on_record(record)
        if parser.ended:
            settle = SETTLE_SECONDS if simulator.exit_status else LINGER_SECONDS
            limit.deadline = min(limit.deadline, time.monotonic() + settle)

    owned = process.Possessions(locks=(scratch.lock,), remove=scratch.path)
    status = process.execute(command, scratch.path, limit, on_output, on_start, owned)
    return _Process(
        transcript=parser.finish(),
        status=status,
        timed_out=status is None and not parser.ended,
        stderr=stderr.decode("utf-8", "replace"),
        seconds=time.monotonic() - start,
    )


# --- The verdict ----------------------------------------------------------------------------------


def _complaint(process: _Process) -> str:
    """What a process that did not get going said of it: what comes first names the cause."""
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    if lines:
        return lines[0]
    return process.transcript.other_lines[-1] if process.transcript.other_lines else ""


def _last_words(process: _Process) -> str:
    """What a process that ended before its time said of it, in front of all the details."""
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    return f" (it said: {lines[0]})" if lines else ""


def _exit(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _progress(transcript: Transcript) -> str:
    if transcript.begin is None:
        return "no result record arrived"
    return f"{len(transcript.cases)} of {transcript.begin.cases} cases arrived"


def _prefixed(process: _Process, prefix: str) -> str | None:
    for line in (*process.transcript.other_lines, *process.stderr.splitlines()):
        if line.startswith(prefix):
            return line.removeprefix(prefix).strip()
    return None


def _judge(
    process: _Process, simulator: Simulator, timeout: float, executable: str
) -> tuple[State, str]:
    transcript, status = process.transcript, process.status
    tail = f": {line}" if (line := _complaint(process)) else ""
    if fault := _prefixed(process, FAULT_PREFIX):
        return State.FAULTED, f"the target faulted: {fault} ({_progress(transcript)})"
    if process.timed_out:
        return State.TIMED_OUT, (
            f"no end after {timeout:g} s, ended by force{_last_words(process)}; "
            f"{_progress(transcript)}"
        )
    if status is not None and status < 0:
        name = f"{Path(executable).name} was {_exit(status)}{_last_words(process)}"
        return State.DIED, f"{name}; {_progress(transcript)}"
    if transcript.begin is None and status:
        for prefix in USAGE_PREFIXES:
            if status == Outcome.USAGE and (usage := _prefixed(process, prefix)):
                return State.USAGE, usage
        name = Path(executable).name
        return State.NOT_STARTED, f"did not start: {name}: {_exit(status)}{tail}"
    if transcript.contradictory:
        return State.CONTRADICTORY, f"a record contradicts itself: {transcript.violation}"
    if transcript.violation is not None or transcript.end is None:
        return (
            State.CUT_SHORT,
            f"protocol cut short: {transcript.violation}{_last_words(process)}",
        )
    end = transcript.end
    if simulator.exit_status and status is None:
        return State.TIMED_OUT, f"did not exit within {SETTLE_SECONDS:g} s of its end record"
    if simulator.exit_status and status != end.outcome:
        return State.DIED, f"{_exit(status or 0)} contradicts the end record's {int(end.outcome)}"
    return _complete(transcript, end.outcome)


def _asked(request: Request, nonce: str | None) -> identity.Asked:
    """`request.case` is an index by now."""
    return identity.Asked(
        method=request.method,
        case=None if request.case is None else int(request.case),
        rtol=request.rtol,
        atol=request.atol,
        nonce=nonce,
        trust_target=request.trust_target,
    )


def _held_against(
    transcript: Transcript,
    bundle: identity.Fingerprint | identity.Unreadable,
    asked: identity.Asked,
    state: State,
    message: str,
) -> tuple[State, str, tuple[str, ...]]:
    """State, message and notes of a complete transcript, which may be about something else."""
    finding = identity.check(transcript, bundle, asked)
    if finding.difference is not None and state is not State.FAULTED:
        return State.ANOTHER_BUNDLE, finding.difference, ()
    return state, message, finding.notes


def _noted(message: str, notes: tuple[str, ...]) -> str:
    return printable("; ".join((message, *notes)))


def _complete(transcript: Transcript, outcome: Outcome) -> tuple[State, str]:
    """A complete transcript, in one line."""
    cases = transcript.cases
    failed = sum(case.verdict is Verdict.FAIL for case in cases)
    if outcome is Outcome.PASSED:
        passed = sum(case.verdict is Verdict.PASS for case in cases)
        return State.PASSED, f"{passed} of {len(cases)} cases passed"
    if outcome is Outcome.MISMATCH:
        return State.MISMATCH, f"{failed} of {len(cases)} cases failed"
    error = transcript.error
    if error is not None:
        state = State.MALFORMED if outcome is Outcome.MALFORMED else State.NOT_RUN
        # The message of a broken rule begins with the rule's name already.
        known = error.message.startswith(error.error)
        return state, error.message if known else f"{error.error}: {error.message}"
    for case in cases:
        if case.verdict is Verdict.ERROR:
            return State.NOT_RUN, f"{case.method}[{case.case}]: {case.error}: {case.message or ''}"
    return State.NOT_RUN, "nothing was judged"


def judge_again(result: Run, rtol: float | None, atol: float | None) -> Run:
    """A complete run under another tolerance, from its evidence alone (`bpte.run.rejudge`).

    Where the evidence does not decide, no case passes, and the message says so.
    """
    transcript = result.transcript
    if not transcript.complete or result.state not in (
        State.PASSED,
        State.MISMATCH,
        State.NOT_RUN,
        State.MALFORMED,
    ):
        return result
    judged = rejudge(transcript.cases, rtol, atol)
    transcript = replace(transcript, cases=judged.cases)
    stopped = transcript.error.outcome if transcript.error is not None else None
    outcome = run_outcome((case.verdict for case in judged.cases), stopped)
    state, message = _complete(transcript, outcome)
    if judged.undecided:
        message += f"; {len(judged.undecided)} could not be judged again from the evidence alone"
    message = _noted(message, result.notes)
    return replace(result, state=state, message=message, transcript=transcript)


def judge_log(path: Path, pieces: Iterable[bytes], request: Request | None = None) -> Run:
    """A recorded output, in pieces of any size, instead of a run.

    The last run that was begun in it counts. It is held against the bundle and the selection of
    `request`, if there is one; a tolerance that the request gives is for judging again
    (`judge_again`).
    """
    parser = Parser(recorded=True)
    for piece in pieces:
        parser.feed(piece)
    transcript = parser.finish()
    process = _Process(transcript, None, False, "", 0.0)
    recorded = Simulator(name="log", command=(str(path),), exit_status=False)
    state, message = _judge(process, recorded, 0.0, str(path))
    begin = transcript.begin
    notes: tuple[str, ...] = ()
    if transcript.complete and begin is not None:
        if request is not None:
            try:
                request = _with_index(request)
            except _Refusal as error:
                return Run(error.state, str(error), request.bundle, begin.target, "log")
            # What is asked for now is judged from the evidence; only without it does the target's
            # own tolerance have to be the bundle's.
            asked = replace(
                _asked(request, None),
                rtol=begin.rtol if request.rtol is not None else None,
                atol=begin.atol if request.atol is not None else None,
            )
            bundle = identity.fingerprint(request.bundle)
            state, message, notes = _held_against(transcript, bundle, asked, state, message)
        elif begin.protocol == 1:
            notes = ("protocol 1: it does not say which bundle was run",)
    if transcript.earlier_runs:
        notes += (f"the last of {transcript.earlier_runs + 1} runs in this log",)
    return Run(
        state,
        _noted(message, notes),
        request.bundle if request is not None else path,
        begin.target if begin else "",
        "log",
        transcript=transcript,
        notes=notes,
    )
