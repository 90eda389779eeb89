# SPDX-License-Identifier: BSD-3-Clause
"""The comparison of outputs, against torch's verdict and numpy's statistics.

The C++ side is tests/core/compare_tool.cpp in three variants: as this machine has it, as
targets with little flash do, and as x86 without AVX2 does. What is close is asked of torch.isclose
in float64 (integers of 64 bits: Python's own), and, away from the rounding of the dtype itself, of
torch.testing.assert_close in the tensors' own dtype. Statistics come from numpy in longdouble.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
import subprocess
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpte.format.scalar_type import ScalarType, dtype_name

VARIANTS = ("compare_tool", "compare_tool_small", "compare_tool_baseline")

# Every type of the table; tests/contract/test_scalar_types.py holds that the core has the same.
DTYPES: dict[int, np.dtype[Any]] = {
    int(number): np.dtype(getattr(ml_dtypes, dtype_name(number), dtype_name(number)))
    for number in ScalarType
}
TORCH = {number: getattr(torch, dtype.name) for number, dtype in DTYPES.items()}
FLOATS = tuple(number for number, dtype in TORCH.items() if dtype.is_floating_point)
NAN, INF = math.nan, math.inf
UNEQUAL, EQUAL, IGNORE = 0, 1, 2
PASS, FAIL, NOT_COMPARED = 0, 1, 2
NONE, KIND, DTYPE, SHAPE, ELEMENTS, SQNR, COSINE = range(7)


@dataclass
class Tolerance:
    rtol: float = NAN
    atol: float = NAN
    max_outlier_share: float = 0.0
    min_sqnr_db: float = NAN
    min_cosine: float = NAN
    nan_policy: int = UNEQUAL
    not_compared: bool = False

    def encode(self) -> bytes:
        numbers = (self.rtol, self.atol, self.max_outlier_share, self.min_sqnr_db, self.min_cosine)
        return struct.pack("<5dBB", *numbers, self.nan_policy, self.not_compared)


@dataclass
class Tensor:
    """A logical array and how it lies in memory."""

    dtype: int
    array: np.ndarray[Any, Any]
    dim_order: tuple[int, ...] | None = None
    skew: int = 0
    data: bytes | None = None  # instead of the array's own
    sizes: tuple[int, ...] | None = None

    def encode(self) -> bytes:
        order = tuple(range(self.array.ndim)) if self.dim_order is None else self.dim_order
        sizes = self.array.shape if self.sizes is None else self.sizes
        data = self.data
        if data is None:
            data = self.array.transpose(order).tobytes()
        return (
            struct.pack("<BbB", 1, self.dtype, len(sizes))
            + struct.pack(f"<{len(sizes)}i", *sizes)
            + struct.pack("<B", len(order))
            + bytes(order)
            + struct.pack("<BQ", self.skew, len(data))
            + data
        )


@dataclass
class Scalar:
    value: int | float | bool

    def encode(self) -> bytes:
        if isinstance(self.value, bool):
            return struct.pack("<BQ", 3, self.value)
        if isinstance(self.value, int):
            return struct.pack("<Bq", 2, self.value)
        return struct.pack("<Bd", 4, self.value)


@dataclass
class Answer:
    verdict: int
    reason: int
    numel: int
    mismatches: int
    nonfinite: int
    first_mismatch: int
    first_expected: float
    first_actual: float
    rtol: float
    atol: float
    statistics: dict[str, float] = field(default_factory=dict)


STATISTICS = ("max_abs", "mean_abs", "max_rel", "mean_rel", "sqnr_db", "cosine")
ANSWER = struct.Struct("<BB4QB8sB8s8d")
NUMBER_FORMATS = ("<d", "<q", "<Q")


class Tool:
    """One running compare_tool."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert isinstance(self.process.stdin, io.BufferedWriter)
        assert isinstance(self.process.stdout, io.BufferedReader)
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def _ask(self, request: bytes, size: int) -> bytes:
        self.stdin.write(request)
        self.stdin.flush()
        answer = self.stdout.read(size)
        assert len(answer) == size, f"the tool died: {self.process.wait()}"
        return answer

    def compare(
        self,
        expected: Tensor | Scalar,
        actual: Tensor | Scalar,
        tolerance: Tolerance | None = None,
    ) -> Answer:
        request = b"C" + expected.encode() + actual.encode() + (tolerance or Tolerance()).encode()
        fields = ANSWER.unpack(self._ask(request, ANSWER.size))
        first = struct.unpack(NUMBER_FORMATS[fields[6]], fields[7])[0]
        second = struct.unpack(NUMBER_FORMATS[fields[8]], fields[9])[0]
        statistics = dict(zip(STATISTICS, fields[12:], strict=True))
        return Answer(*fields[:6], first, second, *fields[10:12], statistics)

    def crc32(self, data: bytes, previous: int = 0) -> int:
        request = b"Z" + struct.pack("<IQ", previous, len(data)) + data
        return int(struct.unpack("<I", self._ask(request, 4))[0])

    def close(self) -> None:
        self.stdin.close()
        assert self.process.wait(10) == 0
        self.stdout.close()


