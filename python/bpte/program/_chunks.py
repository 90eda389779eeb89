# SPDX-License-Identifier: BSD-3-Clause
"""The file that ``_writer`` fills. It grows from its end, and holds texts, bytes and vectors of
scalars. The rules are those at the top of ``_writer.py``."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from bpte.program import _values
from bpte.program._schema import SHARED_BYTES, SIZES, Field

_BORROWED = 16384  # bytes from this size on stay where they are until the file is put together
_LENGTH = struct.Struct("<I").pack
ZEROS = bytes(8)


class File:
    """The bytes written so far: ``blocks``, then ``chunks``, both from the end of the file."""

    __slots__ = (
        *("alignment", "alignments", "blocks", "chunks", "distance"),
        *("holders", "leaves", "numbers", "texts", "vectors", "vtables", "wide_vectors"),
    )

    def __init__(self, alignments: dict[str, int]) -> None:
        self.alignments = alignments
        self.alignment = 4  # the largest in use
        self.distance = 0  # of the last chunk
        self.blocks: list[Any] = []
        self.chunks: list[bytes] = []
        # Distances of the things that are written once for all their equals.
        self.texts: dict[str, int] = {}
        self.vectors: dict[bytes, int] = {}
        self.wide_vectors: dict[bytes, int] = {}  # of 8-byte elements
        self.leaves: dict[tuple[bytes, bytes], int] = {}  # by vtable and content
        self.numbers: dict[tuple[Any, ...], int] = {}  # some of the leaves, see _leaf_writer
        self.holders: dict[tuple[int, int, int], int] = {}  # by table, member's type and place
        self.vtables: dict[bytes, int] = {}

    def join(self) -> None:
        self.chunks.reverse()
        self.blocks.append(b"".join(self.chunks))
        self.chunks.clear()

    def align_8(self, distance: int) -> int:
        """Pads so that what is written next at this distance is 8-byte aligned. Returns the
        padding."""
        if self.alignment < 8:
            self.alignment = 8
        padding = distance & 4
        if padding:
            self.chunks.append(ZEROS[:4])
            self.distance += 4
        return padding

    def place(self, size: int) -> int:
        """The distance of a table with 8-byte fields that is written next."""
        place = self.distance + size
        return place + self.align_8(place - 4)  # The fields follow the vtable's offset.

    def add_vtable(self, vtable: bytes, place: int) -> None:
        """Writes a vtable before the table at ``place``, which was written last."""
        self.distance = self.vtables[vtable] = place + len(vtable)
        self.chunks.append(vtable)


Write = Callable[[File, Any], int]
"""Writes an object, if it is not there for all its equals; gives its distance."""


def after(convert: Callable[[Any], Any], write: Write) -> Write:
    return lambda file, value: write(file, convert(value))


def write_text(file: File, value: str) -> int:
    known = file.texts.get(value)
    if known is not None:
        return known
    data = value.encode()
    count = len(data)
    file.chunks.append(_LENGTH(count) + data + ZEROS[: 4 - (count & 3)])
    file.distance = file.texts[value] = file.distance + 8 + (count & -4)
    return file.distance


def write_bytes(file: File, value: bytes | memoryview) -> int:
    count = len(value)
    data = _LENGTH(count) + bytes(value) + ZEROS[: -count & 3]
    return file.vectors.get(data) or _add_vector(file, data, wide=False)


def aligned_bytes(field: Field) -> Write:
    option, align = field.option, field.align

    def write(file: File, value: bytes | memoryview) -> int:
        count = len(value)
        alignment = max(4, file.alignments[option] if option else align)
        file.alignment = max(file.alignment, alignment)
        padding = -(file.distance + count) & (alignment - 1)
        file.chunks.append(bytes(padding))
        if count < _BORROWED:
            file.chunks.append(bytes(value))
        else:
            file.join()
            file.blocks.append(value)
        file.chunks.append(_LENGTH(count))
        file.distance += padding + count + 4
        return file.distance

    return write


_VECTORS: dict[str, Write] = {}


def vector(code: str) -> Write:
    """Writes lists of scalars of this code."""
    if code in _VECTORS:
        return _VECTORS[code]
    width = SIZES[code]
    wide = width == 8
    packers: dict[int, Callable[..., bytes]] = {}
    convert = {"?": _values.boolean, "f": _values.double, "d": _values.double}.get(code)

    def write(file: File, values: Any) -> int:
        count = len(values)
        pack = packers.get(count)
        if pack is None:
            pack = struct.Struct(f"<I{count}{code}{-count * width & 3}x").pack
            if count < 32:
                packers[count] = pack
        if convert is not None:
            values = map(convert, values)
        data = pack(count, *values)
        known = file.wide_vectors if wide else file.vectors
        return known.get(data) or _add_vector(file, data, wide)

    _VECTORS[code] = write
    return write


def _add_vector(file: File, data: bytes, wide: bool) -> int:
    """Writes a vector, its length first. ``wide``: of 8-byte elements."""
    if wide and len(data) > 4:
        # The elements, not the length before them, are aligned.
        file.align_8(file.distance)
    file.chunks.append(data)
    file.distance += len(data)
    if len(data) <= SHARED_BYTES:
        known = file.wide_vectors if wide else file.vectors
        known[data] = file.distance
    return file.distance
