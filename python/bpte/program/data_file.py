# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch's data files (``.ptd``, the FlatTensor format): which keys a file holds, and where.

Only the FlatBuffer at the front is read, so a file of 10 GB takes as long as its list of keys.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpte.files import access, transfer
from bpte.format import flatbuffer
from bpte.format.metadata import MAX_RANK
from bpte.program import ProgramError
from bpte.program._tables import ENUMS
from bpte.program.pte_file import value_text

if TYPE_CHECKING:
    from bpte.program import ValueInfo

PROBE_SIZE = 48
"""Bytes of a file that say how long its front is."""

_IDENTIFIER = b"FT01"
_HEADER = struct.Struct("<4sIQQQQ")  # extension/flat_tensor/serialize/flat_tensor_header.h
_HEADER_AT = 8
_MAGIC = b"FH01"
_VERSION = 0

# The numbers of the fields in flat_tensor.fbs.
_ROOT_VERSION, _ROOT_SEGMENTS, _ROOT_NAMED_DATA = 0, 1, 2
_NAMED_KEY, _NAMED_SEGMENT, _NAMED_LAYOUT = 0, 1, 2
_SEGMENT_OFFSET, _SEGMENT_SIZE = 0, 1
_LAYOUT_TYPE, _LAYOUT_SIZES, _LAYOUT_ORDER = 0, 1, 2

_U32, _U64, _I8 = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<b")
_SCALAR_TYPES = {number: name for name, number in ENUMS["ScalarType"].items()}


@dataclass(frozen=True)
class TensorLayout:
    """``scalar_type`` is ExecuTorch's number of the element type, ``scalar_type_name`` its name in
    the schema; ``dim_order`` lists dimensions from outermost to innermost."""

    scalar_type: int
    scalar_type_name: str
    sizes: tuple[int, ...]
    dim_order: tuple[int, ...]

    def as_value(self) -> ValueInfo:
        """As a program states a tensor."""
        from bpte.program import ValueInfo

        facts = self.scalar_type, self.scalar_type_name, self.sizes, self.dim_order, "static"
        return ValueInfo("tensor", None, *facts)


@dataclass(frozen=True)
class DataEntry:
    """What a file holds under a key: ``size`` bytes from byte ``offset`` of the file on; of a
    tensor its layout."""

    key: str
    offset: int
    size: int
    layout: TensorLayout | None


@dataclass(frozen=True)
class DataFileInfo:
    """A data file: its size in bytes, and its entries in the order of the file."""

    file_size: int
    version: int
    entries: tuple[DataEntry, ...]


def is_data_file(first: bytes) -> bool:
    """Whether a file that begins like this is a data file."""
    return first[4:6] == b"FT"


