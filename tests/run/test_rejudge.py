# SPDX-License-Identifier: BSD-3-Clause
"""Judging again: what the evidence decides, it decides as a new comparison would."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import real_records
import transcripts as t
from bpte.run import document, launcher, protocol, report
from bpte.run.outcome import Outcome, State, Verdict
from bpte.run.protocol import parse_record
from bpte.run.records import CaseKey
from bpte.run.rejudge import rejudge, rejudge_output


def _case_of(output: dict[str, Any]) -> protocol.Case:
    record = parse_record(json.dumps(t.case(0, output["verdict"], outputs=[output])))
    assert isinstance(record, protocol.Case)
    return record


V1 = {"max_outlier_share": None}  # a record of protocol 1 does not state it
INFINITIES = {
    "nonfinite": 1,
    "mean_abs": 0.06,
    "mean_rel": 0.04,
    "first": {"index": [0, 0], "expected": 1.5, "actual": "inf"},
}
TWO_OF_SIX = {"mismatches": 2, "first": {"index": [0, 1], "expected": 1.5, "actual": 1.25}}
OUTLIERS = TWO_OF_SIX | {"verdict": "pass", "reason": None, "max_outlier_share": 0.4}


@pytest.mark.parametrize(
    ("output", "rtol", "atol", "verdict"),
    [
        (t.failing_output(), None, 0.25, "pass"),  # the largest error is allowed
        (t.failing_output(), 1e-9, None, "fail"),  # nowhere wider
        (t.failing_output(), None, 0.2, "fail"),  # wider, but not for the first mismatch
        (t.failing_output(), 0.17, None, "pass"),  # the one mismatch comes to lie within
        (t.failing_output(**TWO_OF_SIX), 0.17, None, None),  # of another one nothing is known
        (t.failing_output(**TWO_OF_SIX), 0.17, 0.25, "pass"),
        (t.failing_output(**OUTLIERS), 0.0, 0.13, "pass"),  # more than one would add up to more
        (t.passing_output(), 1.0, None, "pass"),  # nowhere tighter
        (t.passing_output(), 0.0, 1e-6, "pass"),  # the largest error is allowed
        (t.passing_output(), 0.0, 1e-8, "fail"),  # the largest error is not
        (t.passing_output(), 2e-6, 1e-5, "pass"),
        (t.passing_output(), 9.5e-7, 1e-8, None),  # which element errs by how much is not known
        (t.passing_output(atol=0.0), 1.1e-6, None, "pass"),  # the largest relative error is allowed
        (t.passing_output(nonfinite=1), 0.0, 1e-6, "pass"),  # equal infinities stay equal
        (t.failing_output(**INFINITIES), 9.0, 9.0, "fail"),  # others stay what they are
        (t.failing_output(min_sqnr_db=30), None, 0.25, "fail"),  # a floor that was not looked at
        (t.passing_output(), 1e-7, 1e-8, "fail"),  # SQNR bounds the expected values
        (t.failing_output(**V1), None, 0.25, None),
        (t.failing_output(**V1), 1e-9, None, "fail"),
        (t.passing_output(**V1), 0.0, 1e-6, "pass"),
        (t.passing_output(**V1), 0.0, 1e-8, None),  # how many may lie outside is not known
        ({"verdict": "fail", "reason": "shape", "actual_shape": [1]}, 9.0, 9.0, "fail"),
        (t.passing_output(verdict="fail", reason="cosine", min_cosine=2), 9.0, 9.0, "fail"),
    ],
)  # fmt: skip
def test_judges_again_where_the_evidence_suffices(
    output: dict[str, Any], rtol: float | None, atol: float | None, verdict: str | None
) -> None:
    case = _case_of({key: value for key, value in output.items() if value is not None})
    judged = rejudge([case], rtol, atol)
    if verdict is not None:
        assert judged.undecided == ()
        assert judged.cases[0].verdict is Verdict(verdict)
        return
    assert judged.undecided == (CaseKey.of(case),)
    # What failed stays red, and what passed is not known to pass any more.
    expected = Verdict.FAIL if case.verdict is Verdict.FAIL else Verdict.ERROR
    assert judged.cases[0].verdict is expected


def _same(one: Any, other: Any) -> bool:
    """As text: a NaN is not equal to itself."""
    return one is None or repr(one) == repr(other)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_judging_again_agrees_with_the_real_comparison(
    cpp_tool: Callable[[str], Path], tmp_path: Path, seed: int
) -> None:
    """What is decided from a real record is what the real runner says with the new tolerance."""
    tool = cpp_tool("runner_tool")
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # casts that overflow are meant to
        samples = [real_records.sample(random) for _ in range(120)]
    rtol, atol = real_records.bound(random), real_records.bound(random) or 0.0
    old = real_records.records(tool, tmp_path, samples)
    new = real_records.records(tool, tmp_path, real_records.judged_with(samples, rtol, atol))
    decided = 0
    for before, after in zip(old, new, strict=True):
        judged = rejudge_output(before, rtol, atol)
        if judged is None:
            continue
        decided += 1
        assert judged.verdict is after.verdict, (before, after)
        assert _same(judged.mismatches, after.mismatches), (before, after)
        assert _same(judged.first, after.first), (before, after)
    assert decided > len(samples) / 2


_EXTREMES = st.sampled_from(
    [0, 1, 2, 6, 0.0, -0.0, 5e-324, 1e-308, 1e-6, 0.5, 1e300, 1.7e308, 2**63, "inf", "-inf", "nan"]
)
_KEYS = sorted({*t.failing_output(), "min_sqnr_db", "min_cosine"} - {"kind", "verdict", "reason"})


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    base=st.sampled_from([t.passing_output(), t.failing_output(), {"verdict": "pass"}]),
    numbers=st.dictionaries(st.sampled_from(_KEYS), _EXTREMES | st.none(), max_size=6),
    shape=st.sampled_from([[], [6], [2, 3], [0], [2**40, 2**40]]),
    dtype=st.sampled_from(["float32", "float64", "float16", "int8", "uint64", "bool", "?"]),
    first=st.tuples(_EXTREMES | st.booleans(), _EXTREMES | st.booleans()) | st.none(),
    tolerance=st.tuples(st.floats(0, 1.7e308), st.floats(0, 1.7e308)),
)
def test_any_record_is_judged_again_and_described(
    base: dict[str, Any],
    numbers: dict[str, Any],
    shape: list[int],
    dtype: str,
    first: tuple[Any, Any] | None,
    tolerance: tuple[float, float],
) -> None:
    """Or refused; nothing that a target can send ends in an exception."""
    output = base | numbers | {"dtype": dtype, "shape": shape}
    if first is not None:
        output["first"] = {"index": [0] * len(shape), "expected": first[0], "actual": first[1]}
    case = t.case(0, base["verdict"], outputs=[{k: v for k, v in output.items() if v is not None}])
    records = [t.begin(1), case]
    run = launcher.judge_log(Path("log"), [t.lines([*records, t.end(records)])])
    for one in (run, launcher.judge_again(run, *tolerance), launcher.judge_again(run, None, 0.0)):
        report.table(one)
        document.as_json(one)
        report.as_junit(one)


def test_judging_again_forgets_no_error() -> None:
    """Once a green: a case failed, another could not be run, and only the first one was seen."""
    for records in (
        [t.begin(2), t.case(0, "fail"), t.case(1, "error")],
        [t.begin(2), t.case(0, "fail"), t.error("read_failed", "read_failed", 4)],
        [t.begin(2), t.case(0, "fail"), t.error("checksum", "checksum", 3)],
    ):
        run = launcher.judge_log(Path("log"), [t.lines([*records, t.end(records)])])
        assert run.outcome is Outcome.MISMATCH
        again = launcher.judge_again(run, None, 1.0)
        assert again.transcript.cases[0].verdict is Verdict.PASS
        assert again.outcome == (3 if records[-1].get("outcome") == 3 else 4)


def test_an_undecided_pass_is_no_green() -> None:
    run = launcher.judge_log(Path("log"), [t.whole("pass", "pass")])
    again = launcher.judge_again(run, 9.5e-7, 1e-8)
    assert (again.state, again.outcome) == (State.NOT_RUN, Outcome.INFRASTRUCTURE)
    assert "not_decided" in again.message
    assert "2 could not be judged again" in again.message
