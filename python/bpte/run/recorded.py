# SPDX-License-Identifier: BSD-3-Clause
"""Judges recorded output: a log in place of a run, or a run under another tolerance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bpte.format.budget import Budget
from bpte.run import budget_check, identity, kept_check
from bpte.run.budget_check import Baseline
from bpte.run.judge import Ended, Judgement, Run, hold_against, judge, judge_complete
from bpte.run.outcome import State, run_outcome
from bpte.run.protocol import Transcript
from bpte.run.receiver import OnceReceiver
from bpte.run.rejudge import Again, rejudge
from bpte.run.request import Refused, Request, with_index

#: How a run ends when its records alone decide it.
_DECIDED_BY_RECORDS = (State.PASSED, State.MISMATCH, State.NOT_RUN, State.MALFORMED)


def judge_again(
    result: Run, rtol: float | None, atol: float | None, again: Again | None = None
) -> Run:
    """A complete run under another tolerance, from its evidence alone (`bpte.run.rejudge`), or by
    `again`.

    Where the evidence does not decide, no case passes, and the message says so.
    """
    transcript = result.transcript
    if not transcript.complete or result.state not in _DECIDED_BY_RECORDS:
        return result
    judged = rejudge(transcript.cases, rtol, atol, again)
    transcript = replace(transcript, cases=judged.cases)
    stopped = transcript.error.outcome if transcript.error is not None else None
    outcome = run_outcome(transcript.verdicts, stopped)
    state, message, _ = judge_complete(transcript, outcome)
    if judged.undecided:
        message += f"; {len(judged.undecided)} could not be judged again from the evidence alone"
    text = Judgement(state, message, result.notes).text
    return replace(result, state=state, message=text, transcript=transcript)


def judge_budgets(result: Run, budgets: Iterable[Budget], baseline: Baseline | None = None) -> Run:
    """A complete run under budgets that its bundle does not state, and against an earlier run. One
    that the records cannot decide makes the run one that did not end well."""
    transcript = result.transcript
    if not transcript.complete or result.state not in _DECIDED_BY_RECORDS:
        return result
    assert transcript.begin is not None  # it is complete
    asked = budget_check.judge(budgets, transcript.begin, transcript.cases, transcript.resources)
    if baseline is not None:
        asked += budget_check.against(baseline, transcript.begin, transcript.cases)
    transcript = replace(transcript, budgets=(*transcript.budgets, *asked))
    stopped = transcript.error.outcome if transcript.error is not None else None
    judgement = judge_complete(transcript, run_outcome(transcript.verdicts, stopped))
    text = judgement._replace(notes=result.notes).text
    return replace(result, state=judgement.state, message=text, transcript=transcript)


def judge_log(path: Path, pieces: Iterable[bytes], request: Request | None = None) -> Run:
    """A recorded output, in pieces of any size, in place of a run.

    The last run that was begun in it counts. It is held against the bundle and the selection of
    `request`, if there is one; a tolerance that the request gives is for judging again
    (`judge_again`).
    """
    receiver = OnceReceiver(recorded=True)
    for piece in pieces:
        receiver.feed(piece, now=0.0)
    transcript = receiver.finish()
    subject = request.bundle if request is not None else path
    target = transcript.begin.target if transcript.begin is not None else ""
    ended = Ended(path.name, transcript, lost=receiver.lost)
    judgement = judge(ended, exit_status_means=False, timeout=0.0)
    bundle = identity.fingerprint(request.bundle) if request is not None else None
    if transcript.complete:
        try:
            judgement = _held_against_request(judgement, transcript, request, bundle)
        except Refused as refused:
            return Run(refused.state, str(refused), subject, target, "log")
        if request is not None and receiver.kept:
            judgement = kept_check.hold_against(judgement, transcript, receiver.kept, request)
    if transcript.earlier_runs:
        note = f"the last of {transcript.earlier_runs + 1} runs in this log"
        judgement = judgement._replace(notes=(*judgement.notes, note))
    return Run(
        judgement.state,
        judgement.text,
        subject,
        target,
        "log",
        transcript=transcript,
        notes=judgement.notes,
        kept=receiver.kept,
        line=receiver.counts,
        dumped=receiver.dumped,
        options=request.stated() if request is not None else {},
        about=bundle if isinstance(bundle, identity.Fingerprint) else None,
    )


def _held_against_request(
    judgement: Judgement,
    transcript: Transcript,
    request: Request | None,
    bundle: identity.Fingerprint | identity.Unreadable | None,
) -> Judgement:
    """Raises Refused."""
    begin = transcript.begin
    assert begin is not None  # the transcript is complete
    if request is None or bundle is None:
        if begin.protocol > 1:
            return judgement
        return judgement._replace(notes=("protocol 1: it does not say which bundle was run",))
    request = with_index(request)
    # A tolerance that is asked for now is judged from the evidence. Only without it must the
    # target's own tolerance be the bundle's.
    asked = replace(
        request.asked(nonce=None),
        rtol=begin.rtol if request.rtol is not None else None,
        atol=begin.atol if request.atol is not None else None,
    )
    return hold_against(judgement, transcript, bundle, asked)
