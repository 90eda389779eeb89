# SPDX-License-Identifier: BSD-3-Clause
"""Steps, carries, labels, metrics, traces, budgets, weights and graphs: what is packed, and what is
refused, with its place."""

from __future__ import annotations

import filecmp
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.devtools.bundled_program.serialize import (
    deserialize_from_flatbuffer_to_bundled_program,
)
from bpte.pack.convert import convert

Case = bpte.MethodTestCase
Suite = bpte.MethodTestSuite
PROGRAM = b"a program".ljust(300, b"\0")
PTD = b"\x08\0\0\0FT01"
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def step(number: int, **more: Any) -> bpte.MethodTestCase:
    """Takes a state and a number, gives the next ones."""
    return Case([X + number, number], [X + number + 1, number + 1], **more)


def save(path: Path, suites: list[bpte.MethodTestSuite], **more: Any) -> Path:
    options = {key: more.pop(key) for key in ("format", "drop") if key in more}
    bundled = bpte.BundledProgram(PROGRAM, suites, **more)
    bundled.save(path, fit="skip", durable=False, **options)
    return path


def sequence(**more: Any) -> bpte.MethodTestCase:
    steps = [step(0), Case([None, None], [X + 2, 2], name="left out"), step(2)]
    return Case(steps=steps, carry={0: 0, 1: 1}, **more)


def everything() -> tuple[list[bpte.MethodTestSuite], dict[str, Any]]:
    known = bpte.Instruction(0, 0, operator_name="aten::add.out")
    trace = [bpte.TraceValue(known, 0, X)]
    suites = [
        Suite("g", [sequence(name="all")]),
        Suite(
            "f",
            [Case([X], [X], labels=[1, 2], trace=trace), Case([X], [X + 1], labels=3)],
            metrics=[bpte.Metric(bpte.MetricKind.TOP_K_ACCURACY, minimum=0.5)],
            traced_method=bpte.TracedMethod(bpte.TraceOrigin.EAGER),
        ),
    ]
    budget = bpte.Budget(bpte.BudgetResource.FLASH, 100, "g", "corstone-300")
    more = {"budgets": [budget], "weights": {"w.ptd": PTD}, "graphs": {"tosa": b"graph"}}
    return suites, more


def test_everything_reads_back_in_both_languages(
    tmp_path: Path, cpp_tool: Callable[[str], Path]
) -> None:
    suites, more = everything()
    path = save(tmp_path / "m.bpte", suites, **more)
    with bpte.open(path, verify=True) as bundle:
        (f, g) = bundle.suites
        (case,) = g.test_cases
        assert [s.name for s in case.steps] == ["", "left out", ""]
        for number, read in enumerate(case.steps):
            state, count = read.inputs
            assert np.array_equal(state, X + number) and count == number
            assert [tuple(carry) for carry in read.carries] == ([(0, 0), (1, 1)] if number else [])
        assert case.inputs == case.expected_outputs == []
        (value,) = f.test_cases[0].trace
        assert value.instruction.operator_name == "aten::add.out"
        assert np.array_equal(value.value, X)
        assert f.traced_method is not None and f.traced_method.origin is bpte.TraceOrigin.EAGER
        assert [list(case.labels) for case in f.test_cases] == [[1, 2], [3]]
        assert bundle.budgets == more["budgets"]
        assert bundle.named_data_info["w.ptd"].role is bpte.NamedDataRole.PTD
        assert bytes(bundle.named_data("tosa")) == b"graph"
        assert bundle.header.required_features == 7
    again = tmp_path / "again.bpte"
    convert(path, again, durable=False)
    assert filecmp.cmp(path, again, shallow=False)
    done = subprocess.run(
        [cpp_tool("rule_of"), path], capture_output=True, text=True, check=True, timeout=60
    )
    assert {line.split("\t")[2] for line in done.stdout.splitlines()} == {"ok"}


def test_a_step_inherits_the_tolerances_of_its_case_then_the_suites(tmp_path: Path) -> None:
    loose, exact, suites = (bpte.Tolerance(atol=number) for number in (1, 0, 5))
    case = Case(steps=[step(0), step(1, tolerances=exact)], tolerances=[loose] * 2)
    path = save(tmp_path / "m.bpte", [Suite("f", [case, Case(steps=[step(0)])], suites)])
    with bpte.open(path) as bundle:
        first, second = bundle.suites[0].test_cases
        assert [s.tolerance(1) for s in first.steps] == [loose, exact]
        assert second.steps[0].tolerance(0) == suites