@pytest.fixture(scope="module", params=VARIANTS)
def tool(request: pytest.FixtureRequest, cpp_tool: Callable[[str], Path]) -> Iterator[Tool]:
    tool = Tool(cpp_tool(request.param))
    yield tool
    tool.close()


def to_torch(dtype: int, array: np.ndarray[Any, Any]) -> torch.Tensor:
    if array.dtype.kind not in "biuf":  # ml_dtypes'
        bits = array.view(f"i{array.itemsize}").copy()
        return torch.from_numpy(bits).view(TORCH[dtype])
    return torch.from_numpy(array.copy())


def close_elements(
    dtype: int, e: np.ndarray[Any, Any], a: np.ndarray[Any, Any], tolerance: Tolerance
) -> np.ndarray[Any, Any]:
    """Which elements are close, by torch.isclose in float64 or, for 64 bits, exact integers."""
    rtol, atol = tolerance.rtol, tolerance.atol
    if dtype in (4, 29):
        close = [
            x == y or abs(y - x) <= atol + rtol * abs(float(x))
            for x, y in zip(e.ravel().tolist(), a.ravel().tolist(), strict=True)
        ]
        return np.array(close, dtype=bool).reshape(e.shape)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        e, a = e.astype(np.float64), a.astype(np.float64)
    equal_nan = tolerance.nan_policy == EQUAL
    close = torch.isclose(
        torch.from_numpy(a), torch.from_numpy(e), rtol=rtol, atol=atol, equal_nan=equal_nan
    ).numpy()
    if tolerance.nan_policy == IGNORE:
        close = close | np.isnan(e)
    return np.asarray(close)


def reference_statistics(
    e: np.ndarray[Any, Any], a: np.ndarray[Any, Any]
) -> tuple[int, dict[str, float]]:
    """How many pairs are not finite, and the statistics over the others."""
    e, a = (x.ravel() for x in (e, a))
    if e.dtype.kind not in "biuf":  # ml_dtypes'
        e, a = e.astype(np.float32), a.astype(np.float32)
    with np.errstate(all="ignore"):
        x, y = e.astype(np.longdouble), a.astype(np.longdouble)
        finite = np.isfinite(x) & np.isfinite(y)
        x, y = x[finite], y[finite]
        error = np.abs(y - x)
        # An error that a double cannot hold is infinite, relatively too.
        relative = error.astype(np.float64)[x != 0] / np.abs(x[x != 0])
        signal, noise, power = (np.sum(v * v, initial=np.longdouble(0)) for v in (x, error, y))
        dot = np.sum(x * y, initial=np.longdouble(0))
        if noise == 0:
            sqnr, cosine = INF, 1.0
        else:
            sqnr = float(10 * np.log10(signal / noise)) if signal != 0 else -INF
            cosine = float(dot / np.sqrt(signal) / np.sqrt(power)) if signal * power != 0 else 0.0
        return int(np.sum(~finite)), {
            "max_abs": float(np.max(error, initial=0)),
            "mean_abs": float(np.mean(error)) if error.size else 0.0,
            "max_rel": float(np.max(relative, initial=0)),
            # Infinite when the sum leaves the range of a double, if not the mean.
            "mean_rel": float(np.sum(relative)) / max(relative.size, 1),
            "sqnr_db": sqnr,
            "cosine": cosine,
        }


