# SPDX-License-Identifier: BSD-3-Clause
"""Inputs and expected outputs as people have them: numpy arrays, torch tensors, scalars.

Neither numpy nor torch is imported here before somebody hands over one of theirs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bpte.format.metadata import MAX_RANK
from bpte.format.rules import Place
from bpte.format.scalar_type import ELEMENT_SIZE, ScalarType, from_name, numpy_dtype
from bpte.text import printable

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CHUNK = 4 << 20


class PackError(ValueError):
    """What was given cannot be packed: says which method, case, input or output, and why."""

    def __init__(self, what: str, *, method: str | None = None, place: Place | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.method = method
        self.place = place

    def at(self, method: str, place: Place) -> PackError:
        """The same error, with its place."""
        return type(self)(self.what, method=method, place=place)

    def __str__(self) -> str:
        parts = [f"method {self.method!r}"] if self.method is not None else []
        if self.place is not None and (place := str(self.place._replace(suite=None))):
            parts.append(place)
        return printable(f"{', '.join(parts)}: {self.what}" if parts else self.what)


class TensorData:
    """A dense tensor to be stored: its facts, and its bytes in the memory order of ``dim_order``,
    block by block, so that none of it need be copied as a whole."""

    __slots__ = ("_again", "_blocks", "dim_order", "scalar_type", "size", "sizes")

    def __init__(
        self,
        scalar_type: int,
        sizes: Sequence[int],
        dim_order: Sequence[int],
        blocks: Callable[[], Iterator[Buffer]],
        again: Callable[[Sequence[int]], TensorData] | None = None,
    ) -> None:
        """``again`` makes the same tensor in another order, where that needs no copy of the
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
        mine, theirs = _Stream(self.blocks()), _Stream(other.blocks())
        left = self.size
        while left:
            step = min(_CHUNK, left, mine.available(), theirs.available())
            if mine.take(step) != theirs.take(step):
                return False
            left -= step
        return True

    def beginning(self) -> bytes:
        """The first bytes that it would store, to tell different tensors apart cheaply."""
        stream = _Stream(self.blocks())
        return bytes(stream.take(min(256, self.size, stream.available()))) if self.size else b""

    def stated_as(self, dim_order: Sequence[int]) -> TensorData | None:
        """The same bytes under another ``dim_order``, when that says the same: dimensions of size
        1 (and empty tensors) have no place in memory. ``None`` when it does not."""
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
        return self._again(dim_order) if self._again else from_numpy(self.array(), dim_order)

    def array(self) -> Any:
        """A numpy array of it, with its logical shape (bfloat16: see ``numpy_dtype``)."""
        import numpy as np

        flat = np.frombuffer(b"".join(self.blocks()), numpy_dtype(self.scalar_type))
        shape = [self.sizes[d] for d in self.dim_order]
        return flat.reshape(shape).transpose(inverse(self.dim_order))


class _Stream:
    """Blocks, taken in steps of one's own choosing."""

    def __init__(self, blocks: Iterator[Buffer]) -> None:
        self._blocks = blocks
        self._view = memoryview(b"")

    def available(self) -> int:
        while not len(self._view):
            self._view = memoryview(next(self._blocks)).cast("B")
        return len(self._view)

    def take(self, count: int) -> bytes:
        step, self._view = self._view[:count], self._view[count:]
        return bytes(step)


def inverse(permutation: Sequence[int]) -> list[int]:
    result = [0] * len(permutation)
    for position, dimension in enumerate(permutation):
        result[dimension] = position
    return result


def memory_order(sizes: Sequence[int], strides: Sequence[int]) -> tuple[int, ...] | None:
    """The dim_order of a dense tensor with these strides (in elements); ``None`` when it is not
    dense: has holes, overlaps, or runs backwards. A row-major one is row-major whatever the strides
    of dimensions of size 1 say."""
    rank = len(sizes)
    row_major = tuple(range(rank))
    if 0 in sizes or _is_dense(sizes, strides, row_major):
        return row_major
    order = tuple(sorted(range(rank), key=lambda d: (-strides[d], d)))
    return order if _is_dense(sizes, strides, order) else None


def _is_dense(sizes: Sequence[int], strides: Sequence[int], order: Sequence[int]) -> bool:
    step = 1
    for dimension in reversed(order):
        if sizes[dimension] != 1 and strides[dimension] != step:
            return False
        step *= sizes[dimension]
    return True


