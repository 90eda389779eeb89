# SPDX-License-Identifier: BSD-3-Clause
"""Dense tensors on their way into a bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bpte.format.scalar_type import ELEMENT_SIZE, ScalarType, numpy_dtype

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 4 << 20
"""Bytes of a tensor that are looked at, or laid out anew, at a time."""


class TensorData:
    """A dense tensor to be stored: dtype and shape, and its bytes in the memory order of
    ``dim_order``. The bytes come block by block, so that the whole need not be copied."""

    __slots__ = ("_again", "_blocks", "dim_order", "scalar_type", "size", "sizes")

    def __init__(
        self,
        scalar_type: int,
        sizes: Sequence[int],
        dim_order: Sequence[int],
        blocks: Callable[[], Iterator[Buffer]],
        again: Callable[[Sequence[int]], TensorData] | None = None,
    ) -> None:
        """``again`` makes the same tensor in another order, if it can do so without a copy of the
        whole."""
        self.scalar_type = ScalarType(scalar_type)
        self.sizes = tuple(sizes)
        self.dim_order = tuple(dim_order)
        self.size = math.prod(self.sizes) * ELEMENT_SIZE[scalar_type]
        """Bytes."""
        self._blocks = blocks
        self._again = again

    def blocks(self) -> Iterator[Buffer]:
        return self._blocks()

    def same_bytes(self, other: TensorData) -> bool:
        """Whether both would store the same bytes. Stops at the first difference."""
        if self.size != other.size:
            return False
        return all(a == b for a, b in zip(self.pieces(CHUNK), other.pieces(CHUNK), strict=True))

    def pieces(self, size: int) -> Iterator[bytes]:
        """The same bytes in pieces of ``size``; only the last may be shorter."""
        rest = b""
        for block in self.blocks():
            view = memoryview(block).cast("B")
            if rest:
                wanted = size - len(rest)
                rest, view = rest + view[:wanted], view[wanted:]
                if len(rest) < size:
                    continue
                yield rest
            whole = len(view) // size * size
            for at in range(0, whole, size):
                yield bytes(view[at : at + size])
            rest = bytes(view[whole:])
        if rest:
            yield rest

    def beginning(self) -> bytes:
        """The first bytes that it would store: a cheap way to see that two tensors differ."""
        return next(self.pieces(min(256, self.size)), b"") if self.size else b""

    def stated_as(self, dim_order: Sequence[int]) -> TensorData | None:
        """The same bytes under another ``dim_order``, if that means the same layout: dimensions of
        size 1 (and empty tensors) have no place in memory. ``None`` if it does not."""
        dim_order = tuple(dim_order)
        if sorted(dim_order) != sorted(self.dim_order):
            return None
        wide = [d for d in self.dim_order if self.sizes[d] != 1]
        if self.size and wide != [d for d in dim_order if self.sizes[d] != 1]:
            return None
        return TensorData(self.scalar_type, self.sizes, dim_order, self._blocks, self._again)

    def reordered(self, dim_order: Sequence[int]) -> TensorData:
        """The same tensor with its bytes in another order."""
        same = self.stated_as(dim_order)
        if same is not None:
            return same
        if self._again is not None:
            return self._again(dim_order)

        def blocks() -> Iterator[Buffer]:
            import numpy as np

            laid_out = np.ascontiguousarray(self.array().transpose(tuple(dim_order)))
            yield laid_out.reshape(-1).view(np.uint8).data

        return TensorData(self.scalar_type, self.sizes, dim_order, blocks)

    def array(self) -> Any:
        """A numpy array of it, with its logical shape (bfloat16: see ``numpy_dtype``)."""
        import numpy as np

        flat = np.frombuffer(b"".join(self.blocks()), numpy_dtype(self.scalar_type))
        shape = [self.sizes[d] for d in self.dim_order]
        return flat.reshape(shape).transpose(inverse(self.dim_order))


def inverse(permutation: Sequence[int]) -> list[int]:
    """The inverse of a permutation."""
    result = [0] * len(permutation)
    for position, dimension in enumerate(permutation):
        result[dimension] = position
    return result
