# SPDX-License-Identifier: BSD-3-Clause
"""`bpte record`: bundles of a program alone, by the real runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.request import Request

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "examples" / "demo" / "mlp.pte"


def cases(path: str | Path) -> list[tuple[list[Any], list[Any]]]:
    with bpte.open(path) as bundle:
        return [
            ([np.array(v) for v in case.inputs], [np.array(v) for v in case.expected_outputs])
            for suite in bundle.suites
            for case in suite.test_cases
        ]


def metadata(path: str | Path) -> dict[str, str]:
    with bpte.open(path) as bundle:
        return bundle.metadata


def test_what_is_recorded_passes_and_says_how_it_was_made(here: Path) -> None:
    words = ["--inputs", "uniform(-1,1)", "--seed", "7", "--cases", "2", "--rtol", "1e-3"]
    assert main(["record", str(MLP), "-o", "m.bpte", *words]) == 0
    run = launcher.run(Request(Path("m.bpte")))
    assert run.state is State.PASSED
    recorded = {
        key.removeprefix("recorded."): text
        for key, text in metadata("m.bpte").items()
        if key.startswith("recorded.")
    }
    begin = run.transcript.begin
    assert begin is not None
    assert recorded == {
        "bpte": bpte.__version__,
        "engine": f"{begin.engine} {begin.engine_version}",
        "target": "host",
        "inputs": "uniform(-1.0,1.0)",
        "seed": "7",
        "command": f"bpte record {MLP} --inputs 'uniform(-1,1)' --seed 7 --cases 2 --rtol 0.001",
    }
    found = cases("m.bpte")
    assert len(found) == 2
    for (x,), (y,) in found:
        assert x.shape == (2, 16) and y.shape == (2, 4)
        assert -1 <= x.min() < -0.5 and 0.5 < x.max() <= 1
        assert np.allclose(y.sum(axis=1), 1)  # a softmax
    with bpte.open("m.bpte") as bundle:
        assert bundle.suites[0].test_cases[0].tolerance(0).rtol == 1e-3


def test_a_seed_makes_the_same_file(here: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        bpte.record(MLP, f"{name}.bpte", seed=seed)
    assert Path("a.bpte").read_bytes() == Path("b.bpte").read_bytes()
    assert Path("a.bpte").read_bytes() != Path("c.bpte").read_bytes()
    assert sorted(path.name for path in here.iterdir()) == ["a.bpte", "b.bpte", "c.bpte"]


def test_given_arrays(here: Path) -> None:
    x = np.random.default_rng(1).normal(size=(2, 16)).astype(np.float32)
    np.save("x.npy", x)
    np.savez("more.npz", x=x)
    for name, source in (("npy", "x.npy"), ("npz", "more.npz:x")):
        words = ["--input", f"in0={source}", "--cases", "1"]
        assert main(["record", str(MLP), "-o", f"{name}.bpte", *words]) == 0
        ((inputs, _),) = cases(f"{name}.bpte")
        assert np.array_equal(inputs[0], x)
        assert metadata(f"{name}.bpte")["recorded.input0"] == "given"
    bpte.record(MLP, "array.bpte", given={0: x}, cases=1)
    assert np.array_equal(cases("array.bpte")[0][1][0], cases("npy.bpte")[0][1][0])
    bpte.record(MLP, "drawn.bpte", given={0: "zeros"}, cases=1)
    assert not cases("drawn.bpte")[0][0][0].any()


def test_from_a_bundle(here: Path, demo_bundle: Path) -> None:
    """Its inputs, names, tolerances and metadata, by another engine."""
    with bpte.open(demo_bundle) as bundle:
        inputs = [case.inputs[0].copy() for case in bundle.suites[0].test_cases]
    wrong = [
        bpte.MethodTestCase(
            [x],
            [np.zeros((2, 4), np.float32)],
            name=f"case {i}",
            tolerances=[bpte.Tolerance(atol=0.5)],
        )
        for i, x in enumerate(inputs)
    ]
    bpte.BundledProgram(
        MLP,
        [bpte.MethodTestSuite("forward", wrong)],
        metadata={"model": "mlp", "recorded.seed": "old"},
        named_data={"notes": b"kept"},
    ).save("wrong.bpte")
    assert main(["record", "--from", "wrong.bpte", "-o", "b.bpte", "--engine", "reference"]) == 0
    for (x, y), given in zip(cases("b.bpte"), inputs, strict=True):
        assert np.array_equal(x[0], given) and y[0].any()
    with bpte.open("b.bpte") as bundle:
        (suite,) = bundle.suites
        assert [case.name for case in suite.test_cases] == ["case 0", "case 1", "case 2"]
        assert all(case.tolerance(0).atol == 0.5 for case in suite.test_cases)
        assert bytes(bundle.named_data("notes")) == b"kept"
        assert bundle.metadata["model"] == "mlp"
        assert bundle.metadata["recorded.engine"].startswith("reference ")
        assert bundle.metadata["recorded.from"] == "wrong.bpte"
        assert "recorded.seed" not in bundle.metadata
    run = launcher.run(Request(Path("b.bpte"), rtol=1e-4, atol=1e-5))  # ExecuTorch agrees
    assert run.state is State.PASSED, run.message


def test_where_a_nan_is_expected_a_nan_is_right(here: Path) -> None:
    assert main(["record", str(MLP), "-o", "nan.bpte", "--inputs", "nan"]) == 0
    assert any(np.isnan(outputs[0]).any() for _, outputs in cases("nan.bpte"))
    assert launcher.run(Request(Path("nan.bpte"))).state is State.PASSED


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([str(MLP), "--inputs", "gauss"], 2, "there is no distribution 'gauss'"),
        ([str(MLP), "--method", "nothing"], 2, "no method 'nothing'"),
        ([str(MLP), "--cases", "0"], 2, "0 cases: there must be one at least"),
        ([str(MLP), "--seed", "-1"], 2, "--seed -1: must not be negative"),
        ([str(MLP), "--input", "in7=zeros"], 2, "in7: it has 1 inputs"),
        ([str(MLP), "--input", "x=zeros"], 2, "the inputs are named in0, in1"),
        ([str(MLP), "--input", "in0=none.npy"], 2, "none.npy"),
        ([str(MLP), "--input", "in0=2.5"], 2, "a double, the program has float32[2, 16]"),
        ([str(MLP), "--engine", "other"], 2, "host has no engine 'other'"),
        (["none.pte"], 2, "none.pte: No such file"),
        (["text.pte"], 2, "is not an ExecuTorch program"),
        (["cut.pte"], 2, "is not a well-formed program"),
        (["--from", "text.pte"], 3, "text.pte"),
        (["--from", "text.pte", "--seed", "1"], 2, "--seed: the inputs are those of text.pte"),
        ([], 2, "give a program, or a bundle"),
    ],
)
def test_what_cannot_be_recorded(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    Path("text.pte").write_text("no program at all, but long enough to be looked at")
    Path("cut.pte").write_bytes(MLP.read_bytes()[:600])
    before = sorted(here.iterdir())
    assert main(["record", *words, "-o", "m.bpte"]) == code
    assert message in capsys.readouterr().err
    assert sorted(here.iterdir()) == before


def test_a_case_that_does_not_run_is_said_with_the_engines_words(
    here: Path, capsys: pytest.CaptureFixture[str], example_models: Path
) -> None:
    words = [str(example_models / "xnnpack.pte"), "-o", "m.bpte", "--engine", "reference"]
    assert main(["record", *words, "--json"]) == 4
    printed = capsys.readouterr()
    assert "forward[0] did not run: " in printed.err and "XnnpackBackend" in printed.err
    assert json.loads(printed.out)["ok"] is False
    assert list(here.iterdir()) == []


def test_dynamic_sizes_are_at_their_bounds_and_below(here: Path, example_models: Path) -> None:
    bpte.record(example_models / "dynamic_batch.pte", "m.bpte", cases=4)
    batches = [inputs[0].shape for inputs, _ in cases("m.bpte")]
    assert batches[0] == (8, 16)
    assert all(0 < batch < 8 and rest == 16 for batch, rest in batches[1:])
    assert launcher.run(Request(Path("m.bpte"))).state is State.PASSED


def test_a_program_that_is_not_deterministic_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch", reason="exporting a random program needs torch")
    exir = pytest.importorskip("executorch.exir", reason="exporting needs executorch")

    class Noise(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x + torch.rand(4, 4)

    exported = torch.export.export(Noise().eval(), (torch.zeros(4, 4),))
    unchecked = exir.EdgeCompileConfig(_check_ir_validity=False)  # it is no core operator
    exir.to_edge(exported, compile_config=unchecked).to_executorch().save("noise.pte")
    assert main(["record", "noise.pte", "-o", "m.bpte"]) == 4
    assert "two runs gave different values" in capsys.readouterr().err
    assert not Path("m.bpte").exists()


def test_an_input_is_not_replaced(here: Path) -> None:
    Path("m.pte").write_bytes(MLP.read_bytes())
    assert main(["record", "m.pte", "-o", "m.pte"]) == 2
    assert Path("m.pte").read_bytes() == MLP.read_bytes()
