# SPDX-License-Identifier: BSD-3-Clause
"""Programs and bundles made of the delegates in tests/fixtures/ethosu: each is a method, which
consists of one call of the delegate, with integers in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bpte
from bpte.program import serialize_pte
from bpte.program.ethosu import BACKEND, Binding, read_container

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ethosu"
DTYPES = {1: np.dtype(np.int8), 2: np.dtype(np.int16), 4: np.dtype(np.int32)}


@dataclass(frozen=True)
class Net:
    """A delegate, its inputs, and the outputs that the TOSA reference model gives."""

    name: str
    container: bytes
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]

    @property
    def accelerator(self) -> str:
        return self.name.partition("@")[2]

    @property
    def method(self) -> str:
        return self.name.replace("@", "_").replace("-", "_")


def nets(accelerators: Sequence[str] = ()) -> list[Net]:
    """All delegates, or those compiled for these NPUs ("ethos-u55-128")."""
    found = []
    for path in sorted(FIXTURES.glob("*.npz")):
        with np.load(path) as arrays:
            bytes_of = {name: arrays[name].tobytes() for name in arrays}
        inputs = tuple(bytes_of[f"in{k}"] for k in range(sum(n[:2] == "in" for n in bytes_of)))
        outputs = tuple(bytes_of[f"out{k}"] for k in range(sum(n[:3] == "out" for n in bytes_of)))
        net = Net(path.stem, bytes_of["container"], inputs, outputs)
        if not accelerators or net.accelerator in accelerators:
            found.append(net)
    return found


def shape(binding: Binding) -> tuple[int, ...]:
    """Without the ones in front."""
    sizes = list(binding.shape)
    while len(sizes) > 1 and sizes[0] == 1:
        del sizes[0]
    return tuple(sizes)


def _array(data: bytes, binding: Binding) -> np.ndarray:
    return np.frombuffer(data, DTYPES[binding.element_bytes]).reshape(shape(binding))


def _plan(net: Net, index: int) -> Any:
    from executorch.exir import schema
    from executorch.exir.scalar_type import ScalarType

    types = {1: ScalarType.CHAR, 2: ScalarType.SHORT, 4: ScalarType.INT}
    container = read_container(net.container)
    values, used = [], 0
    for binding in (*container.inputs, *container.outputs):
        sizes = list(shape(binding))
        values.append(
            schema.EValue(
                schema.Tensor(
                    types[binding.element_bytes], 0, sizes, list(range(len(sizes))), False, 0, 0,
                    schema.AllocationDetails(1, used, 0), schema.TensorShapeDynamism.STATIC,
                )
            )
        )  # fmt: skip
        used += -(-binding.nbytes // 16) * 16
    count = len(container.inputs)
    inputs, outputs = list(range(count)), list(range(count, len(values)))
    data = schema.BackendDelegateDataReference(schema.DataLocation.INLINE, index)
    call = schema.Instruction(schema.DelegateCall(0, [*inputs, *outputs]))
    return schema.ExecutionPlan(
        net.method,
        schema.ContainerMetadata("", ""),
        values,
        inputs,
        outputs,
        [schema.Chain([], [], [call], None)],
        [],
        [schema.BackendDelegate(BACKEND, data, [])],
        [0, used],
    )


def program(nets: Sequence[Net]) -> bytes:
    """A program with a method for each net."""
    from executorch.exir import schema

    whole = schema.Program(
        0,
        [_plan(net, index) for index, net in enumerate(nets)],
        [schema.Buffer(b"")],
        [schema.BackendDelegateInlineData(net.container) for net in nets],
        [],
        schema.SubsegmentOffsets(0, []),
    )
    return bytes(serialize_pte(whole, extract_delegate_segments=True, delegate_alignment=16))


def save_bundle(path: Path, nets: Sequence[Net]) -> None:
    """A bundle with a suite for each net, of one case that must be equal in every element."""
    suites = []
    for net in nets:
        container = read_container(net.container)
        case = bpte.MethodTestCase(
            inputs=[_array(d, b) for d, b in zip(net.inputs, container.inputs, strict=True)],
            expected_outputs=[
                _array(d, b) for d, b in zip(net.outputs, container.outputs, strict=True)
            ],
        )
        suites.append(bpte.MethodTestSuite(method_name=net.method, test_cases=[case]))
    bpte.BundledProgram(program(nets), suites).save(path)