def check(tool: Tool, expected: Tensor, actual: Tensor, tolerance: Tolerance) -> Answer:
    """Compares, and checks every field of the answer."""
    answer = tool.compare(expected, actual, tolerance)
    e, a = expected.array, actual.array
    close = close_elements(expected.dtype, e, a, tolerance)
    mismatches = int(np.sum(~close))
    assert answer.numel == e.size
    assert answer.mismatches == mismatches
    assert (answer.rtol, answer.atol) == (tolerance.rtol, tolerance.atol)
    if mismatches:
        first = int(np.argmin(close.ravel()))
        assert answer.first_mismatch == first
        for seen, array in ((answer.first_expected, e), (answer.first_actual, a)):
            value = array.ravel()[first]
            wanted = float(value) if expected.dtype in FLOATS else int(value)
            assert seen == wanted or (math.isnan(seen) and math.isnan(wanted))
    failed = mismatches > 0 and mismatches / e.size > tolerance.max_outlier_share
    assert answer.verdict == (FAIL if failed else PASS)
    assert answer.reason == (ELEMENTS if failed else NONE)

    nonfinite, statistics = reference_statistics(e, a)
    assert answer.nonfinite == nonfinite
    for name, wanted in statistics.items():
        seen = answer.statistics[name]
        if name == "cosine":
            near = abs(seen - wanted) <= 1e-13
        elif name == "sqnr_db" and math.isfinite(wanted):
            near = abs(seen - wanted) <= 1e-11 * max(1, abs(wanted))
        else:
            near = seen == wanted or abs(seen - wanted) <= 1e-13 * abs(wanted)
        assert near, f"{name}: {seen!r}, numpy says {wanted!r}"
    return answer


def special_values(dtype: int) -> np.ndarray[Any, Any]:
    """The corners of a dtype."""
    numpy_type = DTYPES[dtype]
    if dtype == 11:
        return np.array([False, True])
    if dtype not in FLOATS:
        info = np.iinfo(numpy_type)
        near_double = [2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1]
        values = [info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2, -1, *near_double]
        return np.array([v for v in values if info.min <= v <= info.max], dtype=numpy_type)
    finfo = ml_dtypes.finfo(numpy_type)
    tiny, small, eps, top = (
        float(v) for v in (finfo.smallest_subnormal, finfo.smallest_normal, finfo.eps, finfo.max)
    )
    values = [0.0, tiny, 3 * tiny, small, small - tiny, eps, 0.5, 1.0, 1 + eps, 3.0, top, top / 2]
    signed = [*values, *(-v for v in values), INF, -INF, NAN]
    return np.array(signed, dtype=np.float64).astype(numpy_type)


def random_values(
    rng: np.random.Generator, dtype: int, shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    numpy_type = DTYPES[dtype]
    if dtype == 11:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in FLOATS:
        spread = rng.choice([0, 2, 30])
        values = rng.standard_normal(shape) * np.exp2(rng.uniform(-spread, spread, shape))
        with np.errstate(over="ignore"):
            return np.asarray(values).astype(numpy_type)
    info = np.iinfo(numpy_type)
    if rng.integers(2):
        return rng.integers(info.min, info.max, shape, numpy_type, endpoint=True)
    return rng.integers(max(info.min, -20), 20, shape).astype(numpy_type)


def disturb(
    rng: np.random.Generator, dtype: int, e: np.ndarray[Any, Any], share: float
) -> np.ndarray[Any, Any]:
    """A copy that differs in some elements: by a unit in the last place, a little, or wholly."""
    a = e.copy().reshape(-1)
    flat = e.reshape(-1)
    for i in np.flatnonzero(rng.random(a.size) < share):
        how = rng.integers(4)
        if how == 0:
            a[i] = rng.choice(special_values(dtype))
        elif how == 1:
            a[i] = random_values(rng, dtype, ())
        elif dtype in FLOATS:
            step = [1e-7, 1e-3, 0.3][rng.integers(3)]
            with np.errstate(all="ignore"):
                a[i] = np.float64(flat[i]) * (1 + step * rng.standard_normal())
        elif dtype != 11:
            info = np.iinfo(DTYPES[dtype])
            a[i] = min(max(int(flat[i]) + int(rng.integers(-3, 4)), info.min), info.max)
    return a.reshape(e.shape)


SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (1,),
    (255,),
    (257,),
    (1025,),
    (3, 0, 2),
    (2, 3, 4),
    (1, 5, 1, 7),
    (2, 3, 9, 11),
    (5, 300),
    (2, 1, 3, 2, 2, 1, 2, 3),
    (1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2),
)
TOLERANCES = (
    (0.0, 0.0),
    (0.0, 1.0),
    (1e-3, 0.0),
    (1e-3, 1e-3),
    (0.25, 2.5),
    (INF, 0.0),
    (0.0, INF),
)


