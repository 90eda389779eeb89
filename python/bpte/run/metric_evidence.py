# SPDX-License-Identifier: BSD-3-Clause
"""Which numbers of a metric's records cannot all be true, alone and beside those of the cases."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bpte.format.metric import MAX_CLASSES, MetricKind
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Case, ConfusionRow, Measured, MetricResult

#: So many missed samples of a case are listed.
MAX_MISSED = 16

#: Kinds by the names that the records have.
KINDS = {kind.name.lower(): kind for kind in MetricKind}
ACCURACIES = (MetricKind.TOP_K_ACCURACY, MetricKind.ARGMAX_AGREEMENT)
ERRORS = (MetricKind.MEAN_ABSOLUTE_ERROR, MetricKind.MEAN_SQUARED_ERROR)


def verdict(metric: MetricResult) -> Verdict:
    """What its value comes to, if it is judged at all."""
    value, minimum, maximum = metric.value, metric.minimum, metric.maximum
    if minimum is None and maximum is None:
        return Verdict.UNJUDGED
    kept = value is not None and (
        (minimum is None or value >= minimum) and (maximum is None or value <= maximum)
    )
    return Verdict.PASS if kept and value == value else Verdict.FAIL


def contradiction(metric: MetricResult) -> str | None:
    """The first contradiction of a record alone, in words."""
    return next(_contradictions(metric), None)


def _contradictions(metric: MetricResult) -> Iterator[str]:
    kind = KINDS[metric.kind]
    counts = {
        "hits": (metric.hits, kind in ACCURACIES),
        "positives": (metric.positives, kind is MetricKind.ROC_AUC),
    }
    for name, (count, belongs) in counts.items():
        if (count is not None) != belongs:
            yield f"{name} {count} of {metric.kind}"
        if count is not None and count > metric.samples:
            yield f"{count} {name} of {metric.samples} samples"
    sums = kind in (*ERRORS, MetricKind.SQNR_DB, MetricKind.COSINE)
    if (metric.elements is not None) != sums:
        yield f"elements {metric.elements} of {metric.kind}"
    elif metric.elements is not None and metric.elements < metric.samples:
        yield f"{metric.samples} samples of {metric.elements} elements"
    if metric.cases > metric.samples:
        yield f"{metric.cases} cases of {metric.samples} samples"
    if metric.verdict is not Verdict.ERROR:
        yield from _of_the_value(metric, kind)


def _of_the_value(metric: MetricResult, kind: MetricKind) -> Iterator[str]:
    value = metric.value
    if (value is None) != (kind is MetricKind.CONFUSION_MATRIX):
        yield f"value {value} of {metric.kind}"
        return
    if metric.verdict not in (implied := verdict(metric), Verdict.UNJUDGED):
        yield f"verdict {metric.verdict.value!r} contradicts its value ({implied.value!r})"
    if value is None or math.isnan(value):
        if value is not None and metric.samples and metric.hits is not None:
            yield f"value nan of {metric.samples} samples"
        return
    if not metric.samples:
        yield f"value {value} of no samples"
        return
    if metric.hits is not None and value != metric.hits / metric.samples:
        yield f"value {value}, but {metric.hits} of {metric.samples} are hits"
    low, high = _range(kind)
    if not low <= value <= high:
        yield f"value {value} of {metric.kind}"
    if kind is MetricKind.ROC_AUC:
        if metric.positives in (0, metric.samples):
            yield f"value {value}, but {metric.positives} of {metric.samples} are positive"
        bound = metric.error_bound
        if bound is None or not 0 <= bound <= min(value, 1 - value) + 1e-12:
            yield f"error_bound {bound} of the value {value}"


def _range(kind: MetricKind) -> tuple[float, float]:
    if kind in ERRORS:
        return 0.0, math.inf
    if kind is MetricKind.SQNR_DB:
        return -math.inf, math.inf
    return (-1.0 if kind is MetricKind.COSINE else 0.0), 1.0


def row_contradiction(row: ConfusionRow) -> str | None:
    """Of a row of a confusion matrix."""
    found = row.found
    if len(found) != len(row.counts) or not found or not all(row.counts):
        return "its classes and counts do not belong together"
    if list(found) != sorted(set(found)) or max(found) >= MAX_CLASSES:
        return "its classes are not ascending"
    return None


class MetricRecords:
    """The records of metrics as they arrive, held against the cases before them."""

    def __init__(self) -> None:
        self.metrics: list[MetricResult] = []
        self.confusion: list[ConfusionRow] = []
        self._rows: list[ConfusionRow] = []  # of the metric that comes next
        self._sums: dict[int, list[tuple[int, int, int]]] = {}  # by suite: cases, samples, hits
        self._counted: set[int] = set()  # suites that metrics have arrived of

    def take_case(self, case: Case) -> str | None:
        """What is wrong with the place of a case, or with what it was measured."""
        if case.suite in self._counted or self._rows:
            return "a case after the metrics of its suite"
        if case.verdict is Verdict.ERROR:
            return None
        sums = self._sums.setdefault(case.suite, [(0, 0, 0)] * len(case.measured))
        if len(sums) != len(case.measured):
            return f"{len(case.measured)} measured, but {len(sums)} of the case before"
        for i, (sum_, added) in enumerate(zip(sums, case.measured, strict=True)):
            cases, samples, hits = sum_
            if wrong := _wrong(added):
                return wrong
            sums[i] = cases + bool(added.samples), samples + added.samples, hits + (added.hits or 0)
        return None

    def take_row(self, row: ConfusionRow) -> str | None:
        last = self._rows[-1] if self._rows else None
        if last is not None and (last.suite, last.metric) != (row.suite, row.metric):
            return "rows of two matrices"
        if last is not None and last.label >= row.label:
            return "rows of a matrix that are not in the order of their labels"
        self._rows.append(row)
        return None

    def take_metric(self, metric: MetricResult, unjudged: bool) -> str | None:
        """`unjudged`: one case was asked for, or outputs were put right: no metric is judged."""
        number = sum(known.suite == metric.suite for known in self.metrics)
        if metric.metric != number:
            return f"metric {metric.metric} of suite {metric.suite} in place of {number}"
        self._counted.add(metric.suite)
        if metric.verdict is not Verdict.ERROR:
            judged = verdict(metric) if not unjudged else Verdict.UNJUDGED
            if metric.verdict is not judged:
                return f"a metric with the verdict {metric.verdict.value}, it is {judged.value}"
            sums = self._sums.get(metric.suite, [])
            wanted = sums[number] if number < len(sums) else (0, 0, 0)
            if wanted != (stated := (metric.cases, metric.samples, metric.hits or 0)):
                return f"cases, samples, hits {stated}, but those of the cases are {wanted}"
        if wrong := self._of_the_rows(metric):
            return wrong
        self.confusion += self._rows
        self._rows = []
        self.metrics.append(metric)
        return None

    def _of_the_rows(self, metric: MetricResult) -> str | None:
        rows = self._rows
        if any((row.suite, row.metric) != (metric.suite, metric.metric) for row in rows):
            return "rows of another metric's matrix"
        matrix = metric.kind == "confusion_matrix" and metric.verdict is not Verdict.ERROR
        if rows and not matrix:
            return f"rows of a matrix before {metric.kind}"
        classes = metric.classes or 0
        if any(row.label >= classes or row.found[-1] >= classes for row in rows):
            return f"a matrix of more than {classes} classes"
        if matrix and (total := sum(sum(row.counts) for row in rows)) != metric.samples:
            return f"{total} samples in the matrix, {metric.samples} measured"
        return None

    def at_end(self) -> str | None:
        """What is missing at the end of a run that was not stopped."""
        if self._rows:
            return "rows of a matrix without its metric"
        for suite, sums in self._sums.items():
            arrived = sum(metric.suite == suite for metric in self.metrics)
            if arrived != len(sums):
                return f"{arrived} of the {len(sums)} metrics of suite {suite} arrived"
        return None


def _wrong(measured: Measured) -> str | None:
    hits, missed = measured.hits, measured.missed
    if hits is None:
        return "missed samples of a metric without hits" if missed else None
    if hits > measured.samples or len(missed) != min(MAX_MISSED, measured.samples - hits):
        return f"{hits} hits of {measured.samples}, and {len(missed)} missed samples"
    numbers = [sample for sample, _, _ in missed]
    if numbers != sorted(set(numbers)) or (numbers and numbers[-1] >= measured.samples):
        return "the missed samples are not ascending"
    return None
