# SPDX-License-Identifier: BSD-3-Clause
"""What became of a run: judged from the process that ended and from the records that arrived.

A run passes only when a complete protocol says so and nothing contradicts it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bpte.run import budget_words, describe, identity, metric_words
from bpte.run.kept import KeptOutput
from bpte.run.outcome import Outcome, State, Verdict
from bpte.run.protocol import Transcript
from bpte.run.receiver import LineCounts
from bpte.run.records import CaseKey
from bpte.text import printable

#: What the firmware's fault handler prints (platform/cortex_m/fault.cpp).
FAULT_PREFIX = "bpte-fault: "
#: What a firmware and the host runner print in front of a complaint about their arguments.
USAGE_PREFIXES = ("bpte: usage: ", "bpte-run: ")
#: How long a process may take to exit after its end record.
SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Run:
    """What became of a run.

    `message` is for people, and fit for a terminal. It is one line; only a failed build adds the
    end of its log. `transcript` is what the target said.
    """

    state: State
    message: str
    bundle: Path
    board: str
    simulator: str = ""
    command: tuple[str, ...] = ()
    exit_status: int | None = None
    seconds: float = 0.0
    transcript: Transcript = field(default_factory=Transcript)
    stderr: str = ""
    #: What could not be verified and was accepted; part of the message.
    notes: tuple[str, ...] = ()
    #: The actual outputs of each case, by its suite's index and its own, if they were asked for.
    kept: Mapping[CaseKey, Sequence[KeptOutput]] = field(default_factory=dict)
    #: What the line did to them.
    line: LineCounts = field(default_factory=LineCounts)
    #: The values of instructions, by their record's number among the transcript's `traces`.
    dumped: Mapping[int, KeptOutput] = field(default_factory=dict)
    #: When it began (UTC, ISO 8601), and by which version of bpte; empty where that is not known.
    started: str = ""
    bpte: str = ""
    #: What was asked for beside the bundle: options that have a value of their own.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: The file that the target's records were held against.
    about: identity.BundleFacts | None = None

    @property
    def outcome(self) -> Outcome:
        return self.state.outcome

    @property
    def ran(self) -> identity.BundleFacts | None:
        """Which bundle was run; None when nothing says so."""
        return self.about or identity.reported(self.transcript.begin)


@dataclass(frozen=True)
class Ended:
    """What is left of a process that ended; `name` is its executable's."""

    name: str
    transcript: Transcript
    stderr: str = ""
    #: None: ended by force, after the end record or because its time was over.
    status: int | None = None
    timed_out: bool = False
    seconds: float = 0.0
    #: What of the run was lost for good, in words.
    lost: str | None = None


class Judgement(NamedTuple):
    state: State
    message: str
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Message and notes, fit for a terminal."""
        return printable("; ".join((self.message, *self.notes)))


def judge(ended: Ended, exit_status_means: bool, timeout: float) -> Judgement:
    """Judges a process that had `timeout` seconds. `exit_status_means`: whether its exit status is
    the run's outcome."""
    transcript = ended.transcript
    progress = _progress(transcript)
    said = f" (it said: {line})" if (line := _first_line(ended.stderr)) else ""
    if fault := _after(FAULT_PREFIX, ended):
        return Judgement(State.FAULTED, f"the target faulted: {fault} ({progress})")
    if ended.timed_out:
        return Judgement(
            State.TIMED_OUT, f"no end after {timeout:g} s, ended by force{said}; {progress}"
        )
    if ended.status is not None and ended.status < 0:
        died = f"{ended.name} was {_exit(ended.status)}"
        return Judgement(State.DIED, f"{died}{said}; {progress}")
    if transcript.begin is None and ended.status:
        return _not_begun(ended, ended.status)
    if transcript.contradictory:
        return Judgement(
            State.CONTRADICTORY, f"a record contradicts itself: {transcript.violation}"
        )
    if ended.lost is not None:
        return Judgement(State.CUT_SHORT, f"protocol cut short: {ended.lost}{said}")
    if transcript.violation is not None or transcript.end is None:
        return Judgement(State.CUT_SHORT, f"protocol cut short: {transcript.violation}{said}")
    outcome = transcript.end.outcome
    if exit_status_means and ended.status is None:
        return Judgement(
            State.TIMED_OUT, f"did not exit within {SETTLE_SECONDS:g} s of its end record"
        )
    if exit_status_means and ended.status != outcome:
        status = _exit(ended.status or 0)
        return Judgement(State.DIED, f"{status} contradicts the end record's {int(outcome)}")
    return judge_complete(transcript, outcome)


