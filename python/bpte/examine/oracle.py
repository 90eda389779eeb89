# SPDX-License-Identifier: BSD-3-Clause
"""What an Ethos-U program should give, by Arm's TOSA reference model instead of by a run.

The model computes each delegate's TOSA graph. What stands around the delegates is computed here:
quantisation by the rules below, any other kernel by an engine of the host, each alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bpte.examine.host_kernels import HostKernels, RunAlone
from bpte.examine.tosa_model import TosaError, TosaGraph, TosaModel
from bpte.format.metadata import NamedDataRole
from bpte.format.rules import Place
from bpte.format.scalar_type import ScalarType
from bpte.format.tensor_data import TensorData, inverse
from bpte.pack.cases import MethodTestCase
from bpte.pack.named import NamedFile
from bpte.pack.normalise import checked_carries
from bpte.pack.producer import BundledProgram
from bpte.pack.program_source import program_source
from bpte.pack.tensors import PackError, from_numpy, normalise
from bpte.program import (
    InstructionInfo,
    MethodInstructions,
    ProgramError,
    ValueInfo,
    instructions,
)
from bpte.program.ethosu import BACKEND
from bpte.program.pte_file import dtype_text

#: TOSA's names of the element types that tensors of a program and of a graph have in common.
_DTYPES: dict[int | None, str] = {
    ScalarType.BOOL: "BOOL",
    ScalarType.CHAR: "INT8",
    ScalarType.SHORT: "INT16",
    ScalarType.INT: "INT32",
}
_QUANTIZED = (ScalarType.BYTE, ScalarType.CHAR, ScalarType.SHORT, ScalarType.INT)

#: The values of a method that are known, by their indexes: arrays in their order in memory.
_Known = dict[int, Any]


def graph_key(method: str, delegate: int) -> str:
    """The key of the graph that a method's delegate was made from, among the named data."""
    return f"{method}/{delegate}"


class TosaOracle:
    """Computes methods of a program. ``facts`` says by what, for a bundle's metadata."""

    def __init__(
        self,
        program: bytes,
        methods: Iterable[str],
        graphs: Mapping[str, bytes],
        model: TosaModel,
        run: RunAlone,
    ) -> None:
        """``graphs``: by ``graph_key``; the only one of a program with one delegate may have any
        key. Checks all that can be checked before anything runs. Raises ``PackError``,
        ``TosaError``."""
        try:
            listed = {method.name: method for method in instructions(program)}
        except ProgramError as error:
            raise PackError(f"it is not a well-formed program: {error}") from None
        wanted = {name: listed[name] for name in dict.fromkeys(methods) if name in listed}
        calls = [
            (method.name, each.delegate)
            for method in wanted.values()
            for each in method.instructions
            if each.delegate is not None
        ]
        if not calls:
            raise PackError("the program has no delegate, so no TOSA graph says what it gives")
        if len(graphs) == 1 and len(set(calls)) == 1:
            graphs = {graph_key(*calls[0]): next(iter(graphs.values()))}
        self.facts = {"oracle": f"TOSA reference model, tosa-tools {model.version}"}
        self._methods = {}
        for name, method in wanted.items():
            found = {}
            for number in sorted({each for of, each in calls if of == name}):
                key = graph_key(name, number)
                if key not in graphs:
                    known = f"; there are {', '.join(sorted(graphs))}" if graphs else ""
                    raise PackError(f"no TOSA graph {key!r} of delegate {number}{known}").at(
                        name, Place()
                    )
                found[number] = model.graph(f"the graph {key}", graphs[key])
                self.facts[f"graph.{key}"] = hashlib.sha256(graphs[key]).hexdigest()
            self._methods[name] = _Method(method, found, HostKernels(program, run))

    def outputs(self, method: str, inputs: Sequence[object]) -> list[TensorData]:
        """What the method gives for these inputs. Raises ``PackError``, ``TosaError``."""
        if method not in self._methods:
            raise PackError(f"the program has no method {method!r}")
        return self._methods[method].run(inputs)


