# SPDX-License-Identifier: BSD-3-Clause
"""Single kernels of a program, each cut out into a program of its own, for an engine to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from bpte.format.tensor_data import TensorData
from bpte.pack.cases import PackedValue
from bpte.pack.tensors import PackError
from bpte.program import (
    CutError,
    InstructionInfo,
    MethodInstructions,
    cut,
    deserialize_pte,
    instruction_needs,
    serialize_pte,
)

#: Runs a program's only method: what it gives for these inputs. The text is for messages.
RunAlone = Callable[[str, bytes, Sequence[PackedValue]], Sequence[PackedValue]]


class HostKernels:
    """Cuts kernels out of one program, whose tensors all have static sizes."""

    def __init__(self, program: bytes, run: RunAlone) -> None:
        self._program = program
        self._run = run

    def kernel(
        self, method: MethodInstructions, each: InstructionInfo
    ) -> tuple[tuple[int, ...], Callable[[Sequence[TensorData]], Sequence[PackedValue]]]:
        """The values that an instruction wants, by their indexes, and what gives its ``writes`` for
        these. Raises ``PackError`` for one that cannot be run alone."""
        if find_spec("executorch") is None:
            raise PackError(
                "an operator beside the delegates, which wants executorch: "
                "pip install 'bpte[executorch]'"
            )
        pte = deserialize_pte(self._program)
        try:
            needs = instruction_needs(pte.program, method.name, each.chain, each.index)
            if needs.scalars:
                raise PackError("takes a number that another instruction gives")
            sizes = {}
            for index in (*needs.inputs, *needs.outputs):
                info = method.values[index].info
                if info.kind != "tensor" or info.dynamism != "static":
                    raise PackError("a tensor of it has no static sizes")
                sizes[index] = info.sizes or ()
            alone = bytes(serialize_pte(cut(pte, method.name, each.chain, each.index, sizes, {})))
        except CutError as error:
            raise PackError(str(error)) from None
        what = f"{method.name}: instruction {each.index}, {each.name}, run alone"
        return needs.inputs, lambda inputs: self._run(what, alone, inputs)
