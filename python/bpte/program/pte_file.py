# SPDX-License-Identifier: BSD-3-Clause
"""The facts that the first bytes of a ``.pte`` state (executorch's schema/extended_header.h), and a
description of the rest by ``bpte.program``."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from bpte.files import access, transfer
from bpte.format.scalar_type import dtype_name
from bpte.program import _header

if TYPE_CHECKING:
    from bpte.program import MethodInfo, MethodInstructions, ValueInfo

PROBE_SIZE = 64


def is_program(first: bytes) -> bool:
    """Whether a file that begins like this is an ExecuTorch program."""
    return first[4:6] == b"ET"


def head(path: str | os.PathLike[str]) -> bytes:
    """The first bytes of a file, which say what it is. Raises ``OSError``."""
    fd = access.open_input(path)
    try:
        return os.pread(fd, PROBE_SIZE, 0)
    finally:
        os.close(fd)


def program_size(first: bytes, file_size: int) -> int:
    """Bytes of a file's FlatBuffer part, as its first bytes state it: at most all."""
    parsed = _header.parse(first)
    return min(parsed[1].program_size, file_size) if parsed is not None else file_size


def _header_facts(first: bytes) -> dict[str, int] | None:
    parsed = _header.parse(first)
    if parsed is None:
        return None
    length, header = parsed
    return {"header_length": length, **dataclasses.asdict(header)}


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``bpte inspect`` shows of a ``.pte``."""
    front, size = _front(path)
    return {
        "path": os.fspath(path),
        "format": "pte",
        "identifier": front[4:8].decode("ascii", "replace"),
        "file_size": size,
        "header": _header_facts(front),
        **_contents(front, size),
    }


def _front(path: str | os.PathLike[str]) -> tuple[bytes, int]:
    """A copy of a file's FlatBuffer part, and the size of the whole."""
    fd = access.open_input(path)
    try:
        size = os.fstat(fd).st_size
        first = transfer.read_run(fd, 0, min(PROBE_SIZE, size))
        return transfer.read_run(fd, 0, program_size(first, size)), size
    finally:
        os.close(fd)


def front_of(program: memoryview) -> bytes:
    """A copy of a program's FlatBuffer part, which later changes of the program do not reach."""
    return bytes(program[: program_size(bytes(program[:PROBE_SIZE]), len(program))])


def instructions_of(path: str | os.PathLike[str]) -> tuple[MethodInstructions, ...]:
    """The instructions of the methods in a ``.pte``. Raises ``ProgramError``, ``OSError``."""
    from bpte.program import instructions

    front, size = _front(path)
    return instructions(front, file_size=size)


def _contents(front: bytes, file_size: int) -> dict[str, Any]:
    from bpte.program import ProgramError, inspect

    try:
        info = inspect(front, file_size=file_size)
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
    return {
        "name": method.name,
        "inputs": [value_text(value) for value in method.inputs],
        "outputs": [value_text(value) for value in method.outputs],
        "operators": list(method.operators),
        "delegates": [{"id": d.id, "size": d.size} for d in method.delegates],
        "planned_memory": list(method.non_const_buffer_sizes),
        "instructions": method.instructions,
        "external": [
            {"name": value.data_name, "tensor": value_text(value), "size": value.nbytes}
            for value in method.external
        ],
    }


def value_text(info: ValueInfo) -> str:
    """Such as ``float32[<=8, 3]``."""
    if info.kind != "tensor":
        return info.kind
    sizes = info.sizes or ()
    bound = {"static": "", "dynamic_bound": "<="}.get(info.dynamism or "", "?")
    text = f"{dtype_text(info)}[{', '.join(f'{bound}{size}' for size in sizes)}]"
    if info.dim_order and info.dim_order != tuple(range(len(sizes))):
        text += f" in order {list(info.dim_order)}"
    return text


def dtype_text(info: ValueInfo) -> str:
    """The name of a tensor's element type; of one that a bundle cannot carry, the schema's."""
    try:
        return dtype_name(info.scalar_type if info.scalar_type is not None else -1)
    except KeyError:
        return str(info.scalar_type_name).lower()