def random_order(rng: np.random.Generator, rank: int) -> tuple[int, ...]:
    return tuple(int(d) for d in rng.permutation(rank))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: DTYPES[d].name)
def test_generated_tensors(tool: Tool, dtype: int) -> None:
    rng = np.random.default_rng(dtype)
    for shape, (rtol, atol) in itertools.product(SHAPES, TOLERANCES):
        e = random_values(rng, dtype, shape)
        if rng.integers(3) == 0 and e.size:
            corner = rng.random(shape) < 0.1
            e = np.where(corner, rng.choice(special_values(dtype), shape), e).astype(DTYPES[dtype])
        a = disturb(rng, dtype, e, rng.choice([0.0, 0.01, 0.5]))
        order = random_order(rng, len(shape))
        other = order if rng.integers(2) else random_order(rng, len(shape))
        if rng.integers(3) == 0:
            order = other = tuple(range(len(shape)))
        policy = int(rng.integers(3))
        share = float(rng.choice([0.0, 0.3]))
        check(
            tool,
            Tensor(dtype, e, order, skew=int(rng.integers(8))),
            Tensor(dtype, a, other, skew=int(rng.integers(8))),
            Tolerance(rtol, atol, share, nan_policy=policy),
        )


INTEGERS = [d for d in DTYPES if d not in FLOATS]


def exact_statistics(e: np.ndarray[Any, Any], a: np.ndarray[Any, Any]) -> dict[str, Fraction]:
    """Of integers of at most 16 bits."""
    pairs = Counter(zip(e.ravel().tolist(), a.ravel().tolist(), strict=True))
    by_size: dict[int, int] = defaultdict(int)  # errors, by what they are relative to
    for (x, y), count in pairs.items():
        by_size[abs(int(x))] += abs(int(y) - int(x)) * count
    errors = sum(by_size.values())
    by_size.pop(0, None)
    relative = sum((Fraction(n, d) for d, n in by_size.items()), Fraction(0))
    with_relative = sum(count for (x, _), count in pairs.items() if x)
    return {
        "max_abs": Fraction(max(abs(int(y) - int(x)) for x, y in pairs)),
        "mean_abs": Fraction(errors, e.size),
        "max_rel": max(
            (Fraction(abs(int(y) - int(x)), abs(int(x))) for x, y in pairs if x),
            default=Fraction(0),
        ),
        "mean_rel": relative / max(1, with_relative),
    }


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda d: DTYPES[d].name)
@pytest.mark.parametrize("differ", ["equal", "few", "all", "extremes", "zeros"])
def test_long_integers(tool: Tool, dtype: int, differ: str) -> None:
    """Several blocks of every size, in place and gathered, against exact fractions."""
    rng = np.random.default_rng(dtype)
    numpy_type = DTYPES[dtype]
    shape = (3, 71, 61)
    low, high = (0, 1) if dtype == 11 else (np.iinfo(numpy_type).min, np.iinfo(numpy_type).max)
    e = random_values(rng, dtype, shape)
    a = {
        "equal": lambda: e.copy(),
        "few": lambda: disturb(rng, dtype, e, 0.05),
        "all": lambda: random_values(rng, dtype, shape),
        "extremes": lambda: rng.choice(np.array([low, high], numpy_type), shape),
        "zeros": lambda: disturb(rng, dtype, e, 1.0),
    }[differ]()
    if differ == "extremes":
        e = rng.choice(np.array([low, high], numpy_type), shape)
    elif differ == "zeros":
        e = np.zeros_like(e)
    exact = exact_statistics(e, a) if numpy_type.itemsize <= 2 else {}
    last = tuple(range(len(shape)))[::-1]
    logical = tuple(range(len(shape)))
    for orders, (rtol, atol) in (
        ((logical, logical), (0.0, 0.0)),
        ((logical, logical), (0.01, 2.5)),
        ((last, last), (0.0, 1.0)),
        ((logical, last), (0.1, 0.0)),
        ((last, logical), (0.0, 1e30)),
    ):
        answer = check(
            tool,
            Tensor(dtype, e, orders[0], skew=3),
            Tensor(dtype, a, orders[1], skew=5),
            Tolerance(rtol, atol),
        )
        for name, wanted in exact.items():
            allowed = Fraction(1, 10**14) * wanted if name == "mean_rel" else 0
            seen = Fraction(answer.statistics[name])
            assert abs(seen - Fraction(float(wanted))) <= allowed, name


