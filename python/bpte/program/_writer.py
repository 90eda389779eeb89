# SPDX-License-Identifier: BSD-3-Clause
"""Writes objects as FlatBuffer bytes, in pure Python.

A FlatBuffer grows from its end: a table can only refer forwards, so what it refers to is written
before it, and stands after it. Places are therefore *distances from the end of the file*, and a
chunk's distance is that of its first byte. Every distance is a multiple of 4.

The same objects always give the same bytes, here and in the native accelerator. The rules that
both follow:

- Fields are visited in reverse order of the schema, lists from their last item, so that the file
  reads in the order of the schema.
- A scalar that equals its default is left out (-0.0 does not equal 0.0), and None is.
- A table is its vtable offset, then its fields by falling size, then in the schema's order. It
  ends on a multiple of 4; 8-byte fields are 8-byte aligned.
- Written once and then referred to: equal vtables, equal strings, equal vectors of scalars of up
  to SHARED_BYTES bytes, equal tables that have nothing but scalars ("leaves"), and tables whose
  only field is a union that holds one and the same leaf ("holders").
- A vtable is written immediately before the first table that needs it.

What makes it fast: objects of one class mostly have values of the same types in their fields. For
each combination of types, a plan is made once; it says what to convert and what to write. For each
set of fields that differ from their defaults, a layout is made once; it packs the table in one
call.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from operator import ne
from typing import TYPE_CHECKING, Any

from bpte.program import _values
from bpte.program._chunks import (
    ZEROS,
    File,
    Write,
    after,
    aligned_bytes,
    vector,
    write_bytes,
    write_text,
)
from bpte.program._schema import (
    SCALAR,
    SIZES,
    STRING,
    TABLE,
    TABLES,
    UNION,
    Field,
    Table,
)

if TYPE_CHECKING:
    from bpte.program._codec import Binding

Head = Callable[[bytes, int, int, int], bytes]
"""Makes the first bytes of the file, given its identifier, the bytes after them, the root table's
distance from the end, and the alignment that the file's length must have."""

_MANY = 96  # more chunks than this are joined: each takes more memory than its bytes
_MAX_PLANS = 256  # for each table; odd objects could ask for any number

_OFFSET = struct.Struct("<i").pack


def encode(binding: Binding, root: Any, alignments: dict[str, int], head: Head) -> bytes:
    """The file for the root object.

    ``alignments`` are those of ``Binding.alignments``. A wrong object may raise any exception;
    ``_check.check`` then finds the reason.
    """
    writers = binding.made.get("writers")
    if writers is None:
        writers = binding.made["writers"] = _Writers(binding)
    file = File(alignments)
    distance = writers[-1](file, root)
    file.join()
    file.blocks.append(head(binding.schema[0], file.distance, distance, file.alignment))
    file.blocks.reverse()
    return b"".join(file.blocks)


class _Writers(dict[int, Write]):
    """What writes each table; made when the table is first written."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding

    def __missing__(self, index: int) -> Write:
        table = self.binding.table(index)
        if table.leaf:
            write = _leaf_writer(table)
        elif table.holder:
            write = _holder_writer(table, self)
        else:
            write = _table_writer(table, self)
        self[index] = write
        return write


_Convert = Callable[[Any], Any]


# Plain tuples, here and below: to make a class of named ones takes longer than to write a program.
_Pick = Callable[[tuple[Any, ...]], tuple[Any, ...]]
Layout = tuple[int, bool, bytes, Callable[..., bytes], _Pick]
"""The layout of a table with one set of fields: its bytes, whether there are 8-byte fields, the
vtable, what packs it, and what picks the values to pack, in the order of their bytes."""


class _PositiveZero:
    """The default 0.0, which does not equal -0.0: only 0.0 itself may be left out."""

    def __ne__(self, other: object) -> bool:
        return struct.pack("<d", other) != ZEROS


def _layout(
    scalars: list[Field], given: tuple[bool, ...], children: list[Field]
) -> tuple[Layout, list[int]]:
    """The layout of a table with the given scalars and all children, and where in the table each
    child's offset is."""
    # Slot, code, and place in (the vtable's offset, types of unions, scalars, offsets).
    parts: list[tuple[int, str, int]] = []
    unions = [field for field in children if field.kind == UNION]
    for place, field in enumerate(unions, 1):
        parts.append((field.slot - 1, "B", place))
    for place, (field, is_given) in enumerate(zip(scalars, given, strict=True), 1 + len(unions)):
        if is_given:
            parts.append((field.slot, field.code, place))
    for place, field in enumerate(children, 1 + len(unions) + len(scalars)):
        parts.append((field.slot, "I", place))
    parts.sort(key=lambda part: (-SIZES[part[1]], part[0]))
    entries = [0] * (max((slot for slot, _, _ in parts), default=-1) + 1)
    end = 4
    for slot, code, _ in parts:
        entries[slot] = end
        end += SIZES[code]
    vtable = struct.pack(f"<{2 + len(entries)}H", 4 + 2 * len(entries), end, *entries)
    form = "".join(code for _, code, _ in parts)
    layout = (
        end + (-end & 3),
        any(SIZES[code] == 8 for code in form),
        vtable + bytes(-len(vtable) & 3),
        struct.Struct(f"<i{form}{-end & 3}x").pack,
        _picker([0, *(place for _, _, place in parts)]),
    )
    return layout, [entries[field.slot] for field in children]


