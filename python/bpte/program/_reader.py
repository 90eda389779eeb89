# SPDX-License-Identifier: BSD-3-Clause
"""Reads objects from FlatBuffer bytes that are not trusted, in pure Python.

Every offset, length and alignment is checked before it is used; an error names the path
(``execution_plan[0].values[17].val.sizes``) and the byte. A valid file pays nothing for the path:
it is put together while the exception unwinds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bpte.program import ProgramError
from bpte.program._schema import (
    SCALAR,
    SIZES,
    STRING,
    TABLE,
    TABLES,
    UNION,
    Field,
    Table,
    element_budget,
    table_budget,
)

if TYPE_CHECKING:
    from bpte.program._codec import Binding

_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U16 = struct.Struct("<H").unpack_from

_Read = Callable[[int], Any]


class _Fault(Exception):
    """A broken rule, with the path collected from the inside out."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self.parts: list[str] = []

    def place(self) -> str:
        return "".join(reversed(self.parts)).removeprefix(".")


class _Layout(NamedTuple):
    """What one vtable states about the tables that use it; the same in every file.

    The entries of the lists start with the index of their value in what ``unpack`` returns.
    """

    size: int  # bytes of the table
    phase: int  # what the table's position must be modulo 8; -1: anything
    unpack: Callable[[memoryview, int], tuple[Any, ...]]
    scalars: list[tuple[int, int]]  # index, position
    enums: list[tuple[int, int, dict[int, Any], str]]  # ..., members, name
    children: list[tuple[int, int, Field, int]]  # ..., field, offset in the table
    unions: list[tuple[int, int, int, Field, int]]  # the type's index first
    defaults: list[Any]
    unknown: bool  # it has fields that the schema does not know


class _Plan(NamedTuple):
    """A layout with the readers of one file."""

    size: int
    phase: int
    unpack: Callable[[memoryview, int], tuple[Any, ...]]
    scalars: list[tuple[int, int]]
    enums: list[tuple[int, int, dict[int, Any], str]]
    children: list[tuple[int, int, _Read, int, str]]  # ..., reader, offset in the table, name
    unions: list[tuple[int, int, int, tuple[_Read, ...], int, str]]
    defaults: list[Any]


_MAX_LAYOUTS = 1024  # kept for a binding; hostile files bring odd vtables


def decode(
    binding: Binding, data: memoryview, *, views: bool = False, allow_unknown: bool = False
) -> tuple[Any, bool]:
    """Reads the root table of ``data`` (contiguous unsigned bytes) into the binding's classes.

    ``views``: fields held as bytes become memoryviews into ``data`` instead of copies.
    ``allow_unknown``: fields that the schema does not know are skipped; the second result tells
    whether there were any. Raises ProgramError, naming the place, for whatever breaks a rule.
    """
    decoder = _Decoder(binding, data, views, allow_unknown)
    try:
        return decoder.run()
    except _Fault as fault:
        raise ProgramError(fault.rule, fault.place()) from None
    finally:
        decoder.readers.clear()  # They refer to the decoder: releases the data now.


