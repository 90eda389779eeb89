# SPDX-License-Identifier: BSD-3-Clause
"""The comparison in Python says what the core says."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bpte
import real_records
from bpte.pack.tensors import from_numpy, normalise
from bpte.run import compare
from bpte.run.evidence import contradiction
from bpte.run.protocol_keys import Output
from bpte.run.protocol_table import KEYS

#: Sums are added in another order, and logarithms taken by another library.
_SUMS = ("mean_abs", "mean_rel", "sqnr_db", "cosine")


def _same(name: str, mine: Any, real: Any) -> bool:
    if mine is None or real is None:
        return mine is real
    if name == "first":
        # What the record states has the digits of the element's type.
        return bool(mine.index == real.index)
    if name in _SUMS and math.isfinite(mine) and math.isfinite(real):
        near_zero = 1e-9 if name in ("sqnr_db", "cosine") else 0.0
        return math.isclose(mine, real, rel_tol=1e-9, abs_tol=near_zero)
    return bool(mine == real) or (mine != mine and real != real)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_every_number_is_the_cores(
    cpp_tool: Callable[[str], Path], tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # casts that overflow are meant to
        samples = [real_records.sample(random) for _ in range(120)]
    reals = real_records.records(cpp_tool("runner_tool"), tmp_path, samples)
    for sample, real in zip(samples, reals, strict=True):
        mine = compare.compare(
            normalise(sample.expected), normalise(sample.actual), sample.tolerance
        )
        assert contradiction(mine) is None
        for name in KEYS["output"]:
            pair = getattr(mine, name), getattr(real, name)
            assert _same(name, *pair), (name, pair, mine, real)


def _compare(expected: Any, actual: Any, **tolerance: Any) -> Output:
    return compare.compare(normalise(expected), normalise(actual), bpte.Tolerance(**tolerance))


def test_more_elements_than_are_looked_at_together() -> None:
    count = 3 * compare._CHUNK + 5
    expected = np.arange(count, dtype=np.float64)
    actual = expected.copy()
    actual[-2] += 0.5
    found = _compare(expected, actual, rtol=0.0, atol=0.25)
    assert found.first is not None
    assert (found.numel, found.mismatches, found.first.index) == (count, 1, (count - 2,))
    assert found.max_abs == 0.5


def test_elements_are_matched_by_their_index_whatever_the_memory_order() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    transposed = from_numpy(values, (2, 0, 1))
    assert compare.compare(from_numpy(values), transposed, bpte.Tolerance()).mismatches == 0


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_squares_that_leave_the_range_of_a_double(scale: float) -> None:
    expected = np.array([1.0, 2.0, 3.0])
    plain = _compare(expected, expected * 1.25)
    scaled = _compare(expected * scale, expected * 1.25 * scale)
    assert scaled.sqnr_db == pytest.approx(plain.sqnr_db)
    assert scaled.cosine == pytest.approx(plain.cosine)
