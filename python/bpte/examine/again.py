# SPDX-License-Identifier: BSD-3-Clause
"""Judges results again: with another tolerance, without running anything.

An output is judged from its kept value where there is one and the bundle is at hand, which has the
expected values. Elsewhere it is judged from the statistics of its record, as far as they decide
(`bpte.run.rejudge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bpte.run import describe, metric_check
from bpte.run.compare import Value, compare, difference
from bpte.run.identity import facts_of
from bpte.run.judge import Run
from bpte.run.kept_check import with_bounds
from bpte.run.outcome import State, Verdict
from bpte.run.outputs_file import value_of
from bpte.run.protocol_keys import Case, Output
from bpte.run.recorded import judge_again
from bpte.run.records import CaseKey
from bpte.run.rejudge import rejudge_output
from bpte.run.results_error import ResultsError

if TYPE_CHECKING:
    from bpte.bundle import Bundle
    from bpte.suites import TestCase

FROM_VALUES, FROM_STATISTICS = "values", "statistics"


@dataclass(frozen=True)
class JudgedOutput:
    """One output judged again. `verdict` is None where the statistics do not decide; `source` says
    what it was judged from; `output` is its record, with the tolerance that was
    asked for."""

    case: Case
    number: int
    verdict: Verdict | None
    source: str
    output: Output


@dataclass(frozen=True)
class Judged:
    """`run` is the run as it counts now; `outputs` those that were judged again, which are none if
    the run did not end by its verdicts; `metrics` those that were held against kept outputs, or
    are as their records say."""

    run: Run
    outputs: tuple[JudgedOutput, ...]
    metrics: tuple[metric_check.Checked, ...] = ()


def judge(
    run: Run, rtol: float | None = None, atol: float | None = None, bundle: Bundle | None = None
) -> Judged:
    """Judges a run again. Tolerances that are None stay what they were.

    A bundle that is not the one that was run, and kept values that the records contradict, end in a
    state of their own (exit code 4). Raises ``ResultsError``, ``BundleError``, ``OSError``.
    """
    if bundle is not None and (other := _other_bundle(run, bundle)) is not None:
        return Judged(replace(run, state=State.ANOTHER_BUNDLE, message=other), ())
    judge = _Judge(run, rtol, atol, bundle)
    again = judge_again(run, rtol, atol, judge.output)
    metrics = tuple(metric_check.check(bundle, run.transcript, run.kept))
    found = (checked.contradiction for checked in metrics)
    contradiction = judge.contradiction or next(filter(None, found), None)
    if contradiction is not None:
        again = replace(again, state=State.CONTRADICTORY, message=contradiction)
    return Judged(again, tuple(judge.outputs), metrics)


def _other_bundle(run: Run, bundle: Bundle) -> str | None:
    """How the bundle is not that of the run, in words."""
    wanted = run.ran
    if wanted is None:
        return "the results do not say which bundle was run, so kept values cannot be judged"
    found = facts_of(bundle)
    for name, value in wanted.as_dict().items():
        if value != (other := found.as_dict()[name]):
            return (
                f"{bundle.path} is another bundle: its {name} is {other}, the results' is {value}"
            )
    return None


class _Judge:
    def __init__(
        self, run: Run, rtol: float | None, atol: float | None, bundle: Bundle | None
    ) -> None:
        self._run = run
        self._rtol = rtol
        self._atol = atol
        self._bundle = bundle
        self._values: tuple[Case, Sequence[Value]] | None = None  # of the case being judged
        self.outputs: list[JudgedOutput] = []
        self.contradiction: str | None = None

    def output(self, case: Case, number: int) -> Output | None:
        recorded = case.outputs[number]
        judged: Output | None
        if self._bundle is not None and CaseKey.of(case) in self._run.kept:
            source = FROM_VALUES
            judged = self._from_values(self._bundle, case, number)
        else:
            source = FROM_STATISTICS
            judged = rejudge_output(recorded, self._rtol, self._atol)
        verdict = None if judged is None else judged.verdict
        now = judged or replace(
            recorded,
            rtol=recorded.rtol if self._rtol is None else self._rtol,
            atol=recorded.atol if self._atol is None else self._atol,
        )
        self.outputs.append(JudgedOutput(case, number, verdict, source, now))
        return judged

    def _from_values(self, bundle: Bundle, case: Case, number: int) -> Output:
        where = f"{describe.label(case)}, output {number}"
        if self._values is None or self._values[0] is not case:
            self._values = case, list(map(value_of, self._run.kept[CaseKey.of(case)]))
        packed = _case_of(bundle, case)
        values = self._values[1]
        if number >= len(values) or len(packed.info.expected_outputs) != len(case.outputs):
            raise ResultsError(f"{where}: the bundle's case has not as many outputs as the results")
        value = bundle.stored(packed.info.expected_outputs[number])
        recorded = case.outputs[number]
        tolerance = with_bounds(packed.tolerance(number), recorded.rtol, recorded.atol)
        found = compare(value, values[number], tolerance)
        if self.contradiction is None and (other := difference(recorded, found)) is not None:
            self.contradiction = f"{where}: {other}"
        if self._rtol is None and self._atol is None:
            return found
        return compare(value, values[number], with_bounds(tolerance, self._rtol, self._atol))


def _case_of(bundle: Bundle, case: Case) -> TestCase:
    try:
        suite = bundle.suites[case.suite]
        if suite.method_name == case.method:
            return suite.test_cases[case.case].at(case.step)
    except IndexError:
        pass
    raise ResultsError(f"the bundle has no {describe.label(case)} in suite {case.suite}")
