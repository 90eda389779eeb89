# SPDX-License-Identifier: BSD-3-Clause
"""Programs with anything in them that the schema allows, and how to compare them."""

from __future__ import annotations

import dataclasses
import math
import random
import struct
from typing import Any

from bpte.program._bind import Binding, BoundField, BoundTable, integer_range
from bpte.program._schema import Kind

_DOUBLES = [0.0, -0.0, 1.0, -1.5, 1e-300, -1e300, 5e-324, math.inf, -math.inf, math.nan]
_TEXTS = ["", "out", "aten::add", "Tensor", "ä", "日本語", "a\0b", "x" * 37, "🙂"]


class RandomPrograms:
    """Makes objects of a binding's classes. Values repeat, so that sharing has work to do."""

    def __init__(self, binding: Binding, seed: int) -> None:
        self._binding = binding
        self._random = random.Random(seed)

    def program(self) -> Any:
        return self._table(self._binding.tables[-1])

    def _table(self, table: BoundTable) -> Any:
        return table.cls(**{bound.field.name: self._value(bound) for bound in table.fields})

    def _value(self, bound: BoundField) -> Any:
        kind, pick = bound.field.kind, self._random
        if kind is Kind.SCALAR:
            return self._scalar(bound)
        if pick.random() < 0.1:
            return None
        if kind is Kind.STRING:
            return pick.choice(_TEXTS)
        if kind is Kind.TABLE:
            return self._table(self._binding.tables[bound.table])
        if kind is Kind.UNION:
            return self._table(self._binding.tables[pick.choice(bound.union)])
        count = pick.choice((0, 1, 1, 2, 3, 4, 5, 8))
        if kind is Kind.TABLES:
            return [self._table(self._binding.tables[bound.table]) for _ in range(count)]
        if pick.random() < 0.05:
            count = pick.choice((31, 32, 33, 70))
        if bound.as_bytes:
            return bytes(pick.choice((0, 0, 1, 255)) for _ in range(count))
        return [self._scalar(bound) for _ in range(count)]

    def _scalar(self, bound: BoundField) -> Any:
        code, pick = bound.field.code, self._random
        if bound.enum is not None:
            return pick.choice(list(bound.enum.values()))
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
