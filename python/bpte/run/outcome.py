# SPDX-License-Identifier: BSD-3-Clause
"""How a run and its cases can end, and which outcome follows from which verdicts.

The command line, the pytest plugin, JUnit and JSON reports all use these rules. They need no record
and no process, so that the command line can import them quickly.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum


class Outcome(IntEnum):
    """The exit codes of every verb of `bpte`, of the host runner and of a firmware.

    runtime/bpte/runner/runner.h has the same numbers, docs/result-protocol.md explains them.
    """

    PASSED = 0
    MISMATCH = 1
    USAGE = 2
    MALFORMED = 3
    INFRASTRUCTURE = 4
    #: A mistake in bpte itself, which is not a verdict; sysexits.h calls it EX_SOFTWARE.
    INTERNAL = 70


class Verdict(str, Enum):
    """Of a case or of one output; which of them may occur where is docs/result-protocol.md's."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    UNJUDGED = "unjudged"
    NOT_COMPARED = "not_compared"


class State(str, Enum):
    """How a run ended, finer than its exit code (docs/result-protocol.md)."""

    PASSED = "passed"
    MISMATCH = "mismatch"
    USAGE = "usage"
    MALFORMED = "malformed"
    #: The engine could not run it, or nothing was judged: the protocol is complete and says so.
    NOT_RUN = "not_run"
    NOT_STARTED = "not_started"
    TIMED_OUT = "timed_out"
    DIED = "died"
    FAULTED = "faulted"
    CUT_SHORT = "cut_short"
    #: The target ran another bundle than the file, another selection, or not in this run.
    ANOTHER_BUNDLE = "another_bundle"
    #: The numbers of a record cannot all be true.
    CONTRADICTORY = "contradictory"

    @property
    def outcome(self) -> Outcome:
        return _OUTCOMES.get(self, Outcome.INFRASTRUCTURE)

    @property
    def words(self) -> str:
        """For people: ``"timed out"``."""
        return self.value.replace("_", " ")


class StateError(Exception):
    """Something that was to be learnt by running could not be; `state` says how the run ended."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.state = state


_OUTCOMES = {
    State.PASSED: Outcome.PASSED,
    State.MISMATCH: Outcome.MISMATCH,
    State.USAGE: Outcome.USAGE,
    State.MALFORMED: Outcome.MALFORMED,
}


def case_verdict(outputs: Iterable[Verdict]) -> Verdict:
    """The verdict of a case that ran, from those of its outputs: one failure fails it, and without
    an output that was judged it is not judged either."""
    verdicts = set(outputs)
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if Verdict.PASS in verdicts else Verdict.UNJUDGED


def run_outcome(cases: Iterable[Verdict], stopped: Outcome | None = None) -> Outcome:
    """The outcome that a runner must report: from its cases' verdicts, and from the outcome in its
    `error` record, if it wrote one."""
    verdicts = set(cases)
    if Verdict.FAIL in verdicts:
        return Outcome.MISMATCH
    if stopped is not None:
        return stopped
    if Verdict.ERROR in verdicts or Verdict.PASS not in verdicts:
        return Outcome.INFRASTRUCTURE
    return Outcome.PASSED


class Counted(str, Enum):
    """What a case counts for in every report. PASSED and SKIPPED are green, the others red."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


def counted(verdict: Verdict | None, state: State, stopped: bool, judged: bool) -> Counted:
    """What a case counts for, given its own verdict and how the whole run ended.

    `verdict` is None for a case that did not arrive, `stopped` says whether the runner wrote an
    `error` record, `judged` whether any case passed or failed. A failure counts in any run. A pass,
    or a case without expected outputs, counts only in a run that reached its end. A target that
    faults, hangs, dies or contradicts itself later may have done so because of this case; then
    nothing that it said before can be relied on.
    """
    if verdict is Verdict.FAIL:
        return Counted.FAILED
    if verdict is None or verdict is Verdict.ERROR:
        return Counted.ERROR
    whole = state in (State.PASSED, State.MISMATCH) or (
        # Another case could not be run; that case is red.
        state is State.NOT_RUN and judged and not stopped
    )
    if not whole:
        return Counted.ERROR
    return Counted.PASSED if verdict is Verdict.PASS else Counted.SKIPPED
