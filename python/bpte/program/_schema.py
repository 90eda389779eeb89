# SPDX-License-Identifier: BSD-3-Clause
"""What a schema says: its tables and their fields, as data.

A schema is ``ROWS``, a tuple of ``(table name, rows of its fields)``. Each table comes after those
it refers to, and the root is the last. A field's row holds the arguments of ``Field``.
``_tables.py`` has the rows of ExecuTorch's Program, and the native accelerator has the same ones
compiled in; ``_reflect.py`` makes both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

Row = tuple[Any, ...]
Rows = tuple[tuple[str, tuple[Row, ...]], ...]

# How a field is stored; the native accelerator has the same numbers (_native/schema.h).
SCALAR = 0
STRING = 1
TABLE = 2
UNION = 3  # two slots: the type byte, then the table
SCALARS = 4  # a vector of scalars
TABLES = 5  # a vector of tables

SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4, "d": 8}
"""Bytes (and natural alignment) of each scalar's code, which is that of Python's ``struct``."""


SHARED_BYTES = 32
"""A vector of scalars is written once for all its equals if it takes at most this many bytes
with its length. Longer ones repeat rarely, and a small limit bounds how much larger the objects
can be than the file."""


def table_budget(size: int) -> int:
    """The most tables that a reader visits in a file of ``size`` bytes.

    Offsets may point anywhere, so a hostile file of 16 kB can describe 10^12 tables. The writer
    shares at most a holder and its leaf (two tables for one offset of four bytes); files
    without sharing stay far below.
    """
    return size + 64


def element_budget(size: int) -> int:
    """The most elements of scalar vectors that a reader copies. See ``SHARED_BYTES``: the writer
    cannot exceed 28 elements in 12 bytes."""
    return 8 * size + 4096


class Field:
    """One field of a table.

    ``slot``: its index in the vtable (of the value, for a union: the type byte is the slot
    before). ``code``: the struct code of a scalar or of a vector's elements. ``refs``: indexes of
    the tables that it refers to; a union numbers its members from 1. ``position``: its place
    among the constructor's arguments. ``holds``: what the object has where the schema alone does
    not say it: "bytes" for a vector of ubytes that is not a list, "text" for a float that may be
    the string "inf" or "-inf", or the name of an IntEnum. ``align`` is the schema's force_align in
    bytes, 0 where there is none, and ``option`` names the serializer option that replaces it.

    ``enum_class`` is the class of the members that it holds, and ``enum`` maps stored values to
    them; None where it holds anything else.
    """

    __slots__ = (
        *("name", "slot", "kind", "code", "default", "refs", "position", "holds"),
        *("align", "option", "enum", "enum_class"),
    )

    def __init__(
        self,
        name: str,
        slot: int,
        kind: int,
        code: str,
        default: Any,
        refs: tuple[int, ...],
        position: int,
        holds: str,
        align: int,
        option: str,
    ) -> None:
        self.name = name
        self.slot = slot
        self.kind = kind
        self.code = code
        self.default = default
        self.refs = refs
        self.position = position
        self.holds = holds
        self.align = align
        self.option = option
        self.enum: dict[int, Any] | None = None
        self.enum_class: type | None = None


class Table:
    """A table and its class. ``leaf``: all fields are scalars. ``holder``: the only field is a
    union. ``slots``: how many entries its vtable can have."""

    __slots__ = ("cls", "fields", "holder", "index", "leaf", "name", "slots")

    def __init__(self, index: int, name: str, cls: Any, fields: list[Field]) -> None:
        self.index = index
        self.name = name
        self.cls = cls
        self.fields = fields
        self.leaf = all(field.kind == SCALAR for field in fields)
        self.holder = len(fields) == 1 and fields[0].kind == UNION
        self.slots = fields[-1].slot + 1 if fields else 0


def bind(index: int, row: tuple[str, tuple[Row, ...]], find: Callable[[str], Any]) -> Table:
    """The table of a row, tied to the class, and its fields to the enums, that ``find`` gives."""
    name, rows = row
    fields = []
    for field_row in rows:
        field = Field(*field_row)
        if field.holds not in ("", "bytes", "text"):
            field.enum_class = find(field.holds)
            if field.enum_class is not None:
                field.enum = enum_members(field.enum_class)
        fields.append(field)
    return Table(index, name, find(name), fields)


@cache
def enum_members(cls: Any) -> dict[int, Any]:
    """The members by their numbers."""
    return {int(member): member for member in cls}


class Record:
    """An object of a table that has no class of its own: an attribute for each field."""

    __slots__ = ()

    def __init__(self, *values: Any) -> None:
        name: str
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)


def record_classes(rows: Rows) -> dict[str, type]:
    """A ``Record`` for each table, by its name."""
    classes = {}
    for name, fields in rows:
        slots = tuple([field[0] for field in sorted(fields, key=lambda field: field[6])])
        classes[name] = type(name, (Record,), {"__slots__": slots})
    return classes


def is_plain(cls: type) -> bool:
    """Whether the constructor does no more than to set the fields: the one that ``dataclass``
    generates (its code has no file), without ``__post_init__``, or a record's."""

    def own(name: str) -> Any:
        return getattr(cls, name, None)

    code = getattr(own("__init__"), "__code__", None)
    generated = getattr(code, "co_filename", "") == "<string>"
    return (
        (generated or own("__init__") is Record.__init__)
        and own("__post_init__") is None
        and own("__new__") is object.__new__
        and own("__setattr__") is object.__setattr__
    )
