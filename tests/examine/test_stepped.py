# SPDX-License-Identifier: BSD-3-Clause
"""`bpte record --trace`: the command, and what the file says. `test_eager.py` holds the values
against those of eager mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import bpte
from bpte.cli import main
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.request import Request

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "examples" / "demo" / "mlp.pte"


def strict(path: str, engine: str | None = None) -> State:
    return launcher.run(Request(Path(path), engine=engine, trace="strict")).state


def traced(path: str) -> int:
    """How many values the trace of the first case has."""
    with bpte.open(path, verify=True) as bundle:
        return len(bundle.suites[0].test_cases[0].trace)


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


def test_both_methods_of_a_program(here: Path, example_models: Path) -> None:
    bpte.record(example_models / "two_methods.pte", "m.bpte", cases=2, trace=True)
    with bpte.open("m.bpte") as bundle:
        assert len(bundle.suites) == 2
        for suite in bundle.suites:
            assert [len(case.trace) > 0 for case in suite.test_cases] == [True, True]
    assert strict("m.bpte") is State.PASSED


def test_a_delegate_is_one_instruction(here: Path) -> None:
    program = ROOT / "tests/fixtures/cortex_m/ethos_u55.pte"
    bpte.record(program, "m.bpte", cases=1, trace=True, engine="reference")
    run = launcher.run(Request(Path("m.bpte"), engine="reference", trace="record"))
    assert any(trace.operation is not None for trace in run.transcript.traces)  # it shows them
    with bpte.open("m.bpte", verify=True) as bundle:
        (suite,) = bundle.suites
        assert suite.traced_method is not None
        places = [(each.index, each.operation) for each in suite.traced_method.instructions]
        assert places == [(0, None), (1, None), (2, None)]
        assert len(suite.test_cases[0].trace) == 3
    assert strict("m.bpte", "reference") is State.PASSED


def test_a_trace_does_not_outlive_its_program(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", str(MLP), "-o", "m.bpte", "--trace", "--cases", "1"]) == 0
    assert main(["record", "--from", "m.bpte", "-o", "same.bpte"]) == 0
    assert traced("same.bpte") == traced("m.bpte") > 0
    capsys.readouterr()
    assert main(["record", str(MLP), "--from", "m.bpte", "-o", "other.bpte"]) == 0
    assert "is of its own program: it is left out" in capsys.readouterr().err
    assert traced("other.bpte") == 0
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