class _Decoder:
    def __init__(
        self, binding: Binding, data: memoryview, views: bool, allow_unknown: bool
    ) -> None:
        self.binding = binding
        self.view = data
        self.size = len(data)
        self.views = views
        self.allow_unknown = allow_unknown
        self.unknown = False
        self.tables_left = table_budget(self.size)
        self.elements_left = element_budget(self.size)
        self.texts: dict[int, str] = {}
        self.blobs: dict[int, Any] = {}
        self.readers: dict[int, _Read] = {}
        # Layouts by table and vtable.
        self.layouts: dict[tuple[int, bytes], _Layout] = binding.made.setdefault("layouts", {})

    def run(self) -> tuple[Any, bool]:
        view = self.view
        if self.size < 8:
            raise _Fault(f"{self.size} bytes are too few for a program")
        identifier = bytes(view[4:8])
        if identifier != self.binding.schema[0]:
            raise _Fault(f"the file identifier is {identifier!r}, not {self.binding.schema[0]!r}")
        (root,) = _U32(view, 0)
        if root < 8:
            raise _Fault(f"the root table is at byte {root}, inside the header")
        return self._reader(-1)(root), self.unknown

    def _reader(self, index: int) -> _Read:
        read = self.readers.get(index)
        if read is None:
            read = self.readers[index] = self._table(index)
        return read

    def _table(self, index: int) -> _Read:
        view, size = self.view, self.size
        cls, name = self.binding.table(index).cls, self.binding.table(index).name
        plans: dict[int, _Plan] = {}

        def read(pos: int) -> Any:
            if self.tables_left <= 0:
                raise _Fault(f"more than {table_budget(size)} tables in {size} bytes")
            self.tables_left -= 1
            if pos & 3 or pos + 4 > size:
                raise _Fault(f"table {name} at byte {pos} of {size} {_why(pos)}")
            vtable = pos - _I32(view, pos)[0]
            plan = plans.get(vtable)
            if plan is None:
                plan = plans[vtable] = self._plan(index, vtable)
            length, phase, unpack, scalars, enums, children, unions, defaults = plan
            if pos + length > size:
                raise _Fault(f"table {name} at byte {pos} ends after byte {size}")
            if phase >= 0 and pos & 7 != phase:
                raise _Fault(f"table {name} at byte {pos} has a field that is not aligned")
            raw = unpack(view, pos)
            values = defaults.copy()
            field = ""
            for source, target in scalars:
                values[target] = raw[source]
            try:
                for source, target, members, field in enums:  # noqa: B007
                    try:
                        values[target] = members[raw[source]]
                    except KeyError:
                        raise _Fault(f"{raw[source]} is not a value of the enum") from None
                for source, target, child, offset, field in children:  # noqa: B007
                    step = raw[source]
                    if not step:
                        raise _Fault(f"an offset of 0 at byte {pos + offset}")
                    values[target] = child(pos + offset + step)
                for kind, source, target, members_, offset, field in unions:  # noqa: B007
                    choice = raw[kind]
                    if choice == 0 and source < 0:
                        continue
                    if source < 0 or not 0 < choice <= len(members_):
                        raise _Fault(f"union type {choice} at byte {pos}")
                    step = raw[source]
                    if not step:
                        raise _Fault(f"an offset of 0 at byte {pos + offset}")
                    values[target] = members_[choice - 1](pos + offset + step)
            except _Fault as fault:
                fault.parts.append("." + field)
                raise
            return cls(*values)

        return read

    def _plan(self, index: int, at: int) -> _Plan:
        view = self.view
        if at & 1 or at < 0 or at + 4 > self.size:
            raise _Fault(f"its vtable at byte {at} of {self.size} {_why(at)}")
        (length,) = _U16(view, at)
        if length < 4 or length & 1 or at + length > self.size:
            raise _Fault(f"its vtable at byte {at} is {length} bytes long")
        vtable = bytes(view[at : at + length])
        layout = self.layouts.get((index, vtable))
        if layout is None:
            layout = _layout(self.binding.table(index), vtable, at)
            if len(self.layouts) < _MAX_LAYOUTS:
                self.layouts[index, vtable] = layout
        if layout.unknown:
            self.unknown = True
            if not self.allow_unknown:
                raise _Fault(f"its vtable at byte {at} has a field that the schema does not know")
        children = [
            (source, target, self._child(field), offset, field.name)
            for source, target, field, offset in layout.children
        ]
        unions = []
        for kind, source, target, field, offset in layout.unions:
            members = tuple([self._reader(i) for i in field.refs])
            unions.append((kind, source, target, members, offset, field.name))
        return _Plan(*layout[:5], children, unions, layout.defaults)

    def _child(self, field: Field) -> _Read:
        if field.kind == STRING:
            return self._text
        if field.kind == TABLE:
            return self._reader(field.refs[0])
        if field.kind == TABLES:
            return self._tables(self._reader(field.refs[0]))
        return self._blob if field.holds == "bytes" else self._scalars(field.code)

    def _length(self, pos: int, width: int) -> int:
        """The element count of the vector at ``pos``; its elements are inside the file."""
        if pos & 3 or pos + 4 > self.size:
            raise _Fault(f"a vector at byte {pos} of {self.size} {_why(pos)}")
        count = cast(int, _U32(self.view, pos)[0])
        if pos + 4 + count * width > self.size:
            raise _Fault(f"a vector at byte {pos} of {count} elements ends after {self.size}")
        if width == 8 and count and (pos + 4) & 7:
            raise _Fault(f"a vector at byte {pos} has elements that are not aligned")
        return count

    def _text(self, pos: int) -> str:
        text = self.texts.get(pos)
        if text is None:
            count = self._length(pos, 1)
            end = pos + 4 + count
            if end >= self.size or self.view[end]:
                raise _Fault(f"a string at byte {pos} has no zero at its end")
            try:
                text = str(self.view[pos + 4 : end], "utf-8")
            except UnicodeDecodeError as error:
                raise _Fault(f"a string at byte {pos} is not UTF-8: {error.reason}") from None
            self.texts[pos] = text
        return text

    def _blob(self, pos: int) -> Any:
        blob = self.blobs.get(pos)
        if blob is None:
            count = self._length(pos, 1)
            blob = self.view[pos + 4 : pos + 4 + count]
            if not self.views:
                blob = bytes(blob)
            self.blobs[pos] = blob
        return blob

    def _scalars(self, code: str) -> _Read:
        width, view = SIZES[code], self.view
        unpackers: dict[int, Callable[..., tuple[Any, ...]]] = {}

        def read(pos: int) -> list[Any]:
            count = self._length(pos, width)
            if count > self.elements_left:
                raise _Fault(f"more than {element_budget(self.size)} elements")
            self.elements_left -= count
            if code == "B":
                return list(view[pos + 4 : pos + 4 + count])
            unpack = unpackers.get(count)
            if unpack is None:
                unpack = struct.Struct(f"<{count}{code}").unpack_from
                if count < 64:
                    unpackers[count] = unpack
            return list(unpack(view, pos + 4))

        return read

    def _tables(self, reader: _Read) -> _Read:
        view = self.view

        def read(pos: int) -> list[Any]:
            count = self._length(pos, 4)
            steps = struct.unpack_from(f"<{count}I", view, pos + 4)
            result: list[Any] = []
            append = result.append
            base = pos + 4
            try:
                for step in steps:
                    if not step:
                        raise _Fault(f"an offset of 0 at byte {base}")
                    append(reader(base + step))
                    base += 4
            except _Fault as fault:
                fault.parts.append(f"[{len(result)}]")
                raise
            return result

        return read


