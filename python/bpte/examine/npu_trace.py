# SPDX-License-Identifier: BSD-3-Clause
"""Traces inside of an Ethos-U delegate: what its operations should give, by the TOSA reference
model.

Vela compiles a TOSA graph. The OFM of an operation is a tensor of that graph, or it is one that
Vela has made up, or a part of either. Vela's debug database says which name each has; those that
are a whole tensor of the graph have a value that the reference model computes apart from Vela.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from bpte.examine.tosa_graph import GraphTensors
from bpte.examine.tosa_model import TosaError, TosaModel
from bpte.examine.vela_database import Tables, read_tables, stated_ofms
from bpte.files import access
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.pack.tensors import PackError
from bpte.program import InstructionInfo, ProgramError, inspect, instructions
from bpte.program.ethosu import BACKEND, Delegate, Operation, read_delegate

#: What ExecuTorch calls the graph of a delegate, in the folder that it was told of.
_GRAPH = "out.tosa"


class NpuTracer:
    """Makes the traces of the operations of one delegate.

        spec = EthosUCompileSpec("ethos-u55-128", extra_flags=["--enable-debug-db"])
        spec.dump_intermediate_artifacts_to("graph")         # then export with it, to model.pte
        tracer = bpte.NpuTracer("model.pte", "graph")
        case = bpte.MethodTestCase(inputs, outputs, trace=tracer.trace(delegate_inputs))
        suite = bpte.MethodTestSuite("forward", [case], traced_method=tracer.traced_method)

    ``tensors`` are the graph's tensors by the numbers of the operations that give them. The
    ``left_out`` give none: what they give is Vela's own, a part of a tensor, or not the only one of
    its name. Needs the package tosa-tools.
    """

    def __init__(
        self,
        program: str | os.PathLike[str] | bytes,
        artifacts: str | os.PathLike[str],
        method: str = "forward",
    ) -> None:
        """``artifacts``: the folder of ``dump_intermediate_artifacts_to``. It holds what one
        delegate was made from, the last that was exported. Raises ``PackError`` if no delegate of
        the method is the one, ``ProgramError`` and ``OSError``."""
        data = program if isinstance(program, bytes) else access.read_input(program)
        folder = Path(artifacts)
        found = _find(data, method, _stored_commands(folder / "output" / "out_vela.npz"))
        self._call, self._delegate = found
        self._graph = GraphTensors(access.read_input(folder / _GRAPH))
        text = access.read_input(folder / "output" / "out_debug.xml").decode("utf-8", "replace")
        self._chosen, self.left_out = chosen(self._delegate, self._graph, read_tables(text))
        self.tensors: Mapping[int, str] = {
            each.operation.command: each.tensor for each in self._chosen
        }

    @property
    def traced_method(self) -> TracedMethod:
        """For the suite: who computed the values, and what is known of each operation."""
        return TracedMethod(TraceOrigin.TOSA, [self._instruction(each) for each in self._chosen])

    def trace(self, inputs: Sequence[Any]) -> list[TraceValue]:
        """What the operations should give when the delegate is called with these inputs: integers,
        as the instructions before the call give them. Raises ``PackError``."""
        names = list(dict.fromkeys(each.tensor for each in self._chosen))
        arrays = self._graph.checked_inputs(inputs)
        if not names:
            return []
        with tempfile.TemporaryDirectory(prefix="bpte-npu-") as folder:
            try:
                model = TosaModel(Path(folder))
                outputs = model.graph(_GRAPH, self._graph.with_outputs(names)).run(arrays)
            except TosaError as error:
                raise PackError(str(error)) from error
        values = dict(zip(names, outputs, strict=True))
        return [
            TraceValue(self._instruction(each), 0, _as_ofm(values[each.tensor], each.operation))
            for each in self._chosen
        ]

    def _instruction(self, each: Chosen) -> Instruction:
        return Instruction(
            self._call.chain,
            self._call.index,
            each.operation.command,
            operator_name=each.operation.name,
            node=each.tensor,
        )


class Chosen(NamedTuple):
    """An operation, and the tensor of the graph that is its whole OFM."""

    operation: Operation
    tensor: str


def chosen(delegate: Delegate, graph: GraphTensors, tables: Tables) -> tuple[list[Chosen], int]:
    """The operations whose OFM is a tensor of the graph, in their order, and how many others have
    an OFM. Raises ``PackError`` for tables of another stream."""
    names = stated_ofms(tables)
    with_ofm = [each for each in delegate.operations if each.ofm is not None]
    if names.keys().isdisjoint(each.offset for each in with_ofm):
        raise PackError("Vela's debug database is of another command stream")
    uses = Counter(names.values())
    found = [
        Chosen(each, name)
        for each in with_ofm
        if (name := names.get(each.offset)) is not None
        and uses[name] == 1
        and _is_whole(each, graph, name)
    ]
    return found, len(with_ofm) - len(found)


def _is_whole(operation: Operation, graph: GraphTensors, name: str) -> bool:
    """Whether the OFM has the elements of a tensor of the graph, in its order."""
    ofm, tensor = operation.ofm, graph.tensors.get(name)
    if ofm is None or tensor is None or tensor.dtype is None or not ofm.in_order:
        return False
    dtype = np.dtype(tensor.dtype)
    nbytes = int(np.prod(tensor.shape, dtype=np.int64)) * dtype.itemsize
    return ofm.place != "nowhere" and ofm.dtype == dtype.name and ofm.nbytes == nbytes


def _as_ofm(value: Any, operation: Operation) -> Any:
    ofm = operation.ofm
    assert ofm is not None
    return value.reshape(ofm.height, ofm.width, ofm.depth)


def _stored_commands(path: Path) -> bytes:
    """The command stream that Vela has written."""
    try:
        with np.load(io.BytesIO(access.read_input(path)), allow_pickle=False) as arrays:
            return bytes(arrays["cmd_data"].tobytes())
    except (EOFError, BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise PackError(f"{path.name} is not what Vela writes: {error}") from error


def _find(data: bytes, method: str, commands: bytes) -> tuple[InstructionInfo, Delegate]:
    """The delegate of the method that has these commands, and the instruction that calls it."""
    listed = {each.name: each for each in inspect(data).methods}
    if method not in listed:
        raise PackError("the program has no such method", method=method)
    for index, info in enumerate(listed[method].delegates):
        if info.id != BACKEND:
            continue
        delegate = read_delegate(data[info.offset : info.offset + info.size])
        if bytes(delegate.container.commands) != commands:
            continue
        (called,) = (each for each in instructions(data) if each.name == method)
        calls = [each for each in called.instructions if each.delegate == index]
        if len(calls) == 1:
            return calls[0], delegate
        raise ProgramError(f"delegate {index} is called {len(calls)} times, not once")
    raise PackError("no delegate of the program was made from these artifacts", method=method)
