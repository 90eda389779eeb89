# SPDX-License-Identifier: BSD-3-Clause
"""Runs a bundle on a board and says what became of it.

One place for processes and time limits, whatever the board: the host runner, firmware under an
emulator or a model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from bpte.format.budget import BudgetResource
from bpte.run import build, identity, kept_check, process
from bpte.run.board import Board, Simulator
from bpte.run.command import BUNDLE, PROGRAM, command_line, pick_simulator
from bpte.run.judge import SETTLE_SECONDS, Ended, Judgement, Run, hold_against, judge
from bpte.run.outcome import State
from bpte.run.pull import PullReceiver
from bpte.run.receiver import OnceReceiver, Receiver
from bpte.run.recorded import judge_again, judge_budgets, judge_log
from bpte.run.records import Record
from bpte.run.request import Refused, Request, examine
from bpte.run.scratch import Scratch, scratch_folder

__all__ = ["Request", "Run", "judge_again", "judge_budgets", "judge_log", "run"]

#: How long a process is given to say more after its end record when it does not exit by itself, or
#: when its exit status means nothing.
LINGER_SECONDS = 1.0
_KEPT_STDERR = 64 * 1024


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
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    result = _run(request, on_record, on_start, on_text, on_note)
    return replace(result, started=started, options=request.stated())


def _run(
    request: Request,
    on_record: Callable[[Record], None] | None,
    on_start: Callable[[int], None] | None,
    on_text: Callable[[bytes], None] | None,
    on_note: Callable[[str], None] | None,
) -> Run:
    simulator_name = request.simulator or ""
    try:
        board, request = examine(request)
        simulator, executable = pick_simulator(board, request.simulator)
        simulator_name = simulator.name
        bundle = identity.fingerprint(request.bundle)
        request = _with_count(board, simulator, request, bundle)
        program = _program(board, request, bundle, on_note)
    except Refused as refused:
        return Run(refused.state, str(refused), request.bundle, request.board, simulator_name)

    nonce = identity.new_nonce()
    assert request.timeout is not None  # it was examined
    timeout = request.timeout
    command = command_line(board, simulator, executable, request, nonce)
    receiver = _receiver(request, simulator, nonce)
    with scratch_folder() as scratch:
        (scratch.path / BUNDLE).symlink_to(request.bundle.resolve())
        (scratch.path / PROGRAM).symlink_to(program.resolve())
        try:
            ended = _execute(
                command, scratch, timeout, simulator, receiver, on_record, on_start, on_text
            )
        except OSError as error:
            message = f"did not start: {command[0]}: {error.strerror or error}"
            return Run(
                State.NOT_STARTED, message, request.bundle, board.name, simulator.name, command
            )
    judgement = judge(ended, simulator.exit_status, timeout)
    if ended.transcript.complete and ended.lost is None:
        asked = replace(request.asked(nonce), wire=request.wire(simulator))
        judgement = hold_against(judgement, ended.transcript, bundle, asked)
    judgement = _with_values(judgement, ended, receiver, request)
    return Run(
        judgement.state,
        judgement.text,
        request.bundle,
        board.name,
        simulator.name,
        command,
        ended.status,
        ended.seconds,
        ended.transcript,
        ended.stderr,
        judgement.notes,
        receiver.kept,
        receiver.counts,
        dumped=receiver.dumped,
        about=bundle if isinstance(bundle, identity.Fingerprint) else None,
    )


def _with_values(
    judgement: Judgement, ended: Ended, receiver: Receiver, request: Request
) -> Judgement:
    """The judgement of a run, also by what was asked for beside its records."""
    if request.steps_through and judgement.state is State.USAGE:
        hint = f"{judgement.message} (can this program step, BPTE_ENGINE_STEPPING?)"
        return judgement._replace(message=hint)
    if not request.fetches_values:
        return judgement
    if judgement.state is State.USAGE:
        hint = f"{judgement.message} (does this program have the wire, BPTE_RUNNER_WIRE?)"
        return judgement._replace(message=hint)
    return kept_check.hold_against(judgement, ended.transcript, receiver.kept, request)


def _receiver(request: Request, simulator: Simulator, nonce: str) -> Receiver:
    wire = request.wire(simulator)
    if wire == "pull":
        return PullReceiver(nonce)
    return OnceReceiver() if wire == "once" else Receiver()


def _with_count(
    board: Board,
    simulator: Simulator,
    request: Request,
    bundle: identity.Fingerprint | identity.Unreadable,
) -> Request:
    """The request, which asks for instructions where the bundle's budgets do and they can be
    counted. Raises Refused."""
    if request.count_instructions and not simulator.count:
        raise Refused(
            State.USAGE,
            f"--count-instructions: {board.name} ({simulator.name}) does not count instructions",
        )
    stated = bundle.budgets if isinstance(bundle, identity.Fingerprint) else ()
    wanted = any(
        budget.resource is BudgetResource.TIME_INSTRUCTIONS and budget.target in (None, board.name)
        for budget in (*stated, *request.budgets)
    )
    return replace(request, count_instructions=True) if wanted and simulator.count else request


def _program(
    board: Board,
    request: Request,
    bundle: identity.Fingerprint | identity.Unreadable,
    on_note: Callable[[str], None] | None,
) -> Path:
    if request.program is not None:
        return request.program
    features = request.features(bundle)
    try:
        return build.program(board, request.engine, request.operators_from, on_note, features)
    except build.BuildError as error:
        raise Refused(State.NOT_STARTED, str(error)) from None


def _execute(
    command: tuple[str, ...],
    scratch: Scratch,
    timeout: float,
    simulator: Simulator,
    receiver: Receiver,
    on_record: Callable[[Record], None] | None,
    on_start: Callable[[int], None] | None,
    on_text: Callable[[bytes], None] | None,
) -> Ended:
    """Raises OSError when the process cannot be started."""
    start = time.monotonic()
    limit = process.Limit(start + timeout)
    stderr = bytearray()

    def on_output(data: bytes, is_stdout: bool) -> None:
        if not is_stdout:
            stderr.extend(data)
            del stderr[:-_KEPT_STDERR]
            return
        if on_text:
            on_text(data)
        for record in receiver.feed(data, time.monotonic()):
            if on_record:
                on_record(record)
        if receiver.lost is not None:
            limit.deadline = 0.0
        elif receiver.parser.ended:
            settle = SETTLE_SECONDS if simulator.exit_status else LINGER_SECONDS
            limit.deadline = min(limit.deadline, time.monotonic() + settle)

    owned = process.Possessions(locks=(scratch.lock,), remove=scratch.path)
    talk = receiver if isinstance(receiver, PullReceiver) else None
    status = process.execute(command, scratch.path, limit, on_output, on_start, owned, talk)
    transcript = receiver.finish()
    given_up = receiver.parser.ended or receiver.lost is not None
    return Ended(
        Path(command[0]).name,
        transcript,
        stderr.decode("utf-8", "replace"),
        status,
        timed_out=status is None and not given_up,
        seconds=time.monotonic() - start,
        lost=receiver.lost,
    )