def test_a_carried_output_has_the_memory_order_of_its_input(tmp_path: Path) -> None:
    state = np.asfortranarray(X)
    case = Case(steps=[Case([state], [X + 1]), Case([np.asfortranarray(X + 1)])], carry={0: 0})
    path = save(tmp_path / "m.bpte", [Suite("f", [case])])
    with bpte.open(path) as bundle:
        first, second = bundle.suites[0].test_cases[0].steps
        (given,) = first.info.expected_outputs
        (taken,) = second.info.inputs
        assert isinstance(given, bpte.Tensor) and isinstance(taken, bpte.Tensor)
        assert given.dim_order == taken.dim_order == (1, 0)
        assert np.array_equal(first.expected_outputs[0], X + 1)


def test_a_trace_has_a_segment_of_its_own(tmp_path: Path) -> None:
    """Even where the payloads are those of the case."""
    trace = [bpte.TraceValue(bpte.Instruction(0, number), 0, X) for number in range(3)]
    case = Case([X], [X], trace=trace)
    origin = bpte.TracedMethod(bpte.TraceOrigin.EXECUTORCH)
    path = save(tmp_path / "m.bpte", [Suite("f", [case, case], traced_method=origin)])
    with bpte.open(path, verify=True) as bundle:
        assert [segment.size for segment in bundle.segments[1:]] == [24, 24]


def test_a_trace_is_bound_to_its_program(tmp_path: Path) -> None:
    def suite(program_crc32: int | None) -> bpte.MethodTestSuite:
        traced = bpte.TracedMethod(bpte.TraceOrigin.REFERENCE, (), program_crc32)
        return Suite("f", [], traced_method=traced)

    path = save(tmp_path / "m.bpte", [suite(None)])
    with bpte.open(path) as bundle:
        traced = bundle.suites[0].traced_method
        assert traced is not None
        assert traced.program_crc32 == bundle.segments[0].crc32
    save(path, [suite(traced.program_crc32)])
    before = path.read_bytes()
    with pytest.raises(bpte.PackError, match="'f': its traces were made from another program"):
        save(path, [suite(1)])
    assert path.read_bytes() == before


