# SPDX-License-Identifier: BSD-3-Clause
"""Objects to FlatBuffer bytes and back, by the fastest path there is.

A file with segments has an extended header (executorch/schema/extended_header.h) between the
FlatBuffer's file identifier and its first object, which states where the FlatBuffer ends and where
the segments begin.

The native accelerator is an optional part of the installation (``setup.py``): it takes the same
objects, and gives the same bytes in less time. ``BPTE_NATIVE=0`` in the environment keeps it from
being used.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

from bpte.program._errors import ProgramError
from bpte.program._schema import (
    MAX_PROGRAM_BYTES,
    SHARED_BYTES,
    Binding,
    element_budget,
    table_budget,
)

HEADER_OFFSET = 8
"""Where the extended header stands: after the root's offset and the identifier."""
HEADER_MAGIC = b"eh00"
_HEADER = struct.Struct("<4sIQQQ")
HEADER_LENGTH = _HEADER.size


def pack_header(program_size: int, segment_base_offset: int, segment_data_size: int) -> bytes:
    """The bytes of an extended header."""
    return _HEADER.pack(
        HEADER_MAGIC, HEADER_LENGTH, program_size, segment_base_offset, segment_data_size
    )


def _load_native() -> Any:
    if os.environ.get("BPTE_NATIVE") == "0":
        return None
    try:
        return importlib.import_module("bpte.program._native")
    except ImportError:
        return None


_NATIVE = _load_native()


def native_available() -> bool:
    """Whether the accelerator is installed, and not switched off."""
    return _NATIVE is not None


def encode(
    binding: Binding,
    root: Any,
    alignments: dict[str, int],
    *,
    header_bytes: int = 0,
    header: Callable[[int], bytes] | None = None,
    native: bool | None = None,
) -> bytes:
    """The FlatBuffer of ``root``, an object of the binding's root class.

    ``alignments`` are those of ``Binding.alignments``. ``header_bytes``, a multiple of every
    alignment in force, are put between the file identifier and the rest: what ``header`` returns
    for the length of the result, and zeros. ``native`` chooses a path; None takes the accelerator
    if it is installed. Raises ProgramError, naming the place, for an object that cannot be written
    without loss.
    """

    def head(size: int, distance: int, alignment: int) -> bytes:
        total = -(-(HEADER_OFFSET + size) // alignment) * alignment
        if total + header_bytes > MAX_PROGRAM_BYTES:
            raise ProgramError(
                f"{total + header_bytes} bytes are more than a FlatBuffer can hold; "
                "constants and delegate data belong into segments"
            )
        start = struct.pack("<I", header_bytes + total - distance) + binding.identifier
        if header is not None:
            start += header(header_bytes + total)
        return start + bytes(header_bytes + total - size - len(start))

    try:
        if _use_native(native):
            data: bytes = _native_codec(binding).encode(root, alignments, SHARED_BYTES, head)
            return data
        from bpte.program import _writer

        with _collector_paused():
            return _writer.encode(binding, root, alignments, head)
    except (ProgramError, MemoryError):
        raise
    except Exception as error:
        from bpte.program import _check

        _check.check(binding, root)
        raise ProgramError(f"cannot be written: {error!r}") from error


def decode(
    binding: Binding,
    data: memoryview,
    *,
    views: bool = False,
    allow_unknown: bool = False,
    native: bool | None = None,
) -> tuple[Any, bool]:
    """See ``_reader.decode``; ``native`` as for ``encode``."""
    failure: ValueError | None = None
    with _collector_paused():
        if _use_native(native):
            size = len(data)
            budgets = table_budget(size), element_budget(size)
            try:
                read: tuple[Any, bool] = _native_codec(binding).decode(
                    data, views, allow_unknown, *budgets
                )
                return read
            except ValueError as error:
                failure = error  # it does not know the place; the pure reader does
        from bpte.program import _reader

        read = _reader.decode(binding, data, views=views, allow_unknown=allow_unknown)
        if failure is not None:
            raise ProgramError(f"cannot be read: {failure}") from failure
        return read


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the garbage collector, which would visit many thousands of new objects again and
    again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _use_native(native: bool | None) -> bool:
    if native and _NATIVE is None:
        raise RuntimeError("the native accelerator of bpte.program is not installed")
    return _NATIVE is not None if native is None else native


def _native_codec(binding: Binding) -> Any:
    codec = binding.made.get("native")
    if codec is None:
        codec = binding.made["native"] = _NATIVE.Codec(
            binding.identifier,
            binding.rows,
            binding.classes,
            binding.enums,
        )
    return codec
