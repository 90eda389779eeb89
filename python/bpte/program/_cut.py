# SPDX-License-Identifier: BSD-3-Clause
"""Cuts an instruction out of a method into a program of its own.

What it reads becomes the new method's inputs, what it writes its outputs. Its constants go along,
nothing else does.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bpte.program._effects import Effects, effects

METHOD = "forward"
"""The name of the method that is made."""

_ALIGNMENT = 16
_LISTS = ("IntList", "TensorList", "OptionalTensorList")
"""Kinds of values that refer to others."""


class CutError(ValueError):
    """Why this instruction cannot be a program of its own."""


@dataclass(frozen=True)
class InstructionNeeds:
    """Indexes of a method's values. ``inputs``: tensors that must be given. ``scalars``: numbers
    that an earlier instruction gives, which become constants. ``outputs``: what is written."""

    inputs: tuple[int, ...]
    scalars: tuple[int, ...]
    outputs: tuple[int, ...]


def instruction_needs(program: Any, method: str, chain: int, index: int) -> InstructionNeeds:
    """What an instruction takes and gives. ``program`` is executorch's. Raises ``CutError``."""
    return _Cut(program, method, chain, index).needs


def cut(
    pte: Any,
    method: str,
    chain: int,
    index: int,
    sizes: Mapping[int, Sequence[int]],
    scalars: Mapping[int, int | float | bool],
) -> Any:
    """The ``PTEFile`` with this instruction alone. Its method is called ``METHOD``; its inputs and
    outputs are those of ``instruction_needs``, in that order, as static tensors.

    ``pte`` is a ``PTEFile`` that ``deserialize_pte`` gave. ``sizes``: of each of these tensors, by
    its index. ``scalars``: the values of the numbers. Raises ``CutError``.
    """
    return _Cut(pte.program, method, chain, index).made(pte, sizes, scalars)


class _Cut:
    def __init__(self, program: Any, method: str, chain: int, index: int) -> None:
        plans = {plan.name: plan for plan in program.execution_plan}
        if method not in plans:
            raise CutError(f"the program has no method {method!r}")
        self._plan = plan = plans[method]
        done = effects(plan, 1 << 30)  # it has been read, so its size is bounded
        if not (0 <= chain < len(done) and 0 <= index < len(done[chain])):
            raise CutError(f"there is no instruction {index} in chain {chain}")
        self._call = plan.chains[chain].instructions[index].instr_args
        if type(self._call).__name__ not in ("KernelCall", "DelegateCall"):
            kind = type(self._call).__name__
            raise CutError(f"instruction {index} of chain {chain} is a {kind}: not a call")
        written = {each for row in done for effect in row for each in effect.writes}
        self.needs = self._needed(done[chain][index], written | set(plan.inputs))

    def _needed(self, done: Effects, changing: set[int]) -> InstructionNeeds:
        """``changing``: the values that are not the file's."""
        inputs: dict[int, None] = {}
        scalars: dict[int, None] = {}
        for index in self._leaves(done.reads):
            value = self._plan.values[index].val
            if type(value).__name__ == "Tensor":
                if not _is_constant(value):
                    inputs[index] = None
            elif index in changing:
                scalars[index] = None
        return InstructionNeeds(tuple(inputs), tuple(scalars), done.writes)

    def _leaves(self, indexes: Sequence[int]) -> Iterator[int]:
        """These values, and those that the lists among them refer to."""
        for index in indexes:
            value = self._plan.values[index].val
            yield index
            if type(value).__name__ in _LISTS:
                yield from (item for item in value.items if item >= 0)

    def made(
        self,
        pte: Any,
        sizes: Mapping[int, Sequence[int]],
        scalars: Mapping[int, int | float | bool],
    ) -> Any:
        schema = importlib.import_module("executorch.exir.schema")
        new = _Values(schema, self._plan, pte.program.constant_buffer, sizes, scalars)
        plan = copy.copy(self._plan)
        plan.name = METHOD
        plan.container_meta_type = schema.ContainerMetadata("", "")
        call = copy.copy(self._call)
        call.args = [new.index(index) for index in call.args]
        data = []
        if hasattr(call, "op_index"):
            plan.operators, plan.delegates = [plan.operators[call.op_index]], []
            call.op_index = 0
        else:
            delegate = copy.copy(plan.delegates[call.delegate_index])
            data = [pte.program.backend_delegate_data[delegate.processed.index]]
            delegate.processed = schema.BackendDelegateDataReference(schema.DataLocation.INLINE, 0)
            plan.operators, plan.delegates = [], [delegate]
            call.delegate_index = 0
        plan.inputs = [new.index(index) for index in self.needs.inputs]
        plan.outputs = [new.index(index) for index in self.needs.outputs]
        instruction = schema.Instruction(call)
        plan.chains = [
            schema.Chain(inputs=[], outputs=[], instructions=[instruction], stacktrace=None)
        ]
        plan.values = new.values
        plan.non_const_buffer_sizes = [0, new.planned]
        plan.non_const_buffer_device = None
        program = schema.Program(
            version=pte.program.version,
            execution_plan=[plan],
            constant_buffer=new.constants,
            backend_delegate_data=data,
            segments=[],
            constant_segment=schema.SubsegmentOffsets(segment_index=0, offsets=[]),
            mutable_data_segments=None,
        )
        upstream = importlib.import_module("executorch.exir._serialize._program")
        named = _named(pte.named_data, [entry.data for entry in data])
        return upstream.PTEFile(program=program, mutable_data=None, named_data=named)


