# SPDX-License-Identifier: BSD-3-Clause
"""Inputs made for a method from what its program says of them: dtypes, shapes, memory order."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bpte.format.scalar_type import (
    ELEMENT_SIZE,
    ScalarType,
    dtype_name,
    largest_finite,
)
from bpte.format.tensor_data import TensorData
from bpte.pack.tensors import PackError, from_numpy
from bpte.program.pte_file import value_text
from bpte.run.compare import Value

if TYPE_CHECKING:
    import numpy as np

    from bpte.program import ValueInfo

    Array: TypeAlias = np.ndarray[Any, Any]

NAMES = ("uniform", "normal", "integers", "zeros", "ones", "edges", "nan")
_FORM = re.compile(r"([a-z]+)(?:\(([^,()]+),([^,()]+)\))?")
#: Share of the elements that `nan` makes a NaN, and likewise infinities of either sign.
_SPECIAL_SHARE = 0.125


@dataclass(frozen=True)
class Distribution:
    """How elements are drawn. `a` and `b`: uniform's ends, normal's mean and standard deviation,
    the least and the greatest of integers."""

    name: str
    a: float = 0.0
    b: float = 1.0

    def __str__(self) -> str:
        if self.name not in ("uniform", "normal", "integers"):
            return self.name
        return f"{self.name}({self.a},{self.b})"


def parse(text: str) -> Distribution:
    """From ``normal``, ``uniform(-1,1)``, ``integers(0,255)``. Raises ``PackError``."""
    match = _FORM.fullmatch(text.replace(" ", ""))
    if match is None or match[1] not in NAMES:
        raise PackError(
            f"there is no distribution {text!r}; there are uniform, uniform(LOW,HIGH), normal, "
            "normal(MEAN,DEVIATION), integers(LOW,HIGH), zeros, ones, edges and nan"
        )
    name, low, high = match.groups()
    if low is None:
        if name == "integers":
            raise PackError("integers: say which, such as integers(0,9)")
        return Distribution(name)
    if name not in ("uniform", "normal", "integers"):
        raise PackError(f"{name} has no parameters: {text!r}")
    try:
        kind: Callable[[str], float] = int if name == "integers" else float
        a, b = kind(low), kind(high)
        fits = math.isfinite(a) and math.isfinite(b)
        fits = fits and (name != "integers" or -(2**63) <= min(a, b) <= max(a, b) < 2**63)
    except (ValueError, OverflowError):
        fits = False
    if not fits:
        raise PackError(f"{text!r}: its parameters are not finite numbers it can have")
    if b < (0 if name == "normal" else a):
        raise PackError(f"{text!r}: its second parameter is too small")
    return Distribution(name, a, b)


def draw(
    info: ValueInfo, sizes: Sequence[int], how: Distribution, random: np.random.Generator
) -> Value:
    """A value for an input. Raises ``PackError`` where the distribution does not fit its type."""
    import numpy as np

    if info.kind in ("bool", "int", "double"):
        # A program is exported for the very scalars that it was shown.
        scalar: int | float | bool = info.value
        return scalar
    if info.kind != "tensor":
        raise PackError(f"the program wants a {info.kind} here, which a bundle cannot carry")
    try:
        scalar_type = ScalarType(info.scalar_type if info.scalar_type is not None else -1)
    except ValueError:
        raise PackError(f"{value_text(info)}: a bundle cannot carry this dtype") from None
    elements = _elements(scalar_type, tuple(sizes), how, random, info)
    if scalar_type is ScalarType.BFLOAT16:
        return _bfloat16(elements.astype(np.float32), info)
    return from_numpy(elements, info.dim_order or range(len(sizes)))


def _elements(
    scalar_type: ScalarType,
    sizes: tuple[int, ...],
    how: Distribution,
    random: np.random.Generator,
    info: ValueInfo,
) -> Array:
    """Of this type (bfloat16's as float64, to be rounded)."""
    import numpy as np

    if scalar_type is ScalarType.BFLOAT16:
        dtype = np.dtype(np.float64)
    else:
        dtype = np.dtype(dtype_name(scalar_type))
    if how.name in ("zeros", "ones"):
        return np.full(sizes, how.name == "ones", dtype)
    largest = largest_finite(scalar_type)
    if scalar_type is ScalarType.BOOL:
        return random.integers(0, 2, sizes).astype(dtype)
    if largest is None:
        return _integers(scalar_type, sizes, how, random, info).astype(dtype)
    if how.name == "integers":
        values = random.integers(int(how.a), int(how.b), sizes, endpoint=True).astype(np.float64)
    elif how.name == "uniform":
        values = random.uniform(how.a, how.b, sizes)
    elif how.name == "edges":
        values = random.choice(_float_edges(scalar_type, largest), sizes)
    else:
        values = random.normal(how.a, how.b, sizes)
    if how.name == "nan":
        kind = random.uniform(size=sizes)
        for special, low in ((np.nan, 0), (np.inf, 1), (-np.inf, 2)):
            chosen = (kind >= low * _SPECIAL_SHARE) & (kind < (low + 1) * _SPECIAL_SHARE)
            values = np.where(chosen, special, values)
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype)


def _float_edges(scalar_type: ScalarType, largest: float) -> list[float]:
    """Zeros, ones, the largest, the smallest normal and the smallest denormal numbers."""
    smallest = {
        ScalarType.HALF: (2.0**-14, 2.0**-24),
        ScalarType.DOUBLE: (2.0**-1022, 5e-324),
        ScalarType.FLOAT: (2.0**-126, 2.0**-149),
        ScalarType.BFLOAT16: (2.0**-126, 2.0**-133),
    }[scalar_type]
    return [sign * value for value in (0.0, 1.0, largest, *smallest) for sign in (1.0, -1.0)]


def _integers(
    scalar_type: ScalarType,
    sizes: tuple[int, ...],
    how: Distribution,
    random: np.random.Generator,
    info: ValueInfo,
) -> Array:
    import numpy as np

    size = ELEMENT_SIZE[scalar_type]
    limits = np.iinfo(dtype_name(scalar_type))
    if how.name == "edges":
        edges = sorted({int(limits.min), int(limits.max), 0, 1, *([-1] if limits.min else [])})
        return np.array(edges, limits.dtype)[random.integers(0, len(edges), sizes)]
    if how.name == "integers":
        low, high = int(how.a), int(how.b)
        if low < limits.min or high > limits.max:
            raise PackError(f"{value_text(info)} cannot hold all of {how}")
    elif size == 1:
        low, high = int(limits.min), int(limits.max)  # quantised values
    else:
        raise PackError(
            f"{value_text(info)}: its integers may be indices, so say which they can be: "
            "integers(LOW,HIGH)"
        )
    return random.integers(low, high, sizes, limits.dtype, endpoint=True)


def _bfloat16(values: Array, info: ValueInfo) -> TensorData:
    """Rounds to the nearest, ties to even; NaNs stay NaNs."""
    import numpy as np

    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)
    halves = np.where(np.isnan(values), 0x7FC0, rounded >> 16).astype("<u2")
    order = info.dim_order or tuple(range(values.ndim))
    laid_out = np.ascontiguousarray(halves.transpose(order))
    return TensorData(
        ScalarType.BFLOAT16,
        values.shape,
        order,
        lambda: iter([laid_out.reshape(-1).view(np.uint8).data]),
    )
