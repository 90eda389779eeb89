# SPDX-License-Identifier: BSD-3-Clause
"""Compares the results of two runs, case by case: two targets, engines, versions or days.

The verdicts decide the outcome. Errors stand side by side; where outputs were kept on both sides,
they are compared element by element.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.run import compare, metric_words
from bpte.run.judge import Run
from bpte.run.outcome import Counted, Outcome, State, Verdict
from bpte.run.outputs_file import value_of
from bpte.run.protocol_keys import Case, FirstMismatch, MetricResult, Output
from bpte.run.records import CaseKey
from bpte.run.results import CaseResult, MetricOutcome, Results

#: Runs whose cases count. In any other, only a failure does.
_WHOLE = (State.PASSED, State.MISMATCH, State.NOT_RUN)
_JUDGED = (Counted.PASSED, Counted.FAILED)
_EXACT = Tolerance(rtol=0.0, atol=0.0, nan_policy=NanPolicy.EQUAL)


@dataclass(frozen=True)
class Elements:
    """How two kept values differ. `record` has A's as expected and B's as actual ones, and no
    tolerance; its `mismatches` differ. `worst`: those two that differ most."""

    record: Output
    worst: FirstMismatch | None


@dataclass(frozen=True)
class OutputPair:
    """An output on both sides; None: no record of it (it was not compared with anything)."""

    number: int
    a: Output | None
    b: Output | None
    elements: Elements | None

    @property
    def verdicts(self) -> tuple[Verdict | None, Verdict | None]:
        return self.a.verdict if self.a else None, self.b.verdict if self.b else None


@dataclass(frozen=True)
class CasePair:
    """A case that both sides have."""

    a: CaseResult
    b: CaseResult
    outputs: tuple[OutputPair, ...]

    @property
    def case(self) -> Case:
        assert self.a.case is not None
        return self.a.case

    @property
    def changed(self) -> bool:
        """Whether it counts for something else, or one of its outputs has another verdict."""
        return self.a.counted is not self.b.counted or any(
            one is not other for one, other in (pair.verdicts for pair in self.outputs)
        )


@dataclass(frozen=True)
class MetricPair:
    """A metric of a method on both sides, by its place among the method's; None: one side has no
    such metric."""

    a: MetricOutcome | None
    b: MetricOutcome | None

    @property
    def metric(self) -> MetricResult:
        found = self.a or self.b
        assert found is not None and found.metric is not None  # it arrived
        return found.metric

    @property
    def changed(self) -> bool:
        """Whether it counts for something else."""
        return None in (self.a, self.b) or self.a.counted is not self.b.counted  # type: ignore[union-attr]

    @property
    def judged(self) -> bool:
        """Whether it was judged on both sides."""
        return all(side is not None and side.counted in _JUDGED for side in (self.a, self.b))


@dataclass(frozen=True)
class Difference:
    """`facts`: what differs between the runs as wholes, by its name. `only_a`, `only_b`: cases of
    one side alone. `outcome` is PASSED when the verdicts are the same, MISMATCH when they are not,
    else INFRASTRUCTURE; `message` says why."""

    a: Run
    b: Run
    facts: dict[str, tuple[str, str]]
    cases: tuple[CasePair, ...]
    only_a: tuple[Case, ...]
    only_b: tuple[Case, ...]
    outcome: Outcome
    message: str
    metrics: tuple[MetricPair, ...] = ()


def diff(a: Run, b: Run) -> Difference:
    """Compares two runs. Raises ``ResultsError`` and ``OSError`` for kept values that cannot be
    read."""
    pairs, only_a, only_b = _matched(Results(a).arrived, Results(b).arrived)
    cases = tuple(_pair(a, b, *pair) for pair in pairs)
    metrics = _metric_pairs(a, b)
    outcome, message = _judged(a, b, cases, metrics, only_a, only_b)
    return Difference(a, b, dict(_facts(a, b)), cases, only_a, only_b, outcome, message, metrics)


# --- What the runs were ---------------------------------------------------------------------------


def _facts(a: Run, b: Run) -> Iterator[tuple[str, tuple[str, str]]]:
    one, other = _described(a), _described(b)
    for name in one:
        if one[name] != other[name]:
            yield name, (one[name], other[name])


def _described(run: Run) -> dict[str, str]:
    about = run.ran
    facts = {"state": run.state.words}
    if about is not None:
        facts["bundle"] = f"{about.format} {about.metadata_crc32:08x}"
        facts["program"] = f"{about.program_crc32:08x}, {about.program_size} bytes"
    else:
        facts |= {"bundle": "unknown", "program": "unknown"}
    facts["board"] = run.board
    facts["simulator"] = run.simulator or "none"
    facts["engine"] = run.transcript.engine or "unknown"
    options = (f"{name} {value}" for name, value in run.options.items())
    facts["options"] = ", ".join(options) or "none"
    facts["bpte"] = run.bpte or "unknown"
    return facts


# --- Which cases belong together ------------------------------------------------------------------


def _matched(
    a: Sequence[CaseResult], b: Sequence[CaseResult]
) -> tuple[list[tuple[CaseResult, CaseResult]], tuple[Case, ...], tuple[Case, ...]]:
    """Pairs cases, or steps, of one method by their names where these are unique, else by numbers.
    Another bundle of a model may have more cases, and in another order."""
    keys = [_keys(side) for side in (a, b)]
    theirs = dict(zip(keys[1], b, strict=True))
    pairs = []
    only_a = []
    for key, mine in zip(keys[0], a, strict=True):
        found = theirs.pop(key, None)
        if found is not None:
            pairs.append((mine, found))
        else:
            only_a.append(_case(mine))
    return pairs, tuple(only_a), tuple(map(_case, theirs.values()))


def _case(result: CaseResult) -> Case:
    assert result.case is not None  # it arrived
    return result.case


def _keys(side: Sequence[CaseResult]) -> list[tuple[object, ...]]:
    cases = list(map(_case, side))
    names = Counter((case.method, case.name) for case in cases if case.name)
    return [
        (case.method, case.name)
        if case.name and names[case.method, case.name] == 1
        else (case.method, case.case, case.step)
        for case in cases
    ]


# --- One case -------------------------------------------------------------------------------------


def _pair(run_a: Run, run_b: Run, a: CaseResult, b: CaseResult) -> CasePair:
    case_a, case_b = _case(a), _case(b)
    kept_a, kept_b = _kept(run_a, case_a), _kept(run_b, case_b)
    count = max(
        len(case_a.outputs), len(case_b.outputs), min(len(kept_a), len(kept_b))
    )  # a case without expected outputs has values alone
    outputs = []
    for number in range(count):
        both = number < min(len(kept_a), len(kept_b))
        outputs.append(
            OutputPair(
                number,
                case_a.outputs[number] if number < len(case_a.outputs) else None,
                case_b.outputs[number] if number < len(case_b.outputs) else None,
                _elements(kept_a[number], kept_b[number]) if both else None,
            )
        )
    return CasePair(a, b, tuple(outputs))


def _kept(run: Run, case: Case) -> Sequence[compare.Value]:
    return list(map(value_of, run.kept.get(CaseKey.of(case), ())))


def _elements(a: compare.Value, b: compare.Value) -> Elements:
    record = compare.compare(a, b, _EXACT)
    return Elements(record, compare.worst(a, b) if record.mismatches else None)


# --- Metrics --------------------------------------------------------------------------------------


def _metric_pairs(a: Run, b: Run) -> tuple[MetricPair, ...]:
    sides: list[dict[tuple[object, ...], MetricOutcome]] = [{}, {}]
    for side, run in zip(sides, (a, b), strict=True):
        for outcome in Results(run).metrics:
            metric = outcome.metric
            assert metric is not None  # it arrived
            side[metric.method, metric.metric, metric_words.name(metric)] = outcome
    one, other = sides
    return tuple(MetricPair(one.get(key), other.get(key)) for key in {**one, **other})


# --- What it comes to -----------------------------------------------------------------------------


def _judged(
    a: Run,
    b: Run,
    cases: Sequence[CasePair],
    metrics: Sequence[MetricPair],
    only_a: Sequence[Case],
    only_b: Sequence[Case],
) -> tuple[Outcome, str]:
    broken = [(name, run) for name, run in (("A", a), ("B", b)) if run.state not in _WHOLE]
    # What a run that ended badly calls an error says nothing of that case.
    counted = [
        pair for pair in cases if not (broken and Counted.ERROR in (pair.a.counted, pair.b.counted))
    ]
    changed = sum(pair.changed for pair in counted)
    if changed:
        return Outcome.MISMATCH, f"{changed} of {len(cases)} cases have another verdict"
    changed = sum(pair.changed and (pair.judged or not broken) for pair in metrics)
    if changed:
        return Outcome.MISMATCH, f"{changed} of {len(metrics)} metrics have another verdict"
    if broken:
        reasons = (f"{name} {run.state.words}: {run.message}" for name, run in broken)
        return Outcome.INFRASTRUCTURE, "; ".join(reasons)
    if only_a or only_b:
        alone = (f"{len(only)} only in {name}" for name, only in (("A", only_a), ("B", only_b)))
        return Outcome.MISMATCH, f"not the same cases: {', '.join(alone)}"
    judged = any(pair.a.counted in _JUDGED and pair.b.counted in _JUDGED for pair in cases)
    if not judged and not any(pair.judged for pair in metrics):
        return Outcome.INFRASTRUCTURE, "nothing was judged on both sides"
    counts = Counter(pair.a.counted.value for pair in cases)
    counts += Counter(pair.a.counted.value for pair in metrics if pair.a is not None)
    words = ", ".join(f"{counts[result]} {result}" for result in sorted(counts))
    return Outcome.PASSED, f"the same verdicts: {words}"
