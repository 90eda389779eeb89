# SPDX-License-Identifier: BSD-3-Clause
"""Holds metrics, and what their cases added to them, against the outputs that were kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bpte.run import metric_words
from bpte.run.kept import KeptOutput
from bpte.run.measure import Execution, MeasuredMetric, difference, measure
from bpte.run.outcome import Verdict
from bpte.run.outputs_file import value_of
from bpte.run.protocol import Transcript
from bpte.run.protocol_keys import Case, MetricResult
from bpte.run.records import CaseKey

if TYPE_CHECKING:
    from bpte.bundle import Bundle

#: The values of each case or step that gave some.
Kept = Mapping[CaseKey, Sequence[KeptOutput]]


class Checked(NamedTuple):
    """A metric, whether all outputs that it is of were kept, and what they give otherwise than the
    records, in words."""

    metric: MetricResult
    from_values: bool = False
    contradiction: str | None = None


def check(bundle: Bundle | None, transcript: Transcript, kept: Kept) -> Iterator[Checked]:
    """Every metric of a run, held against the kept outputs where the bundle is at hand, which has
    labels and expected outputs. Raises ``ResultsError`` and ``OSError`` for kept values that cannot
    be read."""
    for metric in transcript.metrics:
        cases = [case for case in transcript.cases if case.suite == metric.suite]
        ran = [case for case in cases if case.verdict is not Verdict.ERROR]
        if bundle is None or not all(CaseKey.of(case) in kept for case in ran):
            yield Checked(metric)
            continue
        packed = bundle.suites[metric.suite].metrics[metric.metric]
        executions = (_execution(bundle, case, kept) for case in cases)
        found = measure(packed, metric.suite, metric.method, metric.metric, executions)
        other = _difference(transcript, metric, found)
        what = f"{metric_words.label(metric)}: {other}" if other is not None else None
        yield Checked(metric, from_values=True, contradiction=what)


def _execution(bundle: Bundle, case: Case, kept: Kept) -> Execution:
    key = CaseKey.of(case)
    packed = bundle.suites[case.suite].test_cases[case.case].at(case.step)
    expected = list(map(bundle.stored, packed.info.expected_outputs))
    outputs = None if case.verdict is Verdict.ERROR else list(map(value_of, kept[key]))
    return Execution(key, outputs, expected, packed.labels)


def _difference(transcript: Transcript, stated: MetricResult, found: MeasuredMetric) -> str | None:
    if other := difference(stated, found.result):
        return other
    place = (stated.suite, stated.metric)
    rows = tuple(row for row in transcript.confusion if (row.suite, row.metric) == place)
    if rows != found.rows:
        return "its matrix is not that of the kept values"
    cases = [case for case in transcript.cases if case.suite == stated.suite]
    for case, added in zip(cases, found.added, strict=True):
        if case.verdict is not Verdict.ERROR and case.measured[stated.metric] != added:
            return f"{CaseKey.of(case)}: its record has not what the kept values add"
    return None
