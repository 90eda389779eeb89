# SPDX-License-Identifier: BSD-3-Clause
"""The container that ExecuTorch's Arm backend hands to its delegate: named blocks, one after the
other."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from bpte.program import ProgramError

#: The name of the backend whose delegates these are.
BACKEND = "EthosUBackend"

#: A block: its name, its size in bytes, and 1 where the data is a key of the program's named data.
_BLOCK = struct.Struct("<16sIB11x")
_ALIGNMENT = 16
#: An entry of inputs and outputs: shape, size of an element, offset, region.
_ENTRY = struct.Struct("<9i")
#: The blocks, in their order.
_FIRST, _COMMANDS, _WEIGHTS, _SCRATCH = "vela_bin_stream", "cmd_data", "weight_data", "scratch_size"
_INPUTS, _OUTPUTS, _LAST = "inputs", "outputs", "vela_end_stream"


@dataclass(frozen=True)
class Binding:
    """An input or output, and where it lies in the scratch memory."""

    shape: tuple[int, ...]
    element_bytes: int
    offset: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.element_bytes


@dataclass(frozen=True)
class Container:
    """A delegate's parts; views into its bytes. ``scratch_size`` is in bytes."""

    commands: memoryview
    weights: memoryview
    scratch_size: int
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]


def read_container(data: bytes | memoryview) -> Container:
    """Raises ProgramError, which names the block."""
    blocks: dict[str, memoryview] = {}
    rest = memoryview(data).cast("B")
    for name in (_FIRST, _COMMANDS, _WEIGHTS, _SCRATCH, _INPUTS, _OUTPUTS, _LAST):
        blocks[name], rest = _take(name, rest)
    if len(blocks[_SCRATCH]) != 4:
        raise _refusal(_SCRATCH, f"has {len(blocks[_SCRATCH])} bytes, not 4")
    (scratch_size,) = struct.unpack("<I", blocks[_SCRATCH])
    return Container(
        blocks[_COMMANDS],
        blocks[_WEIGHTS],
        scratch_size,
        _bindings(_INPUTS, blocks[_INPUTS], scratch_size),
        _bindings(_OUTPUTS, blocks[_OUTPUTS], scratch_size),
    )


def _refusal(block: str, rule: str) -> ProgramError:
    return ProgramError(f"the block {block} {rule}", "Ethos-U delegate")


def _take(name: str, rest: memoryview) -> tuple[memoryview, memoryview]:
    """The block of that name, and what follows it."""
    if len(rest) < _BLOCK.size:
        raise _refusal(name, "is missing")
    stated, size, external = _BLOCK.unpack_from(rest)
    if stated.rstrip(b"\0") != name.encode():
        raise _refusal(name, "is missing")
    rest = rest[_BLOCK.size :]
    if size > len(rest):
        raise _refusal(name, f"states {size} bytes, {len(rest)} are left")
    if external:
        key = bytes(rest[:size]).decode("ascii", "replace")
        raise _refusal(name, f"is named data ({key}), only blocks of the delegate are read")
    return rest[:size], rest[size + -size % _ALIGNMENT :]


def _bindings(name: str, block: memoryview, scratch_size: int) -> tuple[Binding, ...]:
    count = struct.unpack_from("<I", block)[0] if len(block) >= 4 else None
    if count is None or count > (len(block) - 4) // _ENTRY.size:
        raise _refusal(name, f"has {len(block)} bytes, which its count does not fit")
    return tuple(
        _binding(f"{name}[{i}]", _ENTRY.unpack_from(block, 4 + i * _ENTRY.size), scratch_size)
        for i in range(count)
    )


def _binding(place: str, entry: tuple[int, ...], scratch_size: int) -> Binding:
    *shape, element_bytes, offset, _region = entry
    binding = Binding(tuple(shape), element_bytes, offset)
    where = f"Ethos-U delegate: {place}"
    if element_bytes not in (1, 2, 4):
        raise ProgramError(f"has elements of {element_bytes} bytes", where)
    if min(shape) < 0:
        raise ProgramError(f"has the size {min(shape)}", where)
    if offset < 0 or binding.nbytes > scratch_size - offset:
        raise ProgramError(
            f"(offset {offset}, {binding.nbytes} bytes) ends past the scratch memory, "
            f"{scratch_size} bytes",
            where,
        )
    return binding