def ask(
    content: BundledProgram,
    graphs: Mapping[str, object] | None,
    other_program: bool,
    model: TosaModel,
    run: RunAlone,
) -> dict[str, str]:
    """Gives each case and step the outputs that the model gives, and with them the inputs that are
    carried. ``run`` computes kernels beside the delegates. Returns what to say of it.

    ``graphs``: bytes or paths; none: those of the bundle, as long as its program is its own. Raises
    ``PackError``, ``TosaError``, ``OSError``, and what ``run`` raises.
    """
    suites = content.method_test_suites
    if not any(suite.test_cases for suite in suites):
        raise PackError("there are no cases to record")
    if not graphs and not other_program:
        graphs = {
            key: named.data
            for key, named in content.named_data.items()
            if isinstance(named, NamedFile) and named.role is NamedDataRole.GRAPH
        }
    oracle = TosaOracle(
        _bytes(content.program),
        [suite.method_name for suite in suites],
        {key: _bytes(data) for key, data in (graphs or {}).items()},
        model,
        run,
    )
    for suite in suites:
        for number, case in enumerate(suite.test_cases):
            before: list[TensorData] = []
            for at, step in enumerate(case.steps or [case]):
                place = Place(case=number, step=at if case.steps else None)
                for output, into in checked_carries(step.carry):
                    step.inputs[into] = before[output]
                before = _outputs(oracle, suite.method_name, step, place)
                step.expected_outputs = list(before)
    return oracle.facts


def _outputs(
    oracle: TosaOracle, method: str, case: MethodTestCase, place: Place
) -> list[TensorData]:
    """Of a case or step; errors name it."""
    try:
        return oracle.outputs(method, case.inputs)
    except PackError as error:
        inside = error.place or Place()
        raise error.at(method, place._replace(input=inside.input, output=inside.output)) from None
    except TosaError as error:
        raise TosaError(f"{method}, {place}: {error}") from None


def _bytes(data: object) -> bytes:
    source = program_source(data)
    try:
        return source.head(source.size)
    finally:
        source.close()


@dataclass(frozen=True)
class _Step:
    """One instruction: fills in what it writes."""

    run: Callable[[_Known], None]
    reads: tuple[int, ...]
    writes: tuple[int, ...]


class _Method:
    """A method that is a row of delegates and kernels."""

    def __init__(
        self, listed: MethodInstructions, graphs: Mapping[int, TosaGraph], host: HostKernels
    ) -> None:
        """Raises ``PackError`` for the first instruction that cannot be computed."""
        self._listed = listed
        self._graphs = graphs
        self._host = host
        self._steps = []
        known = set(listed.inputs)
        for each in listed.instructions:
            where = f"instruction {each.index}, {each.name}"
            try:
                step = self._step(each)
                unknown = [index for index in step.reads if index not in known]
                if unknown:
                    raise PackError(f"reads v{unknown[0]}, which nothing here gives")
            except PackError as error:
                raise PackError(f"{where}: {error.what}").at(listed.name, Place()) from None
            self._steps.append(step)
            known.update(step.writes)
        for number, index in enumerate(listed.outputs):
            if index not in known:
                raise PackError("nothing computes it").at(listed.name, Place(output=number))

    def run(self, inputs: Sequence[object]) -> list[TensorData]:
        listed = self._listed
        if len(inputs) != len(listed.inputs):
            raise PackError(f"{len(inputs)} inputs, it takes {len(listed.inputs)}")
        known: _Known = {}
        for number, (index, value) in enumerate(zip(listed.inputs, inputs, strict=True)):
            try:
                known[index] = _stored(normalise(value), self._info(index))
            except PackError as error:
                raise error.at(listed.name, Place(input=number)) from None
        for step in self._steps:
            step.run(known)
        return [_tensor(known[index], self._info(index)) for index in listed.outputs]

    def _info(self, index: int) -> ValueInfo:
        return self._listed.values[index].info

    def _step(self, each: InstructionInfo) -> _Step:
        if each.chain != 0:
            raise PackError("it is inside of control flow")
        if each.kind == "delegate":
            return self._delegate(each)
        if each.kind == "free":
            return _Step(lambda known: None, (), ())
        kernels = {
            "quantized_decomposed::quantize_per_tensor.out": _quantize,
            "quantized_decomposed::dequantize_per_tensor.out": _dequantize,
        }
        if each.operator in kernels:
            return self._quantisation(each, kernels[each.operator])
        if each.kind == "kernel":
            return self._kernel(each)
        raise PackError("only delegates and kernels can be recorded so")

    def _kernel(self, each: InstructionInfo) -> _Step:
        reads, compute = self._host.kernel(self._listed, each)

        def run(known: _Known) -> None:
            found = compute([_tensor(known[index], self._info(index)) for index in reads])
            for index, value in zip(each.writes, found, strict=True):
                known[index] = _stored(value, self._info(index))

        return _Step(run, reads, each.writes)

    def _quantisation(
        self, each: InstructionInfo, compute: Callable[[Any, _Scale, Any], Any]
    ) -> _Step:
        import numpy as np

        source, *numbers = each.arguments[:5]
        (target,) = each.writes
        given, made = self._info(source), self._info(target)
        if (given.sizes, given.dim_order) != (made.sizes, made.dim_order):
            raise PackError("its input and output differ in shape or memory order")
        floats, integers = (given, made) if compute is _quantize else (made, given)
        if floats.scalar_type != ScalarType.FLOAT or integers.scalar_type not in _QUANTIZED:
            raise PackError(f"from {dtype_text(given)} to {dtype_text(made)} is not supported")
        scale = _scale([self._info(number) for number in numbers])
        dtype = np.dtype(dtype_text(made))

        def run(known: _Known) -> None:
            known[target] = compute(known[source], scale, dtype)

        return _Step(run, (source,), (target,))

    def _delegate(self, each: InstructionInfo) -> _Step:
        if each.backend != BACKEND:
            raise PackError(f"only delegates of {BACKEND} have a TOSA graph")
        assert each.delegate is not None  # a delegate call
        graph = self._graphs[each.delegate]
        for what, ports, indexes in (
            ("input", graph.inputs, each.reads),
            ("output", graph.outputs, each.writes),
        ):
            if len(ports) != len(indexes):
                raise PackError(f"{graph.name} has {len(ports)} {what}s, it has {len(indexes)}")
            for number, (port, index) in enumerate(zip(ports, indexes, strict=True)):
                info = self._info(index)
                dtype = _DTYPES.get(info.scalar_type)
                if (port.dtype, list(port.shape)) != (dtype, _shape(info)):
                    own = f"{dtype_text(info)}{_shape(info)}"
                    raise PackError(f"{what} {number} of {graph.name} is {port}, here it is {own}")

        def run(known: _Known) -> None:
            found = graph.run([known[index] for index in each.reads])
            for index, array in zip(each.writes, found, strict=True):
                known[index] = array

        return _Step(run, each.reads, each.writes)