def _layout(table: Table, vtable: bytes, at: int) -> _Layout:
    """Decodes a vtable. ``at`` is its byte in the file, for messages."""
    inline, *entries = struct.unpack_from(f"<{len(vtable) // 2 - 1}H", vtable, 2)
    if inline < 4:
        raise _Fault(f"its vtable at byte {at} gives it {inline} bytes")
    parts: list[tuple[int, str]] = []  # offset in table, code

    def place(slot: int, code: str) -> int:
        """Index of a slot's value among the parts; -1 if it is absent."""
        offset = entries[slot] if slot < len(entries) else 0
        if offset == 0:
            return -1
        # Does not check the table's stated size: FlatBuffers' Python builder (25.2.10 does) lets
        # tables of different sizes share a vtable, and other languages' verifiers accept it.
        if offset < 4 or offset % min(SIZES[code], 4):
            raise _Fault(f"its vtable at byte {at} puts slot {slot} at {offset}")
        parts.append((offset, code))
        return len(parts) - 1

    scalars: list[tuple[int, int]] = []
    enums: list[tuple[int, int, dict[int, Any], str]] = []
    children: list[tuple[int, int, Field, int]] = []
    unions: list[tuple[int, int, int, Field, int]] = []
    defaults: list[Any] = [None] * len(table.fields)
    for field in table.fields:
        target = field.position
        if field.kind == SCALAR:
            index = place(field.slot, field.code)
            if field.enum is None:
                defaults[target] = field.default
                if index >= 0:
                    scalars.append((index, target))
            elif index >= 0:
                enums.append((index, target, field.enum, field.name))
            else:
                defaults[target] = _enum_default(field)
        elif field.kind == UNION:
            kind, index = place(field.slot - 1, "B"), place(field.slot, "I")
            if kind >= 0:
                offset = parts[index][0] if index >= 0 else 0
                unions.append((kind, index, target, field, offset))
            elif index >= 0:
                raise _at(field.name, f"a union without a type in the vtable at byte {at}")
        else:
            index = place(field.slot, "I")
            if index >= 0:
                children.append((index, target, field, parts[index][0]))
    phase = _phase(parts, at)
    unpack, rank = _unpacker(parts)
    return _Layout(
        max([inline, *(offset + SIZES[code] for offset, code in parts)]),
        phase,
        unpack,
        [(rank[entry[0]], entry[1]) for entry in scalars],
        [(rank[entry[0]], *entry[1:]) for entry in enums],
        [(rank[entry[0]], *entry[1:]) for entry in children],
        [(rank[entry[0]], rank[entry[1]], *entry[2:]) for entry in unions],
        defaults,
        any(entries[table.slots :]),
    )


def _phase(parts: list[tuple[int, str]], at: int) -> int:
    """What a table's position must be modulo 8; -1 if no part asks for it."""
    phases = {-offset & 7 for offset, code in parts if SIZES[code] == 8}
    if len(phases) > 1:
        raise _Fault(f"its vtable at byte {at} cannot be aligned")
    return phases.pop() if phases else -1


def _enum_default(field: Field) -> Any:
    assert field.enum is not None
    if field.default not in field.enum:
        raise _at(field.name, f"{field.default} is not a value of the enum")
    return field.enum[field.default]


def _unpacker(
    parts: list[tuple[int, str]],
) -> tuple[Callable[[memoryview, int], tuple[Any, ...]], list[int]]:
    """One call that reads all the parts of a table, and where among its results each part is.

    The last place, -1, is that of a part that is absent, whose index is -1.
    """
    order = sorted(range(len(parts)), key=lambda index: parts[index][0])
    layout, end = "<", 0
    for index in order:
        offset, code = parts[index]
        if offset < end:  # Fields that overlap: odd, but every reader accepts them.
            return _one_by_one(parts), [*range(len(parts)), -1]
        layout += f"{offset - end}x{code}"
        end = offset + SIZES[code]
    rank = [-1] * (len(parts) + 1)
    for at, index in enumerate(order):
        rank[index] = at
    return struct.Struct(layout).unpack_from, rank


def _one_by_one(
    parts: list[tuple[int, str]],
) -> Callable[[memoryview, int], tuple[Any, ...]]:
    single = [(struct.Struct("<" + code).unpack_from, offset) for offset, code in parts]
    return lambda view, pos: tuple([read(view, pos + offset)[0] for read, offset in single])


def _at(field: str, rule: str) -> _Fault:
    fault = _Fault(rule)
    fault.parts.append("." + field)
    return fault


def _why(pos: int) -> str:
    return "is not aligned" if pos & 3 and pos >= 0 else "is outside"
