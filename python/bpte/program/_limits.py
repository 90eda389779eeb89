# SPDX-License-Identifier: BSD-3-Clause
"""Limits that writer, reader and the native accelerator agree on."""

MAX_PROGRAM_BYTES = 2**31 - 1
"""FlatBuffers' offsets are 31 bits wide."""

SHARED_BYTES = 32
"""A vector of scalars is written once for all its equals if it takes at most this many bytes
with its length. Longer ones repeat rarely, and a small limit bounds how much larger the objects
can be than the file."""


def table_budget(size: int) -> int:
    """How many tables a reader visits in a file of ``size`` bytes before it gives up.

    Offsets may point anywhere, so a hostile file of 16 kB can describe 10^12 tables. The writer
    shares at most a holder and its leaf (two tables behind one offset of four bytes); files
    without sharing stay far below.
    """
    return size + 64


def element_budget(size: int) -> int:
    """How many elements of scalar vectors a reader copies. See ``SHARED_BYTES``: the writer
    cannot exceed 28 elements in 12 bytes."""
    return 8 * size + 4096
