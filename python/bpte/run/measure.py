# SPDX-License-Identifier: BSD-3-Clause
"""Measures metrics as the runner does (runtime/bpte/runner/metrics.cpp), with numpy.

For values that were kept: metrics are judged again without a target. Counts, accuracies and the
ROC AUC are the runner's to the last bit; what sums give agrees as far as rounding does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from bpte.format.metric import Metric, MetricKind
from bpte.format.tensor_data import TensorData
from bpte.run import metric_evidence
from bpte.run.compare import Value, elements
from bpte.run.metric_evidence import ACCURACIES, MAX_MISSED
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import ConfusionRow, Measured, MetricResult
from bpte.run.records import CaseKey

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

#: Relative, between sums in another order.
CLOSE = 1e-12
#: A square below has lost bits, or is zero.
_SMALLEST_SQUARE = 2.0**-1000


@dataclass(frozen=True)
class Execution:
    """What metrics are measured from: a case without steps, or a step. `outputs` is None when it
    did not run."""

    key: CaseKey
    outputs: Sequence[Value] | None
    expected: Sequence[Value]
    labels: Sequence[int]


@dataclass(frozen=True)
class MeasuredMetric:
    """A metric as its record states it, the rows of its matrix, and what each execution added."""

    result: MetricResult
    rows: tuple[ConfusionRow, ...]
    added: tuple[Measured, ...]


class _Fault(Exception):
    """Why it could not be measured; the record's `error`."""


def measure(
    metric: Metric, suite: int, method: str, number: int, executions: Iterable[Execution]
) -> MeasuredMetric:
    """Measures metric `number` of a suite over all its cases."""
    meter = _METERS[metric.kind](metric)
    added: list[Measured] = []
    fault: str | None = None
    cases = samples = 0
    for execution in executions:
        one = Measured(samples=0, hits=0 if metric.kind in ACCURACIES else None)
        if fault is None:
            try:
                one = meter.take(execution)
            except _Fault as error:
                fault = str(error)
            else:
                cases, samples = cases + 1, samples + one.samples
        added.append(one)
    stated: dict[str, Any] = metric.stated() | meter.counts()
    result = MetricResult(
        suite=suite,
        method=method,
        metric=number,
        cases=cases,
        samples=samples,
        verdict=Verdict.ERROR,
        error=fault,
        **stated,
    )
    rows: tuple[ConfusionRow, ...] = ()
    if fault is None:
        result = replace(result, **meter.result(samples))
        result = replace(result, verdict=metric_evidence.verdict(result))
        rows = meter.rows(suite, number)
    return MeasuredMetric(result, rows, tuple(added))


#: What the runner and this module agree on to the last bit.
_EXACT = ("verdict", "error", "cases", "samples", "hits", "positives", "elements", "error_bound")


def difference(stated: MetricResult, found: MetricResult) -> str | None:
    """What a record says otherwise than the kept values; None when they agree."""
    exact: tuple[str, ...] = _EXACT
    if stated.verdict is Verdict.UNJUDGED:  # one case was asked for
        exact = exact[1:]
    for name in exact:
        said, is_so = getattr(stated, name), getattr(found, name)
        if said != is_so and not (said != said and is_so != is_so):
            said, is_so = (v.value if isinstance(v, Verdict) else v for v in (said, is_so))
            return f"its record says {name} {said}, the kept values give {is_so}"
    if (stated.value is None) != (found.value is None):
        return f"its record says value {stated.value}, the kept values give {found.value}"
    if stated.value is None or found.value is None or _is_close(stated.value, found.value):
        return None
    return f"its record says value {stated.value}, the kept values give {found.value}"


def _is_close(a: float, b: float) -> bool:
    return (a != a and b != b) or math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE)


# --- Samples --------------------------------------------------------------------------------------


def _rows(value: Value) -> Array:
    """A tensor's rows along its last dimension."""
    assert isinstance(value, TensorData)
    length = value.sizes[-1] if value.sizes else 1
    return elements(value).reshape(-1, length)


def _largest(rows: Array) -> Array:
    """The first of the largest elements; a NaN is larger than any number."""
    found: Array = rows.argmax(axis=1)
    return found


def _has_nan(rows: Array) -> Array:
    found: Array = (rows != rows).any(axis=1)
    return found


