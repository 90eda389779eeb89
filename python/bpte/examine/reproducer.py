# SPDX-License-Identifier: BSD-3-Clause
"""Makes a bundle of one instruction: a program of its own, with the values that it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpte.bundle import Bundle
from bpte.examine.replay import Moment
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import Tolerance
from bpte.pack.cases import PackedValue
from bpte.pack.producer import BundledProgram, MethodTestCase, MethodTestSuite
from bpte.pack.tensors import PackError
from bpte.program import (
    CutError,
    ValueInfo,
    cut,
    deserialize_pte,
    instruction_needs,
    instructions,
    serialize_pte,
)
from bpte.program._cut import METHOD

ALIGNMENT = 128
"""Of the program in the bundle: the least that there is, as the bundle is to be small."""


class Source:
    """A program that instructions are cut out of. Needs executorch. Raises ``ProgramError``."""

    def __init__(self, bundle: Bundle, method: str) -> None:
        self._pte = deserialize_pte(bundle.program)
        self._name = method
        listed = {each.name: each for each in instructions(bundle.program)}
        if method not in listed:
            raise PackError("the program has no such method", method=method)
        self.method = listed[method]

    def state(self) -> dict[int, PackedValue]:
        """The values, by their indexes, that the method keeps from one run to the next, as they are
        at first: given by the program, or zeros."""
        (plan,) = [plan for plan in self._pte.program.execution_plan if plan.name == self._name]
        found: dict[int, PackedValue] = {}
        for index, value in enumerate(self.method.values):
            if value.role == "state" and value.info.kind != "tensor":
                found[index] = value.info.value
            elif value.role == "state":
                buffer = plan.values[index].val.data_buffer_idx
                given = self._pte.mutable_data[buffer].storage if buffer > 0 else None
                found[index] = _tensor(value.info, given)
        return found

    def untraced(self, chain: int, index: int, moment: Moment) -> list[tuple[int, int]]:
        """The instructions (chain, index) that gave an argument of this one, and whose values the
        trace does not have. Raises ``CutError``."""
        needs = instruction_needs(self._pte.program, self._name, chain, index)
        known = [moment.before.get(number) for number in (*needs.inputs, *needs.scalars)]
        return sorted({each.giver for each in known if each is not None and each.giver is not None})

    def alone(
        self,
        chain: int,
        index: int,
        moment: Moment,
        tolerances: Mapping[int, Tolerance],
        metadata: Mapping[str, str],
    ) -> BundledProgram:
        """The bundle. ``tolerances``: of each output that is known to be right; another's value is
        only what it should be about, and is not compared. Raises ``CutError``."""
        needs = instruction_needs(self._pte.program, self._name, chain, index)
        before = {number: known.value for number, known in moment.before.items()}
        for number in (*needs.inputs, *needs.scalars):
            if number not in before:
                raise CutError(f"what its argument v{number} is at that time is not known")
        if moment.gives.keys() != set(range(len(needs.outputs))):
            raise CutError("the desk does not show all of its outputs")
        outputs = [moment.gives[output] for output in range(len(needs.outputs))]
        values = before | dict(zip(needs.outputs, outputs, strict=True))
        sizes = {
            number: value.sizes
            for number in (*needs.inputs, *needs.outputs)
            if isinstance(value := values[number], TensorData)
        }
        scalars: dict[int, Any] = {number: before[number] for number in needs.scalars}
        program = cut(self._pte, self._name, chain, index, sizes, scalars)
        case = MethodTestCase(
            [before[number] for number in needs.inputs],
            outputs,
            tolerances=[
                tolerances.get(output, Tolerance(not_compared=True))
                for output in range(len(outputs))
            ],
        )
        suite = MethodTestSuite(METHOD, [case])
        return BundledProgram(bytes(serialize_pte(program)), [suite], metadata=metadata)


def _tensor(info: ValueInfo, given: bytes | None) -> TensorData:
    """A state: what the program gives it, which may be followed by padding, or zeros."""
    assert info.scalar_type is not None and info.nbytes is not None
    data = bytes(info.nbytes) if given is None else bytes(given[: info.nbytes])
    order = info.dim_order or ()
    return TensorData(info.scalar_type, info.sizes or (), order, lambda: iter([data]))
