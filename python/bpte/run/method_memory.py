# SPDX-License-Identifier: BSD-3-Clause
"""What an engine will take of a target for a method: told from the program, before it runs.

The counterparts are Method::make_tables and plan_memory (engine/reference/internal/method.cpp) and
plan_memory and provide_inputs_and_outputs (engine/executorch/executorch_engine.cpp). Runs hold
these figures to theirs (tests/boards/test_footprint.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bpte.bundle import Bundle
from bpte.program import (
    ListedValue,
    MethodInfo,
    MethodInstructions,
    ProgramError,
    inspect,
    instructions,
    pte_file,
)

#: Alignment of planned buffers, by engine.
_ALIGNMENT = {"reference": 16, "executorch": 64}
_CELL = 8
_COMPUTED = ("int", "bool", "double")


@dataclass(frozen=True)
class Share:
    """Who takes how many bytes; None: that is not known before a run, and `owner` says why."""

    owner: str
    bytes: int | None


@dataclass(frozen=True)
class MethodMemory:
    """What a loaded method takes: of the memory for plans, and of that for the engine's own
    structures."""

    name: str
    planned: tuple[Share, ...]
    tables: Share


def of_bundle(
    bundle: Bundle, engine: str, pointer: int, planned_at: int, *, models_npu: bool
) -> list[MethodMemory]:
    """For each suite of a bundle the memory of its method. `pointer`: bytes of an address on the
    target, `planned_at` the address of the memory for plans; `models_npu`: the engine has the
    functional model of the Ethos-U. Raises ProgramError."""
    front, size = pte_file.front_of(bundle.program), bundle.program_extent.size
    listed = {method.name: method for method in instructions(front, file_size=size)}
    return [
        _Method(info, listed[info.name]).memory(engine, pointer, planned_at, models_npu)
        for info in _methods(bundle, front)
    ]


def operators(bundle: Bundle) -> list[str]:
    """What the suites' methods call, each once. Raises ProgramError."""
    methods = _methods(bundle, pte_file.front_of(bundle.program))
    return list(dict.fromkeys(name for method in methods for name in method.operators))


def _methods(bundle: Bundle, front: bytes) -> list[MethodInfo]:
    """The method of each suite."""
    info = inspect(front, file_size=bundle.program_extent.size)
    methods = {method.name: method for method in info.methods}
    names = [suite.method_name for suite in bundle.suites]
    if missing := [name for name in names if name not in methods]:
        raise ProgramError(f"there is no method {missing[0]!r}, for which the bundle has a suite")
    return [methods[name] for name in names]


def padding(address: int, alignment: int) -> int:
    return -address % alignment


def _up(size: int, alignment: int) -> int:
    return size + padding(size, alignment)


class _Method:
    def __init__(self, info: MethodInfo, listed: MethodInstructions) -> None:
        self._info = info
        self._listed = listed
        self._external = {value.data_name for value in info.external}

    def memory(self, engine: str, pointer: int, planned_at: int, models_npu: bool) -> MethodMemory:
        name = self._info.name
        alignment = _ALIGNMENT[engine]
        if engine == "executorch":
            planned = list(self._one_after_another(planned_at, alignment))
            why = "what ExecuTorch's structures and scratch take is not known before a run"
            tables = Share(f"{name}: {why}", None)
        else:
            planned = list(self._rounded(planned_at, alignment))
            tables = Share(f"tables for {name}", self._table_bytes(pointer))
        if engine == "reference" and (delegates := self._info.delegates):
            backend = delegates[0].id
            why = "the model of the NPU tells a run what it needs" if models_npu else "it is absent"
            planned.append(Share(f"the backend {backend} of {name}: {why}", None))
        return MethodMemory(name, tuple(planned), tables)

    def _buffers(self) -> Iterator[tuple[str, int]]:
        for number, size in enumerate(self._info.non_const_buffer_sizes[1:], 1):
            if size < 0:
                raise ProgramError(f"planned buffer {number} has the size {size}", self._info.name)
            yield f"buffer {number} of {self._info.name}'s plan", size

    def _unplanned(self, indexes: tuple[int, ...], what: str) -> Iterator[tuple[int, str, int]]:
        """The inputs or outputs that the plan does not place, with their names and bytes."""
        for place, index in enumerate(indexes):
            info = self._listed.values[index].info
            if info.kind == "tensor" and info.memory is None:
                owner = f"{what} {place} of {self._info.name}, outside of its plan"
                yield index, owner, info.nbytes or 0

    def _one_after_another(self, start: int, alignment: int) -> Iterator[Share]:
        """Each begins at a multiple of the alignment, as ExecuTorch's engine allocates them."""
        at = start
        parts = list(self._buffers())
        for indexes, what in ((self._listed.inputs, "input"), (self._listed.outputs, "output")):
            parts += [(owner, size) for _, owner, size in self._unplanned(indexes, what)]
        for owner, size in parts:
            before = padding(at, alignment)
            at += before + size
            yield Share(owner, before + size)

    def _rounded(self, start: int, alignment: int) -> Iterator[Share]:
        """Each is rounded up to the alignment, as the reference engine places them."""
        if before := padding(start, alignment):
            yield Share("alignment", before)
        for owner, size in self._buffers():
            yield Share(owner, _up(size, alignment))
        seen = set()
        for indexes, what in ((self._listed.inputs, "input"), (self._listed.outputs, "output")):
            for index, owner, size in self._unplanned(indexes, what):
                if index not in seen and not self._listed.values[index].info.constant:
                    seen.add(index)
                    yield Share(owner, _up(size, alignment))

    # --- The reference engine's tables

    def _table_bytes(self, pointer: int) -> int:
        """From an aligned start."""
        buffers = max(0, len(self._info.non_const_buffer_sizes) - 1)
        cells = sum(map(self._cells, self._listed.values)) + self._computed_scalars()
        counted = (
            (cells, _CELL),
            (buffers, 2 * pointer),
            (len(self._info.operators), pointer),
            (len(self._listed.values), 2),
        )
        return sum(_up(count * size, _CELL) for count, size in counted)

    def _cells(self, value: ListedValue) -> int:
        """A cell for the address of data that the plan does not place, and one for each two sizes
        of a dynamic tensor."""
        info = value.info
        if info.kind != "tensor":
            return 0
        elsewhere = info.constant and info.data_name in self._external
        own = info.memory is None and (elsewhere or not info.constant)
        dynamic = info.dynamism != "static"
        return int(own) + ((len(info.sizes or ()) + 1) // 2 if dynamic else 0)

    def _computed_scalars(self) -> int:
        """One for each call that gives a number."""
        values = self._listed.values
        return sum(
            each.kind == "kernel"
            and bool(each.arguments)
            and values[each.arguments[-1]].info.kind in _COMPUTED
            for each in self._listed.instructions
        )
