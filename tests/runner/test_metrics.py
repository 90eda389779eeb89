# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of a suite: measured by the runner over an engine that gives back what it is given
(runner_tool.cpp), by the desk's own code, and by scikit-learn, which knows of neither."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from sklearn import metrics as judge  # type: ignore[import-untyped]

import bpte
from bpte import Metric, MetricKind
from bpte.pack.tensors import normalise
from bpte.run import identity, measure, metric_check, metric_words
from bpte.run.launcher import judge_log
from bpte.run.outcome import Outcome, State, Verdict
from bpte.run.outputs_file import kept_of
from bpte.run.protocol import Transcript, parse
from bpte.run.protocol_keys import ConfusionRow, MetricResult
from bpte.run.records import CaseKey
from bpte.run.request import Request

#: The outputs of the engine that a metric is not of.
REST: list[Any] = [np.zeros(1, np.float32), 7, 1.5, True, np.zeros((0, 3), np.float32)]
MEASURED = bpte.Tolerance(not_compared=True)


@dataclass
class Sample:
    """What one case gives in output 0, what it should, and the classes."""

    actual: Any
    expected: Any
    labels: Any = 0
    steps: bool = False


def _case(sample: Sample, name: str = "") -> bpte.MethodTestCase:
    return bpte.MethodTestCase(
        [sample.actual, *REST],
        [sample.expected, *REST],
        labels=sample.labels,
        name=name,
        tolerances=MEASURED,
    )


@dataclass
class Ran:
    outcome: Outcome
    transcript: Transcript
    output: bytes
    bundle: Path

    @property
    def metrics(self) -> tuple[MetricResult, ...]:
        return self.transcript.metrics


Runner = Callable[..., Ran]


@pytest.fixture
def run(cpp_tool: Callable[[str], Path], tmp_path: Path) -> Runner:
    def call(
        samples: list[Sample], metrics: list[Metric], *failure: str, **environment: str
    ) -> Ran:
        path = tmp_path / "echo.bpte"
        cases = [_case(sample, f"case {i}") for i, sample in enumerate(samples) if not sample.steps]
        steps = [_case(sample) for sample in samples if sample.steps]
        cases += [bpte.MethodTestCase(steps=steps)] if steps else []
        suites = [bpte.MethodTestSuite("echo", cases, metrics=metrics)]
        bpte.BundledProgram(b"no program", suites).save(path, fit="skip", durable=False)
        done = subprocess.run(
            [cpp_tool("runner_tool"), path, *(failure or ("none",))],
            capture_output=True,
            check=False,
            timeout=60,
            env=os.environ | environment,
        )
        transcript = parse(done.stdout)
        assert transcript.violation is None, (transcript.violation, done.stdout[-3000:])
        assert transcript.outcome == done.returncode
        finding = identity.check(transcript, identity.fingerprint(path), identity.Asked())
        assert finding.difference is None
        return Ran(Outcome(done.returncode), transcript, done.stdout, path)

    return call


def _executions(samples: list[Sample]) -> list[measure.Execution]:
    return [
        measure.Execution(
            CaseKey(0, i),
            [normalise(sample.actual)],
            [normalise(sample.expected)],
            [sample.labels] if isinstance(sample.labels, int) else sample.labels,
        )
        for i, sample in enumerate(samples)
    ]


def _hold(ran: Ran, samples: list[Sample], stated: list[Metric]) -> None:
    """The desk's own code gives what the runner gave: value, counts, rows and missed samples."""
    for number, metric in enumerate(stated):
        found = measure.measure(metric, 0, "echo", number, _executions(samples))
        assert measure.difference(ran.metrics[number], found.result) is None
        rows = tuple(row for row in ran.transcript.confusion if row.metric == number)
        assert rows == found.rows
        for case, added in zip(ran.transcript.cases, found.added, strict=True):
            assert case.measured[number] == added


