# SPDX-License-Identifier: BSD-3-Clause
"""`bpte record --oracle tosa`: what to expect of an Ethos-U, by the TOSA reference model.

The functional model of the NPU is the other opinion: it computes the stream that Vela made of the
same graph.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tosa_reference_model", reason="needs tosa-tools, which `make test` installs")

from delegate_program import Net, nets, program
from tosa_graph import Graph

import bpte
import bpte.program as bpte_program
from bpte.cli import main
from bpte.examine.record import RecordError
from bpte.pack.tensors import PackError
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.request import Request

DIGITS = Path(__file__).parents[3] / "examples" / "digits"
PROGRAM, GRAPH = DIGITS / "digits_ethos_u55.pte", DIGITS / "digits_ethos_u55.tosa"
EXACT = bpte.Tolerance(rtol=0, atol=0)


def outputs(path: str) -> list[list[np.ndarray]]:
    with bpte.open(path) as bundle:
        return [
            [np.array(value) for value in run.expected_outputs]
            for suite in bundle.suites
            for case in suite.test_cases
            for run in (case.steps or [case])
        ]


def test_a_network_and_how_it_was_recorded(here: Path) -> None:
    words = ["--inputs", "uniform", "--cases", "2", "--rtol", "0", "--atol", "0"]
    oracle = ["--oracle", "tosa", "--graph", str(GRAPH)]
    assert main(["record", str(PROGRAM), "-o", "m.bpte", *words, *oracle]) == 0
    with bpte.open("m.bpte") as bundle:
        facts = {k: v for k, v in bundle.metadata.items() if k.startswith("recorded.")}
    assert facts.pop("recorded.command").endswith(f"--oracle tosa --graph {GRAPH}")
    assert facts.pop("recorded.oracle").startswith("TOSA reference model, tosa-tools ")
    assert facts == {
        "recorded.bpte": bpte.__version__,
        "recorded.graph.forward/0": hashlib.sha256(GRAPH.read_bytes()).hexdigest(),
        "recorded.inputs": "uniform(0.0,1.0)",
        "recorded.seed": "0",
    }
    run = launcher.run(Request(Path("m.bpte")))  # the stream, in the functional model
    assert run.state is State.PASSED, run.message
    assert [path.name for path in here.iterdir()] == ["m.bpte"]


def test_a_bundle_with_its_graph(here: Path) -> None:
    with np.load(DIGITS / "samples.npz") as arrays:
        images, scores = arrays["images"][:2], arrays["int8"][:2]
    cases = [
        bpte.MethodTestCase([image], [np.zeros_like(score)], name=f"digit {k}")
        for k, (image, score) in enumerate(zip(images, scores, strict=True))
    ]
    suites = [bpte.MethodTestSuite("forward", cases, EXACT)]
    bpte.BundledProgram(PROGRAM, suites, graphs={"forward/0": GRAPH}).save("wrong.bpte")
    assert main(["record", "--from", "wrong.bpte", "-o", "right.bpte", "--oracle", "tosa"]) == 0
    for (found,), score in zip(outputs("right.bpte"), scores, strict=True):
        step = np.abs(np.diff(np.unique(scores))).min()
        assert np.abs(found - score).max() <= 1.01 * step  # PyTorch, of the quantised network
    with bpte.open("right.bpte") as bundle:
        assert [case.name for case in bundle.suites[0].test_cases] == ["digit 0", "digit 1"]
        assert bytes(bundle.named_data("forward/0")) == GRAPH.read_bytes()
        assert "recorded.engine" not in bundle.metadata
    assert launcher.run(Request(Path("right.bpte"))).state is State.PASSED
    # Another program is not what the bundle's graph was compiled to.
    with pytest.raises(PackError, match="no TOSA graph 'forward/0' of delegate 0"):
        bpte.record(PROGRAM, "no.bpte", source="wrong.bpte", oracle="tosa")
    bpte.record(PROGRAM, "again.bpte", source="wrong.bpte", oracle="tosa", graphs={"": GRAPH})
    assert np.array_equal(outputs("again.bpte"), outputs("right.bpte"))


def taken_from(shape: Sequence[int] = (1, 1, 8, 8), dtype: str = "INT8") -> bytes:
    """A graph that fits the digits' delegate: the first ten numbers of the image, each less 3."""
    graph = Graph()
    x = graph.input(shape, dtype)
    flat = graph.reshape(graph.rescale(x, 1.0, zero_in=3 * (dtype == "INT8")), (1, 64))
    graph.output(graph.slice(flat, (0, 0), (1, 10)))
    return graph.serialize()


def two_inputs() -> bytes:
    graph = Graph()
    a, b = (graph.rescale(graph.input((1, 10)), 1.0, dtype="INT32") for _ in range(2))
    graph.output(graph.rescale(graph.binary("ADD", a, b), 1.0))
    return graph.serialize()


