# SPDX-License-Identifier: BSD-3-Clause
"""Programs with one flipped number: what their memory plan takes."""

from __future__ import annotations

import struct
from pathlib import Path

from bpte.program import inspect


def with_planned_memory(path: Path, size: int) -> bytes:
    """A program of one method and one planned buffer, whose size becomes this one, in bytes."""
    program = path.read_bytes()
    (method,) = inspect(path).methods
    unused, planned = method.non_const_buffer_sizes
    vector = struct.pack("<I2q", 2, unused, planned)
    assert program.count(vector) == 1
    return program.replace(vector, struct.pack("<I2q", 2, unused, size))
