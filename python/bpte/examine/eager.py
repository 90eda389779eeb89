# SPDX-License-Identifier: BSD-3-Clause
"""Traces made from PyTorch: what each instruction of a program gives in eager mode.

The exporter's edge program is what the instructions are made from. Eager mode executes it node by
node, delegates too, so its values are the program's as PyTorch means them: they also show what the
exporter or a backend has made wrong. The nodes know their modules and source lines.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from bpte.examine.trace_choice import TraceChoice
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.pack.cases import MethodTestCase, MethodTestSuite
from bpte.pack.normalise import checked_carries
from bpte.pack.tensors import PackError, flatten, normalise

_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_TRACED_BY = ("torch", "torchao", "executorch")
"""Packages whose frames stand in a node's stack, but are not where the model was written."""


class EagerTracer:
    """Makes the traces of one method.

        edge = to_edge(torch.export.export(model, inputs))
        tracer = bpte.EagerTracer(edge)            # before to_executorch, which changes `edge`
        program = edge.to_executorch()
        tracer.match(program)
        case = bpte.MethodTestCase(inputs, outputs, trace=tracer.trace(inputs))
        suite = bpte.MethodTestSuite("forward", [case], traced_method=tracer.traced_method)

    ``edge`` is an ``EdgeProgramManager``, lowered to its backends, or an ``ExportedProgram`` of it.
    ``floats_only``: only values that are tensors of floating-point types. ``every``: only each
    n-th instruction's. Left out, too, are instructions that no node can be told for with certainty:
    those inside of control flow, and what ``to_executorch`` adds or changes.
    """

    def __init__(
        self, edge: Any, method: str = "forward", *, floats_only: bool = False, every: int = 1
    ) -> None:
        """Raises ``PackError`` for what is not an edge program, or has no such method."""
        self.method = method
        self.choice = TraceChoice(floats_only, every)
        program = _exported_program(edge, method)
        self._edge = _Edge(program)
        self._instructions: dict[Any, Instruction] = {}
        self._program_crc32: int | None = None

    def match(self, executorch_program: Any) -> None:
        """Finds the node of each instruction. ``executorch_program`` is the
        ``ExecutorchProgramManager`` that ``to_executorch`` made of the edge program. Raises
        ``PackError`` if it was made of another."""
        from bpte.files.checksum import crc32
        from bpte.program import instructions

        data = executorch_program.buffer
        listed = {method.name: method for method in instructions(data)}
        if self.method not in listed:
            raise PackError("the program has no such method", method=self.method)
        handles = executorch_program.debug_handle_map.get(self.method, {})
        found: dict[Any, Instruction] = {}
        for node, each in _matched(self._edge, listed[self.method], handles):
            module_path, source = _origin(node)
            found[node] = Instruction(
                each.chain,
                each.index,
                operator_name=each.operator,
                node=node.name,
                module_path=module_path,
                source=source,
            )
        if not found:
            raise PackError(
                "no instruction of the program belongs to a node of this edge program: it was made "
                "from another, or is without debug handles",
                method=self.method,
            )
        self._instructions = found
        self._program_crc32 = crc32(data)

    @property
    def traced_method(self) -> TracedMethod:
        """For the suite: who computed the values, of which program, and what is known of each
        instruction. Raises ``PackError`` before ``match``."""
        known = sorted(self._matched_instructions().values(), key=lambda each: each.order)
        return TracedMethod(TraceOrigin.EAGER, known, self._program_crc32)

    @property
    def metadata(self) -> dict[str, str]:
        """For the bundle: which values were kept."""
        return self.choice.as_strings()

    def trace(self, *inputs: object) -> list[TraceValue]:
        """What the instructions give for these inputs, with the method's state as it is at first.
        Raises ``PackError``."""
        return self._run(inputs, self._edge.state())

    def trace_suite(self, suite: MethodTestSuite) -> None:
        """Gives each case and step of the suite its trace, and the suite its ``traced_method``. The
        steps of a case go on with the state that the steps before have left."""
        for case in suite.test_cases:
            state = self._edge.state()
            before: list[object] = []
            for step in case.steps or [case]:
                carry = step.carry if step.carry is not None or step is case else case.carry
                inputs = _carried(step, before, carry)
                step.trace = self._run(inputs, state)
                before = step.expected_outputs
        suite.traced_method = self.traced_method

    def _matched_instructions(self) -> Mapping[Any, Instruction]:
        if not self._instructions:
            raise PackError("which program is traced? Call match() first", method=self.method)
        return self._instructions

    def _run(self, inputs: object, state: dict[str, Any]) -> list[TraceValue]:
        known = self._matched_instructions()
        wanted = {node for node, each in known.items() if self.choice.takes(each.index)}
        entries = []
        for node, result in self._edge.run(flatten(inputs), state, wanted):
            values = list(result) if isinstance(result, tuple | list) else [result]
            for output, value in enumerate(values):
                if value is None:
                    continue
                packed = normalise(value)
                if self.choice.keeps(packed):
                    entries.append(TraceValue(known[node], output, packed))
        return entries


