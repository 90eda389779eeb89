# SPDX-License-Identifier: BSD-3-Clause
"""The tensors of a TOSA graph: what they are, and how one that is no output becomes one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from bpte.pack.tensors import PackError

_IDENTIFIER = b"TOSA"  # in bytes 4 to 8
_DTYPES = {"INT8": np.int8, "INT16": np.int16, "INT32": np.int32}


class GraphTensor(NamedTuple):
    """``dtype``: None where numpy has no such type of its own (``INT48``), or no NPU (``BOOL``)."""

    shape: tuple[int, ...]
    dtype: Any


class GraphTensors:
    """A graph of one block, as ExecuTorch's Arm backend writes it.

    ``inputs`` are the names of its inputs, in their order; ``tensors`` are all by their names.
    Needs the package tosa-tools.
    """

    def __init__(self, flatbuffer: bytes) -> None:
        """Raises ``PackError``."""
        if flatbuffer[4:8] != _IDENTIFIER:
            raise PackError("this is not a TOSA graph")
        self._flatbuffer = flatbuffer
        try:
            block = self._block = _block(flatbuffer)
            self.inputs = tuple(_name(block.Inputs(k)) for k in range(block.InputsLength()))
            self.tensors = dict(_tensor(block.Tensors(k)) for k in range(block.TensorsLength()))
        except (struct.error, IndexError, TypeError, AttributeError) as error:
            raise PackError(f"the TOSA graph cannot be read: {error}") from error

    def checked_inputs(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs in the graph's shapes, if their elements are of its types, and in its order.
        Raises ``PackError``."""
        arrays = [self._input(k, value) for k, value in enumerate(inputs)]
        if len(arrays) != len(self.inputs):
            raise PackError(f"{len(arrays)} inputs, the graph has {len(self.inputs)}")
        return arrays

    def _input(self, index: int, value: Any) -> Any:
        if index >= len(self.inputs):
            raise PackError(f"input {index}: the graph has {len(self.inputs)}")
        shape, dtype = self.tensors[self.inputs[index]]
        array = np.ascontiguousarray(value)
        if dtype is None or array.dtype != dtype or array.size != np.prod(shape, dtype=np.int64):
            wanted = f"{np.dtype(dtype).name if dtype else 'no integers'}{list(shape)}"
            raise PackError(
                f"input {index}: {array.dtype}{list(array.shape)}, the graph's is {wanted}"
            )
        return array.reshape(shape)

    def with_outputs(self, names: Sequence[str]) -> bytes:
        """The graph, but its outputs are the tensors of these names. Raises ``PackError``."""
        for name in names:
            if name not in self.tensors:
                raise PackError(f"the graph has no tensor {name!r}")
        # A FlatBuffer's offsets point forward: the new list, and the names in it, go to the end.
        end = len(self._flatbuffer) + -len(self._flatbuffer) % 4
        texts = [name.encode() for name in names]
        places, at = [], 4 + 4 * len(texts)
        for text in texts:
            places.append(at)
            at += 4 + len(text) + 4 - len(text) % 4  # its size, itself, and one NUL at least
        added = struct.pack("<I", len(texts))
        added += b"".join(struct.pack("<I", place - 4 - 4 * k) for k, place in enumerate(places))
        for text in texts:
            added += struct.pack("<I", len(text)) + text + bytes(4 - len(text) % 4)
        whole = bytearray(self._flatbuffer.ljust(end, b"\0") + added)
        field = self._outputs_field()
        struct.pack_into("<I", whole, field, end - field)
        return bytes(whole)

    def _outputs_field(self) -> int:
        """Where the block's table points to its outputs: the vector of names begins there."""
        table = self._block._tab
        slot = table.Offset(_OUTPUTS_SLOT)
        if not slot:
            raise PackError("the TOSA graph has no outputs")
        return int(table.Pos + slot)


#: The field `outputs` in the table TosaBasicBlock of tosa.fbs: its fifth.
_OUTPUTS_SLOT = 4 + 2 * 4


def _package(name: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise PackError(
            f"TOSA graphs need the package tosa-tools ({error}): pip install 'bpte[tosa]'"
        ) from error


def _block(flatbuffer: bytes) -> Any:
    graph = _package("tosa.TosaGraph").TosaGraph.GetRootAs(flatbuffer, 0)
    if graph.RegionsLength() != 1 or graph.Regions(0).BlocksLength() != 1:
        raise PackError("the TOSA graph has control flow")
    return graph.Regions(0).Blocks(0)


def _name(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _tensor(tensor: Any) -> tuple[str, GraphTensor]:
    numbers = vars(_package("tosa.DType").DType)
    dtypes = {numbers[name]: dtype for name, dtype in _DTYPES.items()}
    shape = tuple(tensor.Shape(d) for d in range(tensor.ShapeLength()))
    return _name(tensor.Name()), GraphTensor(shape, dtypes.get(tensor.Type()))
