# SPDX-License-Identifier: BSD-3-Clause
"""Lists the instructions of a program's methods: what each of them calls, reads and writes, and
where these values lie and how long they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bpte.program import ProgramError
from bpte.program._effects import effects, there_before
from bpte.program._inspect import ValueInfo, checked, value_info
from bpte.program._restore import Source, view_of
from bpte.program._schema import element_budget

_KINDS = {
    "KernelCall": "kernel",
    "DelegateCall": "delegate",
    "MoveCall": "move",
    "JumpFalseCall": "jump",
    "FreeCall": "free",
}

Position = tuple[int, int]
"""A chain, and an instruction's index in it."""


@dataclass(frozen=True)
class InstructionInfo:
    """One instruction.

    ``kind``: kernel, delegate, move, jump or free. ``operator`` is "name.overload" of a
    kernel, ``delegate`` the index in the method's ``delegates`` and ``backend`` its id; None where
    they do not apply. ``arguments`` are indexes of the method's values as the file has them;
    ``reads`` and ``writes`` are what is done with them: a list of tensors is read as one value, and
    written as its items. ``destination``: where a jump goes, in its chain.
    """

    chain: int
    index: int
    kind: str
    operator: str | None
    delegate: int | None
    backend: str | None
    arguments: tuple[int, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    destination: int | None

    @property
    def name(self) -> str:
        """What it calls, in short: ``aten::addmm.out``, ``delegate XnnpackBackend``, ``move``."""
        if self.backend is not None:
            return f"delegate {self.backend}"
        return self.operator or self.kind


@dataclass(frozen=True)
class ListedValue:
    """A value of a method.

    ``role``: "input", "constant", "state" (it is there before the first instruction, and is
    written) or "" (an instruction gives it, or it is a number or a list in the file).
    ``is_output``: of the method. ``first`` and ``last`` are the instructions between which its
    bytes are needed, None being the start of the method, and its end. Equal ones are of a value
    that one instruction writes and nothing reads.
    """

    info: ValueInfo
    role: str
    is_output: bool
    first: Position | None
    last: Position | None


@dataclass(frozen=True)
class MethodInstructions:
    """A method's instructions, in the order of the file, and all its values."""

    name: str
    instructions: tuple[InstructionInfo, ...]
    values: tuple[ListedValue, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def at(self, chain: int, index: int) -> InstructionInfo:
        """Raises KeyError."""
        for instruction in self.instructions:
            if (instruction.chain, instruction.index) == (chain, index):
                return instruction
        raise KeyError(f"method {self.name!r} has no instruction {index} in chain {chain}")


def instructions(source: Source, *, file_size: int | None = None) -> tuple[MethodInstructions, ...]:
    """Lists the instructions of each method of a program. ``source`` and errors as of
    ``inspect``."""
    with view_of(source) as view:
        found = checked(view, len(view) if file_size is None else file_size)
        budget = element_budget(found.size)
        return tuple(listed(plan, budget) for plan in found.program.execution_plan or ())


def listed(plan: Any, budget: int) -> MethodInstructions:
    """The instructions of one ``ExecutionPlan``, which has been checked; ``budget`` is that of
    ``effects``."""
    found = tuple(_instructions(plan, budget))
    inputs, outputs = tuple(plan.inputs or ()), tuple(plan.outputs or ())
    return MethodInstructions(plan.name, found, _values(plan, found, budget), inputs, outputs)


def operator_name(operator: Any) -> str:
    """``name.overload``, or the name alone."""
    return f"{operator.name}.{operator.overload}" if operator.overload else str(operator.name)


def _instructions(plan: Any, budget: int) -> Iterator[InstructionInfo]:
    done = effects(plan, budget)
    for c, chain in enumerate(plan.chains or ()):
        for i, instruction in enumerate(chain.instructions or ()):
            arguments = instruction.instr_args
            kind = _KINDS[type(arguments).__name__]
            call = kind in ("kernel", "delegate")
            delegate = arguments.delegate_index if kind == "delegate" else None
            yield InstructionInfo(
                chain=c,
                index=i,
                kind=kind,
                operator=operator_name(plan.operators[arguments.op_index])
                if kind == "kernel"
                else None,
                delegate=delegate,
                backend=None if delegate is None else plan.delegates[delegate].id,
                arguments=tuple(arguments.args or ())
                if call
                else (*done[c][i].reads, *done[c][i].writes),
                reads=done[c][i].reads,
                writes=done[c][i].writes,
                destination=arguments.destination_instruction if kind == "jump" else None,
            )


def _values(plan: Any, found: tuple[InstructionInfo, ...], budget: int) -> tuple[ListedValue, ...]:
    inputs, outputs = set(plan.inputs or ()), set(plan.outputs or ())
    lives = _Lives(plan, found, budget)
    values = []
    for index, value in enumerate(plan.values or ()):
        info = value_info(value.val)
        if index in inputs:
            role = "input"
        elif info.constant:
            role = "constant"
        elif index in lives.written and lives.first(index) is None:
            role = "state"
        else:
            role = ""
        last = None if role == "state" or index in outputs else lives.last(index)
        values.append(ListedValue(info, role, index in outputs, lives.first(index), last))
    return tuple(values)


class _Lives:
    """From which to which instruction each value is needed."""

    def __init__(self, plan: Any, found: tuple[InstructionInfo, ...], budget: int) -> None:
        self._positions = [(each.chain, each.index) for each in found]
        self._first: dict[int, int] = dict.fromkeys(there_before(plan), -1)
        self._last: dict[int, int] = {}
        self.written: set[int] = set()
        for at, each in enumerate(found):
            for index in each.reads:
                self._first.setdefault(index, -1)
                self._last[index] = at
            for index in each.writes:
                self.written.add(index)
                self._first.setdefault(index, at)
                self._last[index] = at
        self._lists(plan)
        self._loops(found, budget)

    def _lists(self, plan: Any) -> None:
        """An item of a list is needed for as long as the list."""
        for index, value in enumerate(plan.values or ()):
            if type(value.val).__name__.endswith("TensorList") and index in self._last:
                for item in value.val.items or ():
                    self._last[item] = max(self._last.get(item, -1), self._last[index])
                    self._first.setdefault(item, -1)

    def _loops(self, found: tuple[InstructionInfo, ...], budget: int) -> None:
        """What is there when a loop begins, and needed in it, is needed until it ends."""
        loops = [
            (at, at - each.index + each.destination)
            for at, each in enumerate(found)
            if each.destination is not None and each.destination <= each.index
        ]
        if len(loops) * len(self._last) > budget:
            raise ProgramError(f"{len(loops)} loops over {len(self._last)} values are too many")
        for at, begin in loops:
            for index, last in self._last.items():
                if begin <= last < at and self._first.get(index, -1) < begin:
                    self._last[index] = at

    def first(self, index: int) -> Position | None:
        at = self._first.get(index, -1)
        return None if at < 0 else self._positions[at]

    def last(self, index: int) -> Position | None:
        at = self._last.get(index)
        return None if at is None else self._positions[at]
