# SPDX-License-Identifier: BSD-3-Clause
"""Instructions cut out into programs of their own: ExecuTorch runs them, and they give what they
gave in the whole program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bpte
from bpte.program import (
    CutError,
    cut,
    deserialize_pte,
    inspect,
    instruction_needs,
    instructions,
    serialize_pte,
)

pytest.importorskip("torch", reason="traces made from PyTorch need torch")
pytest.importorskip("executorch.exir", reason="exporting models needs executorch")

NAMES = ["conv_channels_last", "encoder", "recurrent", "xnnpack"]


def traced(name: str) -> tuple[Any, Any, dict[int, Any]]:
    """A model's program, the list of its instructions, and the value of each of its values that an
    input, a state or an instruction has."""
    import torch

    import traced_models

    model = traced_models.model(name)
    tracer = bpte.EagerTracer(model.edge)
    tracer.match(model.program)
    inputs = model.inputs["forward"][0]
    (method,) = instructions(model.program.buffer)
    values = dict(zip(method.inputs, inputs, strict=True))
    for instruction, output, value in tracer.trace(inputs):
        index = method.at(instruction.chain, instruction.index).writes[output]
        array = value.array() if isinstance(value, bpte.TensorData) else value
        values[index] = torch.from_numpy(np.array(array)) if array is not value else value
    for index, value in enumerate(method.values):
        if value.role == "state":
            values[index] = torch.zeros(value.info.sizes)
    return model.program, method, values


def run(data: bytes, inputs: list[Any]) -> list[Any]:
    from executorch.extension.pybindings import portable_lib

    module = portable_lib._load_for_executorch_from_buffer(data)
    return list(module.run_method("forward", tuple(inputs)))


@pytest.mark.parametrize("name", NAMES)
def test_each_instruction_alone(name: str) -> None:
    program, method, values = traced(name)
    pte = deserialize_pte(program.buffer)
    done = 0
    for each in method.instructions:
        position = [(each.chain, each.index)]
        needs = instruction_needs(pte.program, "forward", position)
        if not values.keys() >= {*needs.inputs, *needs.scalars, *needs.outputs}:
            continue
        sizes = {i: tuple(values[i].shape) for i in (*needs.inputs, *needs.outputs)}
        scalars = {i: values[i] for i in needs.scalars}
        data = bytes(serialize_pte(cut(pte, "forward", position, sizes, scalars)))
        inputs = [in_order(values[i], method.values[i].info.dim_order) for i in needs.inputs]
        outputs = run(data, inputs)
        for index, output in zip(needs.outputs, outputs, strict=True):
            expected = values[index].numpy()
            assert np.allclose(output.numpy(), expected, 1e-4, 1e-5), each
        (alone,) = inspect(data).methods
        assert alone.instructions == 1
        constants = {i for i in (*each.reads, *each.writes) if method.values[i].role == "constant"}
        # The bound that a bundle of it keeps; a delegate's constants are its own.
        if each.kind == "kernel":
            bound = sum(method.values[i].info.nbytes + 16 for i in constants) + 2048
            assert len(data) <= bound, (each, len(data))
        done += 1
    assert done >= len(method.instructions) - 2


def in_order(tensor: Any, dim_order: Any) -> Any:
    """The tensor with its bytes in the program's order."""
    back = [dim_order.index(d) for d in range(len(dim_order))]
    return tensor.permute(*dim_order).contiguous().permute(*back)


def test_a_chain() -> None:
    program, _, values = traced("encoder")
    pte = deserialize_pte(program.buffer)
    chain = [(0, index) for index in range(7, 13)]  # product, scale, softmax, copies, product
    needs = instruction_needs(pte.program, "forward", chain)
    sizes = {i: tuple(values[i].shape) for i in (*needs.inputs, *needs.outputs)}
    data = bytes(serialize_pte(cut(pte, "forward", chain, sizes, {})))
    outputs = run(data, [values[i] for i in needs.inputs])
    assert inspect(data).method("forward").instructions == 6
    for index, output in zip(needs.outputs, outputs, strict=True):
        assert np.allclose(output.numpy(), values[index].numpy(), 1e-4, 1e-5)


def test_what_is_no_call_is_refused() -> None:
    import traced_models

    pte = deserialize_pte(traced_models.model("branch").program.buffer)
    (method,) = instructions(traced_models.model("branch").program.buffer)
    jump = next(each for each in method.instructions if each.kind == "jump")
    with pytest.raises(CutError, match="is a JumpFalseCall: not a call"):
        instruction_needs(pte.program, "forward", [(0, jump.index)])
    with pytest.raises(CutError, match="no method 'backward'"):
        instruction_needs(pte.program, "backward", [(0, 0)])
    with pytest.raises(CutError, match="there is no instruction 99 in chain 0"):
        instruction_needs(pte.program, "forward", [(0, 99)])
    with pytest.raises(CutError, match="sizes of its value"):
        cut(pte, "forward", [(0, 0)], {}, {})
