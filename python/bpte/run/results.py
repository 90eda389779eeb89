# SPDX-License-Identifier: BSD-3-Clause
"""What each case and metric of a run counts for, and why. Every report is made from this.

`bpte.run.outcome.counted` is the rule; this module applies it to a run and adds the words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bpte.run import describe, metric_words, trace_report
from bpte.run.judge import Run
from bpte.run.outcome import Counted, State, Verdict, counted
from bpte.run.protocol_keys import BudgetResult, Case, MetricResult
from bpte.run.records import CaseKey
from bpte.text import printable


@dataclass(frozen=True)
class CaseResult:
    """`message` says why it is not PASSED, in one or more lines; `case` is its record, None when
    none arrived; `seconds` its time, where the target's clock tells seconds."""

    counted: Counted
    message: str = ""
    case: Case | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class MetricOutcome:
    """What a metric counts for; `message` says why it is not PASSED."""

    counted: Counted
    metric: MetricResult | None
    message: str = ""


_WORST_FIRST = (Counted.FAILED, Counted.ERROR, Counted.PASSED, Counted.SKIPPED)


class Results:
    """What the cases of a run count for."""

    def __init__(self, run: Run) -> None:
        self.run = run
        # A case without steps has one record, one with steps a record for each.
        self._cases: dict[tuple[int, int], list[Case]] = {}
        for case in run.transcript.cases:
            self._cases.setdefault((case.suite, case.case), []).append(case)
        self._traced = trace_report.case_lines(run)
        verdicts = set(run.transcript.verdicts)
        self._judged = not verdicts.isdisjoint((Verdict.PASS, Verdict.FAIL))

    @property
    def why(self) -> str:
        """How the run ended: the state and what is known of it."""
        return printable(f"{self.run.state.words}: {self.run.message}")

    @property
    def arrived(self) -> list[CaseResult]:
        """Of the cases and steps that arrived, in their order."""
        return [self._of(case) for case in self.run.transcript.cases]

    def of(self, suite: int, case: int) -> CaseResult:
        """Of one case, by its suite's index and its own, whether it arrived or not. A case with
        steps counts for what the worst of them does, of several the first."""
        records = self._cases.get((suite, case), [])
        results = [self._of(record) for record in records] or [self._of(None)]
        worst = min(results, key=lambda result: _WORST_FIRST.index(result.counted))
        if worst.case is None or worst.case.step is None or not worst.message:
            return worst
        return replace(worst, message=f"step {worst.case.step}: {worst.message}")

    @property
    def metrics(self) -> list[MetricOutcome]:
        """Of the metrics that arrived, in their order."""
        return [self._of_metric(metric) for metric in self.run.transcript.metrics]

    def of_metric(self, suite: int, number: int) -> MetricOutcome:
        """Of one metric, by its suite's index and its own, whether it arrived or not."""
        for metric in self.run.transcript.metrics:
            if (metric.suite, metric.metric) == (suite, number):
                return self._of_metric(metric)
        return MetricOutcome(Counted.ERROR, None, f"{self.why} (this metric did not arrive)")

    def of_budget(self, budget: BudgetResult) -> Counted:
        """What a budget counts for."""
        stopped = self.run.transcript.error is not None
        return counted(budget.verdict, self.run.state, stopped, self._judged)

    @property
    def ended_otherwise(self) -> bool:
        """Whether something other than the verdicts in it ended the run. A report that lists
        cases then lists the run as well, as an error."""
        judged = self.run.state in (State.PASSED, State.MISMATCH)
        return not judged or self.run.transcript.error is not None

    @property
    def passed_in_vain(self) -> bool:
        """Whether a case passed but does not count, because the run ended badly."""
        return any(
            result.counted is Counted.ERROR and result.case and result.case.verdict is Verdict.PASS
            for result in self.arrived
        )

    def _of(self, case: Case | None) -> CaseResult:
        transcript = self.run.transcript
        verdict = case.verdict if case is not None else None
        stopped = transcript.error is not None
        result = counted(verdict, self.run.state, stopped, self._judged)
        unit = transcript.begin.unit if transcript.begin is not None else ""
        seconds = describe.seconds(case.time, unit) if case is not None else None
        return CaseResult(result, self._message(case, result), case, seconds)

    def _of_metric(self, metric: MetricResult) -> MetricOutcome:
        stopped = self.run.transcript.error is not None
        result = counted(metric.verdict, self.run.state, stopped, self._judged)
        message = printable(metric_words.why(metric))
        if result is Counted.ERROR and metric.verdict is not Verdict.ERROR:
            message = f"{self.why} (what this metric came to does not count)"
        return MetricOutcome(result, metric, message)

    def _message(self, case: Case | None, result: Counted) -> str:
        transcript = self.run.transcript
        if result is Counted.PASSED:
            return ""
        if result is Counted.SKIPPED:
            return "no output was judged"
        if case is None:
            if transcript.error is not None and transcript.complete:
                return f"did not run: {printable(transcript.error.message)}"
            return f"{self.why} (this case did not arrive)"
        if case.verdict is Verdict.FAIL:
            traced = self._traced.get(CaseKey.of(case))
            return "\n".join([*describe.failed_outputs(case), *([traced] if traced else [])])
        if case.verdict is Verdict.ERROR:
            return f"did not run: {describe.error(case)}"
        if case.verdict is Verdict.PASS:
            return f"{self.why} (this case had passed, which does not count)"
        return self.why