def overflowing() -> bytes:
    """TOSA leaves open what a sum of more than 32 bits is."""
    graph = Graph()
    flat = graph.slice(graph.reshape(graph.input((1, 1, 8, 8)), (1, 64)), (0, 0), (1, 10))
    x = graph.rescale(flat, float(1 << 30), dtype="INT32")
    graph.output(graph.rescale(graph.binary("ADD", x, x), 0.5**30))
    return graph.serialize()


def test_what_the_graph_says_counts_and_not_what_the_delegate_computes(here: Path) -> None:
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    words = {"given": {0: image}, "cases": 1, "tolerance": EXACT}
    bpte.record(PROGRAM, "m.bpte", oracle="tosa", graphs={"": taken_from()}, **words)
    quantised, dequantised = quantisation()
    numbers = np.rint(image.ravel() * (np.float32(1) / np.float32(quantised[0]))) + quantised[1]
    levels = np.clip(numbers.clip(-128, 127) - 3, -128, 127)[:10] - dequantised[1]
    ((found,),) = outputs("m.bpte")
    assert np.array_equal(found.ravel(), levels.astype(np.float32) * np.float32(dequantised[0]))
    assert launcher.run(Request(Path("m.bpte"))).state is State.MISMATCH


def quantisation() -> list[tuple[float, int]]:
    """Scale and zero point in front of the digits' delegate, and behind it."""
    (method,) = bpte_program.instructions(PROGRAM)
    return [
        (method.values[each.arguments[1]].info.value, method.values[each.arguments[2]].info.value)
        for each in method.instructions
        if each.kind == "kernel"
    ]


def test_steps_take_what_the_step_before_gave(here: Path) -> None:
    (net,) = (net for net in nets() if net.name == "softmax@ethos-u55-128")
    Path("m.pte").write_bytes(program([net]))
    graph = Graph()
    graph.output(graph.rescale(graph.input((6, 20)), 1.0, zero_in=3))
    zero = np.zeros((6, 20), np.int8)
    later = [bpte.MethodTestCase([None], [zero], carry=[(0, 0)]) for _ in range(2)]
    case = bpte.MethodTestCase(steps=[bpte.MethodTestCase([zero], [zero]), *later])
    suite = bpte.MethodTestSuite(net.method, [case])
    bpte.BundledProgram("m.pte", [suite], graphs={"any": graph.serialize()}).save("zeros.bpte")
    bpte.record(None, "m.bpte", source="zeros.bpte", oracle="tosa")
    assert [np.unique(found).tolist() for (found,) in outputs("m.bpte")] == [[-3], [-6], [-9]]
    with bpte.open("m.bpte") as bundle:
        steps = bundle.suites[0].test_cases[0].steps
        assert [np.unique(step.inputs[0]).tolist() for step in steps] == [[0], [-3], [-6]]


KEY = "forward/0"
FIT = taken_from()
NOT_FITTING: dict[str, tuple[dict[str, bytes], str]] = {
    "no graph": ({}, f"no TOSA graph '{KEY}' of delegate 0$"),
    "other keys": ({"a": FIT, "b": FIT}, "of delegate 0; there are a, b$"),
    "shape": (
        {KEY: taken_from((1, 8, 8, 1))},
        r"instruction 1, delegate EthosUBackend: input 0 of the graph \S+ is INT8\[1, 8, 8, 1\], "
        r"here it is int8\[1, 1, 8, 8\]",
    ),
    "dtype": ({KEY: taken_from(dtype="INT16")}, r"is INT16\[1, 1, 8, 8\], here it is int8"),
    "count": ({KEY: two_inputs()}, "has 2 inputs, it has 1"),
    "no graph at all": ({KEY: b"hello, world"}, "is not a TOSA graph: .*bytes 4-7 are not TOSA"),
}


@pytest.mark.parametrize("name", NOT_FITTING)
def test_graphs_that_do_not_fit(here: Path, name: str) -> None:
    graphs, message = NOT_FITTING[name]
    with pytest.raises(PackError, match=message):
        bpte.record(PROGRAM, "no.bpte", cases=1, oracle="tosa", graphs=dict(graphs))
    assert not list(here.iterdir())


