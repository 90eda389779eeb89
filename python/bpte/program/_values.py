# SPDX-License-Identifier: BSD-3-Clause
"""The values that a field accepts: one conversion for each kind, for the writer and for the
checker.

Each returns what is stored, or raises TypeError, ValueError or OverflowError with a message that
says what was found. The native accelerator accepts and refuses exactly the same.
"""

from __future__ import annotations

import operator
from typing import Any

from bpte.program._schema import SIZES

_TEXTS = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


def show(value: Any) -> str:
    """A value for a message: its type, and the value itself if that is short."""
    if isinstance(value, (bool, int, float, str, bytes)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}... ({type(value).__name__})"
    return f"a {type(value).__name__}"


def integer(value: Any) -> int:
    """An int, or an object with ``__index__``."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"expected an int, found {show(value)}") from None


def boolean(value: Any) -> bool:
    """A bool, or an integer that is 0 or 1 (numpy's bool among them)."""
    if isinstance(value, bool):
        return value
    if type(value).__name__ in ("bool_", "bool"):  # numpy's has no __index__
        return bool(value)
    number = integer(value)
    if number not in (0, 1):
        raise ValueError(f"expected a bool, found {number}")
    return number == 1


def double(value: Any) -> float:
    """A float, or an object that converts to one by ``__float__`` or ``__index__``; never a
    string."""
    if isinstance(value, float):
        return value
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"expected a float, found {show(value)}")
    try:
        return float(value)
    except TypeError:
        raise TypeError(f"expected a float, found {show(value)}") from None


def double_or_text(value: Any) -> float:
    """As ``double``, or one of the words with which ExecuTorch's Double stores what JSON cannot
    write."""
    if isinstance(value, str):
        if value not in _TEXTS:
            raise ValueError(f"expected a float or one of {sorted(_TEXTS)}, found {value!r}")
        return _TEXTS[value]
    return double(value)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a str, found {show(value)}")
    return str.__str__(value)


def items(value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"expected a list, found {show(value)}")
    return value


def blob(value: Any) -> bytes | memoryview:
    """The bytes of a value, without a copy if it has the buffer protocol."""
    if isinstance(value, bytes):
        return value
    try:
        view = memoryview(value)
    except TypeError:
        raise TypeError(f"expected bytes, found {show(value)}") from None
    if not view.c_contiguous:
        raise ValueError("expected contiguous bytes")
    return view.cast("B") if view.nbytes else b""


def enum_member(value: Any, name: str, members: dict[int, Any]) -> int:
    """A member of the enum ``name``, or its number."""
    number = integer(value)
    if number not in members:
        raise ValueError(f"{number} is not a {name}")
    return number


def integer_range(code: str) -> tuple[int, int]:
    """Smallest and largest value of an integer (or bool) code."""
    bits = 8 * SIZES[code]
    if code == "?":
        return 0, 1
    return (0, 2**bits - 1) if code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def in_range(value: int, code: str) -> int:
    low, high = integer_range(code)
    if not low <= value <= high:
        raise OverflowError(f"{value} is outside of {low} ... {high}")
    return value