def test_variants_agree_to_the_bit_on_short_integers(
    cpp_tool: Callable[[str], Path],
) -> None:
    """Their sums are exact, but for that of the relative errors, and so is what is made of them."""
    tools = [Tool(cpp_tool(name)) for name in VARIANTS]
    rng = np.random.default_rng(5)
    for dtype in (0, 1, 2, 11, 27):
        for size in (1, 31, 33, 4095, 4097, 20_000):
            e = random_values(rng, dtype, (size,))
            a = disturb(rng, dtype, e, rng.choice([0.0, 0.05, 1.0]))
            answers = [t.compare(Tensor(dtype, e), Tensor(dtype, a)) for t in tools]
            relative = [answer.statistics.pop("mean_rel") for answer in answers]
            assert relative == pytest.approx([relative[0]] * 3, rel=1e-14)
            assert answers[0] == answers[1] == answers[2]
    for t in tools:
        t.close()


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: DTYPES[d].name)
@pytest.mark.parametrize("policy", [UNEQUAL, EQUAL, IGNORE])
def test_every_pair_of_corners(tool: Tool, dtype: int, policy: int) -> None:
    corners = special_values(dtype)
    e, a = (np.ascontiguousarray(x) for x in np.meshgrid(corners, corners, indexing="ij"))
    for rtol, atol in TOLERANCES:
        check(tool, Tensor(dtype, e), Tensor(dtype, a), Tolerance(rtol, atol, nan_policy=policy))
    # One by one, where no statistic hides behind a larger one.
    for x, y in itertools.product(corners, corners):
        one = Tensor(dtype, np.array(x)), Tensor(dtype, np.array(y))
        check(tool, *one, Tolerance(0.0, 0.0, nan_policy=policy))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: DTYPES[d].name)