def normalise(value: object) -> TensorData | int | float | bool:
    """What a caller gave as one input or output. Raises ``PackError`` for what a bundle cannot
    carry."""
    if isinstance(value, TensorData):
        return value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise PackError(f"the integer {value} does not fit 64 bits")
        return int(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return from_numpy(value)
        if isinstance(value, numpy.bool_):
            return bool(value)
        if isinstance(value, (numpy.integer, numpy.floating)):
            return normalise(value.item())
    if isinstance(value, float):
        return float(value)
    hint = ""
    if isinstance(value, (list, tuple, dict)):
        hint = "; make it a numpy array"
    raise PackError(
        f"a {type(value).__name__} cannot be bundled, only tensors (numpy, torch), "
        f"int, float and bool{hint}"
    )


def from_numpy(array: Any, dim_order: Sequence[int] | None = None) -> TensorData:
    """A numpy array. Without ``dim_order`` its bytes are stored in the order in which they lie in
    memory when that is dense, else row-major; with it, in that order."""
    import numpy as np

    scalar_type = from_name(array.dtype.name)
    if scalar_type is None:
        raise PackError(f"arrays of dtype {array.dtype} cannot be bundled")
    if array.ndim > MAX_RANK:
        raise PackError(f"{array.ndim} dimensions, at most {MAX_RANK} can be bundled")
    array = np.asarray(array)
    if dim_order is None:
        item = array.itemsize
        order = memory_order(array.shape, [stride // item for stride in array.strides])
        dim_order = order if order is not None else range(array.ndim)
    elif sorted(dim_order) != list(range(array.ndim)):
        raise PackError(f"dim_order {list(dim_order)} is not a permutation of the dimensions")
    laid_out = array.transpose(tuple(dim_order))

    def blocks() -> Iterator[Buffer]:
        little = laid_out.dtype.newbyteorder("<") if laid_out.dtype.byteorder == ">" else None
        if laid_out.flags.c_contiguous and little is None:
            flat = laid_out.reshape(-1).view(np.uint8)
            for at in range(0, flat.size, _CHUNK):
                yield flat[at : at + _CHUNK].data
            return
        for block in _row_blocks(laid_out):
            block = np.ascontiguousarray(block, dtype=little)
            yield block.reshape(-1).view(np.uint8).data

    return TensorData(
        scalar_type, array.shape, dim_order, blocks, lambda order: from_numpy(array, order)
    )


def _row_blocks(array: Any) -> Iterator[Any]:
    """Pieces of about a chunk, in row-major order."""
    if array.nbytes <= _CHUNK or array.ndim == 0:
        yield array
        return
    row = array.nbytes // array.shape[0]
    if row > _CHUNK:
        for part in array:
            yield from _row_blocks(part)
        return
    step = max(1, _CHUNK // row)
    for at in range(0, array.shape[0], step):
        yield array[at : at + step]


def _from_torch(tensor: Any, dim_order: Sequence[int] | None = None) -> TensorData:
    torch = sys.modules["torch"]
    name = str(tensor.dtype).removeprefix("torch.")
    scalar_type = from_name(name)
    if scalar_type is None or tensor.is_quantized:
        raise PackError(f"tensors of dtype {tensor.dtype} cannot be bundled")
    if tensor.layout != torch.strided:
        raise PackError(f"tensors of layout {tensor.layout} cannot be bundled")
    if tensor.dim() > MAX_RANK:
        raise PackError(f"{tensor.dim()} dimensions, at most {MAX_RANK} can be bundled")
    if dim_order is None:
        dim_order = memory_order(tensor.shape, tensor.stride()) or tuple(range(tensor.dim()))
    order = tuple(dim_order)

    def blocks() -> Iterator[Buffer]:
        laid_out = tensor.detach().resolve_neg().permute(order)
        pieces = [laid_out] if laid_out.is_contiguous() else _torch_row_blocks(laid_out)
        for piece in pieces:
            flat = piece.contiguous().view(-1)
            step = max(1, _CHUNK // max(1, flat.element_size()))
            for at in range(0, flat.numel(), step):
                yield flat[at : at + step].cpu().view(torch.uint8).numpy().data

    return TensorData(
        scalar_type,
        tuple(tensor.shape),
        order,
        blocks,
        lambda order: _from_torch(tensor, order),
    )


def _torch_row_blocks(tensor: Any) -> Iterator[Any]:
    nbytes = tensor.numel() * tensor.element_size()
    if nbytes <= _CHUNK or tensor.dim() == 0:
        yield tensor
        return
    row = nbytes // tensor.shape[0]
    if row > _CHUNK:
        for part in tensor:
            yield from _torch_row_blocks(part)
        return
    step = max(1, _CHUNK // row)
    for at in range(0, tensor.shape[0], step):
        yield tensor[at : at + step]


def flatten(data: object) -> list[object]:
    """The leaves of nested lists, tuples and dicts, in order."""
    if isinstance(data, dict):
        return [leaf for value in data.values() for leaf in flatten(value)]
    if isinstance(data, (list, tuple)):
        return [leaf for value in data for leaf in flatten(value)]
    return [data]