class _Values:
    """The values of the new method, taken over as they are asked for."""

    def __init__(
        self,
        schema: Any,
        plan: Any,
        constants: Sequence[Any],
        sizes: Mapping[int, Sequence[int]],
        scalars: Mapping[int, int | float | bool],
    ) -> None:
        self._schema = schema
        self._plan = plan
        self._constants = constants
        self._sizes = sizes
        self._scalars = scalars
        self._new: dict[int, int] = {}
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        self.values: list[Any] = []
        # Buffer 0 is reserved.
        self.constants: list[Any] = [schema.Buffer(storage=b"")]
        self.planned = 0

    def index(self, old: int) -> int:
        """The new index of a value, and of what it refers to."""
        if old < 0:
            return old
        if old not in self._new:
            value = self._made(old, copy.copy(self._plan.values[old].val))
            self._new[old] = len(self.values)
            self.values.append(self._schema.EValue(value))
        return self._new[old]

    def _made(self, old: int, value: Any) -> Any:
        kind = type(value).__name__
        if kind in _LISTS:
            value.items = [self.index(item) for item in value.items]
        elif kind == "Tensor":
            self._tensor(old, value)
        elif old in self._scalars:
            number = self._scalars[old]
            name = {bool: "Bool", int: "Int", float: "Double"}[type(number)]
            value = getattr(self._schema, name)(number)
        return value

    def _tensor(self, old: int, tensor: Any) -> None:
        extra = tensor.extra_tensor_info
        if extra is not None and int(extra.location) == 1 and tensor.allocation_info is None:
            raise CutError(
                f"its constant {extra.fully_qualified_name!r} is in a data file beside the program"
            )
        tensor.extra_tensor_info = None
        if _is_constant(tensor):
            if tensor.data_buffer_idx > 0:
                self.constants.append(self._constants[tensor.data_buffer_idx])
                tensor.data_buffer_idx = len(self.constants) - 1
            return
        if old not in self._sizes:
            raise CutError(f"the sizes of its value {old} are not known")
        tensor.sizes = list(self._sizes[old])
        tensor.shape_dynamism = self._schema.TensorShapeDynamism.STATIC
        tensor.data_buffer_idx = 0
        size = _nbytes(tensor)
        offset = self._place(tensor.allocation_info, size)
        tensor.allocation_info = self._schema.AllocationDetails(
            1, offset & 0xFFFFFFFF, offset >> 32
        )

    def _place(self, allocation: Any, size: int) -> int:
        """A place of its own for each tensor. Those that had one place in common keep it: a view
        lies where its tensor does."""
        old = None
        if allocation is not None:
            offset = allocation.memory_offset_low | allocation.memory_offset_high << 32
            old = allocation.memory_id, offset
            place, room = self._places.get(old, (0, -1))
            if size <= room:
                return place
        place = self.planned
        self.planned += -(-size // _ALIGNMENT) * _ALIGNMENT
        if old is not None:
            self._places[old] = place, size
        return place


def _is_constant(tensor: Any) -> bool:
    """Whether its bytes are the file's, or it is the empty tensor that stands for none."""
    if tensor.allocation_info is not None:
        return False
    external = tensor.extra_tensor_info is not None and int(tensor.extra_tensor_info.location) == 1
    return external or tensor.data_buffer_idx > 0 or 0 in tensor.sizes


def _nbytes(tensor: Any) -> int:
    from bpte.program._inspect import element_bytes

    width = element_bytes(int(tensor.scalar_type))
    if width is None:
        raise CutError(f"a tensor of type {tensor.scalar_type} has no whole bytes")
    for size in tensor.sizes:
        width *= size
    return width


def _named(store: Any, delegates: Sequence[bytes]) -> Any:
    """The named data whose keys stand in a delegate's data: what it asks for by these names."""
    if store is None or not delegates:
        return None
    kept = {
        key: entry
        for key, entry in store.pte_data.items()
        if any(key.encode() in bytes(data) for data in delegates)
    }
    result = copy.copy(store)
    wanted = sorted({entry.buffer_index for entry in kept.values()})
    result.buffers = [store.buffers[index] for index in wanted]
    result.pte_data = {}
    for key, entry in kept.items():
        entry = copy.copy(entry)
        entry.buffer_index = wanted.index(entry.buffer_index)
        result.pte_data[key] = entry
    return result if kept else None