def test_verdict_of_assert_close(tool: Tool, dtype: int) -> None:
    """With no tolerance stated, in the dtype itself, away from its own rounding."""
    rng = np.random.default_rng(100 + dtype)
    verdicts = set()
    for _ in range(60):
        e = random_values(rng, dtype, (40,))
        a = disturb(rng, dtype, e, rng.choice([0.0, 0.02, 0.2]))
        equal_nan = bool(rng.integers(2))
        expected, actual = to_torch(dtype, e), to_torch(dtype, a)
        if dtype in FLOATS:
            rtol, atol = torch.testing._comparison.default_tolerances(TORCH[dtype])
            wide_e, wide_a = e.astype(np.float64), a.astype(np.float64)
            with np.errstate(all="ignore"):
                error, allowed = np.abs(wide_a - wide_e), atol + rtol * np.abs(wide_e)
                eps = float(ml_dtypes.finfo(DTYPES[dtype]).eps)
                unsure = np.abs(error - allowed) <= 8 * eps * (np.abs(wide_e) + np.abs(wide_a))
                unsure |= error > float(ml_dtypes.finfo(DTYPES[dtype]).max) / 4
            a = np.where(unsure, e, a).astype(DTYPES[dtype])
            actual = to_torch(dtype, a)
        try:
            torch.testing.assert_close(actual, expected, equal_nan=equal_nan)
            wanted = PASS
        except AssertionError:
            wanted = FAIL
        tolerance = Tolerance(nan_policy=EQUAL if equal_nan else UNEQUAL)
        assert tool.compare(Tensor(dtype, e), Tensor(dtype, a), tolerance).verdict == wanted
        verdicts.add(wanted)
    assert verdicts == {PASS, FAIL}


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: DTYPES[d].name)
def test_default_tolerances_are_torchs(tool: Tool, dtype: int) -> None:
    one = Tensor(dtype, np.ones((1,), DTYPES[dtype]))
    answer = tool.compare(one, one)
    wanted = torch.testing._comparison.default_tolerances(TORCH[dtype])
    assert (answer.rtol, answer.atol) == wanted
    # Each for itself.
    answer = tool.compare(one, one, Tolerance(rtol=0.5))
    assert (answer.rtol, answer.atol) == (0.5, wanted[1])


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_arbitrary_bytes(tool: Tool, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(sorted(DTYPES)))
    shape = tuple(data.draw(st.lists(st.integers(0, 5), max_size=5)))
    size = math.prod(shape) * DTYPES[dtype].itemsize
    raw_e = data.draw(st.binary(min_size=size, max_size=size))
    raw_a = data.draw(st.one_of(st.just(raw_e), st.binary(min_size=size, max_size=size)))
    if dtype == 11:
        raw_e, raw_a = (bytes(b & 1 for b in raw) for raw in (raw_e, raw_a))
    e, a = (np.frombuffer(raw, DTYPES[dtype]).reshape(shape) for raw in (raw_e, raw_a))
    order = st.permutations(range(len(shape)))
    positive = st.floats(0, allow_nan=False, width=64)
    check(
        tool,
        Tensor(dtype, e, tuple(data.draw(order)), data.draw(st.integers(0, 15))),
        Tensor(dtype, a, tuple(data.draw(order)), data.draw(st.integers(0, 15))),
        Tolerance(
            data.draw(st.one_of(st.just(0.0), positive)),
            data.draw(st.one_of(st.just(0.0), positive)),
            data.draw(st.floats(0, 1)),
            nan_policy=data.draw(st.integers(0, 2)),
        ),
    )


def test_bool_bytes_other_than_one_are_true(tool: Tool) -> None:
    one, other = np.array([True, True, False]), bytes([2, 255, 0])
    assert tool.compare(Tensor(11, one), Tensor(11, one, data=other)).verdict == PASS


def test_structure(tool: Tool) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    good = Tensor(6, array)
    wrong = [
        (KIND, Scalar(1.0)),
        (DTYPE, Tensor(3, array.astype(np.int32))),
        (DTYPE, Tensor(12, array)),
        (SHAPE, Tensor(6, array.reshape(3, 2))),
        (SHAPE, Tensor(6, array.reshape(6))),
        (SHAPE, Tensor(6, array, data=array.tobytes()[:-1])),
        (SHAPE, Tensor(6, array, data=b"")),
        (SHAPE, Tensor(6, array, dim_order=(0, 0), data=array.tobytes())),
        (SHAPE, Tensor(6, array, dim_order=(0, 7), data=array.tobytes())),
        (SHAPE, Tensor(6, array, dim_order=(0,), data=array.tobytes())),
        (SHAPE, Tensor(6, array, sizes=(-2, -3))),
        (SHAPE, Tensor(6, array, sizes=(2**31 - 1, 2**31 - 1))),
        (SHAPE, Tensor(6, array, sizes=(2**30, 2**30), data=array.tobytes())),
    ]
    for reason, bad in wrong:
        pairs = [(good, bad), (bad, good)] + ([(bad, bad)] if reason == SHAPE else [])
        for expected, actual in pairs[: 3 if isinstance(bad, Tensor) and bad.sizes else 2]:
            answer = tool.compare(expected, actual)
            assert (answer.verdict, answer.reason, answer.numel) == (FAIL, reason, 0)
            assert all(math.isnan(v) for v in answer.statistics.values())


