# SPDX-License-Identifier: BSD-3-Clause
"""Which numbers of an output's record cannot all be true.

runtime/bpte/core/compare.h says what each number means. Everything here follows from that alone: a
record of a real comparison, whatever its data, never contradicts itself. A record that does comes
from a target that overwrote its memory, from a forged log or from a broken runner, and nothing that
it says can be relied on.

Symbols: N elements, M of them outside the tolerance, F pairs with two finite numbers. Errors are
|actual - expected| over the F pairs, relative ones over those with expected != 0.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bpte.format.scalar_type import (
    ELEMENT_SIZE,
    ScalarType,
    dtype_name,
    from_name,
    largest_finite,
)
from bpte.run.outcome import Verdict

if TYPE_CHECKING:
    from bpte.run.protocol_keys import FirstMismatch, Number, Output

#: Relative. More than what the order of a sum, a fused multiply-add or a logarithm loses.
SLACK = 1e-9
#: Absolute: what is below may have lost its digits to underflow.
TINY = 1e-290
#: Of a failure for which no element was looked at.
UNCOMPARED = ("kind", "dtype", "shape")
REASONS = (*UNCOMPARED, "elements", "sqnr", "cosine")


def contradiction(output: Output) -> str | None:
    """The first contradiction among an output's numbers, in words; None when there is none."""
    for check in _CHECKS:
        for found in check(output):
            return found
    return None


# --- Elements -------------------------------------------------------------------------------------


def element_type(output: Output) -> ScalarType | None:
    """What the output's elements are; None when the record does not say."""
    scalars = {"int": ScalarType.LONG, "double": ScalarType.DOUBLE, "bool": ScalarType.BOOL}
    return scalars.get(output.kind or "") or from_name(output.dtype or "")


def is_real(scalar_type: ScalarType) -> bool:
    return largest_finite(scalar_type) is not None


def _integer_range(scalar_type: ScalarType) -> tuple[int, int]:
    if scalar_type is ScalarType.BOOL:
        return 0, 1
    bits = 8 * ELEMENT_SIZE[scalar_type]
    unsigned = dtype_name(scalar_type).startswith("u")
    return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def element(value: Number, scalar_type: ScalarType) -> Number | None:
    """An element's exact value from a record; None when the type has no such value.

    The types that fit a float32 are written with that type's digits: 0.1 is float32's 0.1.
    """
    if scalar_type is ScalarType.BOOL:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    largest = largest_finite(scalar_type)
    if largest is None:
        low, high = _integer_range(scalar_type)
        return value if isinstance(value, int) and low <= value <= high else None
    if scalar_type is ScalarType.DOUBLE or not math.isfinite(value):
        return float(value)
    try:
        exact = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return None
    return exact if abs(exact) <= largest else None


def first_pair(output: Output) -> tuple[Number, Number] | None:
    """The expected and the actual element of `first`, exactly."""
    scalar_type = element_type(output)
    if output.first is None or scalar_type is None:
        return None
    expected = element(output.first.expected, scalar_type)
    actual = element(output.first.actual, scalar_type)
    return None if expected is None or actual is None else (expected, actual)


def is_finite_pair(pair: tuple[Number, Number]) -> bool:
    return math.isfinite(pair[0]) and math.isfinite(pair[1])


def is_outside(pair: tuple[Number, Number], rtol: float, atol: float) -> bool | None:
    """Whether a pair without a NaN lies outside a tolerance; None when that depends on how the
    target rounded. The pair is one of integers or one of floats."""
    expected, actual = pair
    if expected == actual:
        return False
    if not is_finite_pair(pair):
        return True
    error = abs(actual - expected)
    try:
        product = rtol * abs(expected)
    except OverflowError:  # an integer beyond float, which no dtype has
        return None
    allowed = atol + product
    if math.isnan(allowed) or math.isinf(error):
        return True
    if product == 0:
        return error > allowed
    if math.isinf(allowed):
        return False
    if abs(error - allowed) <= SLACK * allowed + TINY:
        return None
    return error > allowed


def largest_expected(output: Output) -> float:
    """A bound for |expected| over the finite pairs: its sum of squares is SQNR times the errors',
    which is at most the largest error times the sum of errors."""
    finite = _finite(output)
    largest, mean, sqnr = output.max_abs, output.mean_abs, output.sqnr_db
    if finite is None or largest is None or mean is None or sqnr is None:
        return math.inf
    if sqnr == -math.inf:
        return 0.0
    total = mean * finite
    if not (math.isfinite(sqnr) and TINY < largest < math.inf and TINY < total < math.inf):
        return math.inf
    logarithm = (sqnr / 10 + math.log10(largest) + math.log10(total)) / 2
    return math.inf if logarithm > 308 else 10.0**logarithm * (1 + 1e-6) + TINY


