# SPDX-License-Identifier: BSD-3-Clause
"""Describes a ``.pte`` file without torch, without executorch, and without reading its weights.

Only the FlatBuffer part of the file is read; constants and delegate data are located, never copied,
so a file of 10 GB takes as long as its graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bpte.format.scalar_type import ELEMENT_SIZE
from bpte.program import _codec, _header, _rules, _tables
from bpte.program._header import ExtendedHeader
from bpte.program._restore import Source, view_of

_KINDS = {
    "Null": "none",
    "Int": "int",
    "Bool": "bool",
    "Double": "double",
    "Tensor": "tensor",
    "String": "string",
    "IntList": "int_list",
    "DoubleList": "double_list",
    "BoolList": "bool_list",
    "TensorList": "tensor_list",
    "OptionalTensorList": "optional_tensor_list",
}
_DYNAMISM = {0: "static", 1: "dynamic_bound", 2: "dynamic_unbound"}

_SCALAR_TYPES = {number: name for name, number in _tables.ENUMS["ScalarType"].items()}

# Bytes per element, of those that a bundle cannot carry as well
# (executorch/runtime/core/portable_type/scalar_type.h).
_ELEMENT_BYTES = {
    **ELEMENT_SIZE,
    **dict.fromkeys((12, 13, 23, 24, 25, 26), 1),
    **{22: 2, 14: 4},
}


@dataclass(frozen=True)
class ValueInfo:
    """One value of a method.

    ``kind`` is one of tensor, int, double, bool, string, none, int_list, double_list, bool_list,
    tensor_list, optional_tensor_list. ``value`` is that of every kind but a tensor; a list of
    tensors or ints has their indexes among the method's values (-1: none), the others have what
    they hold. The rest is for tensors, and None for others: ``scalar_type`` is ExecuTorch's number
    of the element type and ``scalar_type_name`` its name in the schema; ``sizes`` are upper bounds
    unless ``dynamism`` is "static" ("dynamic_bound": bounded, "dynamic_unbound": they mean
    nothing); ``dim_order`` lists dimensions from outermost to
    innermost; ``nbytes`` is the size in bytes of a dense tensor with these sizes (None for element
    types that are not whole bytes); ``constant``: the data is in the file or in a file beside it,
    under ``data_name`` if it has one; ``memory``: (buffer id, byte offset) in the method's planned
    memory.
    """

    kind: str
    value: Any = None
    scalar_type: int | None = None
    scalar_type_name: str | None = None
    sizes: tuple[int, ...] | None = None
    dim_order: tuple[int, ...] | None = None
    dynamism: str | None = None
    nbytes: int | None = None
    constant: bool | None = None
    data_name: str | None = None
    memory: tuple[int, int] | None = None


@dataclass(frozen=True)
class DelegateInfo:
    """A part of a method that a backend runs.

    ``size`` is that of its data in bytes, ``offset`` where that begins, from the start of the
    program; ``segment`` the index of the segment that holds it, None where it is inside the
    FlatBuffer. ``compile_specs`` gives each key's value's size.
    """

    id: str
    size: int
    offset: int
    segment: int | None
    compile_specs: dict[str, int]


@dataclass(frozen=True)
class MethodInfo:
    """One entry point of a program.

    ``operators`` are "name.overload" in the order of the file ("name" without an overload);
    ``instructions`` counts all, ``instruction_kinds`` by name (KernelCall, DelegateCall, ...).
    ``external`` are the tensors whose data lies in a file beside the program, each ``data_name``
    once; data that delegates ask for by name is not among them. ``non_const_buffer_sizes`` is the
    memory plan: bytes per buffer id; id 0 is reserved.
    """

    name: str
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    operators: tuple[str, ...]
    delegates: tuple[DelegateInfo, ...]
    non_const_buffer_sizes: tuple[int, ...]
    instructions: int
    instruction_kinds: dict[str, int]
    values: int
    value_kinds: dict[str, int]
    external: tuple[ValueInfo, ...]


@dataclass(frozen=True)
class SegmentInfo:
    """``offset`` in bytes from the segment base offset, ``size`` in bytes, ``use``: one of
    "constants", "mutable data", "named data", "delegate" and "" (nothing refers to it)."""

    offset: int
    size: int
    use: str


@dataclass(frozen=True)
class ProgramInfo:
    """A ``.pte`` file. Sizes in bytes.

    ``file_size`` is that of the source, ``program_size`` that of its FlatBuffer part.
    ``header`` is None for a file without one. ``constants`` and ``constants_size`` leave out
    the reserved constant 0. ``named_data`` maps keys to segment indexes. ``unknown_fields``:
    the file was written for a newer schema, and this description leaves something out.
    """

    version: int
    file_size: int
    program_size: int
    header: ExtendedHeader | None
    methods: tuple[MethodInfo, ...]
    segments: tuple[SegmentInfo, ...]
    constants: int
    constants_size: int
    named_data: dict[str, int]
    unknown_fields: bool

    def method(self, name: str) -> MethodInfo:
        """The method of that name. Raises KeyError, which lists the methods that exist."""
        for method in self.methods:
            if method.name == name:
                return method
        raise KeyError(f"no method {name!r}; there are {[m.name for m in self.methods]}")


def inspect(source: Source, *, file_size: int | None = None) -> ProgramInfo:
    """Describes the program in a file, given its path, or in bytes.

    The bytes are those of a whole ``.pte`` file or, with ``file_size``, those of its beginning,
    which must contain its FlatBuffer. A file is memory-mapped, and closed again; nothing in the
    result refers to the source. Raises ProgramError, naming the place, for anything that is not a
    well-formed program, and OSError for a path that cannot be read.
    """
    with view_of(source) as view:
        return _inspect(view, len(view) if file_size is None else file_size)


class Checked(NamedTuple):
    """A program's records, whose rules were checked. ``size``: of the FlatBuffer; ``base``: where
    the segments begin, or 0; ``unknown``: whether there are fields that are not known."""

    program: Any
    header: ExtendedHeader | None
    size: int
    base: int
    unknown: bool


def checked(view: memoryview, file_size: int) -> Checked:
    """Reads a program from the beginning of a file. Errors as of ``inspect``."""
    header = _header.read(view, file_size)
    size = header.program_size if header else file_size
    base = header.segment_base_offset if header else 0
    program, unknown = _codec.decode(_codec.records(), view[:size], views=True, allow_unknown=True)
    _rules.check(program, file_size - base if base else 0)
    return Checked(program, header, size, base, unknown)


def _inspect(view: memoryview, size: int) -> ProgramInfo:
    program, header, program_size, base, unknown = checked(view, size)
    uses = _segment_uses(program)
    segments = tuple(
        SegmentInfo(segment.offset, segment.size, uses.get(i, ""))
        for i, segment in enumerate(program.segments or ())
    )
    constants, constants_size = _constants(program)
    return ProgramInfo(
        version=program.version,
        file_size=size,
        program_size=program_size,
        header=header,
        methods=tuple(_method(program, plan, view, base) for plan in program.execution_plan or ()),
        segments=segments,
        constants=constants,
        constants_size=constants_size,
        named_data={named.key: named.segment_index for named in program.named_data or ()},
        unknown_fields=unknown,
    )


def _segment_uses(program: Any) -> dict[int, str]:
    uses: dict[int, str] = {}
    if program.constant_segment is not None and program.constant_segment.offsets:
        uses[program.constant_segment.segment_index] = "constants"
    for mutable in program.mutable_data_segments or ():
        uses[mutable.segment_index] = "mutable data"
    for named in program.named_data or ():
        uses[named.segment_index] = "named data"
    for plan in program.execution_plan or ():
        for delegate in plan.delegates or ():
            if delegate.processed.location == 1:
                uses[delegate.processed.index] = "delegate"
    return uses


def _constants(program: Any) -> tuple[int, int]:
    segment = program.constant_segment
    if segment is not None and segment.offsets:
        return len(segment.offsets) - 1, program.segments[segment.segment_index].size
    buffers = (program.constant_buffer or ())[1:]
    return len(buffers), sum(len(buffer.storage or b"") for buffer in buffers)


def _count(objects: Iterable[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in objects:
        name = type(item).__name__
        counts[name] = counts.get(name, 0) + 1
    return counts


def _method(program: Any, plan: Any, view: memoryview, base: int) -> MethodInfo:
    values = plan.values or ()
    instructions = [
        instruction.instr_args
        for chain in plan.chains or ()
        for instruction in chain.instructions or ()
    ]
    kinds = _count(value.val for value in values)
    return MethodInfo(
        name=plan.name,
        inputs=tuple(value_info(values[i].val) for i in plan.inputs or ()),
        outputs=tuple(value_info(values[i].val) for i in plan.outputs or ()),
        operators=tuple(
            f"{operator.name}.{operator.overload}" if operator.overload else str(operator.name)
            for operator in plan.operators or ()
        ),
        delegates=tuple(
            _delegate(program, delegate, view, base) for delegate in plan.delegates or ()
        ),
        non_const_buffer_sizes=tuple(plan.non_const_buffer_sizes or ()),
        instructions=len(instructions),
        instruction_kinds=_count(instructions),
        values=len(values),
        value_kinds={_KINDS.get(name, "none"): count for name, count in kinds.items()},
        external=_external(values),
    )


def _external(values: Iterable[Any]) -> tuple[ValueInfo, ...]:
    found: dict[str | None, ValueInfo] = {}
    for value in values:
        extra = getattr(value.val, "extra_tensor_info", None)
        if extra is not None and extra.location == 1:
            info = value_info(value.val)
            found.setdefault(info.data_name, info)
    return tuple(found.values())


def _delegate(program: Any, delegate: Any, view: memoryview, base: int) -> DelegateInfo:
    index = delegate.processed.index
    in_segment = delegate.processed.location == 1
    if in_segment:
        size, offset = program.segments[index].size, base + program.segments[index].offset
    else:
        data = program.backend_delegate_data[index].data or b""
        size, offset = len(data), _address(data) - _address(view) if data else 0
    specs = {spec.key or "": len(spec.value or b"") for spec in delegate.compile_specs or ()}
    return DelegateInfo(delegate.id, size, offset, index if in_segment else None, specs)


def _address(part: Any) -> int:
    """Where the bytes of a view lie."""
    import numpy as np

    return int(np.frombuffer(part, np.uint8).ctypes.data)


def element_bytes(scalar_type: int) -> int | None:
    """The size of an element; None for types that are not whole bytes."""
    return _ELEMENT_BYTES.get(scalar_type)


def value_info(value: Any) -> ValueInfo:
    """What a value's table says."""
    kind = _KINDS.get(type(value).__name__, "none")
    if kind != "tensor":
        if kind == "none":
            return ValueInfo(kind)
        if kind.endswith("_list"):
            return ValueInfo(kind, tuple(value.items or ()))
        return ValueInfo(kind, getattr(value, f"{kind}_val"))
    sizes = tuple(value.sizes or ())
    elements = 1
    for size in sizes:
        elements *= size
    width = element_bytes(value.scalar_type)
    allocation, extra = value.allocation_info, value.extra_tensor_info
    return ValueInfo(
        kind,
        scalar_type=value.scalar_type,
        scalar_type_name=_SCALAR_TYPES.get(value.scalar_type, str(value.scalar_type)),
        sizes=sizes,
        dim_order=tuple(value.dim_order or ()),
        dynamism=_DYNAMISM.get(value.shape_dynamism, str(value.shape_dynamism)),
        nbytes=None if width is None else elements * width,
        constant=allocation is None
        and (value.data_buffer_idx > 0 or (extra is not None and extra.location == 1)),
        data_name=extra.fully_qualified_name if extra is not None else None,
        memory=None
        if allocation is None
        else (
            allocation.memory_id,
            allocation.memory_offset_low | allocation.memory_offset_high << 32,
        ),
    )