# --- Values, in their order in memory -------------------------------------------------------------


def _shape(info: ValueInfo) -> list[int]:
    """As the bytes lie; a delegate's graph knows no other order."""
    sizes = info.sizes or ()
    return [sizes[d] for d in info.dim_order or ()]


def _stored(value: object, info: ValueInfo) -> Any:
    """An input as the program takes it. Raises ``PackError``."""
    if not isinstance(value, TensorData) or info.kind != "tensor":
        raise PackError(f"the program takes a {info.kind} here; only tensors can be recorded so")
    if (value.scalar_type, value.sizes) != (info.scalar_type, info.sizes):
        raise PackError(
            f"a {value.scalar_type.name.lower()}{list(value.sizes)}, the program takes "
            f"{dtype_text(info)}{list(info.sizes or ())}"
        )
    return value.array().transpose(info.dim_order)


def _tensor(array: Any, info: ValueInfo) -> TensorData:
    order = info.dim_order or ()
    return from_numpy(array.transpose(inverse(order)), order)


# --- Quantisation ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scale:
    """value = (number - zero_point) * scale, with numbers from ``low`` to ``high``."""

    scale: float
    zero_point: int
    low: int
    high: int


def _scale(infos: Sequence[ValueInfo]) -> _Scale:
    """Of an operator's arguments. Raises ``PackError``."""
    scale, *integers = infos
    if scale.kind != "double" or any(info.kind != "int" for info in integers):
        raise PackError("its scale and limits are not numbers of the file")
    if not scale.value > 0:
        raise PackError(f"the scale {scale.value} is not positive")
    return _Scale(float(scale.value), *(int(info.value) for info in integers))


def _quantize(values: Any, to: _Scale, dtype: Any) -> Any:
    """As ExecuTorch's operator: the division is a product by the inverse, in float32."""
    import numpy as np

    if np.isnan(values).any():
        raise PackError("a NaN has no number: what quantising it gives depends on the target")
    inverse = np.float32(1) / np.float32(to.scale)
    with np.errstate(over="ignore"):
        levels = np.rint(inverse * values).astype(np.float64) + to.zero_point
    return levels.clip(to.low, to.high).astype(dtype)


def _dequantize(numbers: Any, of: _Scale, dtype: Any) -> Any:
    import numpy as np

    levels = (numbers.astype(np.int64) - of.zero_point).astype(np.float32)
    return (levels * np.float32(of.scale)).astype(dtype)