@pytest.mark.parametrize("size", [12, 60, len(FIT) // 2, len(FIT) * 3 // 4])
def test_a_graph_that_ends_early(here: Path, size: int) -> None:
    """Whatever the reference model does with it, which is C++."""
    with pytest.raises((PackError, RecordError), match=r"TOSA|the graph"):
        bpte.record(PROGRAM, "no.bpte", cases=1, oracle="tosa", graphs={KEY: FIT[:size]})
    assert not list(here.iterdir())


def test_what_tosa_leaves_open_is_not_recorded(here: Path) -> None:
    with pytest.raises(RecordError, match="case 0: TOSA leaves open what the graph") as raised:
        bpte.record(
            PROGRAM, "no.bpte", inputs="ones", cases=1, oracle="tosa", graphs={"": overflowing()}
        )
    assert raised.value.state is State.NOT_RUN


def changed(old: bytes, new: bytes) -> bytes:
    data = PROGRAM.read_bytes()
    assert old in data
    return data.replace(old, new)


def test_a_delegate_of_another_backend(here: Path) -> None:
    Path("m.pte").write_bytes(changed(b"EthosUBackend", b"EthosXBackend"))
    with pytest.raises(PackError, match=r"instruction 1, .*: only delegates of EthosUBackend have"):
        bpte.record("m.pte", "no.bpte", oracle="tosa", graphs={"": GRAPH})


def test_a_kernel_that_the_engine_does_not_have(here: Path) -> None:
    Path("m.pte").write_bytes(changed(b"dequantize_per_tensor", b"dequantize_per_tensoR"))
    message = (
        r"^forward: instruction 2, \S+dequantize_per_tensoR.out, run alone: .*missing_operator"
    )
    with pytest.raises(RecordError, match=message):
        bpte.record("m.pte", "no.bpte", cases=1, oracle="tosa", graphs={"": GRAPH})
    assert [path.name for path in here.iterdir()] == ["m.pte"]


def with_relu(net: Net) -> bytes:
    """The program of a delegate, and of a kernel that the NPU does not compute."""
    from executorch.exir import schema

    whole = bpte_program.deserialize_pte(program([net]))
    (plan,) = whole.program.execution_plan
    result = copy.deepcopy(plan.values[plan.outputs[0]])
    offset = plan.non_const_buffer_sizes[1]
    result.val.allocation_info = schema.AllocationDetails(1, offset, 0)
    plan.values.append(result)
    plan.operators.append(schema.Operator("aten::relu", "out"))
    index = len(plan.values) - 1
    call = schema.KernelCall(0, [plan.outputs[0], index, index])
    plan.chains[0].instructions.append(schema.Instruction(call))
    plan.outputs, plan.non_const_buffer_sizes = [index], [0, offset + 128]
    return bytes(bpte_program.serialize_pte(whole))


def test_a_kernel_beside_the_delegate(here: Path) -> None:
    (net,) = (net for net in nets() if net.name == "softmax@ethos-u55-128")
    Path("m.pte").write_bytes(with_relu(net))
    graph = Graph()
    graph.output(graph.rescale(graph.input((6, 20)), 1.0, zero_in=3))
    x = np.arange(-60, 60, dtype=np.int8).reshape(6, 20)
    words = {"given": {0: x}, "cases": 1, "oracle": "tosa", "engine": "executorch"}
    bpte.record("m.pte", "m.bpte", graphs={"": graph.serialize()}, **words)
    assert np.array_equal(outputs("m.bpte"), [[np.maximum(x - 3, 0)]])
    with bpte.open("m.bpte") as bundle:
        assert bundle.metadata["recorded.engine"].startswith("executorch ")
        assert bundle.metadata["recorded.oracle"].startswith("TOSA reference model")


def test_a_program_without_delegates(here: Path) -> None:
    with pytest.raises(PackError, match="the program has no delegate"):
        bpte.record(DIGITS / "digits.pte", "no.bpte", oracle="tosa", graphs={"": GRAPH})


def test_inputs_that_cannot_be_computed(here: Path) -> None:
    for words, message in (
        ({"inputs": "nan"}, "case 0: a NaN has no number"),
        (
            {"given": {0: np.zeros((1, 1, 8, 9), np.float32)}},
            r"case 0, input 0: a float\[1, 1, 8, 9",
        ),
    ):
        with pytest.raises(PackError, match=message):
            bpte.record(PROGRAM, "no.bpte", oracle="tosa", graphs={"": GRAPH}, **words)


def test_it_is_given_so_much_time(here: Path) -> None:
    with pytest.raises(RecordError, match=r"did not end in 0\.01 s"):
        bpte.record(PROGRAM, "no.bpte", oracle="tosa", graphs={"": GRAPH}, timeout=0.01)


def test_what_is_not_installed_is_asked_for_by_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpte.examine.tosa_model.find_spec", lambda name: None)
    with pytest.raises(PackError, match=r"not installed: pip install 'bpte\[tosa\]'"):
        bpte.record(PROGRAM, "no.bpte", oracle="tosa", graphs={"": GRAPH})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--graph", "x.tosa"], "graphs were given, but no oracle that takes them"),
        (["--oracle", "tosa", "--trace"], "so there is nothing to trace"),
        (["--oracle", "tosa", "--graph", "x.tosa"], "x.tosa: No such file"),
        (["--oracle", "tosa", "--graph", "a=x.tosa", "--graph", "a=y.tosa"], "two graphs 'a'"),
    ],
)
def test_usage(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["record", str(PROGRAM), "-o", "no.bpte", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(here.iterdir())
