# SPDX-License-Identifier: BSD-3-Clause
"""Contradictory evidence is refused, whatever contradicts what; a real record never is."""

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
from bpte.cli import run as cli
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.protocol import ContradictionError, parse_record

INTEGERS = {
    "dtype": "int8",
    "max_abs": 1.0,
    "mean_abs": 0.2,
    "max_rel": 0.5,
    "mean_rel": 0.1,
    "rtol": 0.0,
    "atol": 1.0,
}
EXACT = {"max_abs": 0.0, "mean_abs": 0.0, "max_rel": 0.0, "mean_rel": 0.0, "sqnr_db": "inf"}
SCALAR = {"kind": "double", "dtype": None, "shape": None, "numel": 1, "mean_abs": 1e-7} | {
    "mean_rel": 1e-6
}
ALL_OUTSIDE = {"mismatches": 6, "first": {"index": [0, 0], "expected": 1.5, "actual": 1.25}}


def first(expected: Any, actual: Any, index: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    return {"first": {"index": list(index), "expected": expected, "actual": actual}}


#: What is changed in a passing or a failing record, and what is said of it.
PASSING: dict[str, tuple[dict[str, Any], str]] = {
    "negative maximum": ({"max_abs": -1e-7}, "max_abs is -1e-07"),
    "maximum NaN": ({"max_abs": "nan"}, "max_abs is nan"),
    "maximum -inf": ({"max_abs": "-inf"}, "max_abs is -inf"),
    "mean -inf": ({"mean_abs": "-inf"}, "mean_abs is -inf"),
    "negative relative": ({"max_rel": -1}, "max_rel is -1"),
    "relative mean NaN": ({"mean_rel": "nan"}, "mean_rel is nan"),
    "SQNR NaN": ({"sqnr_db": "nan"}, "sqnr_db is nan"),
    "cosine NaN": ({"cosine": "nan"}, "cosine is nan"),
    "cosine 2": ({"cosine": 2}, "cosine is 2"),
    "cosine inf": ({"cosine": "inf"}, "cosine is inf"),
    "rtol negative": ({"rtol": -1e-3}, "rtol is -0.001"),
    "atol NaN": ({"atol": "nan"}, "atol is nan"),
    "share 2": ({"max_outlier_share": 2}, "max_outlier_share is 2"),
    "share negative": ({"max_outlier_share": -0.5}, "max_outlier_share is -0.5"),
    "floor NaN": ({"min_cosine": "nan"}, "min_cosine is nan"),
    "reason of a pass": ({"reason": "elements"}, "it passed, but"),
    "unknown reason": ({"reason": "bad luck"}, "no reason 'bad luck'"),
    "actual kind": ({"actual_kind": "int"}, "the actual kind is another"),
    "actual dtype": ({"actual_dtype": "int8"}, "the actual dtype is another"),
    "actual shape": ({"actual_shape": [6]}, "the actual shape is another"),
    "numel": ({"numel": 7}, "7 elements, but the shape has 6"),
    "scalars": (SCALAR | {"numel": 2}, "2 elements, but the shape has 1"),
    "nonfinite": ({"nonfinite": 7}, r"more NaNs and infinities \(7\)"),
    "integers NaN": (INTEGERS | {"nonfinite": 1}, "NaNs or infinities among integers"),
    "first without mismatch": (first(1.5, 1.25), "0 elements lie outside, but a first"),
    "no pair": ({"nonfinite": 6}, "no pair is finite"),
    "mean above maximum": ({"mean_abs": 2e-7}, "mean_abs is 2e-07, but max_abs 1e-07"),
    "mean too small": ({"mean_abs": 1e-8}, "mean_abs is 1e-08, too small"),
    "mean 0": ({"mean_abs": 0}, "mean_abs is 0, too small"),
    "relative mean above": ({"mean_rel": "inf"}, "mean_rel is inf, but max_rel 1e-06"),
    "relative mean too small": ({"mean_rel": 1e-8}, "mean_rel is 1e-08, too small"),
    "exact, relative": (EXACT | {"max_rel": 1e-6, "mean_rel": 2e-7}, "max_abs is 0, but max_rel"),
    "exact, SQNR": (EXACT | {"sqnr_db": 100}, "max_abs is 0, but sqnr_db 100"),
    "exact, SQNR -inf": (EXACT | {"sqnr_db": "-inf", "cosine": 0}, "max_abs is 0, but sqnr_db"),
    "exact, cosine": (EXACT | {"cosine": 0.5}, "max_abs is 0, but cosine 0.5"),
    "not exact, SQNR inf": ({"sqnr_db": "inf"}, "sqnr_db is inf, but max_abs 1e-07"),
    "zeros, relative": ({"sqnr_db": "-inf", "cosine": 0}, "all expected values are 0"),
    "cosine for SQNR": ({"cosine": -1}, "cosine is -1 at an SQNR of 120.5"),
    "beyond int8": (INTEGERS | {"max_abs": 256, "mean_abs": 50, "atol": 300}, "more than 255"),
    "half an LSB": (INTEGERS | {"max_abs": 0.5, "max_rel": 0.5}, "elements are integers"),
    "beyond bool": (
        INTEGERS | {"dtype": "bool", "max_abs": 2, "mean_abs": 0.5, "atol": 2},
        "more than 1",
    ),
    "beyond float16": (
        {"dtype": "float16", "max_abs": 2e5, "mean_abs": 1e5, "atol": 3e5, "sqnr_db": 0},
        "more than 131008",
    ),
    "inside, maximum": ({"rtol": 0, "max_abs": 1, "mean_abs": 0.2}, "no element lies outside, but"),
    "inside, by SQNR": (
        {"max_abs": 1, "mean_abs": 0.2, "sqnr_db": 10, "max_rel": 1, "mean_rel": 0.2},
        "no element lies outside, but max_abs is 1",
    ),
    "inside, relative": (
        {"atol": 0, "rtol": 1e-7, "sqnr_db": None},
        "no element lies outside, but max_rel",
    ),
    "inside, relative LSBs": (
        INTEGERS | {"max_rel": 1.5, "mean_rel": 0.5},
        "no element lies outside, but max_rel",
    ),
    "floor of SQNR": ({"min_sqnr_db": 130}, "sqnr_db is 120.5 and its floor 130, but it passed"),
    "floor of cosine": ({"min_cosine": 1.5}, "cosine is 1 and its floor 1.5, but it passed"),
    "outliers": (
        {"mismatches": 1, "max_abs": 0.25, "mean_abs": 0.05, "max_rel": 0.17, "mean_rel": 0.03}
        | {"sqnr_db": 20, "max_outlier_share": 0.1}
        | first(1.5, 1.25),
        "1 of 6 elements lie outside and a share of 0.1 may, but it passed",
    ),
}
FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "no reason": ({"reason": None}, "states no reason"),
    "more than all": ({"mismatches": 7}, "more mismatches"),
    "first missing": ({"first": None}, "a first one is missing"),
    "first's rank": (first(1.5, 1.25, (1,)), "not in the shape"),
    "first's index": (first(1.5, 1.25, (2, 0)), "not in the shape"),
    "too many after the first": ({"mismatches": 2}, "only 1 from the first one on"),
    "first within": (first(1.5, 1.500001), "lies within the tolerance"),
    "first equal": (first(1.5, 1.5), "lies within the tolerance"),
    "first's error": (first(1.5, 1), "off by 0.5, but max_abs is 0.25"),
    "first's relative error": ({"max_rel": 0.1}, "off by 0.166667 relatively"),
    "first infinite": (first(1.5, "inf"), "not finite, but nonfinite is 0"),
    "first no float32": (first(1e300, 1.25), "is not a float"),
    "first a bool": (first(True, 1.25), "is not a float"),
    "first for SQNR": (first(1e4, 1e4 + 0.25), "too large for an SQNR of 22.5"),
    "a scalar's index": ({"kind": "double", "dtype": None, "numel": 1}, "scalar has an index"),
    "all outside, exact": (ALL_OUTSIDE | EXACT | first(0, "nan", (0, 0)), "not finite"),
    "outside, exact": (EXACT | {"first": {"index": [1, 2], "expected": 1, "actual": 2}}, "off by"),
    "outside, below atol": ({"atol": 0.3}, "lies within"),
    "too many for the mean": (
        ALL_OUTSIDE | {"atol": 0.1, "rtol": 0},
        "too many elements lie outside",
    ),
    "too few for the mean": (
        {"mean_abs": 0.2, "rtol": 0, "max_abs": 0.25},
        "too few elements lie outside",
    ),
    "share allows it": ({"max_outlier_share": 0.5}, "a share of 0.5 may, but the reason is elem"),
    "none outside": (
        {"mismatches": 0, "first": None, "max_abs": 1e-7, "mean_abs": 2e-8, "max_rel": 1e-6}
        | {"mean_rel": 2e-7, "sqnr_db": 120.5, "cosine": 1},
        "but none lies outside",
    ),
    "cosine instead": ({"reason": "cosine"}, "but the reason is cosine"),
    "kind, but counted": ({"reason": "kind", "actual_kind": "int"}, "although the kind differs"),
    "dtype, but counted": ({"reason": "dtype", "actual_dtype": "int8"}, "although the dtype"),
    "shape, but counted": ({"reason": "shape", "actual_shape": [6]}, "although the shape"),
    "not compared, elements": ({"verdict": "not_compared"}, "was not compared, but failed"),
}
#: For a failure at a floor: nothing else is the matter with it.
FLOORS: dict[str, tuple[dict[str, Any], str]] = {
    "above": ({"min_sqnr_db": 100}, "sqnr_db is 120.5 and its floor 100, but the reason is sqnr"),
    "no floor": ({}, "its floor None, but the reason is sqnr"),
    "cosine first": ({"reason": "cosine", "min_sqnr_db": 130, "min_cosine": 2}, "reason is cosine"),
}