def _carried(step: MethodTestCase, before: Sequence[object], carry: Any) -> list[object]:
    inputs = list(step.inputs)
    for output, into in checked_carries(carry):
        if into < len(inputs) and inputs[into] is None and output < len(before):
            inputs[into] = before[output]
    return inputs


# --- The edge program -----------------------------------------------------------------------------


def _exported_program(edge: Any, method: str) -> Any:
    get = getattr(edge, "exported_program", None)
    if get is not None:
        if method not in edge.methods:
            raise PackError(
                f"the edge program has no such method, it has {sorted(edge.methods)}", method=method
            )
        edge = get(method)
    if not hasattr(edge, "graph_signature"):
        raise PackError(
            f"a {type(edge).__name__} is no edge program: give an EdgeProgramManager, or an "
            "ExportedProgram of it",
            method=method,
        )
    return edge


class _Edge:
    """A copy of an edge program, which eager mode executes."""

    def __init__(self, program: Any) -> None:
        import torch

        self._signature = copy.deepcopy(program.graph_signature)
        self._tensors = {**program.state_dict, **program.constants}
        # Only the graph is copied: weights, and what backends have made, may be large.
        graph = copy.deepcopy(program.graph_module.graph)
        self.module = torch.fx.GraphModule(program.graph_module, graph)
        for node in self.module.graph.nodes:
            if node.op == "call_function" and _is_out_variant(node):
                raise PackError(
                    f"its node {node.name} writes to memory: to_executorch has changed this edge "
                    "program already. Make the tracer before it is called"
                )

    def state(self) -> dict[str, Any]:
        """The values of the buffers that the method changes, by their names, as they begin."""
        changed = self._signature.buffers_to_mutate.values()
        return {name: self._tensors[name].clone() for name in changed}

    def run(
        self, inputs: Sequence[object], state: dict[str, Any], wanted: set[Any]
    ) -> Iterator[tuple[Any, Any]]:
        """Each wanted node with its result, in the order of execution. Changes ``state``."""
        import torch

        results: list[tuple[Any, Any]] = []

        class Interpreter(torch.fx.Interpreter):
            def run_node(self, node: Any) -> Any:
                result = super().run_node(node)
                if node in wanted:
                    results.append((node, result))
                return result

        with torch.no_grad():
            outputs = Interpreter(self.module).run(*self._arguments(inputs, state))
        for spec, value in zip(self._signature.output_specs, outputs, strict=True):
            if spec.target in state:
                state[spec.target] = value
        yield from results

    def _arguments(self, inputs: Sequence[object], state: Mapping[str, Any]) -> list[Any]:
        """The graph's arguments: parameters, buffers, constants, and the user's inputs."""
        left = [_as_torch(value) for value in inputs]
        specs = self._signature.input_specs
        taken = sum(spec.kind.name == "USER_INPUT" for spec in specs)
        if taken != len(left):
            raise PackError(f"{len(left)} inputs to trace, the method takes {taken}")
        arguments = []
        for spec in specs:
            if spec.kind.name == "USER_INPUT":
                arguments.append(left.pop(0))
            elif spec.target in state:
                arguments.append(state[spec.target])
            elif spec.target in self._tensors:
                arguments.append(self._tensors[spec.target])
            else:
                raise PackError(f"its argument {spec.arg.name} is a {spec.kind.name}: unsupported")
        return arguments


def _as_torch(value: object) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value
    packed = normalise(value)
    if isinstance(packed, bool | int | float):
        return packed
    from bpte.format.scalar_type import dtype_name
    from bpte.format.tensor_data import inverse

    dtype = getattr(torch, dtype_name(packed.scalar_type))
    data = bytearray(b"".join(packed.blocks()))
    shape = [packed.sizes[d] for d in packed.dim_order]
    flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return flat.reshape(shape).permute(inverse(packed.dim_order))


