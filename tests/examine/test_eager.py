# SPDX-License-Identifier: BSD-3-Clause
"""Traces made from PyTorch, against what ExecuTorch's own runtime gives for each instruction, read
by ExecuTorch's own Inspector; and against those that `bpte record --trace` makes by running."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.files.checksum import crc32
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.request import Request
from logged_values import logged

pytest.importorskip("torch", reason="traces made from PyTorch need torch")
pytest.importorskip("executorch.exir", reason="exporting models needs executorch")

if TYPE_CHECKING:
    from traced_models import Model

RTOL, ATOL = 1e-4, 1e-5
# Each is there for something: several memory orders, operators with several outputs, state, control
# flow, sizes below their bounds, delegates.
NAMES = ["conv_channels_last", "encoder", "recurrent", "branch", "dynamic", "xnnpack"]


def model(name: str) -> Model:
    import traced_models

    return traced_models.model(name)


def tracer_of(name: str, method: str = "forward", **choice: Any) -> bpte.EagerTracer:
    made = model(name)
    tracer = bpte.EagerTracer(made.edge, method, **choice)
    tracer.match(made.program)
    return tracer


@pytest.mark.parametrize("name", NAMES)
def test_as_executorch_gives_it(name: str, tmp_path: Path) -> None:
    tracer = tracer_of(name)
    (method,) = bpte_instructions(name)
    compared = 0
    for inputs in model(name).inputs["forward"]:
        gold = logged(model(name).program.buffer, "forward", inputs, tmp_path)
        for instruction, output, value in tracer.trace(inputs):
            if not isinstance(value, bpte.TensorData) or instruction.index not in gold:
                continue
            writes = method.at(instruction.chain, instruction.index).writes
            # Of a delegate the runtime logs the inputs, too: the outputs are the last.
            expected = gold[instruction.index][-len(writes) :][output]
            actual = value.array()
            assert actual.shape == tuple(expected.shape), instruction
            # The Inspector shows the bytes as they lie in memory, whatever the order.
            laid_out = actual.transpose(method.values[writes[output]].info.dim_order).ravel()
            assert np.allclose(laid_out, expected.numpy().ravel(), RTOL, ATOL), instruction
            compared += 1
    traced = len(tracer.traced_method.instructions) * len(model(name).inputs["forward"])
    assert compared >= traced / 2, "the runtime logs most instructions"


@pytest.mark.parametrize("name", NAMES)
def test_nearly_every_instruction_has_its_node(name: str) -> None:
    (method,) = bpte_instructions(name)
    known = {each.index for each in tracer_of(name).traced_method.instructions}
    left = {each.name for each in method.instructions if each.index not in known}
    # The copy that the exporter adds for a state or a memory order, and control flow.
    assert left <= {
        "aten::copy_",
        "dim_order_ops::_to_dim_order_copy.out",
        "executorch_prim::mul.Scalar",
        *(("jump", "move", "aten::add.out", "aten::sub.out") if name == "branch" else ()),
    }
    assert len(known) >= 3


def bpte_instructions(name: str) -> Any:
    from bpte.program import instructions

    return instructions(model(name).program.buffer)


def test_labels_say_module_and_line() -> None:
    by_index = {each.index: each for each in tracer_of("encoder").traced_method.instructions}
    norm, last = by_index[0], by_index[max(by_index)]
    assert norm.operator_name == "aten::native_layer_norm.out"
    assert (norm.node, norm.module_path) == ("aten_native_layer_norm_default", "norm")
    lines = Path(__file__).with_name("traced_models.py").read_text().splitlines()
    assert norm.source is not None and last.source is not None
    file, _, number = norm.source.partition(":")
    assert file == "traced_models.py" and "self.norm(x)" in lines[int(number) - 1]
    assert "x + self.out(" in lines[int(last.source.partition(":")[2]) - 1]


def test_a_delegate_has_what_its_operators_have_in_common() -> None:
    calls = [
        each for each in tracer_of("xnnpack").traced_method.instructions if "delegate" in each.node
    ]
    assert len(calls) > 1
    assert {"mix", "out"} <= {call.module_path for call in calls}
    assert all(call.operator_name is None for call in calls)
    values = tracer_of("xnnpack").trace(model("xnnpack").inputs["forward"][0])
    assert {entry.instruction.index for entry in values} >= {call.index for call in calls}


def test_steps_go_on_with_their_state(tmp_path: Path) -> None:
    import torch

    import traced_models

    torch.manual_seed(0)
    module = traced_models.Recurrent().eval()
    made = model("recurrent")
    weights = made.edge.exported_program("forward").state_dict
    module.load_state_dict(dict(weights), strict=False)
    inputs = made.inputs["forward"]
    with torch.no_grad():
        outputs = [module(*each) for each in inputs]
    steps = [bpte.MethodTestCase(i, [o]) for i, o in zip(inputs, outputs, strict=True)]
    alone = bpte.MethodTestCase(inputs[1])
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase(steps=steps), alone])
    tracer_of("recurrent").trace_suite(suite)
    for step, expected in zip(steps, outputs, strict=True):
        last = step.trace[-1]
        assert last.instruction.operator_name == "aten::add.out"
        assert np.allclose(last.value.array(), expected.numpy(), RTOL, ATOL)
    # A case of its own begins with the state as it is at first.
    assert not np.allclose(alone.trace[-1].value.array(), outputs[1].numpy(), RTOL, ATOL)
    assert suite.traced_method is not None


def test_numpy_inputs_and_two_methods(tmp_path: Path) -> None:
    made = model("two_methods")
    suites = []
    for method, cases in made.inputs.items():
        tracer = tracer_of("two_methods", method)
        arrays = [value.numpy() for value in cases[0]]
        case = bpte.MethodTestCase(arrays, trace=tracer.trace(arrays))
        assert len(case.trace) == 3
        gold = logged(made.program.buffer, method, cases[0], tmp_path)
        for instruction, output, value in case.trace:
            expected = gold[instruction.index][output].numpy()
            assert np.allclose(value.array(), expected, RTOL, ATOL)
        suites.append(bpte.MethodTestSuite(method, [case], traced_method=tracer.traced_method))
    path = tmp_path / "m.bpte"
    bpte.BundledProgram(made.program, suites, metadata=tracer.metadata).save(path)
    with bpte.open(path, verify=True) as bundle:
        for suite in bundle.suites:
            assert suite.traced_method.origin is bpte.TraceOrigin.EAGER
            assert suite.traced_method.program_crc32 == crc32(made.program.buffer)
            assert len(suite.test_cases[0].info.trace) == 3
        assert bundle.metadata["trace.values"] == "all"


def test_what_was_asked_for_is_kept() -> None:
    inputs = model("encoder").inputs["forward"][0]
    everything = tracer_of("encoder").trace(inputs)
    some = tracer_of("encoder", every=3).trace(inputs)
    assert some and {entry.instruction.index % 3 for entry in some} == {0}
    assert len(some) == sum(entry.instruction.index % 3 == 0 for entry in everything)
    pooled = model("conv_channels_last").inputs["forward"][0]
    floats = tracer_of("conv_channels_last", floats_only=True)
    dropped = len(tracer_of("conv_channels_last").trace(pooled)) - len(floats.trace(pooled))
    assert dropped == 1  # the indices of the pool
    assert floats.metadata == {
        "trace.values": "tensors of floating-point types",
        "trace.every": "1",
    }


def test_the_list_of_instructions_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracer = tracer_of("encoder")
    inputs = model("encoder").inputs["forward"][0]
    case = bpte.MethodTestCase(inputs, trace=tracer.trace(inputs))
    suite = bpte.MethodTestSuite("forward", [case], traced_method=tracer.traced_method)
    path = tmp_path / "m.bpte"
    bpte.BundledProgram(model("encoder").program, [suite]).save(path)
    assert main(["inspect", str(path), "--instructions", "--json"]) == 0
    (method,) = json.loads(capsys.readouterr().out)["methods"]
    assert method["instructions"][0]["module_path"] == "norm"


# --- Against traces made by running ---------------------------------------------------------------

Values = dict[tuple[int, int, int], np.ndarray[Any, Any]]
"""By chain, instruction and output."""

#: Both engines run these; the least number of values in a case that PyTorch knows as well.
BY_BOTH = {"conv_channels_last": 8, "encoder": 10, "recurrent": 4, "dynamic": 2}


def values(trace: Any) -> Values:
    found: Values = {}
    for instruction, output, value in trace:
        array = value.array() if isinstance(value, bpte.TensorData) else np.array(value)
        assert (instruction.chain, instruction.index, output) not in found
        found[instruction.chain, instruction.index, output] = array
    return found


def stepped(path: str) -> list[Values]:
    """Of each execution that the bundle has."""
    with bpte.open(path, verify=True) as bundle:
        runs = [step for case in bundle.suites[0].test_cases for step in case.steps or [case]]
        return [{key: value.copy() for key, value in values(run.trace).items()} for run in runs]


def close(one: Values, other: Values) -> int:
    """How many values both have; they are all alike."""
    common = one.keys() & other.keys()
    for key in common:
        assert one[key].shape == other[key].shape, key
        assert np.allclose(one[key], other[key], RTOL, ATOL), key
    return len(common)


def inputs_bundle(name: str) -> list[Values]:
    """Writes the model with its inputs; the values that PyTorch gives."""
    cases = [bpte.MethodTestCase(inputs) for inputs in model(name).inputs["forward"]]
    # A state goes on from step to step.
    whole = [bpte.MethodTestCase(steps=cases)] if name == "recurrent" else cases
    suite = bpte.MethodTestSuite("forward", whole)
    bpte.BundledProgram(model(name).program, [suite]).save("inputs.bpte")
    tracer_of(name).trace_suite(suite)
    return [values(case.trace) for case in cases]


@pytest.mark.parametrize("name", BY_BOTH)
def test_both_engines_give_what_eager_mode_does(name: str, here: Path) -> None:
    gold = inputs_bundle(name)
    found = {}
    for engine in ("executorch", "reference"):
        bpte.record(None, f"{engine}.bpte", source="inputs.bpte", trace=True, engine=engine)
        found[engine] = stepped(f"{engine}.bpte")
        for one, other in zip(found[engine], gold, strict=True):
            assert close(one, other) >= BY_BOTH[name]
    for one, other in zip(*found.values(), strict=True):
        assert one.keys() == other.keys()
        close(one, other)
    # One engine's trace is right for the other, too.
    request = Request(Path("executorch.bpte"), engine="reference", trace="strict")
    request = replace(request, rtol=RTOL, atol=ATOL, trace_rtol=RTOL, trace_atol=ATOL)
    assert launcher.run(request).state is State.PASSED


@pytest.mark.parametrize("name", ["branch", "xnnpack"])
def test_executorch_gives_what_eager_mode_does(name: str, here: Path) -> None:
    gold = inputs_bundle(name)
    bpte.record(None, "m.bpte", source="inputs.bpte", trace=True)
    for one, other in zip(stepped("m.bpte"), gold, strict=True):
        assert close(one, other) >= 3
    with bpte.open("m.bpte") as bundle:
        known = bundle.suites[0].traced_method.instructions
    assert any(each.operator_name is None for each in known)  # of moves and delegates
    assert launcher.run(Request(Path("m.bpte"), trace="strict")).state is State.PASSED


def test_only_what_was_asked_for_is_recorded(here: Path) -> None:
    model("conv_channels_last").program.save("m.pte")
    common = ["record", "m.pte", "--cases", "1", "--trace"]
    assert main([*common, "-o", "all.bpte"]) == 0
    assert main([*common, "-o", "some.bpte", "--trace-floats", "--trace-every", "2"]) == 0
    (everything,), (some,) = stepped("all.bpte"), stepped("some.bpte")
    assert any(value.dtype.kind == "i" for value in everything.values())
    assert some.keys() == {
        key for key, value in everything.items() if key[1] % 2 == 0 and value.dtype.kind == "f"
    }
    with bpte.open("some.bpte") as bundle:
        about = bundle.metadata
    assert about["recorded.command"].endswith("--trace --trace-floats --trace-every 2")
    assert about["trace.values"] == "tensors of floating-point types"
    assert about["trace.every"] == "2"
    assert launcher.run(Request(Path("some.bpte"), trace="strict")).state is State.PASSED


def test_what_was_known_of_instructions_stays_known(here: Path) -> None:
    suite = bpte.MethodTestSuite(
        "forward", [bpte.MethodTestCase(model("encoder").inputs["forward"][0])]
    )
    tracer = tracer_of("encoder", every=2)
    tracer.trace_suite(suite)
    bundled = bpte.BundledProgram(model("encoder").program, [suite], metadata=tracer.metadata)
    bundled.save("eager.bpte")
    bpte.record(None, "stepped.bpte", source="eager.bpte", trace=True)
    with bpte.open("eager.bpte") as before, bpte.open("stepped.bpte") as after:
        methods = [bundle.suites[0].traced_method for bundle in (before, after)]
        assert after.metadata["trace.every"] == "1"
    origins = [method.origin for method in methods]
    assert origins == [bpte.TraceOrigin.EAGER, bpte.TraceOrigin.EXECUTORCH]
    assert set(methods[0].instructions) <= set(methods[1].instructions)
    assert methods[1].instructions[0].module_path == "norm"


def test_mistakes_are_named() -> None:
    made = model("encoder")
    with pytest.raises(bpte.PackError, match=r"no such method, it has \['forward'\]"):
        bpte.EagerTracer(made.edge, "encode")
    with pytest.raises(bpte.PackError, match="a Model is no edge program"):
        bpte.EagerTracer(made)
    with pytest.raises(bpte.PackError, match="Make the tracer before it is called"):
        bpte.EagerTracer(made.program)
    with pytest.raises(bpte.PackError, match="every 0 instructions"):
        bpte.EagerTracer(made.edge, every=0)
    tracer = bpte.EagerTracer(made.edge)
    with pytest.raises(bpte.PackError, match="Call match"):
        tracer.trace(made.inputs["forward"][0])
    with pytest.raises(bpte.PackError, match="no such method"):
        tracer.match(model("two_methods").program)
    with pytest.raises(bpte.PackError, match="no instruction of the program belongs"):
        tracer.match(model("branch").program)
    tracer.match(made.program)
    with pytest.raises(bpte.PackError, match="2 inputs to trace, the method takes 1"):
        tracer.trace(*made.inputs["forward"][0], 1)