ORIGIN = bpte.TracedMethod(bpte.TraceOrigin.EAGER)
HERE = bpte.Instruction(0, 1)
TOP_1 = bpte.Metric(bpte.MetricKind.TOP_K_ACCURACY)


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        (Suite("f", [Case([1], steps=[step(0)])]), "case 0: a case with steps has no inputs"),
        (Suite("f", [Case([], [1], steps=[step(0)])]), "case 0: .* no expected outputs of its own"),
        (Suite("f", [Case(steps=[step(0)], labels=1)]), "case 0: .* no labels of its own"),
        (
            Suite("f", [Case(steps=[step(0), Case(steps=[step(0)])])]),
            "case 0, step 1: a step cannot have steps",
        ),
        (Suite("f", [Case([1], carry={0: 0})]), "case 0: a carry needs a step before"),
        (
            Suite("f", [Case(steps=[step(0, carry={0: 0})])]),
            "case 0, step 0: the first step has no step before it",
        ),
        (
            Suite("f", [Case(steps=[step(0), step(1)], carry={0: 2})]),
            "case 0, step 1: a carry into input 2, there are 2",
        ),
        (
            Suite("f", [Case(steps=[step(0), step(1)], carry={2: 0})]),
            "case 0, step 1: a carry from output 2, the step before has 2",
        ),
        (
            Suite("f", [Case(steps=[step(0), step(1)], carry={0: 0, 1: 0})]),
            "case 0, step 1: two outputs are carried into input 0",
        ),
        (
            Suite("f", [Case(steps=[step(0), step(1)], carry={-1: 0})]),
            "a carry is the index of an output and of an input",
        ),
        (
            Suite("f", [Case(steps=[step(0), step(1)], carry={1: 0})]),
            r"step 1: output 1 of the step before is an int, input 0 is float32\[2, 3\]",
        ),
        (
            Suite("f", [Case(steps=[Case([X], [X[0]]), Case([X])], carry={0: 0})]),
            r"step 1: output 0 of the step before is float32\[3\], input 0 is float32\[2, 3\]",
        ),
        (
            Suite("f", [Case(steps=[step(0), Case([X, None])])]),
            "step 1, input 1: a NoneType cannot be bundled",
        ),
        (
            Suite("f", [Case(steps=[step(0), step(1)], tolerances=[bpte.Tolerance()] * 3)]),
            "case 0, step 0: 3 tolerances for 2 expected outputs",
        ),
        (Suite("f", [Case([1], labels=[-1])]), "case 0: a label must be an integer from 0 to 1023"),
        (Suite("f", [Case([1], labels=[1024])]), "a label must be an integer from 0 to 1023: 1024"),
        (Suite("f", [Case([1], labels=[True])]), "a label must be an integer"),
        (Suite("f", [Case([1], labels=[0] * 257)]), "case 0: 257 labels, at most 256"),
        (
            Suite("f", [Case([X], [X], labels=0), Case([X], [X])], metrics=[TOP_1]),
            "case 1: the metric top_k_accuracy needs labels",
        ),
        (
            Suite("f", [Case(steps=[step(0)])], metrics=[TOP_1]),
            "case 0, step 0: the metric top_k_accuracy needs labels",
        ),
        (
            Suite("f", [Case([X])], metrics=[bpte.Metric(bpte.MetricKind.COSINE)]),
            "case 0: the metric cosine compares with expected output 0, there are 0",
        ),
        (Suite("f", metrics=["top1"]), "a metric must be a Metric, not str"),  # type: ignore[list-item]
        (
            Suite("f", [Case([1], trace=[bpte.TraceValue(HERE, 0, X)])]),
            "case 0: a trace needs its suite's traced_method",
        ),
        (
            Suite("f", [Case([1], trace=[bpte.TraceValue(HERE, -1, X)])], traced_method=ORIGIN),
            "case 0: the output of a traced instruction must be from 0",
        ),
        (
            Suite("f", [Case([1], trace=[bpte.TraceValue(HERE, 0, "x")])], traced_method=ORIGIN),
            "case 0: a str cannot be bundled",
        ),
        (
            Suite(
                "f",
                [Case([1], trace=[bpte.TraceValue(HERE, 0, X)])],
                traced_method=bpte.TracedMethod(
                    bpte.TraceOrigin.EAGER, [bpte.Instruction(0, 1, node="a")]
                ),
            ),
            "are one instruction",
        ),
        (
            Suite(
                "f",
                traced_method=bpte.TracedMethod(
                    bpte.TraceOrigin.EAGER, [bpte.Instruction(0, 1 << 32)]
                ),
            ),
            "a number of an instruction must be from 0 to 4294967295",
        ),
    ],
)
def test_what_is_refused(suite: bpte.MethodTestSuite, message: str, tmp_path: Path) -> None:
    with pytest.raises(bpte.PackError, match=message) as caught:
        save(tmp_path / "m.bpte", [suite])
    assert str(caught.value).startswith("method 'f'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"budgets": [1]}, "a budget must be a Budget, not int"),
        (
            {"budgets": [bpte.Budget(bpte.BudgetResource.STACK, 1, "g")]},
            "method 'g': a budget is for it, but there is no suite",
        ),
        (
            {"budgets": [bpte.Budget(bpte.BudgetResource.STACK, 1, target="")]},
            "a budget's target must not be empty",
        ),
        ({"weights": {"../w.ptd": PTD}}, "'../w.ptd' is not a plain file name"),
        ({"weights": {"..": PTD}}, "is not a plain file name"),
        ({"weights": {"w\n.ptd": PTD}}, "is not a plain file name"),
        ({"weights": {"w.ptd": b"ET12 and more"}}, "'w.ptd' is not a data file"),
        ({"weights": {"k": PTD}, "named_data": {"k": b""}}, "two pieces .* have the key 'k'"),
    ],
)
def test_what_is_refused_beside_the_suites(
    more: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(bpte.PackError, match=message):
        save(tmp_path / "m.bpte", [Suite("f")], **more)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"k": 0},
        {"bins": 1025},
        {"classes": 1025},
        {"minimum": float("nan")},
        {"low": 1.0},
        {"high": float("inf")},
        {"output": -1},
        {"kind": 8},
        {"kind": bpte.MetricKind.CONFUSION_MATRIX},
        {"kind": bpte.MetricKind.CONFUSION_MATRIX, "classes": 3, "maximum": 1.0},
    ],
)
def test_a_metric_out_of_range(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|confusion|valid MetricKind"):
        bpte.Metric(**{"kind": bpte.MetricKind.TOP_K_ACCURACY, **facts})


@pytest.mark.parametrize("limit", [0, -1, 1 << 64])
def test_a_budget_out_of_range(limit: int) -> None:
    with pytest.raises(ValueError, match="the limit of a budget must be 1 to"):
        bpte.Budget(bpte.BudgetResource.FLASH, limit)


def test_bp08_refuses_each_part_by_name(tmp_path: Path) -> None:
    suites, more = everything()
    path = save(tmp_path / "m.bpte", suites, **more)
    old = tmp_path / "old.bpte"
    names = (
        "the metric top_k_accuracy of method 'f'",
        "the traced instructions of method 'f'",
        "the labels of method 'f', case 0",
        "the trace of method 'f', case 0",
        "method 'g', case 0, which has steps",
        "the budget of flash",
        "the named data 'tosa'",
        "the named data 'w.ptd'",
    )
    for attempt in (
        lambda: save(old, suites, **more, format="bp08"),
        lambda: convert(path, old, format="bp08"),
    ):
        with pytest.raises(bpte.PackError) as caught:
            attempt()
        assert all(name in str(caught.value) for name in names)
        assert not old.exists()
    saved = convert(path, old, format="bp08", drop=True)
    assert all(any(name in note for note in saved.notes) for name in names)
    with bpte.open(old) as bundle:
        assert [len(suite.test_cases) for suite in bundle.suites] == [2, 0]


def test_classes_of_devtools_hold_no_steps(tmp_path: Path) -> None:
    path = save(tmp_path / "m.bpte", [Suite("g", [sequence()])])
    with pytest.raises(bpte.PackError, match="it holds a case with steps"):
        deserialize_from_flatbuffer_to_bundled_program(path.read_bytes())


# ---- Weights


def test_weights_travel_and_come_out_as_they_went_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = {"small.ptd": PTD + b"small", "large.ptd": PTD + bytes(range(256)) * 8192}
    files = {}
    for name, content in contents.items():
        files[name] = tmp_path / name
        files[name].write_bytes(content)
    path = save(tmp_path / "m.bpte", [Suite("f", [Case([1])])], weights=files)
    with bpte.open(path, verify=True) as bundle:
        alignments = {
            key: bundle.segments[info.segment].alignment
            for key, info in bundle.named_data_info.items()
        }
        # A large one begins at a page, so that file systems can share its blocks.
        assert alignments == {"small.ptd": 16, "large.ptd": 4096}
    out = tmp_path / "out"
    out.mkdir()
    assert main(["extract", str(path), "--ptd", "-o", str(out)]) == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == contents
    assert "large.ptd: 2097160 bytes" in capsys.readouterr().out
    one = tmp_path / "one"
    one.mkdir()
    assert main(["extract", str(path), "--ptd", "small.ptd", "-o", str(one)]) == 0
    assert [p.name for p in one.iterdir()] == ["small.ptd"]


def test_extract_writes_nothing_unless_all_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(
        tmp_path / "m.bpte", [Suite("f", [Case([1])])], weights={"a.ptd": PTD, "b.ptd": PTD + b"b"}
    )
    out = tmp_path / "out"
    assert main(["extract", str(path), "--ptd", "-o", str(out)]) == 2  # no such folder
    out.mkdir()
    assert main(["extract", str(path), "--ptd", "c.ptd", "-o", str(out)]) == 4
    assert "a data file 'c.ptd'; there are: 'a.ptd', 'b.ptd'" in capsys.readouterr().err
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of b.ptd
    path.write_bytes(content)
    assert main(["extract", str(path), "--ptd", "-o", str(out)]) == 3
    assert "segment_checksum" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_extract_of_two_files_with_one_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {
        key: bpte.NamedFile(PTD + key.encode(), bpte.NamedDataRole.PTD, "w.ptd") for key in "ab"
    }
    path = save(tmp_path / "m.bpte", [Suite("f", [Case([1])])], named_data=named)
    out = tmp_path / "out"
    out.mkdir()
    assert main(["extract", str(path), "--ptd", "-o", str(out)]) == 2
    assert "two data files have one name" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_extract_does_not_replace_the_bundle(tmp_path: Path) -> None:
    path = save(tmp_path / "w.ptd", [Suite("f", [Case([1])])], weights={"w.ptd": PTD})
    before = path.read_bytes()
    assert main(["extract", str(path), "--ptd", "-o", str(tmp_path)]) == 2
    assert path.read_bytes() == before


# ---- Suite files


SUITE = """
weights = ["data/w.ptd"]
budget = [
  { resource = "flash", limit = 131072, method = "f", target = "corstone-300" },
  { resource = "time_ns", limit = 1000 },
]
[[suite]]
method = "f"
labels = "labels.npy"
metric.top1 = ">= 0.5"
metric.mean_squared_error = "<= 1e-3"
metric.cosine = true
metric.confusion_matrix = { classes = 4 }
case = [
  { inputs = ["x.npy"], outputs = ["x.npy"] },
  { inputs = ["x.npy"], outputs = ["x.npy"] },
]
[[suite]]
method = "g"
metrics = [{ cosine = ">= 0.9" }, { cosine = { output = 1, minimum = 0.5, maximum = 1 } }]
  [[suite.case]]
  name = "sequence"
  carry = { 1 = 0 }
  tolerance = { atol = 1 }
    [[suite.case.step]]
    name = "first"
    inputs = ["x.npy", 0]
    outputs = ["x.npy", "y.npy"]
    labels = [3]
    [[suite.case.step]]
    inputs = [1]
    outputs = ["x.npy", "y.npy"]
    [[suite.case.step]]
    inputs = ["x.npy", 1]
    outputs = ["x.npy", "y.npy"]
    carry = {}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", X + 9)
    np.save("labels.npy", np.array([[1, 2], [3, 0]], np.uint8))
    Path("data").mkdir()
    Path("data/w.ptd").write_bytes(PTD)
    Path("more.ptd").write_bytes(PTD + b"more")
    Path("p.pte").write_bytes(PROGRAM)
    return tmp_path


def test_a_suite_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("suite.toml").write_text(SUITE)
    words = ["pack", "p.pte", "--suite", "suite.toml", "--ptd", "more.ptd", "--no-fit"]
    assert main([*words, "-o", "m.bpte"]) == 0, capsys.readouterr().err
    with bpte.open("m.bpte", verify=True) as bundle:
        f, g = bundle.suites
        assert [metric.stated() for metric in f.metrics] == [
            {"kind": "top_k_accuracy", "output": 0, "k": 1, "minimum": 0.5},
            {"kind": "mean_squared_error", "output": 0, "maximum": 1e-3},
            {"kind": "cosine", "output": 0},
            {"kind": "confusion_matrix", "output": 0, "classes": 4},
        ]
        assert [list(case.labels) for case in f.test_cases] == [[1, 2], [3, 0]]
        assert [metric.output for metric in g.metrics] == [0, 1]
        (case,) = g.test_cases
        first, second, third = case.steps
        assert [list(s.carries) for s in case.steps] == [[], [bpte.Carry(1, 0)], []]
        assert np.array_equal(second.inputs[0], X + 9) and second.inputs[1] == 1
        assert (case.name, first.name, list(first.labels)) == ("sequence", "first", [3])
        assert third.tolerance(0) == bpte.Tolerance(atol=1)
        assert bundle.budgets == [
            bpte.Budget(bpte.BudgetResource.FLASH, 131072, "f", "corstone-300"),
            bpte.Budget(bpte.BudgetResource.TIME_NS, 1000),
        ]
        assert list(bundle.named_data_info) == ["more.ptd", "w.ptd"]
    capsys.readouterr()
    assert main(["inspect", "m.bpte"]) == 0
    shown = capsys.readouterr().out
    for text in (
        "metric kind top_k_accuracy, output 0, k 1, minimum 0.5",
        "budget resource flash, limit 131072, method f, target corstone-300",
        "output 1 carried to input 0",
        "weights 'w.ptd'",
        "g case 0 step 2",
        "label 1, 2",
        "of 3 steps",
    ):
        assert text in shown
    assert main(["check", "m.bpte"]) == 0
    assert "3 cases, 3 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('top1 = ">= 0.5"', 'top1 = "0.5"', 'must be ">= NUMBER"'),
        ('top1 = ">= 0.5"', 'top0 = ">= 0.5"', "metric top0: unknown; there are top1, top5"),
        ('top1 = ">= 0.5"', "top1 = { k = 1 }", "unknown key 'k'"),
        ('top1 = ">= 0.5"', "top1 = { output = 0.5 }", "output must be an integer"),
        ('top1 = ">= 0.5"', 'top1 = { minimum = "1" }', "minimum must be a number"),
        ('top1 = ">= 0.5"', "top1 = false", "must be a table, not bool"),
        ('top1 = ">= 0.5"', 'top1025 = ">= 0.5"', "k must be 1 to 1024: 1025"),
        ("classes = 4", "classes = 0", "classes must be 1 to 1024: 0"),
        ("carry = { 1 = 0 }", "carry = { one = 0 }", r"carry must be \{ OUTPUT = INPUT"),
        ("carry = { 1 = 0 }", 'carry = { 1 = "0" }', r"carry must be \{ OUTPUT = INPUT"),
        ("carry = { 1 = 0 }", "carry = { 5 = 0 }", "step 1: a carry from output 5"),
        ("carry = { 1 = 0 }", "inputs = []", "case 0: unknown key 'inputs'"),
        ("labels = [3]", "labels = [3.5]", "labels must be integers"),
        ('labels = "labels.npy"', "labels = 3", "labels must name an array file"),
        ('labels = "labels.npy"', 'labels = "x.npy"', r"x.npy holds float32\[2, 3\]; the labels"),
        ('resource = "flash"', 'resource = "disk"', "budget 0: resource must be one of"),
        ('resource = "flash"', "resource = [1]", "budget 0: resource must be one of"),
        ("limit = 131072", "limit = 1.5", "budget 0: limit must be an integer"),
        ("limit = 131072", "limit = 0", "budget 0: the limit of a budget must be 1 to"),
        ('method = "f", target', "method = 1, target", "budget 0: method must be a text"),
        ('method = "f", target', 'method = "h", target', "there is no suite"),
        ('weights = ["data/w.ptd"]', "weights = [1]", "weights must be a list of file names"),
        ('weights = ["data/w.ptd"]', 'weights = ["more.ptd"]', "two data files are named"),
        ('weights = ["data/w.ptd"]', 'weights = ["x.npy"]', "'x.npy' is not a data file"),
    ],
)
def test_a_wrong_suite_file(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    import re

    assert SUITE.count(old) == 1
    Path("suite.toml").write_text(SUITE.replace(old, new))
    words = ["pack", "p.pte", "--suite", "suite.toml", "--ptd", "more.ptd", "--no-fit"]
    assert main([*words, "-o", "m.bpte"]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not Path("m.bpte").exists()


def test_texts_of_a_file_do_nothing_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b[2J\x07\u202e"
    known = bpte.Instruction(0, 0, None, evil, evil, evil, evil)
    suites = [
        Suite(
            "f" + evil,
            [
                Case(steps=[Case([1], name=evil)]),
                Case([X], trace=[bpte.TraceValue(known, 0, X)], name=evil),
            ],
            traced_method=ORIGIN,
        )
    ]
    budget = bpte.Budget(bpte.BudgetResource.FLASH, 1, "f" + evil, evil)
    path = save(tmp_path / "m.bpte", suites, budgets=[budget], graphs={evil: b"graph"})
    assert main(["inspect", str(path)]) == 0
    assert main(["inspect", str(path), "--json"]) == 0
    out = capsys.readouterr().out
    assert not any(c in out for c in "\x1b\x07\u202e")
