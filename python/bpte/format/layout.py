# SPDX-License-Identifier: BSD-3-Clause
"""Computes where everything lies in a file. Writer, reader, inspector and tests take every offset
from here.

All offsets and sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

HEADER_AT = 8
"""The extended header is inserted after the FlatBuffer's root offset and identifier."""

HEADER_LENGTH = 64

MIN_PROGRAM_ALIGNMENT = 128
"""What the segments inside a ``.pte`` want of the address that the program lies at."""

MAX_BASE_ALIGNMENT = 2 << 20
"""Bounds the padding that a reader must look at."""

PAYLOAD_ALIGNMENT = 16

PTD_ALIGNMENT = 16
"""What a data file's own segments want of the address that it lies at."""

PAGE = 4096

PAGE_ALIGNED_FROM = 1 << 20
"""A program of this size or more is page-aligned unless the caller says otherwise: at most 0.4 % of
the file is padding then, and file systems can share the program's blocks with the ``.pte`` it was
copied from. A smaller one, as a microcontroller has it in flash, gets the least alignment."""

MAX_FLATBUFFER = (1 << 31) - 1
"""FlatBuffers' readers go no further (FLATBUFFERS_MAX_BUFFER_SIZE)."""

REACH_PER_BYTE = 8
"""What a reader may reach for each byte of metadata (schema/README.md, "Work at opening")."""

REACH_OF_ENTRY = 32
"""What an entry of a vector of tables counts for that."""

REACH_OF_ITEM = 8
"""What an entry of a vector of carries or labels counts."""

MAX_SUITES_BP08 = 256
"""BP08 states no order of its suites, so that a reader without memory compares all pairs."""


def align_up(offset: int, alignment: int) -> int:
    """The smallest multiple of ``alignment``, a power of two, that is at least ``offset``."""
    return (offset + alignment - 1) & -alignment


def is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def program_alignment(size: int) -> int:
    """The alignment of a program segment when the caller asks for none."""
    return PAGE if size >= PAGE_ALIGNED_FROM else MIN_PROGRAM_ALIGNMENT


class Extent(NamedTuple):
    """A run of bytes. The context says where ``offset`` counts from."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


def pack_extents(
    sizes_and_alignments: Iterable[tuple[int, int]], start: int = 0
) -> tuple[list[Extent], int]:
    """Places runs one after the other, each at the next multiple of its alignment.

    Returns the runs and the end of the last one; nothing lies after it. This places payloads in a
    case's segment, and segments in a file.
    """
    extents = []
    end = start
    for size, alignment in sizes_and_alignments:
        extent = Extent(align_up(end, alignment), size)
        extents.append(extent)
        end = extent.end
    return extents, end


class Plan(NamedTuple):
    """The layout of a BP09 file."""

    metadata_size: int
    base_alignment: int
    segment_base_offset: int
    segments: list[Extent]
    """Offsets from ``segment_base_offset``."""
    segment_data_size: int

    @property
    def file_size(self) -> int:
        return self.segment_base_offset + self.segment_data_size


def plan(metadata_size: int, segments: Sequence[tuple[int, int]]) -> Plan:
    """Lays out a BP09 file with these (size, alignment) segments, in this order."""
    base_alignment = max([MIN_PROGRAM_ALIGNMENT, *(alignment for _, alignment in segments)])
    extents, end = pack_extents(segments)
    return Plan(
        metadata_size, base_alignment, align_up(metadata_size, base_alignment), extents, end
    )


def place_vector(offset: int, alignment: int) -> int:
    """The position of the u32 length of a FlatBuffers byte vector, at or after ``offset``, for
    which its bytes begin at a multiple of ``alignment`` (at least 4)."""
    return align_up(offset + 4, alignment) - 4
