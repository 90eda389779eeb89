# SPDX-License-Identifier: BSD-3-Clause
"""Data files (`.ptd`) for tests: whole ones, and such as nobody should write."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from bpte.format.flatbuffer import Shape, Writer

ROOT = Shape([(0, "I"), (1, "I"), (2, "I")])  # version, segments, named_data
SEGMENT = Shape([(0, "Q"), (1, "Q")])  # offset, size
NAMED = Shape([(0, "I"), (1, "I"), (2, "I")])  # key, segment_index, tensor_layout
BLOB = Shape([(0, "I"), (1, "I")])  # key, segment_index
LAYOUT = Shape([(0, "b"), (1, "I"), (2, "I")])  # scalar_type, sizes, dim_order
HEADER_LENGTH = 40
ALIGNMENT = 128
FLOAT = 6


def data_file(
    entries: Mapping[str, np.ndarray[Any, Any] | bytes],
    *,
    version: int = 0,
    segment_index: int | None = None,
    dim_order: bytes | None = None,
    identifier: bytes = b"FT01",
    header: Mapping[str, int] | None = None,
    longer: int = 0,
) -> bytes:
    """A data file: float32 tensors, and bytes without a layout. What is given besides replaces what
    would be right: of every entry its segment's index or its dim_order; of the header its fields;
    `longer`: bytes that each segment states too many."""
    writer = Writer(identifier, HEADER_LENGTH)
    root = writer.table(0, ROOT, version, 0, 0)
    segments = writer.vector(root + ROOT.slots[1], len(entries), 4)
    data = b""
    for number, value in enumerate(entries.values()):
        data += bytes(-len(data) % ALIGNMENT)
        content = value if isinstance(value, bytes) else value.astype("<f4").tobytes()
        writer.table(segments + 4 * number, SEGMENT, len(data), len(content) + longer)
        data += content
    named = writer.vector(root + ROOT.slots[2], len(entries), 4)
    for number, (key, value) in enumerate(entries.items()):
        index = number if segment_index is None else segment_index
        if isinstance(value, bytes):
            at = writer.table(named + 4 * number, BLOB, 0, index)
            writer.string(at + BLOB.slots[0], key)
            continue
        at = writer.table(named + 4 * number, NAMED, 0, index, 0)
        writer.string(at + NAMED.slots[0], key)
        layout = writer.table(at + NAMED.slots[2], LAYOUT, FLOAT, 0, 0)
        sizes = writer.vector(layout + LAYOUT.slots[1], value.ndim, 4)
        struct.pack_into(f"<{value.ndim}i", writer.buffer, sizes, *value.shape)
        writer.bytes(layout + LAYOUT.slots[2], dim_order or bytes(range(value.ndim)))
    front = bytes(writer.buffer)
    base = -(-len(front) // ALIGNMENT) * ALIGNMENT
    fields = {"length": 40, "start": 48, "used": len(front) - 48, "base": base, "size": len(data)}
    fields |= header or {}
    stated = struct.pack("<4sIQQQQ", b"FH01", *fields.values())
    return front[:8] + stated + front[48:] + bytes(base - len(front)) + data