def test_scalars(tool: Tool) -> None:
    def verdict(e: float, a: float, tolerance: Tolerance | None = None) -> int:
        return tool.compare(Scalar(e), Scalar(a), tolerance).verdict

    rng = np.random.default_rng(1)
    for _ in range(200):
        e = float(rng.standard_normal())
        a = e + float(rng.choice([0, 1e-8, 1e-7, 3e-7, 1e-6]))
        try:
            torch.testing.assert_close(a, e)
            wanted = PASS
        except AssertionError:
            wanted = FAIL
        assert verdict(e, a) == wanted
    assert verdict(2**63 - 1, 2**63 - 1) == PASS
    assert verdict(2**63 - 1, 2**63 - 2) == FAIL
    assert verdict(2**63 - 1, -(2**63), Tolerance(0.0, 2.0**64)) == PASS
    assert verdict(True, True) == PASS
    assert verdict(True, False) == FAIL
    assert verdict(NAN, NAN) == FAIL
    assert verdict(NAN, NAN, Tolerance(nan_policy=EQUAL)) == PASS
    assert tool.compare(Scalar(1), Scalar(1.0)).reason == KIND
    assert tool.compare(Scalar(1), Scalar(True)).reason == KIND


def test_floors(tool: Tool) -> None:
    rng = np.random.default_rng(2)
    e = rng.standard_normal(1000).astype(np.float32)
    a = (e + 0.01 * rng.standard_normal(1000)).astype(np.float32)
    _, statistics = reference_statistics(e, a)
    pair = Tensor(6, e), Tensor(6, a)
    for name, member, reason in (
        ("sqnr_db", "min_sqnr_db", SQNR),
        ("cosine", "min_cosine", COSINE),
    ):
        value = statistics[name]
        loose = {"max_outlier_share": 1.0}
        below = Tolerance(**loose, **{member: value - 1e-6})
        above = Tolerance(**loose, **{member: value + 1e-6})
        assert tool.compare(*pair, below).verdict == PASS
        answer = tool.compare(*pair, above)
        assert (answer.verdict, answer.reason) == (FAIL, reason)
        above.not_compared = True
        answer = tool.compare(*pair, above)
        assert (answer.verdict, answer.reason) == (NOT_COMPARED, NONE)
        assert answer.mismatches > 0


@pytest.mark.parametrize("dtype", [6, 15], ids=lambda d: DTYPES[d].name)
def test_ten_million_elements(tool: Tool, dtype: int) -> None:
    """Sums do not drift with the number of elements, and small terms survive beside a large one."""
    count = 10_000_000
    rng = np.random.default_rng(3)
    if dtype == 6:
        # 1 beside 2**54: a plain sum loses all ten million of them.
        e = np.ones(count, np.float32)
        e[0] = 2.0**27
        a = e.copy()
        a[1::2] = 2.0
        naive = float(np.cumsum(e.astype(np.float64) ** 2)[-1])
        exact = 2**54 + count - 1
        assert abs(naive - exact) / exact > 1e-10
        noise = count // 2
        signal_ratio = exact / noise
        sqnr = 10 * math.log10(signal_ratio)
        answer = tool.compare(Tensor(dtype, e), Tensor(dtype, a))
        # A relative error r of the sum moves this by 4.3 r dB.
        assert abs(answer.statistics["sqnr_db"] - sqnr) < 4.4e-13
        assert answer.mismatches == noise
        assert answer.statistics["mean_abs"] == 0.5
        return
    e = (rng.standard_normal(count, np.float32) * 100).astype(DTYPES[dtype])
    a = np.where(rng.random(count, np.float32) < 0.1, e + e.dtype.type(1), e).astype(e.dtype)
    answer = tool.compare(Tensor(dtype, e), Tensor(dtype, a), Tolerance(0.0, 0.0))
    assert answer.mismatches == int(np.sum(e != a))
    _, wanted = reference_statistics(e, a)
    for name in ("max_abs", "mean_abs", "max_rel", "mean_rel"):
        assert abs(answer.statistics[name] - wanted[name]) <= 1e-15 * 3 * wanted[name]
    assert abs(answer.statistics["sqnr_db"] - wanted["sqnr_db"]) <= 1e-12
    assert abs(answer.statistics["cosine"] - wanted["cosine"]) <= 1e-15 * 3


def test_crc32_is_zlibs(tool: Tool) -> None:
    rng = np.random.default_rng(4)
    for size in [*range(70), 1000, 4096, 100_003]:
        data = rng.bytes(size)
        previous = int(rng.integers(2**32))
        assert tool.crc32(data, previous) == zlib.crc32(data, previous)
        assert tool.crc32(data) == zlib.crc32(data)