class _Meter:
    """One metric while it is measured."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def take(self, execution: Execution) -> Measured:
        """Raises _Fault."""
        if execution.outputs is None:
            raise _Fault("case_not_run")
        number = self.metric.output
        if number >= len(execution.outputs):
            raise _Fault("no_output")
        actual = execution.outputs[number]
        if not isinstance(actual, TensorData):
            raise _Fault("no_tensor")
        if 0 in actual.sizes:
            raise _Fault("no_samples")
        rows = _rows(actual)
        if self.metric.kind.wants_labels:
            return self.labelled(rows, self._labels(rows, execution.labels))
        expected = execution.expected[number]
        if (
            not isinstance(expected, TensorData)
            or expected.scalar_type is not actual.scalar_type
            or expected.sizes != actual.sizes
        ):
            raise _Fault("other_tensor")
        return self.compared(_rows(expected), rows)

    def _labels(self, rows: Array, stated: Sequence[int]) -> Array:
        import numpy as np

        if len(stated) not in (1, len(rows)):
            raise _Fault("label_count")
        labels = np.broadcast_to(np.array(stated, np.int64), (len(rows),))
        if (labels >= self.classes(rows.shape[1])).any():
            raise _Fault("label_value")
        return labels

    def classes(self, length: int) -> int:
        return length

    def labelled(self, rows: Array, labels: Array) -> Measured:
        raise NotImplementedError

    def compared(self, expected: Array, actual: Array) -> Measured:
        raise NotImplementedError

    def counts(self) -> dict[str, object]:
        """The record's members that belong to the kind, whether it was measured or not."""
        return {}

    def result(self, samples: int) -> dict[str, Any]:
        raise NotImplementedError

    def rows(self, suite: int, number: int) -> tuple[ConfusionRow, ...]:
        return ()


class _Accuracy(_Meter):
    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self.hits = 0

    def _count(self, hit: Array, wanted: Array, got: Array) -> Measured:
        import numpy as np

        hits = int(np.count_nonzero(hit))
        self.hits += hits
        missed = np.flatnonzero(~hit)[:MAX_MISSED]
        listed = tuple((int(i), int(wanted[i]), int(got[i])) for i in missed)
        return Measured(samples=len(hit), hits=hits, missed=listed)

    def labelled(self, rows: Array, labels: Array) -> Measured:
        import numpy as np

        own = np.take_along_axis(rows, labels[:, None], axis=1)
        places = np.arange(rows.shape[1])
        before = (rows > own) | ((rows == own) & (places < labels[:, None]))
        hit = (before.sum(axis=1) < self.metric.k) & ~_has_nan(rows)
        return self._count(hit, labels, _largest(rows))

    def compared(self, expected: Array, actual: Array) -> Measured:
        wanted, got = _largest(expected), _largest(actual)
        hit = (wanted == got) & ~_has_nan(actual) & ~_has_nan(expected)
        return self._count(hit, wanted, got)

    def counts(self) -> dict[str, object]:
        return {"hits": self.hits}

    def result(self, samples: int) -> dict[str, Any]:
        return {"value": self.hits / samples if samples else math.nan}


class _Sums(_Meter):
    """Errors, SQNR and cosine."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self.elements = 0
        self.differs = self.lost = False
        #: Of errors or their squares, of the squares of both sides, of their products.
        self._sums: list[list[float]] = [[], [], [], []]

    def compared(self, expected: Array, actual: Array) -> Measured:
        import numpy as np

        self.elements += actual.size
        e, a = expected.astype(np.float64), actual.astype(np.float64)
        error = _error(expected, actual)
        self.differs |= bool((error != 0).any())
        with np.errstate(all="ignore"):
            if self.metric.kind is MetricKind.MEAN_ABSOLUTE_ERROR:
                self._sums[0].append(_sum(error))
            else:
                self._square(0, error)
            if self.metric.kind in (MetricKind.SQNR_DB, MetricKind.COSINE):
                self._square(1, e)
                self._square(2, a)
                self._sums[3].append(_sum(e * a))
        return Measured(samples=len(actual))

    def _square(self, number: int, values: Array) -> None:
        import numpy as np

        squares = values * values
        small = (values != 0) & (squares < _SMALLEST_SQUARE)
        self.lost |= bool((small | ~np.isfinite(squares)).any())
        self._sums[number].append(_sum(squares))

    def counts(self) -> dict[str, object]:
        return {"elements": self.elements}

    def result(self, samples: int) -> dict[str, Any]:
        return {"value": math.nan if self.lost or not samples else self._value()}

    def _value(self) -> float:
        error, expected2, actual2, product = (_total(sums) for sums in self._sums)
        kind = self.metric.kind
        if kind in metric_evidence.ERRORS:
            return error / self.elements
        if not all(map(math.isfinite, (error, expected2, actual2))):
            return math.nan
        if not self.differs:
            return math.inf if kind is MetricKind.SQNR_DB else 1.0
        if kind is MetricKind.SQNR_DB:
            if expected2 == 0:
                return -math.inf
            return 10 * (math.log10(expected2) - math.log10(error))
        if expected2 == 0 or actual2 == 0:
            return 0.0
        return max(-1.0, min(1.0, product / (math.sqrt(expected2) * math.sqrt(actual2))))


def _error(expected: Array, actual: Array) -> Array:
    """|actual - expected|; integers are subtracted exactly first, equal infinities do not
    differ."""
    import numpy as np

    if expected.dtype.kind == "f":
        with np.errstate(all="ignore"):
            error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        return np.where(expected == actual, 0.0, error)
    wide = np.int64 if expected.dtype.kind == "i" else np.uint64
    e, a = expected.astype(wide), actual.astype(wide)
    near, far = e.view(np.uint64), a.view(np.uint64)
    return np.where(a < e, near - far, far - near).astype(np.float64)


def _sum(values: Array) -> float:
    return _total(values.ravel().tolist())


def _total(values: Sequence[float]) -> float:
    """Rounded once. Where the range of a double does not suffice, what plain additions give."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


