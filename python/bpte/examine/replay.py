# SPDX-License-Identifier: BSD-3-Clause
"""Which values a method has when one of its instructions is about to run: from what those before it
gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from bpte.format.tensor_data import TensorData
from bpte.format.trace import TraceValue
from bpte.pack.cases import PackedValue
from bpte.program import MethodInstructions

T = TypeVar("T")

Place = tuple[int, int, int]
"""A chain, an instruction's index in it, and one of its outputs."""


class Given(NamedTuple):
    """What an instruction gave, and whether a trace says that it should."""

    entry: TraceValue
    traced: bool


class Execution(NamedTuple):
    """One of the times that a method ran: its inputs, and what each instruction gave, in order."""

    inputs: Sequence[PackedValue]
    given: Sequence[Given]


class Known(NamedTuple):
    """A value. ``giver``: the instruction (chain, index) that has given it, when no trace says
    whether it is right."""

    value: PackedValue
    giver: tuple[int, int] | None = None


class Moment(NamedTuple):
    """``before``: the method's values, by their indexes, when an instruction is about to run.
    ``gives``: its outputs, by their numbers."""

    before: Mapping[int, Known]
    gives: Mapping[int, PackedValue]


def calls(entries: Iterable[T], place: Callable[[T], Place]) -> Iterator[list[T]]:
    """The entries, which are in the order of execution, of each time that an instruction ran."""
    group: list[T] = []
    for entry in entries:
        if group:
            *instruction, output = place(entry)
            *last, last_output = place(group[-1])
            if instruction != last or output <= last_output:  # in a loop it begins again
                yield group
                group = []
        group.append(entry)
    if group:
        yield group


def overlaid(ran: Sequence[TraceValue], expected: Sequence[TraceValue]) -> list[Given]:
    """What a run's instructions gave, but where a trace says what they should give, that."""
    wanted = [entry for entry in expected if entry.instruction.operation is None]
    result, at = [], 0
    for entry in ran:
        traced = at < len(wanted) and place_of(entry) == place_of(wanted[at])
        result.append(Given(wanted[at] if traced else entry, traced))
        at += traced
    return result


def at_instruction(
    method: MethodInstructions,
    executions: Sequence[Execution],
    state: Mapping[int, PackedValue],
    instruction: tuple[int, int],
    time: int,
) -> Moment | None:
    """The values when this instruction (chain, index) runs for the ``time``-th time, from 0, in the
    last of these executions, which follow one another. ``state``: the method's at first. None: it
    does not run so often."""
    table = _Table(method, state)
    for inputs, given in executions[:-1]:
        table.take(inputs)
        for each in given:
            table.set(each)
    table.take(executions[-1].inputs)
    for call in calls(executions[-1].given, lambda each: place_of(each.entry)):
        if place_of(call[0].entry)[:2] == instruction:
            if time == 0:
                return Moment(table.values(), {e.output: e.value for e, _ in call})
            time -= 1
        for each in call:
            table.set(each)
    return None


class _Table:
    """The values of a method as its instructions give them."""

    def __init__(self, method: MethodInstructions, state: Mapping[int, PackedValue]) -> None:
        self._method = method
        written = {index for each in method.instructions for index in each.writes}
        # These are what was last written at their place in memory, as another value: a state, and a
        # view that the exporter has left no instruction for.
        self._aliases = set(range(len(method.values))) - written - set(method.inputs) | set(state)
        self._values: dict[int, Known] = {}
        self._at: dict[tuple[int, int], Known] = {}
        for index, value in state.items():
            self._set(index, Known(value))

    def take(self, inputs: Sequence[PackedValue]) -> None:
        for index, value in zip(self._method.inputs, inputs, strict=True):
            self._set(index, Known(value))

    def set(self, given: Given) -> None:
        (instruction, output, value), traced = given
        place = instruction.chain, instruction.index
        index = self._method.at(*place).writes[output]
        self._set(index, Known(value, None if traced else place))

    def values(self) -> dict[int, Known]:
        """Those that are known at present, by their indexes."""
        found = dict(self._values)
        for index in self._aliases:
            info = self._method.values[index].info
            known = None if info.memory is None else self._at.get(info.memory)
            if known is None or not isinstance(known.value, TensorData):
                continue
            value = known.value
            if (value.scalar_type, value.size) == (info.scalar_type, info.nbytes):
                shape, order = info.sizes or (), info.dim_order or ()
                view = TensorData(value.scalar_type, shape, order, value.blocks)
                found[index] = known._replace(value=view)
        return found

    def _set(self, index: int, known: Known) -> None:
        self._values[index] = known
        memory = self._method.values[index].info.memory
        if memory is not None:
            self._at[memory] = known


def place_of(entry: TraceValue) -> Place:
    """Where in its method the entry's value is given."""
    return entry.instruction.chain, entry.instruction.index, entry.output
