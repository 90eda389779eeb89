# SPDX-License-Identifier: BSD-3-Clause
"""The tables of a schema, and the Python classes for them. Every codec works from these.

A schema is data: ``ROWS``, a tuple of ``(table name, rows of its fields)``. Each table comes after
those it refers to, and the root is the last. A field's row holds the arguments of ``Field``.
``_tables.py`` has the rows of ExecuTorch's Program, made when this package is built;
``_reflect.py`` makes them.

Two bindings exist: to ExecuTorch's dataclasses (``executorch.exir.schema``), and to small classes
made from the rows alone, with which the inspector reads files where there is no executorch.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from bpte.program import _tables

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

MAX_PROGRAM_BYTES = 2**31 - 1
"""FlatBuffers' offsets are 31 bits wide."""

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

    ``enum`` maps stored values to the members of ``enum_class``; both are None where the
    binding holds plain ints.
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
        code: str = "",
        default: Any = 0,
        refs: tuple[int, ...] = (),
        position: int = -1,
        holds: str = "",
        align: int = 0,
        option: str = "",
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

    def __init__(self, index: int, name: str, cls: type, fields: tuple[Field, ...]) -> None:
        self.index = index
        self.name = name
        self.cls = cls
        self.fields = fields
        self.leaf = all(field.kind == SCALAR for field in fields)
        self.holder = len(fields) == 1 and fields[0].kind == UNION
        self.slots = fields[-1].slot + 1 if fields else 0


class Binding:
    """A schema tied to one class for each table.

    ``enums`` maps what ``Field.holds`` names to the IntEnum's class; a name that is not in it is
    held as an int. ``made`` is for the codecs: what each derives from the binding once.
    """

    def __init__(
        self, identifier: bytes, rows: Rows, classes: tuple[type, ...], enums: dict[str, Any]
    ) -> None:
        self.identifier = identifier
        self.rows = rows
        self.classes = classes
        self.enums = {
            name: (cls, {int(member): member for member in cls}) for name, cls in enums.items()
        }
        self.made: dict[str, Any] = {}
        self._aligned = [
            (option, align)
            for _, fields in rows
            for *_, align, option in fields
            if align
        ]  # fmt: skip

    @functools.cached_property
    def tables(self) -> tuple[Table, ...]:
        """All tables that the root reaches, the root being the last."""
        return tuple(
            Table(index, name, cls, tuple([self._field(row) for row in fields]))
            for index, ((name, fields), cls) in enumerate(zip(self.rows, self.classes, strict=True))
        )

    def _field(self, row: Row) -> Field:
        field = Field(*row)
        if field.holds in self.enums:
            field.enum_class, field.enum = self.enums[field.holds]
        return field

    def alignments(
        self, constant_tensor_alignment: int | None, delegate_alignment: int | None
    ) -> dict[str, int]:
        """The alignment in force for each option, ``""`` being that of fields without one.

        None keeps the schema's. Raises ValueError for one that is not a power of two.
        """
        given = {"constant_tensor": constant_tensor_alignment, "delegate": delegate_alignment}
        for option, value in given.items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{option}_alignment is {value!r}, not an int")
            if value <= 0 or value & (value - 1) or value > 2**30:
                raise ValueError(f"{option}_alignment is {value}, not a power of two")
        result = {"": 1}
        for option, align in self._aligned:
            chosen = given.get(option)
            result[option] = max(result.get(option, 1), align if chosen is None else chosen)
        return result


class Record:
    """An object of a table that has no class of its own: an attribute for each field."""

    __slots__ = ()

    def __init__(self, *values: Any) -> None:
        name: str
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)


def to_records(identifier: bytes, rows: Rows) -> Binding:
    """Binds a schema to classes made from it: enums are ints."""

    def record(name: str, fields: tuple[Row, ...]) -> type:
        names = [field[0] for field in sorted(fields, key=lambda field: field[6])]
        return type(name, (Record,), {"__slots__": tuple(names)})

    return Binding(identifier, rows, tuple([record(*row) for row in rows]), {})


def to_dataclasses(identifier: bytes, rows: Rows, find: Callable[[str], Any]) -> Binding:
    """Binds a schema to the classes, and to the IntEnums, that ``find`` gives by their names.

    The rows must have been made for these classes: see ``_reflect.rows_for``.
    """
    enums = {row[7] for _, fields in rows for row in fields} - {"", "bytes", "text"}
    return Binding(
        identifier,
        rows,
        tuple([find(name) for name, _ in rows]),
        {name: find(name) for name in enums},
    )


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


SOURCES = (
    "exir/schema.py",
    "exir/scalar_type.py",
    "exir/backend/compile_spec_schema.py",
    "exir/_serialize/program.fbs",
    "exir/_serialize/scalar_type.fbs",
)
"""The files of the executorch package that the rows are made from."""


def fingerprint(package: Path) -> str:
    """The fingerprint of the ``SOURCES`` in the folder of the executorch package; "" when one is
    missing."""
    digest = sha256()
    try:
        for source in SOURCES:
            file = os.open(f"{package}/{source}", os.O_RDONLY)
            try:
                digest.update(os.read(file, 1 << 24))
            finally:
                os.close(file)
    except OSError:
        return ""
    return digest.hexdigest()


@functools.cache
def executorch() -> Binding:
    """The installed executorch's schema tied to its dataclasses. Imports executorch.

    If ``_tables`` was made from the same files as the package has, its rows are used. Otherwise the
    package's flatc compiles its schema, which is checked against its dataclasses.
    """
    schema = importlib.import_module("executorch.exir.schema")
    identifier: bytes = _tables.IDENTIFIER
    rows: Rows = _tables.ROWS
    if fingerprint(Path(str(schema.__file__)).parents[1]) != _tables.FINGERPRINT:
        # Imported here, because it imports this module, and only an unknown executorch needs it.
        identifier, rows, _ = importlib.import_module("bpte.program._reflect").installed()
    return to_dataclasses(identifier, rows, lambda name: getattr(schema, name))


@functools.cache
def records() -> Binding:
    """The packaged schema tied to plain records. Needs only this package."""
    return to_records(_tables.IDENTIFIER, _tables.ROWS)
