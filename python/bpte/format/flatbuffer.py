# SPDX-License-Identifier: BSD-3-Clause
"""The part of the FlatBuffers wire format that a bundle's metadata needs.

The reader checks every offset before it follows it, which the ``flatbuffers`` package does not do.
The writer goes front to back, shares vtables, and gives the same bytes for the same content.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from typing import Any

from bpte.format.schema import MAX_FIELDS

_U16 = struct.Struct("<H").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U32 = struct.Struct("<I").unpack_from


class Malformed(Exception):
    """Not a valid FlatBuffer: what is wrong, and at which offset."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset
        self.what = what


class Reader:
    """Checked access to a FlatBuffer that begins at byte 0 of ``data``. Every method raises
    ``Malformed`` before it would read out of bounds.

    It refuses what FlatBuffers' own verifier refuses: positions outside the buffer or misaligned,
    offsets of zero or of 2^31 and more, odd vtables, unterminated strings.
    """

    __slots__ = ("_vtables", "data", "size")

    def __init__(self, data: bytes | mmap.mmap, size: int) -> None:
        self.data = data
        self.size = size
        self._vtables: dict[int, tuple[int, ...]] = {}

    def root(self) -> int:
        return self._follow(0)

    def fields(self, table: int) -> list[int]:
        """Offset of each field of the table at ``table``, in the schema's order, as many as any
        table has; 0 when absent."""
        if table & 3 or table + 4 > self.size:
            raise Malformed(table, "a table is misaligned or leaves the metadata")
        vtable: int = table - _I32(self.data, table)[0]
        slots = self._vtables.get(vtable)
        if slots is None:
            slots = self._vtables[vtable] = self._read_vtable(vtable)
        return [table + slot if slot else 0 for slot in slots]

    def _read_vtable(self, vtable: int) -> tuple[int, ...]:
        if vtable < 0 or vtable & 1 or vtable + 2 > self.size:
            raise Malformed(max(vtable, 0), "a vtable is misaligned or leaves the metadata")
        size = _U16(self.data, vtable)[0]
        if size & 1 or vtable + size > self.size:
            raise Malformed(vtable, "a vtable leaves the metadata")
        # A field past those of the schema belongs to a later version.
        count = min(max(size - 4, 0) // 2, MAX_FIELDS)
        slots: tuple[int, ...] = struct.unpack_from(f"<{count}H", self.data, vtable + 4)
        return (*slots, *[0] * (MAX_FIELDS - count))

    def scalar(self, field: int, unpacker: struct.Struct, default: Any) -> Any:
        """The scalar at ``field``; ``default`` when that is 0, which stands for absent."""
        if not field:
            return default
        size = unpacker.size
        if field & (size - 1) or field + size > self.size:
            raise Malformed(field, "a field is misaligned or leaves the metadata")
        return unpacker.unpack_from(self.data, field)[0]

    def struct(self, field: int, unpacker: struct.Struct, alignment: int) -> tuple[int, ...]:
        """The struct at ``field``."""
        if field & (alignment - 1) or field + unpacker.size > self.size:
            raise Malformed(field, "a field is misaligned or leaves the metadata")
        return unpacker.unpack_from(self.data, field)

    def _follow(self, field: int) -> int:
        if field & 3 or field + 4 > self.size:
            raise Malformed(field, "an offset is misaligned or leaves the metadata")
        offset: int = _U32(self.data, field)[0]
        target = field + offset
        if offset == 0 or offset > 0x7FFFFFFF or target >= self.size:
            raise Malformed(field, f"an offset leads to {target}, outside the metadata")
        return target

    def table(self, field: int) -> int:
        """The table that the offset at ``field`` leads to (checked by ``fields``)."""
        return self._follow(field)

    def vector(self, field: int, element_size: int, alignment: int) -> tuple[int, int]:
        """(offset of the first element, count) of the vector that ``field`` leads to."""
        vector = self._follow(field)
        if vector & 3 or vector + 4 > self.size:
            raise Malformed(vector, "a vector is misaligned or leaves the metadata")
        count: int = _U32(self.data, vector)[0]
        first = vector + 4
        if first + count * element_size > self.size:
            raise Malformed(vector, f"a vector of {count} elements leaves the metadata")
        if count and first & (alignment - 1):
            raise Malformed(vector, "a vector's elements are misaligned")
        return first, count

    def elements(self, field: int) -> range:
        """The positions of the offsets in the vector of tables that ``field`` leads to; ``table``
        follows each."""
        first, count = self.vector(field, 4, 4)
        return range(first, first + 4 * count, 4)

    def string(self, field: int) -> tuple[int, int]:
        """(offset of the first byte, length without the NUL) of a string."""
        first, count = self.vector(field, 1, 1)
        if first + count >= self.size or self.data[first + count] != 0:
            raise Malformed(first - 4, "a string is not terminated")
        return first, count


class Shape:
    """The layout of one kind of table: which fields it has. ``fields`` gives (field id, struct
    code) in the order in which ``Writer.table`` takes the values; code ``I`` for an offset. A
    struct's code joins its members' codes; the widest member has 8 bytes."""

    __slots__ = ("_order", "_packer", "slots", "vtable", "wide")

    def __init__(self, fields: Sequence[tuple[int, str]]) -> None:
        sizes = [struct.calcsize(f"<{code}") for _, code in fields]
        order = sorted(range(len(fields)), key=lambda i: (-min(sizes[i], 8), i))
        self.wide = any(size >= 8 for size in sizes)
        slots = [0] * len(fields)
        at = 4
        for i in order:
            slots[i] = at
            at += sizes[i]
        self.slots = slots
        """Offset of each field in the table, in the order given."""
        count = max((field for field, _ in fields), default=-1) + 1
        vtable = [4 + 2 * count, at] + [0] * count
        for i, (field, _) in enumerate(fields):
            vtable[2 + field] = slots[i]
        self.vtable = struct.pack(f"<{len(vtable)}H", *vtable)
        self._packer = struct.Struct("<i" + "".join(fields[i][1] for i in order))
        self._order = order

    def pack(self, soffset: int, values: Sequence[object]) -> bytes:
        """The table's bytes. A struct's value is a tuple."""
        flat: list[object] = [soffset]
        for i in self._order:
            value = values[i]
            if isinstance(value, tuple):
                flat.extend(value)
            else:
                flat.append(value)
        return self._packer.pack(*flat)


class Writer:
    """Writes a FlatBuffer front to back into ``buffer``: a parent first, then the children that it
    links to."""

    def __init__(self, identifier: bytes, inserted: int = 0, root: int = 0) -> None:
        """``inserted``: zero bytes between the identifier and the rest. ``root``: where the root's
        slot lies; the bytes before it, as those of a size, count for alignment."""
        self.buffer = bytearray(root + 8 + inserted)
        self.buffer[root + 4 : root + 8] = identifier
        self._vtables: dict[bytes, int] = {}

    def _pad(self, alignment: int, ahead: int = 0) -> None:
        """Pads so that the byte ``ahead`` of the end lies at a multiple of ``alignment``."""
        self.buffer.extend(bytes(-(len(self.buffer) + ahead) % alignment))

    def link(self, slot: int) -> None:
        """Makes the offset at ``slot`` lead to what is written next, and pads to 4. That must begin
        with a u32 or a table."""
        self._pad(4)
        struct.pack_into("<I", self.buffer, slot, len(self.buffer) - slot)

    def table(self, slot: int, shape: Shape, *values: object) -> int:
        """Writes a table, linked from ``slot``. Returns its offset; value i lies at ``offset +
        shape.slots[i]``."""
        vtable = self._vtables.get(shape.vtable)
        if vtable is None:
            self._pad(2)
            vtable = self._vtables[shape.vtable] = len(self.buffer)
            self.buffer += shape.vtable
        self._pad(8 if shape.wide else 4, 4 if shape.wide else 0)
        at = len(self.buffer)
        struct.pack_into("<I", self.buffer, slot, at - slot)
        self.buffer += shape.pack(at - vtable, values)
        return at

    def vector(self, slot: int, count: int, element_size: int, alignment: int = 4) -> int:
        """Writes a vector of zeros, linked from ``slot``. Returns the offset of its first
        element."""
        self._pad(max(alignment, 4), 4)
        self.link(slot)
        self.buffer += struct.pack("<I", count)
        first = len(self.buffer)
        self.buffer.extend(bytes(count * element_size))
        return first

    def bytes(self, slot: int, data: bytes) -> None:
        """Writes a vector of bytes."""
        self.link(slot)
        self.buffer += struct.pack("<I", len(data)) + data

    def string(self, slot: int, text: str) -> None:
        self.bytes(slot, text.encode("utf-8"))
        self.buffer.append(0)
