# SPDX-License-Identifier: BSD-3-Clause
"""What each instruction of a method reads and writes. A program does not say it: it says which
values an instruction is given.

Works on any objects with the schema's names: records, or ExecuTorch's own dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bpte.program import ProgramError

_LISTS = ("TensorList", "OptionalTensorList")
_EXTERNAL = 1  # of TensorDataLocation

_WRITES_FIRST = ("executorch_prim::et_copy_index",)
"""Operators whose output is their first argument. It is the last one of all others."""


class Effects(NamedTuple):
    """Indexes of values. A list of tensors is read as one value. It is written as its items, in
    their order; so are the outputs of an operator with several."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]


def effects(plan: Any, budget: int) -> list[list[Effects]]:
    """The effects of each instruction, chain by chain.

    - A KernelCall writes its last argument: the exporter puts an operator's result there, also of
      those that work in place. Of several results it makes a list.
    - A DelegateCall writes those of its tensors that have no value before it. Those that have are
      the method's inputs, constants, what an instruction before has written, and the method's
      state: it has an initial value, or a kernel writes it later (an ordinary value is written by
      one instruction alone).
    - A MoveCall writes ``move_to``. The others write nothing.

    ``plan`` has been checked (``_rules``). ``budget`` bounds how many values all of them write:
    lists that many instructions share could multiply a hostile file. Raises ProgramError.
    """
    values = plan.values or ()
    chains = [list(chain.instructions or ()) for chain in plan.chains or ()]
    written: list[list[tuple[int, ...]]] = []
    for chain in chains:
        written.append([])
        for each in chain:
            writes = _written(plan, each.instr_args)
            budget -= len(writes)
            if budget < 0:
                raise ProgramError("its instructions write more values than the file can describe")
            written[-1].append(writes)
    known = there_before(plan)
    known.update(index for chain in written for writes in chain for index in writes)
    found = []
    for chain, kernels in zip(chains, written, strict=True):
        row = []
        for instruction, writes in zip(chain, kernels, strict=True):
            arguments = instruction.instr_args
            if type(arguments).__name__ == "DelegateCall":
                writes = tuple(
                    index
                    for index in dict.fromkeys(arguments.args or ())
                    if index not in known and type(values[index].val).__name__ == "Tensor"
                )
                known.update(writes)
            row.append(Effects(_read(plan, arguments, writes), writes))
        found.append(row)
    return found


def _written(plan: Any, arguments: Any) -> tuple[int, ...]:
    """Of all instructions but delegate calls."""
    kind = type(arguments).__name__
    if kind == "MoveCall":
        return (arguments.move_to,)
    if kind != "KernelCall" or not arguments.args:
        return ()
    first = plan.operators[arguments.op_index].name in _WRITES_FIRST
    index = arguments.args[0 if first else -1]
    return tuple(dict.fromkeys(_items(plan, index)))


def _items(plan: Any, index: int) -> Iterator[int]:
    value = plan.values[index].val
    if type(value).__name__ in _LISTS:
        yield from (item for item in value.items or () if item >= 0)
    else:
        yield index


def _read(plan: Any, arguments: Any, writes: Sequence[int]) -> tuple[int, ...]:
    kind = type(arguments).__name__
    if kind == "MoveCall":
        return (arguments.move_from,)
    if kind == "JumpFalseCall":
        return (arguments.cond_value_index,)
    if kind == "FreeCall":
        return (arguments.value_index,)
    given = list(arguments.args or ())
    if kind == "DelegateCall":
        outputs = set(writes)
        return tuple(index for index in given if index not in outputs)
    if not given or plan.operators[arguments.op_index].name in _WRITES_FIRST:
        return tuple(given[1:])
    # The outputs stand in front of the result as well: `out`, each of several, or a list of its own
    # with the same items. What works in place has its tensor elsewhere, and reads it.
    result = given.pop()
    outputs = {result, *writes}
    while given and outputs.issuperset(_items(plan, given[-1])):
        given.pop()
    return tuple(given)


def there_before(plan: Any) -> set[int]:
    """The tensors that have a value before the first instruction: inputs, constants, and state with
    an initial value."""
    data = {i for i, value in enumerate(plan.values or ()) if _has_data(value.val)}
    return data | set(plan.inputs or ())


def _has_data(value: Any) -> bool:
    if type(value).__name__ != "Tensor":
        return False
    extra = value.extra_tensor_info
    return bool(value.data_buffer_idx > 0 or (extra is not None and extra.location == _EXTERNAL))