def _leaf_writer(table: Table) -> Write:
    """Writes tables of nothing but scalars."""
    cls, index, fields = table.cls, table.index, list(table.fields)
    values_of = _getter([field.name for field in fields])
    defaults = [_default(field) for field in fields]
    conversions: dict[tuple[type, ...], list[_Convert | None]] = {}
    layouts: dict[tuple[bool, ...], Layout] = {}
    # Single integers repeat: a dictionary of their values finds equal ones without packing.
    number = len(fields) == 1 and fields[0].code not in "fd" and fields[0].enum is None

    def write(file: File, value: Any) -> int:
        if value.__class__ is not cls:
            raise _unexpected(value)
        scalars = values_of(value)
        types = tuple(map(type, scalars))
        convert = conversions.get(types)
        if convert is None:
            convert = _conversions(fields, types)
            _keep(conversions, types, convert)
        if convert:
            scalars = _converted(scalars, convert)
        if number:
            known = file.numbers.get((index, scalars))
            if known is not None:
                return known
        given = tuple(map(ne, scalars, defaults))
        layout = layouts.get(given)
        if layout is None:
            layout, _ = _layout(fields, given, [])
            layouts[given] = layout
        size, eight, vtable, pack, pick = layout
        content = pack(*pick((0, *scalars)))
        place = file.leaves.get((vtable, content))
        if place is None:
            place = file.place(size) if eight else file.distance + size
            file.leaves[vtable, content] = place
            at = file.vtables.get(vtable)
            file.chunks.append(_OFFSET(at - place if at else len(vtable)) + content[4:])
            file.distance = place
            if at is None:
                file.add_vtable(vtable, place)
        if number:
            file.numbers[index, scalars] = place
        return place

    return write


def _holder_writer(table: Table, writers: _Writers) -> Write:
    """Writes tables whose only field is a union."""
    cls, index, (field,) = table.cls, table.index, table.fields
    member_of = operator.attrgetter(field.name)
    members: dict[type, tuple[int, Write, bool]] = {}

    def find(kind: type) -> tuple[int, Write, bool]:
        number = writers.binding.member(field, kind)
        ref = field.refs[number - 1]
        members[kind] = number, writers[ref], writers.binding.table(ref).leaf
        return members[kind]

    (full_size, _, full_vtable, pack, _), _ = _layout([], (), [field])
    (empty_size, _, empty_vtable, pack_empty, _), _ = _layout([], (), [])

    def write(file: File, value: Any) -> int:
        if value.__class__ is not cls:
            raise _unexpected(value)
        member = member_of(value)
        if member is None:
            number, distance, shares = 0, 0, True
            size, vtable = empty_size, empty_vtable
        else:
            kind = member.__class__
            number, write_member, shares = members.get(kind) or find(kind)
            distance = write_member(file, member)
            size, vtable = full_size, full_vtable
        if shares:
            known = file.holders.get((index, number, distance))
            if known is not None:
                return known
        place = file.distance + size
        at = file.vtables.get(vtable)
        to_vtable = at - place if at else len(vtable)
        if member is None:
            file.chunks.append(pack_empty(to_vtable))
        else:
            file.chunks.append(pack(to_vtable, place - 4 - distance, number))
        file.distance = place
        if at is None:
            file.add_vtable(vtable, place)
        if shares:
            file.holders[index, number, distance] = place
        return place

    return write


# The parts that a table refers to and that are not None: place among the values, what writes it,
# and its field, or where in the table its offset is.
_Children = list[tuple[int, Write, Field]]
_PlacedChildren = list[tuple[int, Write, int]]

_Layouts = dict[tuple[bool, ...], tuple[Layout, _PlacedChildren]]
_Plan = tuple["list[_Convert | None]", list[int], _Children, _Layouts]
"""How to write objects with one combination of types in their fields: what to convert (see
``_conversions``), the types of the unions that are there, the children, and the layouts by the
scalars that differ from their defaults."""


