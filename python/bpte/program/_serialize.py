# SPDX-License-Identifier: BSD-3-Clause
"""``Program`` objects to FlatBuffer bytes and back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from bpte.program import _bind, _codec, _fallback
from bpte.program._errors import ProgramError

_LOG = logging.getLogger("bpte.program")


def serialize(
    program: Any,
    *,
    constant_tensor_alignment: int | None = None,
    delegate_alignment: int | None = None,
) -> bytes:
    """The FlatBuffer of an ``executorch.exir.schema.Program``, without extended header.

    The alignments, powers of two in bytes, are those of constants and of delegate data that the
    program holds inline; None keeps the schema's. If the program cannot be written directly, the
    reason is logged with its place and the JSON path is tried; ProgramError names the place and
    both reasons if that fails as well.
    """
    return flatbuffer(program, constant_tensor_alignment, delegate_alignment)


def deserialize(data: bytes | bytearray | memoryview) -> Any:
    """The ``executorch.exir.schema.Program`` in a FlatBuffer, with or without extended header.

    Equal to what executorch's own reader gives. Segments are not looked at; see
    ``deserialize_pte``. Raises ProgramError, naming the place, for anything not well formed.
    """
    program, _ = _codec.decode(_bind.executorch(), memoryview(data).cast("B"))
    return program


def flatbuffer(
    program: Any,
    constant_tensor_alignment: int | None,
    delegate_alignment: int | None,
    header_bytes: int = 0,
    header: Callable[[int], bytes] | None = None,
) -> bytes:
    """See ``serialize``; the header is that of ``_codec.encode``."""
    binding = _bind.executorch()
    alignments = binding.alignments(constant_tensor_alignment, delegate_alignment)
    try:
        return _codec.encode(binding, program, alignments, header_bytes=header_bytes, header=header)
    except ProgramError as error:
        if type(program) is not binding.tables[-1].cls:
            raise  # JSON can make nothing of it, whatever it is.
        direct = error
    _LOG.warning("cannot serialize directly: %s; falling back to JSON and flatc", direct)
    try:
        return _fallback.encode(
            binding,
            program,
            constant_tensor_alignment,
            delegate_alignment,
            header_bytes,
            header,
        )
    except _fallback.FallbackError as error:
        _LOG.error("cannot serialize through JSON either: %s", error)
        raise ProgramError(
            f"{direct.rule} (the JSON path failed as well: {error})", direct.place
        ) from error