# --- Helpers --------------------------------------------------------------------------------------


def _finite(output: Output) -> int | None:
    """F."""
    if output.numel is None or output.nonfinite is None:
        return None
    return output.numel - output.nonfinite


def _below(value: float, bound: float) -> bool:
    """Below, and by more than what rounding explains."""
    return value < bound * (1 - SLACK) - TINY


def _above(value: float, bound: float) -> bool:
    return value > bound * (1 + SLACK) + TINY


def _plain(value: float | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# --- The checks -----------------------------------------------------------------------------------


def _impossible_values(o: Output) -> Iterator[str]:
    """Numbers that no data can produce."""
    for name in ("max_abs", "mean_abs", "max_rel", "mean_rel", "rtol", "atol"):
        value = getattr(o, name)
        if value is not None and not value >= 0:
            yield f"{name} is {_plain(value)}"
    if o.sqnr_db is not None and math.isnan(o.sqnr_db):
        yield "sqnr_db is nan"
    if o.cosine is not None and not -1 <= o.cosine <= 1:
        yield f"cosine is {_plain(o.cosine)}"
    if o.max_outlier_share is not None and not 0 <= o.max_outlier_share <= 1:
        yield f"max_outlier_share is {_plain(o.max_outlier_share)}"
    for name in ("min_sqnr_db", "min_cosine"):
        value = getattr(o, name)
        if value is not None and math.isnan(value):
            yield f"{name} is nan"


def _reason(o: Output) -> Iterator[str]:
    """The reason against the verdict, and against the actual kind, dtype and shape."""
    if o.reason is not None and o.reason not in REASONS:
        yield f"there is no reason {o.reason[:40]!r}"
    if o.verdict is Verdict.PASS and o.reason is not None:
        yield f"it passed, but failed for the reason {o.reason}"
    if o.verdict is Verdict.FAIL and o.reason is None:
        yield "it failed, but states no reason"
    if o.verdict is Verdict.NOT_COMPARED and o.reason not in (None, *UNCOMPARED):
        yield f"it was not compared, but failed for the reason {o.reason}"
    if o.reason in UNCOMPARED:
        if o.numel or o.mismatches or o.nonfinite or o.first is not None:
            yield f"elements were counted although the {o.reason} differs"
        if o.reason == "kind" and o.actual_kind is not None and o.actual_kind == o.kind:
            yield f"the kind differs, but both are {o.kind}"
    decided_before = {"kind": (), "dtype": ("kind",), "shape": ("kind", "dtype")}
    for fact, before in decided_before.items():
        actual = getattr(o, f"actual_{fact}")
        differs = actual is not None and actual != getattr(o, fact)
        if differs and o.reason != fact and o.reason not in before:
            yield f"the actual {fact} is another, but was not the reason of a failure"


def _counts(o: Output) -> Iterator[str]:
    """The counts against each other and against the shape."""
    if o.numel is None:
        return
    if o.kind == "tensor":
        stated = math.prod(o.shape) if o.shape is not None else o.numel
    else:
        stated = 1 if o.kind in ("int", "double", "bool") else o.numel
    if o.numel != stated:
        yield f"{o.numel} elements, but the shape has {stated}"
    for count, name in ((o.mismatches, "mismatches"), (o.nonfinite, "NaNs and infinities")):
        if count is not None and count > o.numel:
            yield f"more {name} ({count}) than elements ({o.numel})"
    scalar_type = element_type(o)
    if o.nonfinite and scalar_type is not None and not is_real(scalar_type):
        yield f"{o.nonfinite} NaNs or infinities among integers"
    if o.mismatches is not None and (o.mismatches > 0) != (o.first is not None):
        yield f"{o.mismatches} elements lie outside, but a first one is " + (
            "missing" if o.first is None else "named"
        )
    if o.first is not None and o.shape is not None and o.kind == "tensor":
        yield from _first_index(o.first, o.shape, o.numel, o.mismatches or 0)
    elif o.first is not None and o.first.index and o.kind in ("int", "double", "bool"):
        yield "the first mismatch of a scalar has an index"


def _first_index(
    first: FirstMismatch, shape: tuple[int, ...], numel: int, mismatches: int
) -> Iterator[str]:
    if len(first.index) != len(shape) or any(
        i >= size for i, size in zip(first.index, shape, strict=True)
    ):
        yield f"the first mismatch at {list(first.index)} is not in the shape {list(shape)}"
        return
    before = 0
    for i, size in zip(first.index, shape, strict=True):
        before = before * size + i
    if mismatches > numel - before:
        yield f"{mismatches} elements lie outside, but only {numel - before} from the first one on"


def _first(o: Output) -> Iterator[str]:
    """The first mismatch against the tolerance and the largest errors."""
    scalar_type = element_type(o)
    if o.first is None or scalar_type is None:
        return
    for name in ("expected", "actual"):
        value = getattr(o.first, name)
        if element(value, scalar_type) is None:
            wanted = scalar_type.name.lower()
            yield f"the first mismatch's {name} value, {value!r}, is not a {wanted}"
            return
    pair = first_pair(o)
    assert pair is not None  # both are elements
    if not is_finite_pair(pair) and o.nonfinite == 0:
        yield "the first mismatch is not finite, but nonfinite is 0"
    if any(math.isnan(value) for value in pair):
        return
    if o.rtol is not None and o.atol is not None and is_outside(pair, o.rtol, o.atol) is False:
        yield f"the first mismatch, {pair[1]} for {pair[0]}, lies within the tolerance"
    if not is_finite_pair(pair):
        return
    error = float(abs(pair[1] - pair[0]))
    if o.max_abs is not None and _above(error, o.max_abs):
        yield f"the first mismatch is off by {error:.6g}, but max_abs is {_plain(o.max_abs)}"
    if pair[0] != 0 and o.max_rel is not None and _above(error / abs(pair[0]), o.max_rel):
        yield (
            f"the first mismatch is off by {error / abs(pair[0]):.6g} relatively, "
            f"but max_rel is {_plain(o.max_rel)}"
        )
    if abs(pair[0]) > largest_expected(o):
        yield f"the first mismatch's expected value is too large for an SQNR of {o.sqnr_db} dB"


def _statistics(o: Output) -> Iterator[str]:
    """Maxima, means, SQNR and cosine against each other."""
    count = _finite(o)
    if count == 0 and o.max_abs:
        yield f"max_abs is {_plain(o.max_abs)}, but no pair is finite"
    for kind in ("abs", "rel"):
        largest, mean = getattr(o, f"max_{kind}"), getattr(o, f"mean_{kind}")
        if largest is None or mean is None:
            continue
        # The sum of relative errors may be beyond a double where the largest one is not.
        overflow = kind == "rel" and mean == math.inf and largest * (count or 1) > 1e308
        if _above(mean, largest) and not overflow:
            yield f"mean_{kind} is {_plain(mean)}, but max_{kind} {_plain(largest)}"
        # An error beyond a double is summed after scaling, so that its mean may be within.
        known = count and not (kind == "abs" and largest == math.inf)
        if known and count and _below(mean, largest / count):
            yield (
                f"mean_{kind} is {_plain(mean)}, too small for max_{kind} {_plain(largest)} "
                f"over {count} elements"
            )
    if o.max_abs == 0:
        for name, exact in (("max_rel", 0), ("sqnr_db", math.inf), ("cosine", 1)):
            value = getattr(o, name)
            if value is not None and value != exact:
                yield f"max_abs is 0, but {name} {_plain(value)}"
    if o.max_abs is not None and o.max_abs > 0 and o.sqnr_db == math.inf:
        yield f"sqnr_db is inf, but max_abs {_plain(o.max_abs)}"
    if o.sqnr_db == -math.inf and (o.max_rel or o.cosine):
        yield "sqnr_db is -inf (all expected values are 0), but max_rel or cosine is not 0"
    if o.sqnr_db is not None and o.cosine is not None and 0 < o.sqnr_db < math.inf:
        # An error of length x beside an expected vector of length 1 turns it by asin(x) at most.
        smallest = math.sqrt(1 - 10 ** (-o.sqnr_db / 10))
        if o.cosine < smallest - 1e-6:
            yield f"cosine is {_plain(o.cosine)} at an SQNR of {_plain(o.sqnr_db)} dB"


def _range(o: Output) -> Iterator[str]:
    """The largest error against what the element type can hold."""
    scalar_type = element_type(o)
    if scalar_type is None or o.max_abs is None:
        return
    largest = largest_finite(scalar_type)
    if largest is not None:
        possible = 2 * largest
    else:
        low, high = _integer_range(scalar_type)
        possible = float(high - low)
        if o.max_abs != math.inf and o.max_abs != math.floor(o.max_abs):
            yield f"max_abs is {_plain(o.max_abs)}, but elements are integers"
    if o.max_abs > possible:
        yield f"max_abs is {_plain(o.max_abs)}: no two elements differ by more than {possible:g}"


def _outside(o: Output) -> Iterator[str]:
    """The number of elements outside against the errors. At most `nonfinite` of those outside are
    not finite pairs, and each finite one has an error above atol."""
    count = _finite(o)
    if count is None or not o.mismatches or o.nonfinite is None or o.max_abs is None:
        return
    surely = o.mismatches - o.nonfinite
    if surely <= 0 or o.rtol is None or o.atol is None:
        return
    if o.max_abs == 0:
        yield f"{o.mismatches} elements lie outside, but max_abs is 0"
    if o.rtol == math.inf:
        return  # then nothing but equality is within, where 0 is expected
    if _below(o.max_abs, o.atol):
        yield (
            f"{o.mismatches} elements lie outside, but max_abs is {_plain(o.max_abs)} "
            f"and atol {_plain(o.atol)}"
        )
    if o.mean_abs is None or math.isinf(o.max_abs):
        return
    scalar_type = element_type(o)
    exact = scalar_type is not None and not is_real(scalar_type)
    least = math.floor(o.atol) + 1 if exact and o.atol < 2.0**52 else o.atol
    if _below(o.mean_abs * count, surely * float(least)):
        yield f"too many elements lie outside ({o.mismatches}) for a mean_abs of {o.mean_abs:.6g}"
    most = min(o.mismatches, count)
    if o.rtol == 0 and _above(o.mean_abs * count, most * o.max_abs + (count - most) * o.atol):
        yield f"too few elements lie outside ({o.mismatches}) for a mean_abs of {o.mean_abs:.6g}"


def _inside(o: Output) -> Iterator[str]:
    """Nothing outside, against the largest errors."""
    if o.mismatches != 0 or o.rtol is None or o.atol is None:
        return
    if o.max_abs is not None:
        product = o.rtol * largest_expected(o) if o.rtol else 0.0
        if _above(o.max_abs, o.atol + (0.0 if math.isnan(product) else product)):
            yield (
                f"no element lies outside, but max_abs is {_plain(o.max_abs)} "
                f"(rtol {_plain(o.rtol)}, atol {_plain(o.atol)})"
            )
    scalar_type = element_type(o)
    exact = scalar_type is not None and not is_real(scalar_type)
    if o.max_rel is None:
        return
    if exact:  # |expected| is at least 1
        allowed = o.atol + o.rtol
    elif o.atol == 0:
        # Of a denormal float64, rounding rtol * |expected| may add up to half of |expected|.
        allowed = o.rtol + (0.5 if scalar_type in (ScalarType.DOUBLE, None) else 0.0)
    else:
        return
    if _above(o.max_rel, allowed):
        yield (
            f"no element lies outside, but max_rel is {_plain(o.max_rel)} "
            f"(rtol {_plain(o.rtol)}, atol {_plain(o.atol)})"
        )


def _verdict(o: Output) -> Iterator[str]:
    """The verdict and its reason against the share of outliers and the floors, in the order in
    which a comparison looks at them."""
    if o.verdict is Verdict.NOT_COMPARED or o.reason in UNCOMPARED or o.mismatches is None:
        return
    if o.reason == "elements" and o.mismatches == 0:
        yield "elements are the reason, but none lies outside"
    share = o.max_outlier_share
    if share is None or o.numel is None:
        return
    too_many = o.mismatches > 0 and not o.mismatches / o.numel <= share
    if too_many != (o.reason == "elements"):
        yield (
            f"{o.mismatches} of {o.numel} elements lie outside and a share of {_plain(share)} may, "
            + (f"but the reason is {o.reason}" if o.reason else "but it passed")
        )
    if too_many:
        return
    for name, reason, floor, value in (
        ("sqnr_db", "sqnr", o.min_sqnr_db, o.sqnr_db),
        ("cosine", "cosine", o.min_cosine, o.cosine),
    ):
        below = floor is not None and value is not None and value < floor
        if value is not None and below != (o.reason == reason):
            yield (
                f"{name} is {_plain(value)} and its floor {_plain(floor)}, "
                + (f"but the reason is {o.reason}" if o.reason else "but it passed")
            )
        if o.reason == reason:
            return


_CHECKS: tuple[Callable[[Output], Iterator[str]], ...] = (
    _impossible_values,
    _reason,
    _counts,
    _first,
    _statistics,
    _range,
    _outside,
    _inside,
    _verdict,
)