def judge_complete(transcript: Transcript, outcome: Outcome) -> Judgement:
    """Judges records that amount to `outcome`, in one line."""
    by = f" ({transcript.stand_in})" if transcript.stand_in else ""
    if outcome is Outcome.PASSED:
        return Judgement(State.PASSED, _what_passed(transcript) + by)
    if outcome is Outcome.MISMATCH:
        return Judgement(State.MISMATCH, _what_failed(transcript) + by)
    error = transcript.error
    if error is not None:
        state = State.MALFORMED if outcome is Outcome.MALFORMED else State.NOT_RUN
        return Judgement(state, describe.named_error(error.error, error.message))
    for case in transcript.cases:
        if case.verdict is Verdict.ERROR:
            message = f"{describe.label(case)}: {describe.error(case)}"
            return Judgement(State.NOT_RUN, message)
    for metric in transcript.metrics:
        if metric.verdict is Verdict.ERROR:
            message = f"{metric_words.label(metric)}: {metric_words.why(metric)}"
            return Judgement(State.NOT_RUN, message)
    for budget in transcript.budgets:
        if budget.verdict is Verdict.ERROR:
            message = f"budget of {budget_words.name(budget)}: {budget_words.why(budget)}"
            return Judgement(State.NOT_RUN, message)
    return Judgement(State.NOT_RUN, "nothing was judged")


def _what_passed(transcript: Transcript) -> str:
    cases = transcript.cases
    passed = sum(case.verdict is Verdict.PASS for case in cases)
    metrics = sum(metric.verdict is Verdict.PASS for metric in transcript.metrics)
    parts = [f"{passed} of {len(cases)} cases passed" if passed else f"{len(cases)} cases run"]
    parts += [f"{metrics} of {metrics} metrics kept their bounds"] if metrics else []
    budgets = len(transcript.budgets)
    parts += [f"{budgets} of {budgets} budgets kept"] if budgets else []
    return ", ".join(parts)


def _what_failed(transcript: Transcript) -> str:
    cases = transcript.cases
    failed = sum(case.verdict is Verdict.FAIL for case in cases)
    parts = [f"{failed} of {len(cases)} cases failed"] if failed else []
    parts += [
        f"{metric_words.label(metric)}: {metric_words.why(metric)}"
        for metric in transcript.metrics
        if metric.verdict is Verdict.FAIL
    ]
    parts += [
        f"budget of {budget_words.name(budget)}: {budget_words.why(budget)}"
        for budget in transcript.budgets
        if budget.verdict is Verdict.FAIL
    ]
    return "; ".join(parts)


def hold_against(
    judgement: Judgement,
    transcript: Transcript,
    bundle: identity.Fingerprint | identity.Unreadable,
    asked: identity.Asked,
) -> Judgement:
    """The judgement of a complete transcript, which may be about another bundle or request."""
    finding = identity.check(transcript, bundle, asked)
    if finding.difference is not None and judgement.state is not State.FAULTED:
        return Judgement(State.ANOTHER_BUNDLE, finding.difference)
    return judgement._replace(notes=finding.notes)


def _not_begun(ended: Ended, status: int) -> Judgement:
    """A process that failed before its first record: its own words name the cause."""
    for prefix in USAGE_PREFIXES:
        if status == Outcome.USAGE and (usage := _after(prefix, ended)):
            return Judgement(State.USAGE, usage)
    said = _first_line(ended.stderr) or next(iter(ended.transcript.other_lines[-1:]), "")
    cause = f": {said}" if said else ""
    return Judgement(State.NOT_STARTED, f"did not start: {ended.name}: {_exit(status)}{cause}")


def _first_line(text: str) -> str:
    """The first line with words in it: it names the cause, the others are details."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _after(prefix: str, ended: Ended) -> str | None:
    """What follows a prefix on the first line that begins with it."""
    for line in (*ended.transcript.other_lines, *ended.stderr.splitlines()):
        if line.startswith(prefix):
            return line.removeprefix(prefix).strip()
    return None


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
