# SPDX-License-Identifier: BSD-3-Clause
"""Programs with anything in them that the schema allows, and how to compare them."""

from __future__ import annotations

import dataclasses
import math
import random
import struct
from typing import Any

from bpte.program._codec import Binding
from bpte.program._schema import SCALAR, STRING, TABLE, TABLES, UNION, Field, Table
from bpte.program._values import integer_range

_DOUBLES = [0.0, -0.0, 1.0, -1.5, 1e-300, -1e300, 5e-324, math.inf, -math.inf, math.nan]
_TEXTS = ["", "out", "aten::add", "Tensor", "ä", "日本語", "a\0b", "x" * 37, "🙂"]


class RandomPrograms:
    """Makes objects of a binding's classes. Values repeat, so that sharing has work to do."""

    def __init__(self, binding: Binding, seed: int) -> None:
        self._binding = binding
        self._random = random.Random(seed)

    def program(self) -> Any:
        return self._table(self._binding.tables[-1])

    def _table(self, table: Table) -> Any:
        return table.cls(**{field.name: self._value(field) for field in table.fields})

    def _value(self, field: Field) -> Any:
        kind, pick = field.kind, self._random
        if kind == SCALAR:
            return self._scalar(field)
        if pick.random() < 0.1:
            return None
        if kind == STRING:
            return pick.choice(_TEXTS)
        if kind in (TABLE, UNION):
            return self._table(self._binding.tables[pick.choice(field.refs)])
        count = pick.choice((0, 1, 1, 2, 3, 4, 5, 8))
        if kind == TABLES:
            return [self._table(self._binding.tables[field.refs[0]]) for _ in range(count)]
        if pick.random() < 0.05:
            count = pick.choice((31, 32, 33, 70))
        if field.holds == "bytes":
            return bytes(pick.choice((0, 0, 1, 255)) for _ in range(count))
        return [self._scalar(field) for _ in range(count)]

    def _scalar(self, field: Field) -> Any:
        code, pick = field.code, self._random
        if field.enum is not None:
            return pick.choice(list(field.enum.values()))
        if code == "?":
            return pick.random() < 0.5
        if code in "fd":
            value = pick.choice(_DOUBLES)
            return struct.unpack("f", struct.pack("f", value))[0] if code == "f" else value
        low, high = integer_range(code)
        return pick.choice((0, 0, 0, 1, 2, 3, min(high, 100), low, high, pick.randint(low, high)))


def same(left: Any, right: Any, *, sign_of_zero: bool = True) -> bool:
    """Whether two programs are equal, NaN being itself; types must agree as well."""
    if type(left) is not type(right):
        return False
    if dataclasses.is_dataclass(left):
        return all(
            same(getattr(left, field.name), getattr(right, field.name), sign_of_zero=sign_of_zero)
            for field in dataclasses.fields(left)
        )
    if isinstance(left, list):
        return len(left) == len(right) and all(
            same(a, b, sign_of_zero=sign_of_zero) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        if sign_of_zero and math.copysign(1, left) != math.copysign(1, right):
            return False
    return bool(left == right)
