# SPDX-License-Identifier: BSD-3-Clause
"""What can be told of a ``.pte`` from its first bytes (executorch's schema/extended_header.h), and
what ``bpte.program`` tells of the rest."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpte.program import MethodInfo

PROBE_SIZE = 64

# magic, header length, program size, segment base offset, segment data size
_HEADER = struct.Struct("<4sIQQQ")
_HEADER_AT = 8
_MAGIC = b"eh00"
_WITH_SEGMENT_DATA_SIZE = 32


def is_program(first: bytes) -> bool:
    """Whether a file that begins like this is an ExecuTorch program."""
    return first[4:6] == b"ET"


def extended_header(first: bytes) -> dict[str, int] | None:
    """The extended header's fields; ``None`` when there is none."""
    if len(first) < _HEADER_AT + _HEADER.size or first[8:12] != _MAGIC:
        return None
    _, length, program_size, base, data = _HEADER.unpack_from(first, _HEADER_AT)
    return {
        "header_length": length,
        "program_size": program_size,
        "segment_base_offset": base,
        # A field that shorter headers, of old programs, do not have.
        "segment_data_size": data if length >= _WITH_SEGMENT_DATA_SIZE else 0,
    }


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``bpte inspect`` says of a ``.pte``."""
    with Path(path).open("rb") as file:
        first = file.read(PROBE_SIZE)
        size = os.fstat(file.fileno()).st_size
    return {
        "path": os.fspath(path),
        "format": "pte",
        "identifier": first[4:8].decode("ascii", "replace"),
        "file_size": size,
        "header": extended_header(first),
        **_contents(path),
    }


def _contents(path: str | os.PathLike[str]) -> dict[str, Any]:
    from bpte.program import ProgramError, inspect

    try:
        info = inspect(path)
    except ProgramError as error:
        return {"error": str(error)}
    return {
        "version": info.version,
        "methods": [_method(method) for method in info.methods],
        "segments": [
            {"offset": segment.offset, "size": segment.size, "use": segment.use}
            for segment in info.segments
        ],
        "constants": info.constants,
        "constants_size": info.constants_size,
        "named_data": info.named_data,
        "unknown_fields": info.unknown_fields,
    }


def _method(method: MethodInfo) -> dict[str, Any]:
    from bpte.pack.fit import value_text

    return {
        "name": method.name,
        "inputs": [value_text(value) for value in method.inputs],
        "outputs": [value_text(value) for value in method.outputs],
        "operators": list(method.operators),
        "delegates": [{"id": d.id, "size": d.size} for d in method.delegates],
        "planned_memory": list(method.non_const_buffer_sizes),
        "instructions": method.instructions,
    }
