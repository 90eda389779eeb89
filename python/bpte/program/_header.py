# SPDX-License-Identifier: BSD-3-Clause
"""Reading the extended header of a ``.pte`` file (executorch/schema/extended_header.h).

It stands between the FlatBuffer's file identifier and its first object, is absent from files
without segments, and says where the FlatBuffer ends and where the segments begin.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bpte.program._codec import HEADER_LENGTH as LENGTH
from bpte.program._codec import HEADER_MAGIC as MAGIC
from bpte.program._codec import HEADER_OFFSET as OFFSET
from bpte.program import ProgramError

_MINIMUM = LENGTH - 8  # The first version had no segment_data_size.


@dataclass(frozen=True)
class ExtendedHeader:
    """Sizes and offsets in bytes.

    ``program_size`` counts from the start of the file and includes this header;
    ``segment_base_offset`` is from the start of the file, 0 without segments;
    ``segment_data_size`` is 0 when the file does not state it.
    """

    program_size: int
    segment_base_offset: int
    segment_data_size: int


def parse(view: bytes | memoryview) -> tuple[int, ExtendedHeader] | None:
    """The header's own length and its fields, as a file's first bytes state them; None without a
    header. Checks nothing."""
    if len(view) < OFFSET + _MINIMUM or view[OFFSET : OFFSET + 4] != MAGIC:
        return None
    (length,) = struct.unpack_from("<I", view, OFFSET + 4)
    program, base = struct.unpack_from("<QQ", view, OFFSET + 8)
    data = 0
    if length >= LENGTH and len(view) >= OFFSET + LENGTH:
        (data,) = struct.unpack_from("<Q", view, OFFSET + 24)
    return length, ExtendedHeader(program, base, data)


def read(view: memoryview, size: int | None = None) -> ExtendedHeader | None:
    """The header of a file, or None where there is none.

    ``view`` holds the file, or the beginning of a file of ``size`` bytes. Raises ProgramError when
    there is a header that does not fit the file.
    """
    parsed = parse(view)
    if parsed is None:
        return None
    length, header = parsed
    if size is None:
        size = len(view)
    place = "extended header"
    if length < _MINIMUM:
        raise ProgramError(f"its length is {length}, less than {_MINIMUM}", place)
    program, base, data = (
        header.program_size,
        header.segment_base_offset,
        header.segment_data_size,
    )
    if not OFFSET + _MINIMUM <= program <= size:
        raise ProgramError(f"program_size {program} does not fit a file of {size} bytes", place)
    if base and not program <= base <= size:
        raise ProgramError(
            f"segment_base_offset {base} is outside of {program} ... {size} bytes", place
        )
    if data and (not base or base + data > size):
        raise ProgramError(
            f"segment_data_size {data} from byte {base} does not fit a file of {size} bytes", place
        )
    return header
