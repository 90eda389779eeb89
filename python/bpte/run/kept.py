# SPDX-License-Identifier: BSD-3-Clause
"""The actual outputs of a run, kept in a scratch file until somebody wants them."""

from __future__ import annotations

import math
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from bpte.format.scalar_type import ELEMENT_SIZE, from_name, numpy_dtype
from bpte.run.protocol_keys import ActualValue, Number

if TYPE_CHECKING:
    import numpy as np

_BLOCK = 1 << 20


class Spool:
    """A file without a name for the bytes of a run's outputs. It is gone with its last user."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0

    def reserve(self, size: int) -> int:
        """Sets room aside; gives its offset. Nothing is written yet. Raises OSError."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="bpte-outputs-")  # noqa: SIM115
        offset = self._end
        self._end = -(-(offset + size) // 64) * 64  # elements are aligned
        return offset

    def write(self, offset: int, data: bytes) -> None:
        """Raises OSError, of a full disk for instance."""
        assert self._file is not None
        while data:
            done = os.pwrite(self._file.fileno(), data, offset)
            data, offset = data[done:], offset + done

    def blocks(self, offset: int, size: int) -> Iterator[bytes]:
        """What was written, in pieces."""
        assert self._file is not None or size == 0
        while size:
            assert self._file is not None
            block = os.pread(self._file.fileno(), min(size, _BLOCK), offset)
            if not block:
                block = bytes(min(size, _BLOCK))  # a hole at the file's end
            yield block
            offset, size = offset + len(block), size - len(block)

    def crc32(self, offset: int, size: int) -> int:
        value = 0
        for block in self.blocks(offset, size):
            value = zlib.crc32(block, value)
        return value

    def view(self, offset: int, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The bytes as an array that is read from the file when it is used."""
        import numpy as np

        if size == 0:
            return np.empty(0, np.uint8)
        assert self._file is not None
        # The array's memory lives as long as it does, whatever becomes of the file.
        return np.memmap(self._file, np.uint8, "r", offset, (size,))


@dataclass(frozen=True)
class KeptOutput:
    """What one output of a case came to.

    `kind` is "tensor", "int", "double" or "bool". Of a tensor: `dtype` is numpy's name of its
    element type ("bfloat16" for the type that numpy alone does not have), `sizes` its shape,
    `dim_order` its dimensions as its bytes have them, the outermost first; the bytes lie densely
    and are little-endian. Of a scalar: `value`.
    """

    kind: str
    dtype: str | None = None
    sizes: tuple[int, ...] = ()
    dim_order: tuple[int, ...] = ()
    value: Number | None = None
    _spool: Spool | None = None
    _offset: int = 0

    @property
    def nbytes(self) -> int:
        """Of the payload; 0 for a scalar."""
        scalar_type = from_name(self.dtype) if self.dtype is not None else None
        return 0 if scalar_type is None else math.prod(self.sizes) * ELEMENT_SIZE[scalar_type]

    def blocks(self) -> Iterator[bytes]:
        """A tensor's bytes as they lay on the target, in pieces."""
        if self._spool is not None:
            yield from self._spool.blocks(self._offset, self.nbytes)

    def payload(self) -> bytes:
        """The same at once."""
        return b"".join(self.blocks())

    def array(self) -> np.ndarray[Any, Any]:
        """The value with its logical shape; a scalar's has none. A tensor's elements are read from
        the scratch file as they are used. bfloat16: as `bpte.format.scalar_type.numpy_dtype`."""
        import numpy as np

        if self.kind != "tensor":
            dtype = {"int": np.int64, "double": np.float64, "bool": np.bool_}[self.kind]
            return np.array(self.value, dtype)
        assert self.dtype is not None and self._spool is not None
        scalar_type = from_name(self.dtype)
        assert scalar_type is not None  # the record was checked
        flat = self._spool.view(self._offset, self.nbytes).view(numpy_dtype(scalar_type))
        stored = flat.reshape([self.sizes[dimension] for dimension in self.dim_order])
        return stored.transpose([self.dim_order.index(i) for i in range(len(self.sizes))])


def kept_output(actual: ActualValue, spool: Spool, offset: int) -> KeptOutput:
    """An output whose bytes lie in the spool from `offset` on."""
    if actual.kind != "tensor":
        return KeptOutput(actual.kind, value=actual.value)
    return KeptOutput(
        actual.kind, actual.dtype, actual.shape, actual.dim_order, None, spool, offset
    )