def front_size(first: bytes, file_size: int) -> int:
    """Bytes at the front of a file that ``read`` needs. Raises ``ProgramError`` for a header that
    does not fit the file."""
    _, start, used, _, _ = _header(first, file_size)
    return start + used


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``bpte inspect`` shows of a data file. Raises ``ProgramError``, ``OSError``."""
    fd = access.open_input(path)
    try:
        size = os.fstat(fd).st_size
        first = transfer.read_run(fd, 0, min(PROBE_SIZE, size))
        front = transfer.read_run(fd, 0, front_size(first, size))
    finally:
        os.close(fd)
    info = read(front, size)
    return {
        "path": os.fspath(path),
        "format": "ptd",
        "identifier": first[4:8].decode("ascii", "replace"),
        "file_size": size,
        "version": info.version,
        "entries": [
            {
                "key": entry.key,
                "tensor": None if entry.layout is None else value_text(entry.layout.as_value()),
                "offset": entry.offset,
                "size": entry.size,
            }
            for entry in info.entries
        ],
    }


def _header(first: bytes, file_size: int) -> tuple[int, int, int, int, int]:
    """(length, start and size of the FlatBuffer, start and size of the segments)."""
    if first[4:8] != _IDENTIFIER:
        raise ProgramError(f"bytes 4-7 are {first[4:8]!r}, not {_IDENTIFIER!r}", "identifier")
    if len(first) < _HEADER_AT + _HEADER.size or first[_HEADER_AT : _HEADER_AT + 4] != _MAGIC:
        raise ProgramError(f"bytes 8-11 are not {_MAGIC!r}", "header")
    _, length, start, used, base, data = _HEADER.unpack_from(first, _HEADER_AT)
    if length < _HEADER.size:
        raise ProgramError(f"its length is {length}, less than {_HEADER.size}", "header")
    if start < _HEADER_AT + _HEADER.size or start + used > file_size:
        raise ProgramError(
            f"a FlatBuffer of {used} bytes from byte {start} on does not fit a file of "
            f"{file_size} bytes",
            "header",
        )
    if base + data > file_size:
        raise ProgramError(
            f"{data} bytes of segments from byte {base} on do not fit a file of {file_size} bytes",
            "header",
        )
    return length, start, used, base, data


def read(front: bytes, file_size: int) -> DataFileInfo:
    """Describes the file of ``file_size`` bytes that begins with ``front``. Raises
    ``ProgramError``, naming the place, for what is not a well-formed data file."""
    _, start, used, base, data = _header(front, file_size)
    reader = flatbuffer.Reader(front, min(start + used, len(front)))
    try:
        return _read(reader, file_size, base, data)
    except flatbuffer.Malformed as error:
        raise ProgramError(f"{error.what}, at byte {error.offset}", "FlatBuffer") from None


def _read(reader: flatbuffer.Reader, file_size: int, base: int, room: int) -> DataFileInfo:
    root = reader.fields(reader.root())
    version: int = reader.scalar(root[_ROOT_VERSION], _U32, 0)
    if version != _VERSION:
        raise ProgramError(f"is {version}, known is {_VERSION}", "version")
    segments = []
    for number, at in enumerate(_tables(reader, root[_ROOT_SEGMENTS])):
        fields = reader.fields(reader.table(at))
        offset = reader.scalar(fields[_SEGMENT_OFFSET], _U64, 0)
        size = reader.scalar(fields[_SEGMENT_SIZE], _U64, 0)
        if offset + size > room:
            raise ProgramError(
                f"{size} bytes from {offset} on leave the {room} bytes of segments",
                f"segments[{number}]",
            )
        segments.append((base + offset, size))
    entries: dict[str, DataEntry] = {}
    for number, table in enumerate(_tables(reader, root[_ROOT_NAMED_DATA])):
        place = f"named_data[{number}]"
        fields = reader.fields(reader.table(table))
        key = _text(reader, fields[_NAMED_KEY], place)
        if key in entries:
            raise ProgramError(f"a second entry has the key {key!r}", place)
        segment = reader.scalar(fields[_NAMED_SEGMENT], _U32, 0)
        if segment >= len(segments):
            raise ProgramError(f"segment {segment} of {len(segments)}", place)
        layout = _layout(reader, fields[_NAMED_LAYOUT], place) if fields[_NAMED_LAYOUT] else None
        offset, size = segments[segment]
        entries[key] = DataEntry(key, offset, size, layout)
    return DataFileInfo(file_size, version, tuple(entries.values()))


def _tables(reader: flatbuffer.Reader, field: int) -> range:
    return reader.elements(field) if field else range(0)


def _text(reader: flatbuffer.Reader, field: int, place: str) -> str:
    start, length = reader.string(field) if field else (0, 0)
    if not length:
        raise ProgramError("has no key", place)
    try:
        return bytes(reader.data[start : start + length]).decode()
    except UnicodeDecodeError:
        raise ProgramError("its key is not UTF-8", place) from None


def _layout(reader: flatbuffer.Reader, field: int, place: str) -> TensorLayout:
    fields = reader.fields(reader.table(field))
    number: int = reader.scalar(fields[_LAYOUT_TYPE], _I8, 0)
    sizes = _numbers(reader, fields[_LAYOUT_SIZES], "i", 4)
    order = _numbers(reader, fields[_LAYOUT_ORDER], "B", 1)
    if (
        len(sizes) > MAX_RANK
        or sorted(order) != list(range(len(sizes)))
        or min(sizes, default=0) < 0
    ):
        raise ProgramError(f"its sizes {list(sizes)} and dim_order {list(order)} are none", place)
    return TensorLayout(number, _SCALAR_TYPES.get(number, str(number)), sizes, order)


def _numbers(reader: flatbuffer.Reader, field: int, code: str, size: int) -> tuple[int, ...]:
    if not field:
        return ()
    first, count = reader.vector(field, size, size)
    return struct.unpack_from(f"<{count}{code}", reader.data, first)
