# SPDX-License-Identifier: BSD-3-Clause
"""Bundles recorded here, run on the emulated boards with their outputs kept, compared and judged
again; and the Python of docs/results.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bpte
from boards_support import ROOT, require
from bpte.bundle import open_bundle
from bpte.cli import main
from bpte.examine.again import FROM_VALUES, judge
from bpte.examine.diff import diff
from bpte.run import results_folder
from bpte.run.judge import Run
from bpte.run.outcome import Outcome, State

EXAMPLES = (
    "mlp", "cnn_channels_last", "dynamic_batch", "int8_quantized", "int8_tensors", "scalar_input",
    "two_methods", "xnnpack",
)  # fmt: skip
#: Programs for a backend, which only ExecuTorch has.
LOWERED = ("int8_quantized", "xnnpack")
BOARDS = {
    "linux-aarch64": ("qemu-aarch64-static", "aarch64-linux-gnu-g++"),
    "corstone-300": ("qemu-system-arm", "arm-none-eabi-g++"),
    "mps2-an500": ("qemu-system-arm", "arm-none-eabi-g++"),
}
TOLERANCE = bpte.Tolerance(rtol=1e-4, atol=1e-5)

Recorded = Callable[[str], tuple[Path, Run]]


def _run(bundle: Path, results: Path, *words: str) -> Run:
    """What `bpte run --keep-outputs` leaves in a folder."""
    code = main(["run", str(bundle), "--keep-outputs", "-o", str(results), *words])
    run = results_folder.read(results)
    assert code == run.outcome
    return run


@pytest.fixture(scope="module")
def recorded(
    example_models: Path, tmp_path_factory: pytest.TempPathFactory, bpte_runner: Path
) -> Recorded:
    """An example's bundle, recorded on this machine, and its run there."""
    folder = tmp_path_factory.mktemp("recorded")
    made: dict[str, tuple[Path, Run]] = {}

    def get(name: str) -> tuple[Path, Run]:
        if name not in made:
            path = folder / f"{name}.bpte"
            program = example_models / f"{name}.pte"
            bpte.record(program, path, tolerance=TOLERANCE, runner=bpte_runner)
            made[name] = path, _run(path, folder / name, "--elf", str(bpte_runner))
        return made[name]

    return get


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_board_is_held_against_this_machine(
    name: str, board: str, recorded: Recorded, tmp_path: Path
) -> None:
    require(*BOARDS[board])
    bundle, here = recorded(name)
    assert here.state is State.PASSED, here.message
    there = _run(bundle, tmp_path / "there", "--board", board)
    difference = diff(here, there)
    if name in LOWERED and board != "linux-aarch64":  # the boards' engine is the small one
        assert there.state is State.NOT_RUN and "missing_backend" in there.message
        assert difference.outcome is Outcome.MISMATCH
        return
    assert there.state is State.PASSED, there.message
    assert difference.outcome is Outcome.PASSED, difference.message
    assert {"board", "simulator"} <= difference.facts.keys() and not difference.only_b

    with open_bundle(bundle) as opened:
        judged = judge(there, rtol=1e-3, bundle=opened)
        stricter = judge(there, rtol=0.0, atol=0.0, bundle=opened)
        for number, suite in enumerate(opened.suites):
            for index, case in enumerate(suite.test_cases):
                values = [output.array() for output in there.kept[number, index, None]]
                for value, expected in zip(values, case.expected_outputs, strict=True):
                    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    assert judged.run.state is State.PASSED
    assert {output.source for output in judged.outputs} == {FROM_VALUES}
    # Not a bit may differ, and the elements that diff counted are those that do.
    differ = [
        pair.elements.record.mismatches
        for case in difference.cases
        for pair in case.outputs
        if pair.elements is not None
    ]
    assert [output.output.mismatches for output in stricter.outputs] == differ


def python_of_the_page(first: str) -> str:
    """The block that begins with this line. What the Inspector is asked, test_inspector.py asks."""
    text = (ROOT / "docs" / "results.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(first)]
    return str(block)


def test_the_python_of_the_page(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bpte_runner: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    bpte.record(ROOT / "examples" / "demo" / "mlp.pte", "mlp.bpte", runner=bpte_runner)
    _run(Path("mlp.bpte"), Path("here"), "--elf", str(bpte_runner))
    block = python_of_the_page("import json\n")
    capsys.readouterr()
    exec(compile(block, "docs/results.md", "exec"), {})
    assert capsys.readouterr().out == "suite0_case0_output0 (2, 4) float32\n"


def test_the_page_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    exir = pytest.importorskip("executorch.exir")
    monkeypatch.chdir(tmp_path)
    block = python_of_the_page("edge = ")
    names = {
        "bpte": bpte,
        "torch": torch,
        "to_edge": exir.to_edge,
        "model": torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU()).eval(),
        "inputs": (torch.randn(1, 4),),
    }
    exec(compile(block, "docs/results.md", "exec"), names)
    suite = names["suite"]
    assert suite.traced_method is not None and len(suite.traced_method.instructions) >= 2