def classified(
    random: np.random.Generator, count: int, classes: int, dtype: Any = np.float32
) -> list[Sample]:
    """Cases of one to four samples, most of whose labels are their largest elements'."""
    samples = []
    while count > 0:
        rows = int(min(count, random.integers(1, 5)))
        count -= rows
        if np.dtype(dtype).kind in "iu":
            scores = random.integers(0, 100, (rows, classes)).astype(dtype)
        else:
            scores = random.normal(size=(rows, classes)).astype(dtype)
        expected = scores.copy()
        flipped = random.random(rows) < 0.2
        expected[flipped] = expected[flipped][:, ::-1]
        labels = scores.astype(np.float64).argmax(axis=1)
        wrong = random.random(rows) < 0.3
        labels[wrong] = random.integers(0, classes, int(wrong.sum()))
        samples.append(Sample(scores, expected, [int(label) for label in labels]))
    return samples


def _all(samples: list[Sample]) -> tuple[Any, Any, Any]:
    """Actual and expected rows, and labels, of all samples."""
    sides = [
        np.concatenate([np.asarray(getattr(s, name)).astype(np.float64) for s in samples])
        for name in ("actual", "expected")
    ]
    return *sides, np.concatenate([np.atleast_1d(s.labels) for s in samples])


EVERY = [
    Metric(MetricKind.TOP_K_ACCURACY),
    Metric(MetricKind.TOP_K_ACCURACY, k=3),
    Metric(MetricKind.ARGMAX_AGREEMENT),
    Metric(MetricKind.MEAN_ABSOLUTE_ERROR),
    Metric(MetricKind.MEAN_SQUARED_ERROR),
    Metric(MetricKind.SQNR_DB),
    Metric(MetricKind.COSINE),
    Metric(MetricKind.CONFUSION_MATRIX, classes=7),
]


def matrix(rows: tuple[ConfusionRow, ...], classes: int) -> Any:
    counts = np.zeros((classes, classes), int)
    for row in rows:
        counts[row.label, list(row.found)] = row.counts
    return counts


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "float16", "bfloat16"])
def test_scikit_learn_finds_the_same(dtype: str, run: Runner) -> None:
    random = np.random.default_rng(7)
    samples = classified(random, 120, 7, getattr(ml_dtypes, dtype, dtype))
    ran = run(samples, EVERY)
    _hold(ran, samples, EVERY)
    actual, expected, labels = _all(samples)
    found = [metric.value for metric in ran.metrics]
    top1, top3, agreement, mae, mse, sqnr, cosine, _ = found
    largest = actual.argmax(axis=1)
    assert top1 == judge.accuracy_score(labels, largest)
    assert agreement == judge.accuracy_score(expected.argmax(axis=1), largest)
    # It takes the last of equal elements for the largest, so they stand in the other order.
    turned = judge.top_k_accuracy_score(6 - labels, actual[:, ::-1], k=3, labels=list(range(7)))
    assert top3 == pytest.approx(turned, abs=1e-15)
    assert mae == pytest.approx(judge.mean_absolute_error(expected.ravel(), actual.ravel()), 1e-12)
    assert mse == pytest.approx(judge.mean_squared_error(expected.ravel(), actual.ravel()), 1e-12)
    signal, noise = (expected**2).sum(), ((actual - expected) ** 2).sum()
    assert sqnr == pytest.approx(10 * np.log10(signal / noise), 1e-12)
    pair = judge.pairwise.cosine_similarity(expected.reshape(1, -1), actual.reshape(1, -1))
    assert cosine == pytest.approx(float(pair[0, 0]), 1e-12)
    wanted = judge.confusion_matrix(labels, largest, labels=list(range(7)))
    assert (matrix(ran.transcript.confusion, 7) == wanted).all()


