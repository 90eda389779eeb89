# SPDX-License-Identifier: BSD-3-Clause
"""Judging again: what the evidence decides, it decides as a new comparison would."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transcripts as t
from bpte.run import protocol
from bpte.run.outcome import Verdict
from bpte.run.protocol import parse_record
from bpte.run.rejudge import rejudge

#: Time says nothing on a machine that is busy with other things.
_PLAIN = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _case_of(output: dict[str, Any]) -> protocol.Case:
    record = parse_record(json.dumps(t.case(0, output["verdict"], outputs=[output])))
    assert isinstance(record, protocol.Case)
    return record


@pytest.mark.parametrize(
    ("output", "rtol", "atol", "verdict"),
    [
        (t.failing_output(), None, 0.25, "pass"),  # the largest error is allowed
        (t.failing_output(), 1e-9, None, "fail"),  # nowhere wider
        (t.failing_output(), None, 0.2, None),  # wider, but not enough to know
        (t.passing_output(), 1.0, None, "pass"),  # nowhere tighter
        (t.passing_output(), 0.0, 1e-6, "pass"),  # the largest error is allowed
        (t.passing_output(), 0.0, 1e-8, None),  # which element errs by how much is not known
        (t.passing_output(nonfinite=1), 0.0, 1e-6, None),  # infinities are not in max_abs
        (t.failing_output() | {"reason": "shape"}, 9.0, 9.0, "fail"),
        (t.failing_output() | {"reason": "cosine"}, 9.0, 9.0, "fail"),
    ],
)
def test_judges_again_where_the_evidence_suffices(
    output: dict[str, Any], rtol: float | None, atol: float | None, verdict: str | None
) -> None:
    case = _case_of(output)
    judged = rejudge([case], rtol, atol)
    if verdict is None:
        assert judged.undecided == ((0, 0),)
        assert judged.cases[0].verdict is case.verdict
    else:
        assert judged.undecided == ()
        assert judged.cases[0].verdict is Verdict(verdict)


_TOLERANCES = st.floats(0, 10) | st.sampled_from([0.0, 1e-6, 1e-3, 0.1])


@settings(_PLAIN, max_examples=400)
@given(
    st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), min_size=1, max_size=6),
    st.tuples(_TOLERANCES, _TOLERANCES),
    st.tuples(_TOLERANCES, _TOLERANCES),
)
def test_judging_again_agrees_with_comparing_again(
    pairs: list[tuple[float, float]], old: tuple[float, float], new: tuple[float, float]
) -> None:
    """Against the rule itself, |actual - expected| <= atol + rtol * |expected|."""

    def outside(rtol: float, atol: float) -> list[int]:
        return [i for i, (e, a) in enumerate(pairs) if not abs(a - e) <= atol + rtol * abs(e)]

    bad = outside(*old)
    errors = [abs(a - e) for e, a in pairs]
    relative = [abs(a - e) / abs(e) for e, a in pairs if e != 0]
    output = t.passing_output(
        verdict="fail" if bad else "pass",
        shape=[len(pairs)],
        numel=len(pairs),
        mismatches=len(bad),
        max_abs=max(errors),
        max_rel=max(relative, default=0.0),
        rtol=old[0],
        atol=old[1],
    )
    if bad:
        output |= {
            "reason": "elements",
            "first": {"index": [bad[0]], "expected": pairs[bad[0]][0], "actual": pairs[bad[0]][1]},
        }
    if any(isinstance(v, float) and not math.isfinite(v) for v in output.values()):
        return  # |e| so small that the quotient overflows: the protocol would say "inf"
    judged = rejudge([_case_of(output)], *new)
    if not judged.undecided:
        assert judged.cases[0].verdict is (Verdict.FAIL if outside(*new) else Verdict.PASS)
