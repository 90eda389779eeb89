# SPDX-License-Identifier: BSD-3-Clause
"""What a metric came to, in words: for the table, pytest and JUnit alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bpte.format.metric import Metric
from bpte.run import describe
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Case, ConfusionRow, MetricResult
from bpte.text import printable

#: Of the normal distribution: 95 % lie within so many standard deviations.
_Z = 1.959963984540054


def name(metric: MetricResult) -> str:
    """``top1``, ``cosine of output 1``; as a suite file states it."""
    return _name(metric.kind, metric.k, metric.output)


def label(metric: MetricResult) -> str:
    """The metric with its method. Not yet fit for a terminal."""
    return f"{name(metric)} of {metric.method}"


def stated_name(metric: Metric) -> str:
    """The same of a metric that a bundle states."""
    return _name(metric.kind.name.lower(), metric.k, metric.output)


def _name(kind: str, k: int | None, output: int) -> str:
    short = f"top{k}" if kind == "top_k_accuracy" else kind
    return f"{short} of output {output}" if output else short


def interval(metric: MetricResult) -> tuple[float, float] | None:
    """Wilson's interval for the share that an accuracy is of: with samples drawn at random, 95 of
    100 such intervals hold the true share."""
    if metric.hits is None or not metric.samples:
        return None
    n, share = metric.samples, metric.hits / metric.samples
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def value(metric: MetricResult) -> str:
    """Of an accuracy with its interval, of a ROC AUC with its error bound."""
    if metric.verdict is Verdict.ERROR:
        return "-"
    if metric.value is None:
        return f"{metric.samples} samples"
    text = f"{metric.value:.6g}"
    if (bounds := interval(metric)) is not None:
        low, high = bounds
        text += f" ({metric.hits} of {metric.samples}, {low:.3f} to {high:.3f})"
    if metric.error_bound is not None and metric.error_bound == metric.error_bound:
        text += f" +- {metric.error_bound:.2g} ({metric.bins} bins)"
    return text


def bounds(metric: MetricResult) -> str:
    stated = ((">=", metric.minimum), ("<=", metric.maximum))
    return ", ".join(f"{sign} {bound:.9g}" for sign, bound in stated if bound is not None)


def why(metric: MetricResult) -> str:
    """Why it is not kept, or not judged, in one line; empty when it is kept."""
    if metric.verdict is Verdict.ERROR:
        reason = describe.named_error(metric.error or "?", metric.message or "")
        return f"could not be measured: {reason}"
    if metric.verdict is Verdict.UNJUDGED:
        stated = metric.minimum is not None or metric.maximum is not None
        return "not judged over one case" if stated else "no bound is stated"
    if metric.verdict is Verdict.PASS:
        return ""
    found = metric.value
    if found is None or found != found:
        return "it could not be computed (nan), so it keeps no bound"
    if metric.minimum is not None and not found >= metric.minimum:
        bound, side, limit = metric.minimum, "below its floor", "at least"
    else:
        bound, side, limit = metric.maximum or 0.0, "above its ceiling", "at most"
    text = f"{found:.9g} is {side}, {bound:.9g}, by {abs(found - bound):.3g}"
    if metric.hits is None:
        return text
    needed = _hits_for(metric, bound, side.startswith("below"))
    return f"{text} ({metric.hits} of {metric.samples}, {limit} {needed} must be)"


def _hits_for(metric: MetricResult, bound: float, floor: bool) -> int:
    """The hits nearest to those measured that keep the bound."""
    n = metric.samples
    hits = math.ceil(bound * n) if floor else math.floor(bound * n)
    # The product is rounded; the quotient is what is judged.
    while floor and hits > 0 and (hits - 1) / n >= bound:
        hits -= 1
    while floor and hits / n < bound:
        hits += 1
    while not floor and (hits + 1) / n <= bound:
        hits += 1
    while not floor and hits / n > bound:
        hits -= 1
    return hits


def missed(metric: MetricResult, cases: Sequence[Case]) -> Iterator[str]:
    """The samples that are listed as no hits of an accuracy, one line each."""
    if metric.hits is None:
        return
    for case in cases:
        if case.suite != metric.suite or metric.metric >= len(case.measured):
            continue
        measured = case.measured[metric.metric]
        called = f' "{printable(case.name)}"' if case.name else ""
        where = f"{printable(case.method)}, case {describe.place(case)}{called}"
        for sample, wanted, got in measured.missed:
            at = f", sample {sample}" if measured.samples > 1 else ""
            yield f"{where}{at}: class {wanted} wanted, {got} is the largest"
        more = measured.samples - (measured.hits or 0) - len(measured.missed)
        if more > 0:
            yield f"{where}: {more} more"


#: A matrix of more classes is not drawn.
DRAWN_CLASSES = 16


def matrix(metric: MetricResult, rows: Sequence[ConfusionRow]) -> list[str]:
    """A confusion matrix as a table; empty when it has too many classes."""
    classes = metric.classes or 0
    mine = {r.label: r for r in rows if (r.suite, r.metric) == (metric.suite, metric.metric)}
    if not mine or classes > DRAWN_CLASSES:
        return []
    counts = [[0] * classes for _ in range(classes)]
    for row in mine.values():
        for found, count in zip(row.found, row.counts, strict=True):
            counts[row.label][found] = count
    width = max(len(str(classes - 1)), *(len(str(n)) for line in counts for n in line)) + 1
    lines = ["label" + "".join(f"{i:>{width}}" for i in range(classes)) + "  (found)"]
    for label_, line in enumerate(counts):
        lines.append(f"{label_:>5}" + "".join(f"{n or '.':>{width}}" for n in line))
    return lines
