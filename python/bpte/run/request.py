# SPDX-License-Identifier: BSD-3-Clause
"""What to run, and where; and the checks of it that need neither a build nor a process."""

from __future__ import annotations

import stat
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bpte.bundle import open_bundle
from bpte.format.budget import Budget
from bpte.format.rules import BundleError
from bpte.run.board import Board, BoardError, Simulator, find_board
from bpte.run.identity import Asked, Fingerprint, Tracing, Unreadable
from bpte.run.outcome import State
from bpte.run.selection import SelectionError, resolve

#: Arm's semihosting gives a file's length (SYS_FLEN) as a signed 32-bit number.
_LARGEST_SEMIHOSTING_FILE = 2**31 - 1
#: Bytes 4 and 5 of a .pte file, whatever its version.
_PROGRAM_IDENTIFIER = b"ET"
#: Of a case for the times of its instructions: more would keep a line busy for hours.
MOST_EXECUTIONS = 1000


class Refused(Exception):
    """A run that does not begin; `state` says how it ended, the message says why."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.state = state


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
    #: Where a firmware finds the bundle in memory; None: where the board's bundles lie.
    load_address: int | None = None
    #: What a program's memory plan may take, in bytes; None: the runner's limit.
    max_planned_memory: int | None = None
    trust_target: bool = False
    #: Fetches the actual outputs, too (`Run.kept`).
    keep_outputs: bool = False
    #: Gives every step the inputs that the bundle states, also those that are carried.
    teach: bool = False
    #: Lets an emulator count instructions, in place of the time that it took.
    count_instructions: bool = False
    #: What the run may take beside the bundle's own budgets (`recorded.judge_budgets`). One of
    #: instructions lets an emulator count them, where it can.
    budgets: tuple[Budget, ...] = ()
    #: "model": a firmware is built with the functional model of the Ethos-U.
    npu: str | None = None
    #: Looks at each instruction: "first" reports the first wrong one of each case, "all" each that
    #: was compared, "strict" fails a case with a wrong one, "record" gives their values
    #: (`Run.dumped`).
    trace: str | None = None
    #: Gives every instruction right inputs, so that it is judged by its own error.
    isolate: bool = False
    #: Replace the default tolerance of instructions: the dtype's, its atol times the largest
    #: magnitude of the expected value.
    trace_rtol: float | None = None
    trace_atol: float | None = None
    #: The index of an instruction whose values are fetched, too (`Run.dumped`).
    dump: int | None = None
    #: How often each case is executed for the times of its instructions; None: not at all.
    profile: int | None = None
    #: .pte files whose operators alone a firmware is built with.
    operators_from: tuple[Path, ...] = ()

    def stated(self) -> dict[str, Any]:
        """What was asked for, beside bundle and board, that is not the default; for JSON."""
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)[2:]}
        given = {name: value for name, (value, default) in values.items() if value != default}
        for name, value in given.items():
            if isinstance(value, Path):
                given[name] = str(value)
            elif name == "budgets":
                given[name] = [f"{b.resource.name.lower()}<={b.limit}" for b in self.budgets]
            elif isinstance(value, tuple):
                given[name] = list(map(str, value))
        return given

    @property
    def fetches_values(self) -> bool:
        """Whether the target sends more than records."""
        return self.keep_outputs or self.dump is not None or self.trace == "record"

    def wire(self, simulator: Simulator) -> str | None:
        """How the target is to send its outputs, as `begin` states it; None: not at all."""
        if not self.fetches_values:
            return None
        return "pull" if simulator.input else "once"

    @property
    def steps_through(self) -> bool:
        """Whether methods are run instruction by instruction."""
        return self.trace is not None or self.profile is not None

    def features(self, bundle: Fingerprint | Unreadable) -> tuple[str, ...]:
        """The switches that a firmware for this request is built with."""
        known = bundle if isinstance(bundle, Fingerprint) else None
        wanted = {
            "BPTE_RUNNER_WIRE": self.fetches_values,
            "BPTE_ENGINE_STEPPING": self.steps_through,
            "BPTE_RUNNER_METRICS": known and any(suite.metrics for suite in known.suites),
            "BPTE_RUNNER_BUDGETS": known and known.budgets,
            "BPTE_ENGINE_DATA_FILES": known and known.data_files,
            "BPTE_ETHOSU_MODEL": self.npu == "model",
        }
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    def asked(self, nonce: str | None) -> Asked:
        """What the target is asked for. A case must be an index (`with_index`)."""
        assert not isinstance(self.case, str)
        return Asked(
            self.method,
            self.case,
            self.rtol,
            self.atol,
            nonce,
            self.trust_target,
            teach=self.teach,
            profile=self.profile,
            tracing=Tracing(self.trace, self.isolate, self.trace_rtol, self.trace_atol, self.dump),
        )


def examine(request: Request) -> tuple[Board, Request]:
    """The board, and the request with its case's index and with the board's values where none were
    given. Raises Refused."""
    board, request = with_board(request)
    if preloads(board, request):
        _check_room(board, request)
    return board, request


def with_board(request: Request) -> tuple[Board, Request]:
    """The same of a bundle that may be larger than the board's memory for it. Raises Refused."""
    try:
        board = find_board(request.board)
    except BoardError as error:
        raise Refused(State.USAGE, str(error)) from None
    _check_trace_options(request)
    _check_file(request.bundle)
    _check_is_not_a_program(request.bundle)
    if request.program is not None:
        if not request.program.is_file():
            raise Refused(State.USAGE, f"{request.program}: no such file")
    elif request.engine is not None and request.engine not in board.engines:
        engines = ", ".join(board.engines)
        raise Refused(
            State.USAGE, f"{board.name} has no engine {request.engine!r}; it has: {engines}"
        )
    if board.kind == "firmware":
        _check_firmware_options(board, request)
    else:
        _check_no_firmware_options(board, request)
    request = with_index(request)
    if request.timeout is None:
        request = replace(request, timeout=board.timeout)
    if request.load_address is None:
        request = replace(request, load_address=board.load_address)
    if preloads(board, request):
        _check_preload(board, request)
    return board, request


