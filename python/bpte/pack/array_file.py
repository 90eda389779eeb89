# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of ``.npy`` and ``.npz`` files, which other programs may change while they are packed.

A ``.npy`` file is read block by block when it is written into the bundle, and is never wholly in
memory; it is not mapped, as a mapped file that is cut short ends the process. Each reading checks
that the file is the same and has not changed.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bpte.files import access, transfer
from bpte.format.scalar_type import from_name, numpy_dtype
from bpte.format.tensor_data import TensorData, inverse
from bpte.pack.tensors import PackError, check_array, from_numpy, memory_order

_NPY_MAGIC = b"\x93NUMPY"


def load_array(
    folder: Path, name: str, dtype: object = None, dim_order: Sequence[int] | None = None
) -> TensorData:
    """The array of ``x.npy``, or of ``more.npz:x``; see ``from_numpy``. ``dtype``: the same bytes
    as another type, as .npy has no name for bfloat16. Raises ``PackError``, ``OSError``."""
    path, _, member = name.partition(".npz:")
    if member:
        return from_numpy(_viewed(_member(folder / f"{path}.npz", member), dtype), dim_order)
    file = folder / name
    with os.fdopen(_open(file), "rb") as opened:
        stored = _read_header(opened, file, name)
    return _tensor(stored, dtype, dim_order)


def _open(path: Path) -> int:
    if "\0" in str(path):
        raise PackError(f"a file's name cannot hold a NUL: {str(path)!r}")
    return access.open_input(path)


class _Stored(NamedTuple):
    """Where the elements of an array lie in its file."""

    path: Path
    state: access.FileState
    offset: int
    dtype: Any
    shape: tuple[int, ...]
    dim_order: tuple[int, ...]
    """The order in which they lie there."""

    @property
    def size(self) -> int:
        return math.prod(self.shape) * int(self.dtype.itemsize)

    def blocks(self) -> Iterator[bytes]:
        fd = access.open_input(self.path)
        try:
            access.require_state(self.path, self.state, fd)
            yield from transfer.read_blocks(fd, self.offset, self.size)
            access.require_state(self.path, self.state, fd)
        except access.SourceError as error:
            raise access.SourceError(error.errno, error.strerror, str(self.path)) from None
        finally:
            os.close(fd)


def _read_header(file: Any, path: Path, name: str) -> _Stored:
    from numpy.lib import format as npy

    magic = file.read(len(_NPY_MAGIC))
    if magic != _NPY_MAGIC:
        raise PackError(_not_an_array(path, name, magic))
    file.seek(0)
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        shape, fortran, dtype = read(file)
    except Exception as error:  # also from Python's tokenizer and parser
        raise PackError(f"{path} is not a .npy or .npz file: {error}") from None
    if dtype.hasobject or dtype.subdtype is not None:
        raise PackError(f"{path}: arrays of dtype {dtype} cannot be bundled")
    order = tuple(range(len(shape)))
    stored = _Stored(
        path,
        access.file_state(os.fstat(file.fileno())),
        file.tell(),
        dtype,
        shape,
        order[::-1] if fortran else order,
    )
    if any(size < 0 for size in shape) or stored.offset + stored.size > stored.state.size:
        raise PackError(
            f"{path} is cut short: {stored.size} bytes of {dtype}{list(shape)} from byte "
            f"{stored.offset} do not fit its {stored.state.size} bytes"
        )
    return stored


def _not_an_array(path: Path, name: str, magic: bytes) -> str:
    if magic[:2] == b"PK":
        if path.suffix == ".npz":
            return f"say which member of {path}: {name}:MEMBER"
        return (
            f"{path} is an archive (as torch.save writes), no .npy file: save each tensor with "
            "numpy.save(name, tensor.numpy())"
        )
    return f"{path} is not a .npy or .npz file: save the array with numpy.save"


def _tensor(stored: _Stored, dtype: object, dim_order: Sequence[int] | None) -> TensorData:
    import numpy as np

    in_file = np.dtype(stored.dtype)
    little = in_file.newbyteorder("<")
    scalar_type = check_array(_viewed(np.empty(0, little), dtype).dtype, len(stored.shape))

    def blocks() -> Iterator[bytes]:
        if in_file == little:
            yield from stored.blocks()
            return
        for block in stored.blocks():  # whole elements: the size of a block is a multiple of 16
            yield np.frombuffer(block, in_file).astype(little).tobytes()

    def again(order: Sequence[int]) -> TensorData:
        return TensorData(scalar_type, stored.shape, order, lambda: reordered(order))

    def reordered(order: Sequence[int]) -> Iterator[Any]:
        with _private_copy(stored) as flat:
            if in_file != little:
                flat = flat.astype(little)
            laid_out = _viewed(flat, dtype).reshape([stored.shape[d] for d in stored.dim_order])
            yield from from_numpy(laid_out.transpose(inverse(stored.dim_order)), order).blocks()

    strides = [0] * len(stored.shape)
    step = 1
    for dimension in reversed(stored.dim_order):
        strides[dimension] = step
        step *= stored.shape[dimension]
    order = memory_order(stored.shape, strides) or stored.dim_order
    data = TensorData(scalar_type, stored.shape, order, blocks, again)
    if dim_order is None:
        return data
    if sorted(dim_order) != list(range(len(stored.shape))):
        raise PackError(f"dim_order {list(dim_order)} is not a permutation of the dimensions")
    return data.reordered(dim_order)


@contextlib.contextmanager
def _private_copy(stored: _Stored) -> Iterator[Any]:
    """The elements as a mapped array of a private copy, which no other program can cut short. To
    reorder the elements, they are read from all over the file."""
    import numpy as np

    with tempfile.TemporaryFile() as copy:
        try:
            transfer.write_blocks(copy.fileno(), 0, stored.blocks())
        except OSError as error:
            if error.filename is not None:
                raise
            reason = f"{error.strerror} (for a copy of {stored.path})"
            raise OSError(error.errno, reason, tempfile.gettempdir()) from None
        yield np.memmap(copy, stored.dtype, "r")


def _member(path: Path, member: str) -> Any:
    import numpy as np

    with os.fdopen(_open(path), "rb") as file:
        magic = file.read(len(_NPY_MAGIC))
        if magic == _NPY_MAGIC:
            raise PackError(f"{path} is one array, without members: name it without :{member}")
        if magic[:2] != b"PK":
            raise PackError(f"{path} is not a .npz file: save arrays with numpy.savez")
        file.seek(0)
        try:
            members = np.load(file, allow_pickle=False)
            if member in members:
                array = members[member]
                if not isinstance(array, np.ndarray):
                    raise ValueError(f"its member {member!r} is not an array")
                return array
            known = ", ".join(members) or "none"
        except MemoryError:
            raise PackError(f"{path}:{member} does not fit into memory") from None
        except Exception as error:  # from zip archives, decompressors and numpy's parser
            raise PackError(f"{path} is not a .npz file: {error}") from None
    raise PackError(f"{path} has no member {member!r}, it has {known}")


def _viewed(array: Any, dtype: object) -> Any:
    """The same bytes as another type."""
    if dtype is None:
        return array
    scalar_type = from_name(dtype) if isinstance(dtype, str) else None
    if scalar_type is None:
        raise PackError(f"unknown dtype {dtype!r}")
    wanted = numpy_dtype(scalar_type)
    if wanted.name != dtype:
        raise PackError(f"{dtype} needs the package ml_dtypes")
    if wanted.itemsize != array.dtype.itemsize:
        raise PackError(f"{array.dtype} cannot be read as {dtype}: another size")
    return array.view(wanted)
