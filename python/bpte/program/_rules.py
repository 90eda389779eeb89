# SPDX-License-Identifier: BSD-3-Clause
"""Rules between the parts of a program, beyond those of FlatBuffers.

Works on any objects with the schema's names: records, or ExecuTorch's own dataclasses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpte.program import ProgramError

_INLINE, _SEGMENT = 0, 1  # DataLocation


def check(program: Any, segment_data_size: int | None) -> None:
    """Raises ProgramError, naming the place, for the first rule that ``program`` breaks.

    ``segment_data_size``: how many bytes follow the segment base offset; None when there are no
    segments (a program that is not yet a file).
    """
    segments: Sequence[Any] = program.segments or ()
    if segment_data_size is not None:
        for i, segment in enumerate(segments):
            if segment.offset + segment.size > segment_data_size:
                raise ProgramError(
                    f"{segment.size} bytes from {segment.offset} on overflow the "
                    f"{segment_data_size} bytes of segment data",
                    f"segments[{i}]",
                )
    constants = len(program.constant_buffer or ())
    if program.constant_segment is not None and program.constant_segment.offsets:
        constants = len(program.constant_segment.offsets)
        _subsegments(program.constant_segment, segments, "constant_segment")
    for i, mutable in enumerate(program.mutable_data_segments or ()):
        _subsegments(mutable, segments, f"mutable_data_segments[{i}]")
    for i, named in enumerate(program.named_data or ()):
        if named.key is None:
            raise ProgramError("has no key", f"named_data[{i}]")
        _index(named.segment_index, len(segments), f"named_data[{i}].segment_index", "segments")
    names: set[str] = set()
    for i, plan in enumerate(program.execution_plan or ()):
        place = f"execution_plan[{i}]"
        if not plan.name:
            raise ProgramError("the method has no name", f"{place}.name")
        if plan.name in names:
            raise ProgramError(f"a second method {plan.name!r}", f"{place}.name")
        names.add(plan.name)
        _plan(program, plan, place, constants)


def _index(value: int, count: int, place: str, of: str) -> None:
    if not 0 <= value < count:
        raise ProgramError(f"index {value} is outside of the {count} {of}", place)


def _subsegments(entry: Any, segments: Sequence[Any], place: str) -> None:
    _index(entry.segment_index, len(segments), f"{place}.segment_index", "segments")
    size = segments[entry.segment_index].size
    previous = 0
    for i, offset in enumerate(entry.offsets or ()):
        if not previous <= offset <= size:
            raise ProgramError(
                f"offset {offset} is not between the one before, {previous}, and the "
                f"segment's end, {size}",
                f"{place}.offsets[{i}]",
            )
        previous = offset


def _plan(program: Any, plan: Any, place: str, constants: int) -> None:
    values = plan.values or ()
    count = len(values)
    for list_name in ("inputs", "outputs"):
        for i, index in enumerate(getattr(plan, list_name) or ()):
            _index(index, count, f"{place}.{list_name}[{i}]", "values")
    for i, evalue in enumerate(values):
        value = evalue.val
        kind = type(value).__name__
        if kind == "Tensor":
            _tensor(value, f"{place}.values[{i}].val", constants)
        elif kind in ("TensorList", "OptionalTensorList"):
            low = -1 if kind == "OptionalTensorList" else 0
            for k, item in enumerate(value.items or ()):
                if not low <= item < count:
                    raise ProgramError(
                        f"index {item} is outside of the {count} values",
                        f"{place}.values[{i}].val.items[{k}]",
                    )
    _delegates(program, plan, place)
    _instructions(plan, place, count)


def _delegates(program: Any, plan: Any, place: str) -> None:
    segments, inline = len(program.segments or ()), len(program.backend_delegate_data or ())
    for i, delegate in enumerate(plan.delegates or ()):
        at = f"{place}.delegates[{i}]"
        if not delegate.id:
            raise ProgramError("the delegate has no id", f"{at}.id")
        if delegate.processed is None:
            raise ProgramError("the delegate has no data", f"{at}.processed")
        if delegate.processed.location == _SEGMENT:
            _index(delegate.processed.index, segments, f"{at}.processed.index", "segments")
        elif delegate.processed.location == _INLINE:
            _index(
                delegate.processed.index, inline, f"{at}.processed.index", "backend_delegate_data"
            )
        else:
            raise ProgramError(
                f"unknown data location {delegate.processed.location}", f"{at}.processed.location"
            )


def _instructions(plan: Any, place: str, values: int) -> None:
    limits = {
        "op_index": (len(plan.operators or ()), "operators"),
        "delegate_index": (len(plan.delegates or ()), "delegates"),
        **dict.fromkeys(
            ("move_from", "move_to", "cond_value_index", "value_index"), (values, "values")
        ),
    }
    for c, chain in enumerate(plan.chains or ()):
        instructions = chain.instructions or ()
        for i, instruction in enumerate(instructions):
            at = f"{place}.chains[{c}].instructions[{i}].instr_args"
            arguments = instruction.instr_args
            if arguments is None:
                raise ProgramError("the instruction does nothing", at)
            for name, (limit, of) in limits.items():
                value = getattr(arguments, name, None)
                if value is not None:
                    _index(value, limit, f"{at}.{name}", of)
            for k, index in enumerate(getattr(arguments, "args", None) or ()):
                _index(index, values, f"{at}.args[{k}]", "values")
            # A jump past the last instruction ends the method.
            target = getattr(arguments, "destination_instruction", None)
            if target is not None:
                _index(
                    target, len(instructions) + 1, f"{at}.destination_instruction", "instructions"
                )


def _tensor(tensor: Any, place: str, constants: int) -> None:
    sizes, order = list(tensor.sizes or ()), list(tensor.dim_order or ())
    for i, size in enumerate(sizes):
        if size < 0:
            raise ProgramError(f"the size is {size}", f"{place}.sizes[{i}]")
    if sorted(order) != list(range(len(sizes))):
        raise ProgramError(
            f"{order} is not an order of {len(sizes)} dimensions", f"{place}.dim_order"
        )
    # Constants, or initial states of mutable tensors: the latter live in segments of their own.
    external = tensor.extra_tensor_info is not None and tensor.extra_tensor_info.location == 1
    if tensor.data_buffer_idx > 0 and tensor.allocation_info is None and not external:
        _index(tensor.data_buffer_idx, constants, f"{place}.data_buffer_idx", "constants")