def _case(output: dict[str, Any]) -> str:
    plain = {key: value for key, value in output.items() if value is not None}
    verdict = {"not_compared": "unjudged"}.get(plain["verdict"], plain["verdict"])
    return json.dumps(t.case(0, verdict, outputs=[plain]))


@pytest.mark.parametrize(
    ("base", "change", "message"),
    [
        pytest.param(base, *row, id=f"{label}-{name}")
        for label, base, table in (
            ("pass", t.passing_output(), PASSING),
            ("fail", t.failing_output(), FAILING),
            ("floor", t.passing_output(verdict="fail", reason="sqnr"), FLOORS),
        )
        for name, row in table.items()
    ],
)
def test_a_contradiction_is_found(
    base: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContradictionError, match=message):
        parse_record(_case(base | change))


@pytest.mark.parametrize(
    "output",
    [
        t.passing_output(),
        t.failing_output(),
        t.passing_output(**SCALAR),
        t.passing_output(**INTEGERS),
        t.passing_output(**EXACT),
        t.passing_output(verdict="fail", reason="sqnr", min_sqnr_db=130),
        {"verdict": "fail", "reason": "kind", "kind": "tensor", "actual_kind": "int"},
        # A runner of one's own may leave out what it does not know.
        {"verdict": "pass", "kind": "tensor"},
        {"verdict": "fail", "reason": "elements", "numel": 3},
    ],
)
def test_what_the_tables_start_from_is_none(output: dict[str, Any]) -> None:
    parse_record(_case(output))


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_a_real_record_is_never_contradictory(
    cpp_tool: Callable[[str], Path], tmp_path: Path, seed: int
) -> None:
    """Of the real runner and comparison; `records` fails for a record that is refused."""
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # casts that overflow are meant to
        samples = [real_records.sample(random) for _ in range(120)]
    assert len(real_records.records(cpp_tool("runner_tool"), tmp_path, samples)) == len(samples)


def test_a_log_that_contradicts_itself_is_refused_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once a green: all elements outside, but the largest error is said to be 0."""
    output = t.failing_output(**ALL_OUTSIDE) | {"max_abs": 0.0, "mean_abs": 0.0}
    records = [t.begin(1), t.case(0, "fail", outputs=[output])]
    log = tmp_path / "uart.txt"
    log.write_bytes(t.lines([*records, t.end(records)]))
    for more in ([], ["--atol", "1"], ["--rtol", "0.5"]):
        assert cli.main(["--log", str(log), *more]) == 4
        out = capsys.readouterr().out
        assert "contradictory: a record contradicts itself: output 0: " in out
    result = launcher.judge_log(log, [log.read_bytes()])
    assert result.state is State.CONTRADICTORY
