# SPDX-License-Identifier: BSD-3-Clause
"""Element types: ExecuTorch's numbers, sizes and names. Does not import numpy, so that start-up
stays fast."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class ScalarType(IntEnum):
    """The element types that a bundle carries, with the numbers of executorch's scalar_type.fbs."""

    BYTE = 0
    CHAR = 1
    SHORT = 2
    INT = 3
    LONG = 4
    HALF = 5
    FLOAT = 6
    DOUBLE = 7
    BOOL = 11
    BFLOAT16 = 15
    UINT16 = 27
    UINT32 = 28
    UINT64 = 29


class _Facts(NamedTuple):
    """What is known of a type; runtime/bpte/core/scalar_type.h has the same table."""

    size: int  # bytes of an element
    name: str  # numpy's; or ml_dtypes', for what numpy does not have
    largest: float | None = None  # of floating-point types: the largest finite value
    rtol: float = 0.0  # the default tolerance: torch.testing.assert_close's
    atol: float = 0.0


_FACTS: dict[int, _Facts] = {
    ScalarType.BYTE: _Facts(1, "uint8"),
    ScalarType.CHAR: _Facts(1, "int8"),
    ScalarType.SHORT: _Facts(2, "int16"),
    ScalarType.INT: _Facts(4, "int32"),
    ScalarType.LONG: _Facts(8, "int64"),
    ScalarType.HALF: _Facts(2, "float16", 65504.0, 1e-3, 1e-5),
    ScalarType.FLOAT: _Facts(4, "float32", 3.4028234663852886e38, 1.3e-6, 1e-5),
    ScalarType.DOUBLE: _Facts(8, "float64", sys.float_info.max, 1e-7, 1e-7),
    ScalarType.BOOL: _Facts(1, "bool"),
    ScalarType.BFLOAT16: _Facts(2, "bfloat16", 3.3895313892515355e38, 1.6e-2, 1e-5),
    ScalarType.UINT16: _Facts(2, "uint16"),
    ScalarType.UINT32: _Facts(4, "uint32"),
    ScalarType.UINT64: _Facts(8, "uint64"),
}

ELEMENT_SIZE: dict[int, int] = {int(number): facts.size for number, facts in _FACTS.items()}

_BY_NAME: dict[str, ScalarType] = {facts.name: ScalarType(n) for n, facts in _FACTS.items()}


def dtype_name(scalar_type: int) -> str:
    """numpy's name of an element type; ``"bfloat16"`` for the type that numpy alone does not
    have."""
    return _FACTS[scalar_type].name


def from_name(name: str) -> ScalarType | None:
    """The element type with this name in numpy (or torch); ``None`` when a bundle cannot carry
    it."""
    return _BY_NAME.get(name)


def largest_finite(scalar_type: int) -> float | None:
    """The largest finite value of a floating-point type; ``None`` for integers and bools."""
    return _FACTS[scalar_type].largest


def default_bounds(scalar_type: int) -> tuple[float, float]:
    """rtol and atol for an output of this type where none are stated, as
    ``torch.testing.assert_close`` takes them."""
    facts = _FACTS[scalar_type]
    return facts.rtol, facts.atol


def numpy_dtype(scalar_type: int) -> np.dtype[Any]:
    """The dtype that a reader views payloads with: little-endian.

    What numpy does not have (bfloat16) becomes ``ml_dtypes``' type where that package is installed,
    else an unsigned integer of the same size.
    """
    import numpy as np

    size, name = _FACTS[scalar_type][:2]
    try:
        return np.dtype(name).newbyteorder("<")
    except TypeError:
        pass
    try:
        import ml_dtypes
    except ImportError:
        return np.dtype(f"<u{size}")
    return np.dtype(getattr(ml_dtypes, name))  # type: ignore[no-any-return]
