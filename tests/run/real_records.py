# SPDX-License-Identifier: BSD-3-Clause
"""Random outputs, and the records that the real runner writes of them (runner_tool.cpp)."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

import bpte
from bpte.format.scalar_type import ScalarType, dtype_name, largest_finite
from bpte.run.protocol import parse
from bpte.run.protocol_keys import Output

#: Outputs of one case of runner_tool.
PER_CASE = 6
_FLOATS = tuple(dtype_name(n) for n in ScalarType if largest_finite(n) is not None)
_INTEGERS = tuple(n for n in map(dtype_name, ScalarType) if n not in (*_FLOATS, "bool"))


@dataclass(frozen=True)
class Sample:
    """An expected value, what came instead, and the tolerance."""

    expected: Any
    actual: Any
    tolerance: bpte.Tolerance


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


def _floats(random: np.random.Generator, dtype: np.dtype[Any], count: int) -> np.ndarray[Any, Any]:
    limits = ml_dtypes.finfo(dtype)
    special = [0.0, -0.0, 1.0, -1.0, float(limits.max), float(limits.smallest_subnormal)]
    kind = random.integers(6)
    if kind == 0:
        values = random.choice(special, count)
    elif kind == 1:  # far apart, up to where squares leave the range of a double
        bits = 1000 if dtype == np.float64 else 14
        values = random.normal(size=count) * 2.0 ** random.integers(-bits, bits, count)
    elif kind == 2:
        values = np.zeros(count)
    elif kind == 3:  # one value far beyond the others
        values = random.normal(size=count)
        values[: count // 8 + 1] *= 1000
    else:
        values = random.normal(size=count)
    if random.integers(3) == 0:
        some = random.random(count) < 0.3
        values = np.where(some, random.choice([np.nan, np.inf, -np.inf, 0.0], count), values)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _values(random: np.random.Generator, dtype: np.dtype[Any], count: int) -> np.ndarray[Any, Any]:
    if dtype == np.bool_:
        return random.integers(0, 2, count).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if random.integers(2):
            return random.integers(limits.min, limits.max, count, dtype, endpoint=True)
        return random.integers(0, 8, count).astype(dtype)
    return _floats(random, dtype, count)


def _changed(random: np.random.Generator, expected: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What came instead: the same, near, now and then far off, or anything."""
    other = _values(random, expected.dtype, expected.size).reshape(expected.shape)
    kind = random.integers(5)
    if kind == 0:
        return expected.copy()
    if kind == 1:
        return other
    some = random.random(expected.shape) < (0.1 if kind == 2 else 0.6)
    if kind == 3 or expected.dtype == np.bool_:
        return np.where(some, other, expected)
    with np.errstate(all="ignore"):
        if expected.dtype.kind in "iu":
            near = expected + random.integers(0, 3, expected.shape).astype(expected.dtype)
        else:
            wide = expected.astype(np.float64)
            size = 10.0 ** random.integers(-9, 1)
            noise = random.normal(size=expected.shape) * size
            near = wide * (1 + noise) if random.integers(2) else wide + noise
        return np.where(some, near, expected).astype(expected.dtype)


def bound(random: np.random.Generator) -> float | None:
    """An rtol or an atol."""
    kind = random.integers(8)
    if kind == 0:
        return None
    if kind == 1:
        return 0.0
    if kind == 2:
        return float(random.choice([1.0, 2.0, 255.0, 1e6, 5e-324, 1e300]))
    return float(10.0 ** random.uniform(-10, 2))


def tolerance(random: np.random.Generator) -> bpte.Tolerance:
    return bpte.Tolerance(
        rtol=bound(random),
        atol=float("inf") if random.integers(30) == 0 else bound(random),
        max_outlier_share=float(random.choice([0, 0, 0, 0.1, 0.5, 1.0])),
        min_sqnr_db=float(random.uniform(-10, 60)) if random.integers(4) == 0 else None,
        min_cosine=float(random.uniform(-1, 1)) if random.integers(4) == 0 else None,
        nan_policy=bpte.NanPolicy(int(random.integers(3))),
        not_compared=bool(random.integers(12) == 0),
    )


def sample(random: np.random.Generator) -> Sample:
    """One output: mostly a tensor, now and then a scalar; seldom of another dtype or shape."""
    if random.integers(8) == 0:
        scalars: list[Any] = [7, -3, 2**62, 1.5, 0.1, float("nan"), 0.0, True, False]
        return Sample(*(scalars[i] for i in random.integers(0, len(scalars), 2)), tolerance(random))
    shapes: list[tuple[int, ...]] = [(), (1,), (2, 3), (0, 4), (37,), (3, 1, 5), (9, 33)]
    name = str(random.choice([*_FLOATS, *_FLOATS, *_INTEGERS, "bool"]))
    shape = shapes[random.integers(len(shapes))]
    expected = _values(random, _dtype(name), int(np.prod(shape))).reshape(shape)
    actual = _changed(random, expected)
    if random.integers(20) == 0:
        actual = actual.astype(np.float32 if name != "float32" else np.int8, casting="unsafe")
    elif random.integers(20) == 0:
        actual = np.concatenate([actual.reshape(-1), actual.reshape(-1)])
    return Sample(expected, actual, tolerance(random))


def judged_with(samples: list[Sample], rtol: float | None, atol: float | None) -> list[Sample]:
    """The same outputs with another tolerance where it is given, as `--rtol` and `--atol` do."""
    change = {k: v for k, v in (("rtol", rtol), ("atol", atol)) if v is not None}
    return [replace(s, tolerance=replace(s.tolerance, **change)) for s in samples]


def records(tool: Path, folder: Path, samples: list[Sample]) -> list[Output]:
    """The runner's record of each; their number is a multiple of PER_CASE. What it writes is
    parsed by the real reader, which refuses contradictions."""
    path = folder / "samples.bpte"
    cases = []
    for start in range(0, len(samples), PER_CASE):
        part = samples[start : start + PER_CASE]
        cases.append(
            bpte.MethodTestCase(
                [s.actual for s in part],
                [s.expected for s in part],
                tolerances=[s.tolerance for s in part],
            )
        )
    suite = bpte.MethodTestSuite("echo", cases)
    bpte.BundledProgram(b"read by nobody", [suite]).save(path, fit="skip", durable=False)
    done = subprocess.run([tool, path, "none"], capture_output=True, check=False, timeout=60)
    transcript = parse(done.stdout)
    assert transcript.violation is None, (transcript.violation, _line(done.stdout, transcript))
    return [output for case in transcript.cases for output in case.outputs]


def _line(text: bytes, transcript: Any) -> bytes:
    number = int(transcript.violation.rpartition("line ")[2].rstrip(")"))
    return text.split(b"\n")[number - 1][:4000]