class _RocAuc(_Meter):
    def __init__(self, metric: Metric) -> None:
        import numpy as np

        super().__init__(metric)
        self.counted = np.zeros((2, metric.bins), np.int64)
        self.lost = False

    def classes(self, length: int) -> int:
        return 2

    def labelled(self, rows: Array, labels: Array) -> Measured:
        import numpy as np

        metric = self.metric
        if metric.score >= rows.shape[1]:
            raise _Fault("score")
        scores = rows[:, metric.score].astype(np.float64)
        self.lost |= bool(np.isnan(scores).any())
        low, high = metric.low * 0.5, metric.high * 0.5
        with np.errstate(all="ignore"):
            share = (scores * 0.5 - low) / (high - low)
            inside = (scores > metric.low) & (scores < metric.high)
            found = np.where(inside, share * metric.bins, 0).astype(np.int64)
        found = np.minimum(found, metric.bins - 1)
        found[scores >= metric.high] = metric.bins - 1
        np.add.at(self.counted, (labels, found), 1)
        return Measured(samples=len(rows))

    def counts(self) -> dict[str, object]:
        return {"positives": int(self.counted[1].sum())}

    def result(self, samples: int) -> dict[str, Any]:
        negatives, positives = (line.tolist() for line in self.counted)
        ordered = undecided = below = 0
        for n, p in zip(negatives, positives, strict=True):
            ordered += 2 * p * below + p * n
            undecided += p * n
            below += n
        pairs = sum(negatives) * sum(positives)
        if not pairs or self.lost:
            return {"value": math.nan, "error_bound": math.nan}
        whole = float(2 * pairs)
        return {"value": float(ordered) / whole, "error_bound": float(undecided) / whole}


class _Confusion(_Meter):
    def __init__(self, metric: Metric) -> None:
        import numpy as np

        super().__init__(metric)
        self.counted = np.zeros((metric.classes, metric.classes), np.int64)

    def classes(self, length: int) -> int:
        return self.metric.classes

    def labelled(self, rows: Array, labels: Array) -> Measured:
        import numpy as np

        found = _largest(rows)
        if (found >= self.metric.classes).any():
            raise _Fault("label_value")
        np.add.at(self.counted, (labels, found), 1)
        return Measured(samples=len(rows))

    def result(self, samples: int) -> dict[str, Any]:
        return {}

    def rows(self, suite: int, number: int) -> tuple[ConfusionRow, ...]:
        rows = []
        for label, line in enumerate(self.counted.tolist()):
            if not (found := tuple(i for i, count in enumerate(line) if count)):
                continue
            counts = tuple(line[i] for i in found)
            rows.append(
                ConfusionRow(suite=suite, metric=number, label=label, found=found, counts=counts)
            )
        return tuple(rows)


_METERS: dict[MetricKind, type[_Meter]] = {
    MetricKind.TOP_K_ACCURACY: _Accuracy,
    MetricKind.ARGMAX_AGREEMENT: _Accuracy,
    MetricKind.MEAN_ABSOLUTE_ERROR: _Sums,
    MetricKind.MEAN_SQUARED_ERROR: _Sums,
    MetricKind.SQNR_DB: _Sums,
    MetricKind.COSINE: _Sums,
    MetricKind.ROC_AUC: _RocAuc,
    MetricKind.CONFUSION_MATRIX: _Confusion,
}