def preloads(board: Board, request: Request) -> bool:
    """Whether the bundle is put into the target's memory before the start."""
    return board.kind == "firmware" and not request.from_file and not request.linked


def with_index(request: Request) -> Request:
    """The request with the index of the case that was asked for by its name. Raises Refused."""
    if not isinstance(request.case, str):
        return request
    try:
        with open_bundle(request.bundle) as bundle:
            selection = resolve(bundle, request.method, request.case)
    except BundleError as error:
        raise Refused(State.MALFORMED, str(error)) from None
    except SelectionError as error:
        raise Refused(State.USAGE, f"{request.bundle}: {error}") from None
    return replace(request, method=selection.method, case=selection.case)


def _check_file(path: Path) -> None:
    """The path must name a file that can be read. A FIFO would be waited for, for ever."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        if regular:
            with path.open("rb"):
                pass
    except OSError as error:
        raise Refused(State.USAGE, f"{path}: {error.strerror}") from None
    if not regular:
        raise Refused(State.USAGE, f"{path}: not a regular file")


def _check_is_not_a_program(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if start[4:6] == _PROGRAM_IDENTIFIER:
        output = path.with_suffix(".bpte").name
        raise Refused(
            State.USAGE,
            f"{path} is a program without test cases; make a bundle of both first: "
            f"bpte pack {path} --case in=INPUT.npy out=EXPECTED.npy -o {output}",
        )


def _check_trace_options(request: Request) -> None:
    for option, given in (
        ("--isolate", request.isolate),
        ("--trace-rtol", request.trace_rtol is not None),
        ("--trace-atol", request.trace_atol is not None),
        ("--dump", request.dump is not None),
    ):
        if given and request.trace in (None, "record"):
            raise Refused(State.USAGE, f"{option} has no effect without --trace")
    if request.profile is None:
        return
    if not 1 <= request.profile <= MOST_EXECUTIONS:
        raise Refused(State.USAGE, f"--profile {request.profile}: not from 1 to {MOST_EXECUTIONS}")
    if request.trace is not None:
        raise Refused(State.USAGE, "--profile and --trace are two runs: ask for one of them")


# An option that would have no effect on the board is refused, so that nobody relies on it.


def _check_firmware_options(board: Board, request: Request) -> None:
    if request.max_planned_memory is not None:
        raise Refused(
            State.USAGE,
            f"--max-planned-memory: what {board.name}'s programs may plan is the memory "
            "'arena' of its board.toml",
        )
    if request.operators_from and request.program is not None:
        raise Refused(State.USAGE, "--operators-from: the firmware is built already (--elf)")
    if request.npu is not None and request.program is not None:
        raise Refused(State.USAGE, "--npu: the firmware is built already (--elf)")
    for path in request.operators_from:
        _check_file(path)
    ways = {
        "--linked": request.linked,
        "--from-file": request.from_file,
        "--load-address": request.load_address is not None,
    }
    given = [option for option, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise Refused(State.USAGE, f"{given[0]} and {given[1]} exclude each other")
    size = request.bundle.stat().st_size
    if request.from_file and size > _LARGEST_SEMIHOSTING_FILE:
        raise Refused(
            State.USAGE,
            f"{request.bundle}: {size} bytes; a firmware reads files of at most "
            f"{_LARGEST_SEMIHOSTING_FILE} through semihosting",
        )


def _check_no_firmware_options(board: Board, request: Request) -> None:
    for option, given in (
        ("--load-address", request.load_address is not None),
        ("--from-file", request.from_file),
        ("--linked", request.linked),
        ("--operators-from", request.operators_from),
    ):
        if given:
            raise Refused(
                State.USAGE, f"{option}: {board.name} runs no firmware, and has no use for it"
            )
    if request.npu is not None:
        raise Refused(State.USAGE, f"--npu: {board.name}'s runner has the functional model anyway")


def _check_preload(board: Board, request: Request) -> None:
    if request.load_address is None or board.load_size is None:
        raise Refused(
            State.USAGE,
            f"{board.name} has no memory to preload; use --from-file, or --linked for a firmware "
            "that has the bundle linked in",
        )
    size = request.bundle.stat().st_size
    if size == 0:
        # There would be nothing to preload, and the target would read what lay there before.
        raise Refused(State.MALFORMED, f"{request.bundle}: too_short: the file is empty")


def _check_room(board: Board, request: Request) -> None:
    assert board.load_size is not None and request.load_address is not None
    size = request.bundle.stat().st_size
    if size > board.load_size:
        raise Refused(
            State.USAGE,
            f"{request.bundle}: {size} bytes do not fit the {board.load_size} that {board.name} "
            f"has at {request.load_address:#x}; use --from-file",
        )
