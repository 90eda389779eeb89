# SPDX-License-Identifier: BSD-3-Clause
"""Compares values as the core does (runtime/bpte/core/compare.h), with numpy.

For values that were kept: a case is judged again, and two runs are compared, without a target. The
tests hold each number against the core's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from bpte.format.scalar_type import ScalarType, default_bounds, dtype_name, numpy_dtype
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import FirstMismatch, Number, Output

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

#: An input or output. Scalars are compared as tensors of rank 0.
Value: TypeAlias = TensorData | int | float | bool

#: Elements that are looked at together: this bounds the memory that their doubles take.
_CHUNK = 1 << 18
_SCALE_UP, _SCALE_DOWN, _TOO_SMALL = 2.0**600, 2.0**-600, 2.0**-800


def kind_of(value: Value) -> str:
    """``tensor``, ``int``, ``double`` or ``bool``."""
    if isinstance(value, TensorData):
        return "tensor"
    return {bool: "bool", int: "int"}.get(type(value), "double")


def scalar_type_of(value: Value) -> ScalarType:
    """The type of its elements."""
    if isinstance(value, TensorData):
        return value.scalar_type
    return {"bool": ScalarType.BOOL, "int": ScalarType.LONG}.get(kind_of(value), ScalarType.DOUBLE)


def sizes_of(value: Value) -> tuple[int, ...]:
    return value.sizes if isinstance(value, TensorData) else ()


def elements(value: Value) -> Array:
    """Its elements in row-major order; those of bfloat16 as float32, which holds each of them."""
    import numpy as np

    scalar_type = scalar_type_of(value)
    if not isinstance(value, TensorData):
        return np.array([value], dtype_name(scalar_type))
    return _numbers(value.array().reshape(-1), scalar_type)


def _numbers(stored: Array, scalar_type: ScalarType) -> Array:
    import numpy as np

    if scalar_type is ScalarType.BFLOAT16:
        return (stored.view("<u2").astype(np.uint32) << 16).view(np.float32)
    return stored.view(np.uint8) != 0 if scalar_type is ScalarType.BOOL else stored


def _blocks(value: Value) -> Iterator[Array]:
    """The same, `_CHUNK` elements at a time, so that a value may be larger than memory. Only a
    tensor in another memory order is laid out anew as a whole."""
    import numpy as np

    if not isinstance(value, TensorData):
        yield elements(value)
        return
    dtype = numpy_dtype(value.scalar_type)
    for piece in value.reordered(range(len(value.sizes))).pieces(_CHUNK * dtype.itemsize):
        yield _numbers(np.frombuffer(piece, dtype), value.scalar_type)


def compare(expected: Value, actual: Value, tolerance: Tolerance) -> Output:
    """Verdict and evidence of one output, as a record states them."""
    kind, actual_kind = kind_of(expected), kind_of(actual)
    facts: dict[str, Any] = {"kind": kind}
    reason = None
    if kind == "tensor":
        facts |= {"dtype": dtype_name(scalar_type_of(expected)), "shape": sizes_of(expected)}
    if actual_kind != kind:
        reason = "kind"
        facts["actual_kind"] = actual_kind
    elif scalar_type_of(actual) is not scalar_type_of(expected):
        reason = "dtype"
        facts["actual_dtype"] = dtype_name(scalar_type_of(actual))
    elif sizes_of(actual) != sizes_of(expected):
        reason = "shape"
        facts["actual_shape"] = sizes_of(actual)
    if reason is None:
        facts |= _compare_elements(expected, actual, tolerance)
        reason = _reason(facts, tolerance)
    if tolerance.not_compared:
        uncompared = reason if "numel" not in facts else None
        return Output(verdict=Verdict.NOT_COMPARED, reason=uncompared, **facts)
    verdict = Verdict.PASS if reason is None else Verdict.FAIL
    return Output(verdict=verdict, reason=reason, **facts)


def _reason(facts: dict[str, Any], tolerance: Tolerance) -> str | None:
    mismatches, numel = facts["mismatches"], facts["numel"]
    if mismatches and not mismatches / numel <= tolerance.max_outlier_share:
        return "elements"
    if tolerance.min_sqnr_db is not None and facts["sqnr_db"] < tolerance.min_sqnr_db:
        return "sqnr"
    if tolerance.min_cosine is not None and facts["cosine"] < tolerance.min_cosine:
        return "cosine"
    return None


#: What does not depend on the order in which a target adds.
_EXACT = (
    *("verdict", "reason", "kind", "dtype", "shape", "actual_kind", "actual_dtype", "actual_shape"),
    *("numel", "mismatches", "nonfinite", "max_abs", "max_rel"),
)


def difference(stated: Output, found: Output) -> str | None:
    """What a record says otherwise than the values that were kept, which were judged with the same
    tolerance; None when they agree. What a record leaves out agrees."""
    for name in _EXACT:
        said, is_so = getattr(stated, name), getattr(found, name)
        if said is not None and said != is_so and not (said != said and is_so != is_so):
            said, is_so = (v.value if isinstance(v, Verdict) else v for v in (said, is_so))
            return f"its record says {name} {said}, the kept value has {is_so}"
    if stated.first is None or found.first is None:
        return None
    at, is_at = list(stated.first.index), list(found.first.index)
    if at != is_at:
        return f"its record says that {at} is the first mismatch, by the kept value it is {is_at}"
    said, is_so = stated.first.actual, found.first.actual
    if _same_number(said, is_so, found.dtype):
        return None
    return f"its record says {said} at {at}, the kept value has {is_so}"


def _same_number(stated: Number, found: Number, dtype: str | None) -> bool:
    """A float is stated with as many digits as reading it back as one of its type takes."""
    import numpy as np

    if stated == found or (stated != stated and found != found):
        return True
    if dtype == "bfloat16":  # numpy alone cannot round to it; its fraction has 7 bits
        return math.isclose(stated, found, rel_tol=2.0**-8)
    with np.errstate(all="ignore"):
        return dtype in ("float16", "float32") and bool(
            np.array(stated).astype(dtype) == np.array(found).astype(dtype)
        )


class Pairs(NamedTuple):
    """Pairs of elements as doubles, and what is known of each."""

    expected: Array
    actual: Array
    error: Array
    """|actual - expected|; integers are subtracted exactly first."""
    finite: Array
    """Whether both are."""
    outside: Array
    """Whether the tolerance does not allow it."""


def _judge(e: Array, a: Array, rtol: float, atol: float, policy: NanPolicy) -> Pairs:
    import numpy as np

    with np.errstate(all="ignore"):
        expected, actual = e.astype(np.float64), a.astype(np.float64)
        allowed = atol + rtol * np.abs(expected)
        finite = np.isfinite(expected) & np.isfinite(actual)
        if e.dtype.kind == "f":
            error = np.abs(actual - expected)
            close = (expected == actual) | (np.isfinite(error) & (error <= allowed))
            if policy is not NanPolicy.UNEQUAL:
                ignored = np.isnan(expected)
                if policy is NanPolicy.EQUAL:
                    ignored &= np.isnan(actual)
                close |= ignored
            return Pairs(expected, actual, error, finite, ~close)
        wide = np.int64 if e.dtype.kind == "i" else np.uint64
        e, a = e.astype(wide), a.astype(wide)
        # In two's complement the difference of any two values fits 64 unsigned bits.
        near, far = e.view(np.uint64), a.view(np.uint64)
        difference = np.where(a < e, near - far, far - near)
        whole = np.where(allowed < 2.0**64, allowed, 0).astype(np.uint64)
        close = (difference == 0) | (allowed >= 2.0**64)
        close |= (allowed >= 1) & (difference <= whole)
        return Pairs(expected, actual, difference.astype(np.float64), finite, ~close)


def _chunks(expected: Value, actual: Value) -> Iterator[tuple[int, Array, Array]]:
    start = 0
    for one, other in zip(_blocks(expected), _blocks(actual), strict=True):
        yield start, one, other
        start += len(one)


def _compare_elements(expected: Value, actual: Value, tolerance: Tolerance) -> dict[str, Any]:
    rtol, atol = default_bounds(scalar_type_of(expected))
    rtol = rtol if tolerance.rtol is None else tolerance.rtol
    atol = atol if tolerance.atol is None else tolerance.atol
    sums = _Sums()
    for start, e, a in _chunks(expected, actual):
        sums.add(start, e, a, _judge(e, a, rtol, atol, tolerance.nan_policy))
    if sums.out_of_range:
        sums = sums.scaled()
        for start, e, a in _chunks(expected, actual):
            sums.add(start, e, a, _judge(e, a, rtol, atol, tolerance.nan_policy))
    facts = sums.summary()
    if sums.first is not None:
        at, pair = sums.first
        facts["first"] = FirstMismatch(index=_index(at, expected), expected=pair[0], actual=pair[1])
    return facts | {
        "rtol": rtol,
        "atol": atol,
        "max_outlier_share": tolerance.max_outlier_share,
        "min_sqnr_db": tolerance.min_sqnr_db,
        "min_cosine": tolerance.min_cosine,
    }


def worst(expected: Value, actual: Value) -> FirstMismatch | None:
    """The two elements that differ most; a NaN or an infinity on one side alone is worse than any
    number. The values must be of one kind, dtype and shape. None when no elements differ."""
    found: tuple[float, int, tuple[Number, Number]] | None = None
    for start, e, a in _chunks(expected, actual):
        pairs = _judge(e, a, 0.0, 0.0, NanPolicy.EQUAL)
        error = pairs.error.copy()
        error[~pairs.finite] = math.inf
        error[~pairs.outside] = -1.0
        at = int(error.argmax())
        if error[at] >= 0 and (found is None or error[at] > found[0]):
            found = float(error[at]), start + at, (e[at].item(), a[at].item())
    if found is None:
        return None
    _, place, (one, other) = found
    return FirstMismatch(index=_index(place, expected), expected=one, actual=other)


def _index(at: int, value: Value) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(sizes_of(value)):
        at, within = divmod(at, size)
        index.insert(0, within)
    return tuple(index)


class _Sums:
    """Counts, maxima and sums over the pairs of one output. Errors, expected and actual values are
    multiplied by `scales` before they are squared."""

    def __init__(self, scales: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
        self._scales = scales
        self.numel = self.mismatches = self.nonfinite = self.relatives = 0
        self.max_abs = self.max_rel = self._absolute = self._relative = 0.0
        #: Of errors, of expected and of actual values.
        self._squares = [0.0, 0.0, 0.0]
        self._dot = 0.0
        self.first: tuple[int, tuple[Number, Number]] | None = None

    def add(self, start: int, e: Array, a: Array, pairs: Pairs) -> None:
        import numpy as np

        self.numel += len(e)
        self.mismatches += int(np.count_nonzero(pairs.outside))
        if self.first is None and pairs.outside.any():
            at = int(pairs.outside.argmax())
            self.first = start + at, (e[at].item(), a[at].item())
        everything = bool(pairs.finite.all())
        keep = slice(None) if everything else pairs.finite
        expected, actual, error = pairs.expected[keep], pairs.actual[keep], pairs.error[keep]
        self.nonfinite += len(e) - len(error)
        if not len(error):
            return
        with np.errstate(all="ignore"):
            self.max_abs = max(self.max_abs, float(error.max()))
            nonzero = expected != 0
            relative = error[nonzero] / np.abs(expected[nonzero])
            self.relatives += len(relative)
            if len(relative):
                self.max_rel = max(self.max_rel, float(relative.max()))
                self._relative += float(relative.sum())
            by_error, by_expected, by_actual = self._scales
            if by_error < 1:
                error = np.abs(actual * by_error - expected * by_error)
            else:
                error = error * by_error
            expected, actual = expected * by_expected, actual * by_actual
            self._absolute += float(error.sum())
            for i, values in enumerate((error, expected, actual)):
                self._squares[i] += float((values * values).sum())
            self._dot += float((expected * actual).sum())

    @property
    def out_of_range(self) -> bool:
        """Whether a sum of squares left the range of a double, at either end."""
        return self.max_abs != 0 and any(_scale(square) for square in self._squares)

    def scaled(self) -> _Sums:
        """For another pass, in which no sum leaves the range."""
        return _Sums(tuple(_scale(square) or 1.0 for square in self._squares))  # type: ignore[arg-type]

    def summary(self) -> dict[str, Any]:
        by_error, by_expected, _ = self._scales
        error2, expected2, actual2 = self._squares
        sqnr, cosine = math.inf, 1.0
        if error2 != 0:
            sqnr, cosine = -math.inf, 0.0
            if expected2 != 0:
                ratio = math.log10(expected2) - math.log10(error2)
                sqnr = 10 * (ratio - 2 * (math.log10(by_expected) - math.log10(by_error)))
            if expected2 != 0 and actual2 != 0:
                cosine = self._dot / (math.sqrt(expected2) * math.sqrt(actual2))
                cosine = min(1.0, max(-1.0, cosine))
        return {
            "numel": self.numel,
            "mismatches": self.mismatches,
            "nonfinite": self.nonfinite,
            "max_abs": self.max_abs,
            "mean_abs": self._absolute / max(1, self.numel - self.nonfinite) / by_error,
            "max_rel": self.max_rel,
            "mean_rel": self._relative / max(1, self.relatives),
            "sqnr_db": sqnr,
            "cosine": cosine,
        }


def _scale(sum_of_squares: float) -> float | None:
    """What to multiply values by whose sum of squares left the range; None where it did not."""
    if sum_of_squares < _TOO_SMALL:
        return _SCALE_UP
    return None if math.isfinite(sum_of_squares) else _SCALE_DOWN