def _channels_last(x: Any) -> Any:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def test_channels_last_samples_are_logical_rows(run: Runner) -> None:
    """Rows along the last dimension, whatever the memory order of either side."""
    random = np.random.default_rng(3)
    scores = random.normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = scores + random.normal(size=scores.shape).astype(np.float32)
    labels = [int(label) for label in random.integers(0, 5, 24)]
    plain = [Sample(scores, expected, labels)]
    stated = [*EVERY[:-1], Metric(MetricKind.CONFUSION_MATRIX, classes=5)]
    straight = run(plain, stated)
    ran = run([Sample(_channels_last(scores), _channels_last(expected), labels)], stated)
    for one, other in zip(straight.metrics, ran.metrics, strict=True):
        assert measure.difference(one, other) is None
    assert straight.transcript.confusion == ran.transcript.confusion
    assert [c.measured for c in straight.transcript.cases] == [
        c.measured for c in ran.transcript.cases
    ]
    assert ran.metrics[0].value == judge.accuracy_score(labels, scores.argmax(-1).ravel())


@pytest.mark.parametrize("bins", [1, 2, 16, 1024])
def test_the_roc_auc_is_within_its_error_bound(bins: int, run: Runner) -> None:
    random = np.random.default_rng(bins)
    labels = random.integers(0, 2, 200)
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), -0.2, 1.2)  # some beyond the ends
    samples = [
        Sample(np.array([[1 - p, p]], np.float64), np.zeros((1, 2)), int(label))
        for p, label in zip(scores, labels, strict=True)
    ]
    stated = [Metric(MetricKind.ROC_AUC, score=1, bins=bins)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    (metric,) = ran.metrics
    assert metric.value is not None and metric.error_bound is not None
    exact = judge.roc_auc_score(labels, scores)
    assert abs(metric.value - exact) <= metric.error_bound + 1e-15
    assert (metric.positives, metric.samples) == (int(labels.sum()), 200)
    assert metric.error_bound < 2 / bins or bins < 16
    # Scores that are the middles of bins lose nothing: ties count half in both.
    middles = (np.floor(np.clip(scores, 0, 0.999) * bins) + 0.5) / bins
    for sample, middle in zip(samples, middles, strict=True):
        sample.actual = np.array([[0, middle]], np.float64)
    assert run(samples, stated).metrics[0].value == pytest.approx(
        judge.roc_auc_score(labels, middles), abs=1e-15
    )


def _scored(hits: int, samples: int) -> list[Sample]:
    row = np.array([[0.25, 0.75]], np.float32)
    return [Sample(row, row, int(i < hits)) for i in range(samples)]


def test_one_sample_below_its_floor_is_red_and_named(run: Runner) -> None:
    stated = [Metric(MetricKind.TOP_K_ACCURACY, minimum=0.95)]
    ran = run(_scored(19, 20), stated)
    assert (ran.outcome, ran.metrics[0].verdict) == (Outcome.PASSED, Verdict.PASS)
    assert {case.verdict for case in ran.transcript.cases} == {Verdict.UNJUDGED}
    ran = run(_scored(18, 20), stated)
    assert (ran.outcome, ran.metrics[0].verdict) == (Outcome.MISMATCH, Verdict.FAIL)
    assert metric_words.why(ran.metrics[0]) == (
        "0.9 is below its floor, 0.95, by 0.05 (18 of 20, at least 19 must be)"
    )
    assert list(metric_words.missed(ran.metrics[0], ran.transcript.cases)) == [
        f'echo, case {i} "case {i}": class 0 wanted, 1 is the largest' for i in (18, 19)
    ]


def test_a_metric_alone_makes_a_run_that_counts_and_its_report_none(run: Runner) -> None:
    """Cases that are measured, not judged, and a metric without a bound: nothing was judged."""
    ran = run(_scored(20, 20), [Metric(MetricKind.TOP_K_ACCURACY)])
    assert ran.outcome is Outcome.INFRASTRUCTURE
    assert ran.metrics[0].verdict is Verdict.UNJUDGED


@pytest.mark.parametrize("kind", list(MetricKind)[:7])
def test_bounds_are_kept_when_equal(kind: MetricKind, run: Runner) -> None:
    random = np.random.default_rng(11)
    samples = classified(random, 40, 3)
    for sample in samples:
        sample.labels = [label % 2 for label in sample.labels]
    facts = {"low": -3.0, "high": 3.0} if kind is MetricKind.ROC_AUC else {}
    value = run(samples, [Metric(kind, **facts)]).metrics[0].value
    assert value is not None and math.isfinite(value)
    above, below = math.nextafter(value, math.inf), math.nextafter(value, -math.inf)
    stated = [
        Metric(kind, minimum=low, maximum=high, **facts)
        for low, high in ((value, value), (above, None), (None, below), (below, above))
    ]
    verdicts = [metric.verdict.value for metric in run(samples, stated).metrics]
    assert verdicts == ["pass", "fail", "fail", "pass"]


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_keeps_no_bound(special: float, run: Runner) -> None:
    row = np.array([[1.0, 2.0, 3.0]], np.float32)
    broken = np.array([[1.0, special, 3.0]], np.float32)
    stated = [
        Metric(MetricKind.MEAN_ABSOLUTE_ERROR, maximum=1e300),
        Metric(MetricKind.MEAN_SQUARED_ERROR, maximum=1e300),
        Metric(MetricKind.SQNR_DB, minimum=-1e300),
        Metric(MetricKind.COSINE, minimum=-1.0),
    ]
    samples = [Sample(row, row), Sample(broken, row)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    assert {metric.verdict for metric in ran.metrics} == {Verdict.FAIL}


def test_a_nan_is_no_hit(run: Runner) -> None:
    """Whatever stands in the other elements, and whatever the label."""
    nan = np.array([[0.0, math.nan, 3.0]], np.float32)
    stated = [
        Metric(MetricKind.TOP_K_ACCURACY, k=3, minimum=0.1),
        Metric(MetricKind.ARGMAX_AGREEMENT, minimum=0.1),
        Metric(MetricKind.CONFUSION_MATRIX, classes=3),
    ]
    samples = [Sample(nan, nan, label) for label in range(3)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    assert [metric.hits for metric in ran.metrics[:2]] == [0, 0]
    assert ran.outcome is Outcome.MISMATCH
    # As torch and numpy have it, the NaN is the largest.
    assert [(row.label, row.found) for row in ran.transcript.confusion] == [
        (label, (1,)) for label in range(3)
    ]
    auc = [Metric(MetricKind.ROC_AUC, score=1, minimum=0.0)]
    assert run([Sample(nan, nan, 0), Sample(nan * 0 + 1, nan, 1)], auc).metrics[0].value != 0.0
    assert run([Sample(nan, nan, 0), Sample(nan, nan, 1)], auc).outcome is Outcome.MISMATCH


def test_of_equal_elements_the_first_is_the_largest(run: Runner) -> None:
    equal = np.zeros((4, 4), np.float32)
    samples = [Sample(equal, equal, [0, 1, 2, 3])]
    stated = [Metric(MetricKind.TOP_K_ACCURACY, k=k) for k in (1, 2, 4)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    assert [metric.hits for metric in ran.metrics] == [1, 2, 4]


def test_large_integers_are_compared_exactly(run: Runner) -> None:
    big = 2**62
    actual = np.array([[big, big + 1], [-big, -big - 1]], np.int64)
    samples = [Sample(actual, actual + 3, [1, 0])]
    stated = [Metric(MetricKind.TOP_K_ACCURACY), Metric(MetricKind.MEAN_ABSOLUTE_ERROR)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    assert [metric.value for metric in ran.metrics] == [1.0, 3.0]


def test_squares_beyond_a_double_keep_no_bound(run: Runner) -> None:
    stated = [Metric(MetricKind.SQNR_DB, minimum=-1e9), Metric(MetricKind.COSINE, minimum=-1.0)]
    for size in (1e-200, 1e200):
        row = np.array([[1.0, 2.0]]) * size
        samples = [Sample(row, row * 2)]
        ran = run(samples, stated)
        _hold(ran, samples, stated)
        assert ran.outcome is Outcome.MISMATCH


def test_steps_are_samples_too(run: Runner) -> None:
    samples = _scored(3, 4)
    for sample in samples[2:]:
        sample.steps = True
    stated = [Metric(MetricKind.TOP_K_ACCURACY, minimum=0.75)]
    ran = run(samples, stated)
    assert (ran.outcome, ran.metrics[0].cases, ran.metrics[0].hits) == (Outcome.PASSED, 4, 3)


ROW = np.array([[0.25, 0.75]], np.float32)


@pytest.mark.parametrize(
    ("sample", "metric", "error", "message"),
    [
        (
            Sample(3, 3),
            Metric(MetricKind.COSINE),
            "no_tensor",
            "case 1: output 0 is no tensor of numbers",
        ),
        (
            Sample(ROW, ROW.astype(np.float64)),
            Metric(MetricKind.COSINE),
            "other_tensor",
            "case 1: output 0 has not the dtype and shape of the expected one",
        ),
        (
            Sample(ROW, ROW.reshape(2, 1)),
            Metric(MetricKind.ARGMAX_AGREEMENT),
            "other_tensor",
            "case 1: output 0 has not the dtype and shape of the expected one",
        ),
        (
            Sample(np.zeros((0, 2), np.float32), ROW),
            Metric(MetricKind.TOP_K_ACCURACY),
            "no_samples",
            "case 1: output 0 has no elements",
        ),
        (
            Sample(ROW, ROW, [0, 1, 0]),
            Metric(MetricKind.TOP_K_ACCURACY),
            "label_count",
            "case 1: 3 labels for 1 samples",
        ),
        (
            Sample(ROW, ROW, 2),
            Metric(MetricKind.TOP_K_ACCURACY),
            "label_value",
            "case 1: class 2, the metric has 2",
        ),
        (
            Sample(ROW, ROW, 2),
            Metric(MetricKind.ROC_AUC),
            "label_value",
            "case 1: class 2, the metric has 2",
        ),
        (
            Sample(ROW, ROW, 0),
            Metric(MetricKind.CONFUSION_MATRIX, classes=1),
            "label_value",
            "case 0: class 1, the metric has 1",
        ),
        (
            Sample(ROW, ROW, 0),
            Metric(MetricKind.ROC_AUC, score=2),
            "score",
            "case 0: the score is element 2 of a sample of 2",
        ),
        (
            Sample(ROW, ROW, 0),
            Metric(MetricKind.TOP_K_ACCURACY, output=6),
            "no_output",
            "case 0: there is no output 6, the method gives 6",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_cannot_be_measured_is_an_error_with_its_place(
    sample: Sample, metric: Metric, error: str, message: str, run: Runner
) -> None:
    """Never a sample left out: not even where the samples before it keep the bound."""
    good = Sample(ROW, ROW, 0)
    ran = run([good, sample, good], [metric])
    (found,) = ran.metrics
    assert (found.verdict, found.error) == (Verdict.ERROR, error)
    assert found.message == message
    assert ran.outcome is Outcome.INFRASTRUCTURE
    if metric.output == 0:
        _hold(ran, [good, sample, good], [metric])


def test_a_case_that_did_not_run_leaves_no_metric(run: Runner) -> None:
    stated = [Metric(MetricKind.TOP_K_ACCURACY, minimum=0.0)]
    ran = run(_scored(2, 2), stated, "execute", "execution_failed")
    assert ran.outcome is Outcome.INFRASTRUCTURE
    assert (ran.metrics[0].error, ran.metrics[0].message) == (
        "case_not_run",
        "case 0: it did not run",
    )


def test_memory_is_what_the_metrics_say_and_not_a_byte_less(run: Runner) -> None:
    """It does not grow with the cases."""
    stated = [Metric(MetricKind.CONFUSION_MATRIX, classes=5), Metric(MetricKind.ROC_AUC)]
    ran = run(_scored(2, 2), stated, METRIC_BYTES="0")
    assert ran.outcome is Outcome.INFRASTRUCTURE and ran.transcript.error is not None
    assert ran.transcript.error.error == "out_of_memory"
    text = ran.transcript.error.message
    needed = int(text.split(" take ")[1].split()[0])
    assert needed < 2 * 256 + 5 * 5 * 4 + 2 * 1024 * 4
    samples = [Sample(ROW, ROW, i % 2) for i in range(50)]
    assert not run(samples, stated, METRIC_BYTES=str(needed)).transcript.error
    few = run(samples, stated, METRIC_BYTES=str(needed - 1)).transcript.error
    assert few is not None and few.message == text.replace("are 0", f"are {needed - 1}")


def test_a_matrix_of_the_most_classes(run: Runner) -> None:
    """Its records stay short: a row each, without zeros."""
    labels = [1023, 0, 512, 1023]
    scores = np.zeros((4, 1024), np.float32)
    scores[range(4), [1022, 1023, 512, 1]] = 1
    samples = [Sample(scores, scores, labels)]
    stated = [Metric(MetricKind.CONFUSION_MATRIX, classes=1024)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    assert [(row.label, row.found, row.counts) for row in ran.transcript.confusion] == [
        (0, (1023,), (1,)),
        (512, (512,), (1,)),
        (1023, (1, 1022), (1, 1)),
    ]


def test_no_more_than_sixteen_missed_samples_of_a_case_are_listed(run: Runner) -> None:
    rows = np.tile(ROW, (40, 1))
    samples = [Sample(rows, rows, 0)]
    stated = [Metric(MetricKind.TOP_K_ACCURACY)]
    ran = run(samples, stated)
    _hold(ran, samples, stated)
    (case,) = ran.transcript.cases
    assert case.measured[0].missed == tuple((i, 0, 1) for i in range(16))
    text = list(metric_words.missed(ran.metrics[0], ran.transcript.cases))
    assert text[-1] == 'echo, case 0 "case 0": 24 more'


def test_wilsons_interval() -> None:
    """Values of the textbook's formula, by another implementation."""
    for hits, samples in ((0, 10), (9, 10), (10, 10), (950, 1000)):
        metric = MetricResult(
            suite=0, method="m", metric=0, kind="top_k_accuracy", output=0, k=1, cases=1,
            samples=samples, hits=hits, value=hits / samples, verdict=Verdict.UNJUDGED,
        )  # fmt: skip
        found = metric_words.interval(metric)
        assert found is not None
        # It is where the share lies 1.96 standard deviations of its own from the one measured.
        for bound in found:
            if 1e-9 < bound < 1 - 1e-9:
                distance = abs(hits / samples - bound)
                assert distance == pytest.approx(
                    1.959963984540054 * math.sqrt(bound * (1 - bound) / samples)
                )
        assert found[0] <= hits / samples <= found[1]


def test_kept_values_that_are_not_the_records(run: Runner) -> None:
    scores = np.array([[3.0, 1.0, 2.0]], np.float32)
    samples = [Sample(scores, scores + 0.5, 0), Sample(scores * 2, scores, 1)]
    facts = {MetricKind.CONFUSION_MATRIX: {"classes": 3}, MetricKind.ROC_AUC: {"high": 9.0}}
    stated = [Metric(kind, **facts.get(kind, {})) for kind in MetricKind]
    ran = run(samples, stated, "once")
    result = judge_log(Path("log"), [ran.output], Request(ran.bundle))
    assert result.state is State.NOT_RUN and len(result.transcript.metrics) == 8
    with bpte.open(ran.bundle) as bundle:
        checked = list(metric_check.check(bundle, result.transcript, result.kept))
        assert all(one.from_values and one.contradiction is None for one in checked)
        kept = dict(result.kept)
        turned = kept_of(normalise(np.array([[7.5, 8.0, 1.0]], np.float32)))
        kept[CaseKey(0, 0)] = [turned, *kept[CaseKey(0, 0)][1:]]
        checked = list(metric_check.check(bundle, result.transcript, kept))
        assert all(one.contradiction is not None for one in checked)
        del kept[CaseKey(0, 1)]  # what was not kept proves nothing
        checked = list(metric_check.check(bundle, result.transcript, kept))
        assert not any(one.from_values or one.contradiction for one in checked)
