# SPDX-License-Identifier: BSD-3-Clause
"""Inputs and expected outputs as callers have them: numpy arrays, torch tensors, scalars. numpy and
torch are imported only when a caller passes one of their objects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bpte.files import transfer
from bpte.files.transfer import Progress
from bpte.format import layout
from bpte.format.metadata import MAX_RANK
from bpte.format.rules import Place
from bpte.format.scalar_type import ScalarType, from_name
from bpte.format.tensor_data import CHUNK, TensorData
from bpte.text import printable

if TYPE_CHECKING:
    from typing_extensions import Buffer

_MAX_SIZE = (1 << 31) - 1


class PackError(ValueError):
    """A value or option cannot be packed. Says which method, case, input or output, and why."""

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
    """Converts what a caller gave as one input or output. Raises ``PackError`` for what a bundle
    cannot carry."""
    normal = _normalise(value)
    if isinstance(normal, TensorData):
        for size in normal.sizes:
            if not 0 <= size <= _MAX_SIZE:
                raise PackError(f"a dimension of {size}, at most {_MAX_SIZE} can be bundled")
    return normal


def _normalise(value: object) -> TensorData | int | float | bool:
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
            return _normalise(value.item())
    if isinstance(value, float):
        return float(value)
    hint = ""
    if isinstance(value, (list, tuple, dict)):
        hint = "; make it a numpy array"
    raise PackError(
        f"a {type(value).__name__} cannot be bundled, only tensors (numpy, torch), "
        f"int, float and bool{hint}"
    )


def check_array(dtype: Any, rank: int) -> ScalarType:
    """The element type of arrays of this numpy dtype. Raises ``PackError`` for what a bundle cannot
    carry."""
    scalar_type = from_name(dtype.name)
    if scalar_type is None:
        raise PackError(f"arrays of dtype {dtype} cannot be bundled")
    if rank > MAX_RANK:
        raise PackError(f"{rank} dimensions, at most {MAX_RANK} can be bundled")
    return scalar_type


def from_numpy(array: Any, dim_order: Sequence[int] | None = None) -> TensorData:
    """A numpy array. Without ``dim_order``, its bytes are stored in their order in memory if that
    is dense, else row-major. With it, in that order."""
    import numpy as np

    scalar_type = check_array(array.dtype, array.ndim)
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
            for at in range(0, flat.size, CHUNK):
                yield flat[at : at + CHUNK].data
            return
        for block in _row_blocks(laid_out):
            block = np.ascontiguousarray(block, dtype=little)
            yield block.reshape(-1).view(np.uint8).data

    return TensorData(
        scalar_type, array.shape, dim_order, blocks, lambda order: from_numpy(array, order)
    )


def _row_blocks(array: Any) -> Iterator[Any]:
    """Pieces of about a chunk, in row-major order, of an array of numpy's or torch's."""
    if array.nbytes <= CHUNK or array.ndim == 0:
        yield array
        return
    row = array.nbytes // array.shape[0]
    if row > CHUNK:
        for part in array:
            yield from _row_blocks(part)
        return
    step = max(1, CHUNK // row)
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
        pieces = [laid_out] if laid_out.is_contiguous() else _row_blocks(laid_out)
        for piece in pieces:
            flat = piece.contiguous().view(-1)
            step = max(1, CHUNK // max(1, flat.element_size()))
            for at in range(0, flat.numel(), step):
                yield flat[at : at + step].cpu().view(torch.uint8).numpy().data

    return TensorData(
        scalar_type,
        tuple(tensor.shape),
        order,
        blocks,
        lambda order: _from_torch(tensor, order),
    )


def flatten(data: object) -> list[object]:
    """The leaves of nested lists, tuples and dicts, in order."""
    if isinstance(data, dict):
        return [leaf for value in data.values() for leaf in flatten(value)]
    if isinstance(data, (list, tuple)):
        return [leaf for value in data for leaf in flatten(value)]
    return [data]


def write_tensor(
    fd: int, extent: layout.Extent, tensor: TensorData, progress: Progress | None, crc: int
) -> int:
    """Writes a tensor's bytes into ``extent`` of a file. Returns their CRC-32, continued from
    ``crc``."""
    written, crc = transfer.write_blocks(fd, extent.offset, tensor.blocks(), progress, crc)
    if written != extent.size:
        raise PackError(f"a tensor gave {written} bytes, {extent.size} were announced")
    return crc
