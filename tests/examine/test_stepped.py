# SPDX-License-Identifier: BSD-3-Clause
"""`bpte record --trace`: what the instructions gave on this host, by both engines, against what
PyTorch gives for them in eager mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.request import Request

if TYPE_CHECKING:
    from traced_models import Model

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "examples" / "demo" / "mlp.pte"
RTOL, ATOL = 1e-4, 1e-5

Values = dict[tuple[int, int, int], np.ndarray[Any, Any]]
"""By chain, instruction and output."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bpte_runner: Path) -> Path:
    """A folder to work in; the host's program is the one that was built."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BPTE_RUNNER", str(bpte_runner))
    return tmp_path


def model(name: str) -> Model:
    pytest.importorskip("torch", reason="exporting models needs torch")
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    import traced_models

    return traced_models.model(name)


def values(trace: Any) -> Values:
    found: Values = {}
    for instruction, output, value in trace:
        array = value.array() if isinstance(value, bpte.TensorData) else np.array(value)
        key = instruction.chain, instruction.index, output
        assert key not in found
        found[key] = array
    return found


def traces(path: str | Path, method: str = "forward") -> list[Values]:
    """Of each case, or of each step of the only case."""
    with bpte.open(path, verify=True) as bundle:
        (suite,) = [suite for suite in bundle.suites if suite.method_name == method]
        cases = [step for case in suite.test_cases for step in case.steps or [case]]
        return [values(case.trace) for case in cases]


def strict(path: str, engine: str | None = None) -> State:
    return launcher.run(Request(Path(path), engine=engine, trace="strict")).state


def assert_close(found: Values, gold: Values) -> None:
    for key in found.keys() & gold.keys():
        assert found[key].shape == gold[key].shape, key
        assert np.allclose(found[key], gold[key], RTOL, ATOL), key


#: Each with the least number of a case's values that PyTorch knows, too.
EXPORTED = {"conv_channels_last": 8, "encoder": 10, "recurrent": 4, "branch": 3, "dynamic": 2}


@pytest.mark.parametrize("name", EXPORTED)
def test_both_engines_and_eager_mode_agree(name: str, here: Path) -> None:
    made = model(name)
    cases = [bpte.MethodTestCase(each) for each in made.inputs["forward"]]
    if name == "recurrent":  # a state goes from step to step
        cases = [bpte.MethodTestCase(steps=cases)]
    suite = bpte.MethodTestSuite("forward", cases)
    tracer = bpte.EagerTracer(made.edge)
    tracer.match(made.program)
    bpte.BundledProgram(made.program, [suite]).save("inputs.bpte")
    tracer.trace_suite(suite)
    gold = [values(step.trace) for case in cases for step in case.steps or [case]]

    for engine in ("executorch", "reference"):
        bpte.record(None, f"{engine}.bpte", source="inputs.bpte", trace=True, engine=engine)
        found = traces(f"{engine}.bpte")
        for one, other in zip(found, gold, strict=True):
            assert len(one.keys() & other.keys()) >= EXPORTED[name]
            assert_close(one, other)
        assert strict(f"{engine}.bpte", engine) is State.PASSED
    for one, other in zip(traces("executorch.bpte"), traces("reference.bpte"), strict=True):
        assert one.keys() == other.keys()
        assert_close(one, other)


def test_delegates_and_two_methods(here: Path) -> None:
    made = model("xnnpack")
    cases = [bpte.MethodTestCase(each) for each in made.inputs["forward"]]
    tracer = bpte.EagerTracer(made.edge)
    tracer.match(made.program)
    bpte.BundledProgram(made.program, [bpte.MethodTestSuite("forward", cases)]).save("in.bpte")
    bpte.record(None, "m.bpte", source="in.bpte", trace=True)
    for found, case in zip(traces("m.bpte"), made.inputs["forward"], strict=True):
        assert_close(found, values(tracer.trace(case)))
    with bpte.open("m.bpte") as bundle:
        known = bundle.suites[0].traced_method.instructions
        assert any(each.operator_name is None for each in known), "a delegate has no operator"

    made = model("two_methods")
    made.program.save("two.pte")
    bpte.record("two.pte", "two.bpte", cases=2, trace=True)
    for method in ("encode", "decode"):
        assert [len(found) for found in traces("two.bpte", method)] == [3, 3]
    assert strict("two.bpte") is State.PASSED


# --- The command ----------------------------------------------------------------------------------


def metadata(path: str) -> Mapping[str, str]:
    with bpte.open(path) as bundle:
        return bundle.metadata


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_the_file_says_who_computed_the_values(
    engine: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["record", str(MLP), "-o", "m.bpte", "--cases", "2", "--trace", "--engine", engine]
    assert main(words) == 0
    assert strict("m.bpte", engine) is State.PASSED
    capsys.readouterr()
    assert main(["inspect", "m.bpte", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["suites"][0]["traced_method"]["origin"] == engine
    about = metadata("m.bpte")
    assert about["recorded.engine"].startswith(f"{engine} ")
    assert about["recorded.command"].endswith(f"--cases 2 --trace --engine {engine}")
    assert (about["trace.values"], about["trace.every"]) == ("all", "1")


def test_only_what_was_asked_for(here: Path) -> None:
    made = model("conv_channels_last")
    made.program.save("m.pte")
    common = ["record", "m.pte", "--cases", "1", "--trace"]
    assert main([*common, "-o", "all.bpte"]) == 0
    assert main([*common, "-o", "some.bpte", "--trace-floats", "--trace-every", "2"]) == 0
    (everything,), (some,) = traces("all.bpte"), traces("some.bpte")
    assert any(value.dtype.kind == "i" for value in everything.values())
    assert some.keys() == {
        key for key, value in everything.items() if key[1] % 2 == 0 and value.dtype.kind == "f"
    }
    about = metadata("some.bpte")
    assert about["recorded.command"].endswith("--trace --trace-floats --trace-every 2")
    assert about["trace.values"] == "tensors of floating-point types"
    assert about["trace.every"] == "2"
    assert strict("some.bpte") is State.PASSED


def test_what_was_known_of_instructions_stays_known(here: Path) -> None:
    made = model("encoder")
    case = bpte.MethodTestCase(made.inputs["forward"][0])
    suite = bpte.MethodTestSuite("forward", [case])
    tracer = bpte.EagerTracer(made.edge, every=2)
    tracer.match(made.program)
    tracer.trace_suite(suite)
    bpte.BundledProgram(made.program, [suite], metadata=tracer.metadata).save("eager.bpte")
    bpte.record(None, "stepped.bpte", source="eager.bpte", trace=True)
    with bpte.open("eager.bpte") as before, bpte.open("stepped.bpte") as after:
        origins = [file.suites[0].traced_method.origin for file in (before, after)]
        assert origins == [bpte.TraceOrigin.EAGER, bpte.TraceOrigin.EXECUTORCH]
        known = after.suites[0].traced_method.instructions
        assert set(before.suites[0].traced_method.instructions) <= set(known)
        assert known[0].module_path == "norm"
    assert metadata("stepped.bpte")["trace.every"] == "1"


def test_a_trace_does_not_outlive_its_program(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", str(MLP), "-o", "m.bpte", "--trace", "--cases", "1"]) == 0
    assert main(["record", "--from", "m.bpte", "-o", "same.bpte"]) == 0
    assert len(traces("same.bpte")[0]) == len(traces("m.bpte")[0]) > 0
    capsys.readouterr()
    assert main(["record", str(MLP), "--from", "m.bpte", "-o", "other.bpte"]) == 0
    assert "is of its own program: it is left out" in capsys.readouterr().err
    assert traces("other.bpte") == [{}]
    assert not any(key.startswith("trace.") for key in metadata("other.bpte"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trace-floats"], "have no effect without --trace"),
        (["--trace-every", "2"], "have no effect without --trace"),
        (["--trace", "--trace-every", "0"], "a trace of every 0 instructions: 1 at least"),
    ],
)
def test_mistakes_are_named(
    words: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", str(MLP), "-o", "m.bpte", *words]) == 2
    assert message in capsys.readouterr().err
    assert list(here.iterdir()) == []
    with pytest.raises(bpte.PackError, match="but nothing is traced"):
        bpte.record(MLP, "m.bpte", trace_every=2)