# --- Which node an instruction is of --------------------------------------------------------------


def _is_out_variant(node: Any) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(argument.is_out for argument in schema.arguments)


def _is_delegate(node: Any) -> bool:
    return getattr(node.target, "__name__", "") == "executorch_call_delegate"


def _matched(edge: _Edge, method: Any, handles: Mapping[int, Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs of a node and its instruction.

    The exporter's passes rename nodes, but keep their debug handles and their order. Nodes that
    come from one operator of the model share a handle, so the operator counts as well. Where the
    edge program has as many nodes of a handle and operator as the program has instructions, they
    are the same, in order. `handles` has what the exporter has noted for each instruction of the
    method itself: what stands inside of control flow is not there.
    """
    nodes: dict[object, list[Any]] = {}
    for node in edge.module.graph.nodes:
        if node.op != "call_function":
            continue
        if _is_delegate(node):
            nodes.setdefault("delegate", []).append(node)
        elif (schema := getattr(node.target, "_schema", None)) is not None:
            handle = _plain(node.meta.get("debug_handle"))
            nodes.setdefault((schema.name, handle), []).append(node)
    found: dict[object, list[Any]] = {}
    for each in method.instructions:
        if each.chain != 0 or each.index not in handles:
            continue
        if each.kind == "delegate":
            found.setdefault("delegate", []).append(each)
        elif each.kind == "kernel":
            base = each.operator.partition(".")[0]
            found.setdefault((base, _plain(handles[each.index])), []).append(each)
    for key, group in found.items():
        candidates = nodes.get(key, [])
        if len(candidates) == len(group):
            pairs = list(zip(candidates, group, strict=True))
            if all(_alike(node, method, each) for node, each in pairs):
                yield from pairs


def _plain(handle: Any) -> object:
    return tuple(handle) if isinstance(handle, list) else handle


def _alike(node: Any, method: Any, each: Any) -> bool:
    """Whether what the node gives can be what the instruction writes: as many values, and tensors
    of the same types and ranks."""
    import torch

    from bpte.program.pte_file import dtype_text

    given = node.meta.get("val")
    values = list(given) if isinstance(given, tuple | list) else [given]
    if len(values) != len(each.writes):
        return False
    for value, index in zip(values, each.writes, strict=True):
        info = method.values[index].info
        if isinstance(value, torch.Tensor) != (info.kind == "tensor"):
            return False
        if isinstance(value, torch.Tensor):
            same = str(value.dtype) == f"torch.{dtype_text(info)}"
            if not same or value.dim() != len(info.sizes or ()):
                return False
    return True


# --- Where a node comes from ----------------------------------------------------------------------


def _origin(node: Any) -> tuple[str | None, str | None]:
    """The innermost module's path and the line of the model's source, where they are known. A
    delegate has what its operators have in common."""
    if not _is_delegate(node):
        return _module_path(node), _source(node)
    lowered = getattr(node.graph.owning_module, node.args[0].target)
    inner = [n for n in lowered.original_module.graph.nodes if n.op == "call_function"]
    paths = [path.split(".") for path in map(_module_path, inner) if path is not None]
    common = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    path = ".".join(parts[0] for parts in common)
    sources = set(map(_source, inner))
    return path or None, sources.pop() if len(sources) == 1 else None


def _module_path(node: Any) -> str | None:
    stack = node.meta.get("nn_module_stack") or {}
    if not stack:
        return None
    path = str(list(stack.values())[-1][0])
    if path.startswith("_empty_nn_module_stack"):  # torch's word for a node that it adds itself
        return None
    # Older exporters write the path as an expression: L['self'].features[0].
    path = path.removeprefix("L['self'].").removeprefix("L['self']")
    return path or None


def _source(node: Any) -> str | None:
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [(name, line) for name, line in frames if not _is_library(name)]
    if not own:
        return None
    name, line = own[-1]
    return f"{PurePath(name).name}:{line}"


def _is_library(name: str) -> bool:
    parts = Path(name).parts
    packages = (b for a, b in itertools.pairwise(parts) if a in ("site-packages", "dist-packages"))
    return parts[0] in _TRACED_BY or any(package in _TRACED_BY for package in packages)
