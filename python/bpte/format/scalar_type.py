# SPDX-License-Identifier: BSD-3-Clause
"""Element types: ExecuTorch's numbers, sizes and names. No numpy here: start-up is cheap."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

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


# Number -> (bytes per element, numpy's name).
_FACTS: dict[int, tuple[int, str]] = {
    0: (1, "uint8"),
    1: (1, "int8"),
    2: (2, "int16"),
    3: (4, "int32"),
    4: (8, "int64"),
    5: (2, "float16"),
    6: (4, "float32"),
    7: (8, "float64"),
    11: (1, "bool"),
    15: (2, "bfloat16"),
    27: (2, "uint16"),
    28: (4, "uint32"),
    29: (8, "uint64"),
}

ELEMENT_SIZE: dict[int, int] = {number: size for number, (size, _) in _FACTS.items()}

_BY_NAME: dict[str, ScalarType] = {name: ScalarType(n) for n, (_, name) in _FACTS.items()}


def dtype_name(scalar_type: int) -> str:
    """numpy's name of an element type; ``"bfloat16"`` for that, which numpy alone does not have."""
    return _FACTS[scalar_type][1]


def from_name(name: str) -> ScalarType | None:
    """The element type of numpy's (or torch's) name; ``None`` when a bundle does not carry it."""
    return _BY_NAME.get(name)


def numpy_dtype(scalar_type: int) -> np.dtype[Any]:
    """The dtype that a reader views payloads with: little-endian.

    bfloat16 becomes ``ml_dtypes.bfloat16`` where that package is installed, else ``uint16``.
    """
    import numpy as np

    if scalar_type == ScalarType.BFLOAT16:
        try:
            import ml_dtypes
        except ImportError:
            return np.dtype("<u2")
        return np.dtype(ml_dtypes.bfloat16)  # type: ignore[no-any-return]
    return np.dtype(dtype_name(scalar_type)).newbyteorder("<")