def _table_writer(table: Table, writers: _Writers) -> Write:
    """Writes tables of any kind."""
    cls = table.cls
    references = [field for field in reversed(table.fields) if field.kind != SCALAR]
    scalar_fields = [field for field in table.fields if field.kind == SCALAR]
    first_scalar = len(references)
    values_of = _getter([field.name for field in (*references, *scalar_fields)])
    defaults = [_default(field) for field in scalar_fields]
    plans: dict[tuple[type, ...], _Plan] = {}

    def make_plan(types: tuple[type, ...]) -> _Plan:
        choices: list[int] = []
        children: _Children = []
        plan = _conversions(scalar_fields, types[first_scalar:]), choices, children, {}
        for index, field in enumerate(references):
            kind = types[index]
            if kind is type(None):
                continue
            if field.kind == UNION:
                number = writers.binding.member(field, kind)
                choices.append(number)
                child = writers[field.refs[number - 1]]
            else:
                child = _child_writer(field, kind, writers)
            children.append((index, child, field))
        _keep(plans, types, plan)
        return plan

    def write(file: File, value: Any) -> int:
        if value.__class__ is not cls:
            raise _unexpected(value)
        values = values_of(value)
        types = tuple(map(type, values))
        plan = plans.get(types) or make_plan(types)
        convert, choices, _, layouts = plan
        scalars = values[first_scalar:]
        if convert:
            scalars = _converted(scalars, convert)
        given = tuple(map(ne, scalars, defaults))
        if choices:
            scalars = (*choices, *scalars)
        layout, children = layouts.get(given) or _new_layout(scalar_fields, plan, given)
        distances = []
        for index, write_child, base in children:
            distances.append(base + write_child(file, values[index]))
        size, eight, vtable, pack, pick = layout
        place = file.place(size) if eight else file.distance + size
        at = file.vtables.get(vtable)
        offsets = map(place.__sub__, distances)
        row = (at - place if at else len(vtable), *scalars, *offsets)
        file.chunks.append(pack(*pick(row)))
        file.distance = place
        if at is None:
            file.add_vtable(vtable, place)
        return place

    return write


def _new_layout(
    scalar_fields: list[Field], plan: _Plan, given: tuple[bool, ...]
) -> tuple[Layout, _PlacedChildren]:
    """Makes and keeps a plan's layout for the scalars that are ``given``."""
    _, _, children, layouts = plan
    layout, bases = _layout(scalar_fields, given, [field for _, _, field in children])
    layouts[given] = (
        layout,
        [(place, write, base) for (place, write, _), base in zip(children, bases, strict=True)],
    )
    return layouts[given]


def _child_writer(field: Field, kind: type, writers: _Writers) -> Write:
    """What writes a field's value of this type."""
    if field.kind == TABLE:
        return writers[field.refs[0]]
    if field.kind == STRING:
        return write_text if kind is str else after(_values.text, write_text)
    if field.holds == "bytes":
        write = aligned_bytes(field) if field.align else write_bytes
        return write if kind is bytes else after(_values.blob, write)
    write = _list(writers[field.refs[0]]) if field.kind == TABLES else vector(field.code)
    return write if kind is list else after(_values.items, write)


def _list(write_item: Write) -> Write:
    """Writes vectors of tables."""

    def write(file: File, values: Any) -> int:
        places = []
        chunks = file.chunks
        for value in reversed(values):
            if len(chunks) > _MANY:
                file.join()
            places.append(write_item(file, value))
        count = len(places)
        end = file.distance + 4
        distance = file.distance = end + 4 * count
        steps = [at - place for at, place in zip(range(end, distance, 4), places)]  # noqa: B905
        steps.reverse()
        chunks.append(struct.pack(f"<{count + 1}I", count, *steps))
        return distance

    return write


def _keep(plans: dict[Any, Any], types: tuple[type, ...], plan: Any) -> None:
    """Keeps a plan, up to a limit: odd objects could need any number of plans."""
    if len(plans) < _MAX_PLANS:
        plans[types] = plan


def _default(field: Field) -> Any:
    return _PositiveZero() if field.code in "fd" and not field.default else field.default


def _unexpected(value: Any) -> TypeError:
    return TypeError(f"unexpected {_values.show(value)}")


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The attributes of an object as a tuple, however many there are."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    if not names:
        return lambda value: ()
    get = operator.attrgetter(*names)
    return lambda value: (get(value),)


def _picker(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return operator.itemgetter(*places) if len(places) > 1 else lambda values: values[:1]


def _conversions(fields: list[Field], types: tuple[type, ...]) -> list[_Convert | None]:
    """The conversions that make scalars of these types storable; empty if all of them are."""
    result = [_conversion(field, kind) for field, kind in zip(fields, types, strict=True)]
    return result if any(result) else []


def _converted(scalars: tuple[Any, ...], convert: list[_Convert | None]) -> tuple[Any, ...]:
    return tuple(
        [
            value if conversion is None else conversion(value)
            for value, conversion in zip(scalars, convert, strict=True)
        ]
    )


def _conversion(field: Field, kind: type) -> _Convert | None:
    if field.enum is not None:
        name, members = field.holds, field.enum
        if kind is field.enum_class:
            return None
        return lambda value: _values.enum_member(value, name, members)
    if field.code == "?":
        return None if kind is bool else _values.boolean
    if field.code in "fd":
        if kind is float:
            return None
        return _values.double_or_text if field.holds == "text" else _values.double
    # struct refuses everything but integers in range, but defaults do not reach it.
    return None if kind is int else _values.integer
