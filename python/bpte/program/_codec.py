# SPDX-License-Identifier: BSD-3-Clause
"""Objects to FlatBuffer bytes and back, by the fastest path there is."""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from typing import Any

from bpte.program import _accelerator, _check, _header, _reader, _writer
from bpte.program._bind import Binding
from bpte.program._errors import ProgramError
from bpte.program._limits import MAX_PROGRAM_BYTES


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
    alignment in force, are put between the file identifier and the rest: what ``header`` makes of
    the length of the result, and zeros. ``native`` chooses
    a path; None takes the accelerator if it is there. Raises ProgramError, naming the place, for
    an object that cannot be written without loss.
    """
    identifier = binding.schema.identifier

    def head(size: int, distance: int, alignment: int) -> bytes:
        total = -(-(_header.OFFSET + size) // alignment) * alignment
        if total + header_bytes > MAX_PROGRAM_BYTES:
            raise ProgramError(
                f"{total + header_bytes} bytes are more than a FlatBuffer can hold; "
                "constants and delegate data belong into segments"
            )
        start = struct.pack("<I", header_bytes + total - distance) + identifier
        if header is not None:
            start += header(header_bytes + total)
        return start + bytes(header_bytes + total - size - len(start))

    write = _accelerator.encode if _use_native(native) else _writer.encode
    try:
        return write(binding, root, alignments, head)
    except (ProgramError, MemoryError):
        raise
    except Exception as error:
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
    # The collector would look at each of many thousand new objects again and again.
    collecting = gc.isenabled()
    gc.disable()
    try:
        if _use_native(native):
            try:
                return _accelerator.decode(binding, data, views=views, allow_unknown=allow_unknown)
            except ValueError as error:
                # The pure reader knows where.
                _reader.decode(binding, data, views=views, allow_unknown=allow_unknown)
                raise ProgramError(f"cannot be read: {error}") from error
        return _reader.decode(binding, data, views=views, allow_unknown=allow_unknown)
    finally:
        if collecting:
            gc.enable()


def _use_native(native: bool | None) -> bool:
    if native and not _accelerator.available():
        raise RuntimeError("the native accelerator of bpte.program is not installed")
    return _accelerator.available() if native is None else native
