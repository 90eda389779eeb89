# SPDX-License-Identifier: BSD-3-Clause
"""Outputs of steps: each is kept, held, judged, compared and recorded with the record of its own
step."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
import echoed
from bpte.cli import main
from bpte.format.metric import Metric, MetricKind
from bpte.run import kept_check, launcher, results_folder
from bpte.run.judge import Judgement, Run
from bpte.run.outcome import State, Verdict
from bpte.run.records import CaseKey
from bpte.run.request import Request

KEYS = [CaseKey(0, case, step) for case in range(2) for step in range(3)]


def _judged(
    capsys: pytest.CaptureFixture[str], *words: str | Path
) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and text of a command."""
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert main([*map(str, words)]) == code
    return code, found, capsys.readouterr().out


@pytest.fixture
def recurrent(awkward_models: Path) -> Path:
    """Two cases of three steps: (x, state) gives (x * state, state + x), the state is carried. The
    bundle states a wrong one for step 1."""
    return awkward_models / "recurrent.bpte"


@pytest.fixture
def keep(bpte_runner: Path) -> Callable[..., Run]:
    def call(bundle: Path, engine: str = "reference", **more: Any) -> Run:
        request = Request(
            bundle, program=bpte_runner, engine=engine, keep_outputs=True, timeout=120, **more
        )
        return launcher.run(request)

    return call


# --- What arrives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["reference", "executorch"])
def test_each_step_has_its_own_outputs(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path, engine: str
) -> None:
    run = keep(recurrent, engine)
    assert run.state is State.PASSED, run.message
    read = results_folder.read(echoed.write(tmp_path / "results", run))
    for kept in (run.kept, read.kept):
        assert list(kept) == KEYS
        for key, (product, state) in kept.items():
            assert key.step is not None
            assert product.array().tolist() == [key.step] * 2
            assert state.array().tolist() == [key.step + 1] * 2
    with np.load(tmp_path / "results" / "outputs.npz") as arrays:
        assert arrays["suite0_case1_step2_output0"].tolist() == [2, 2]
        assert len(arrays.files) == 12
    cases = json.loads((tmp_path / "results" / "results.json").read_text())["cases"]
    assert [case["kept"][0]["name"] for case in cases] == [
        f"suite0_case{key.case}_step{key.step}_output0" for key in KEYS
    ]


def _counted(path: Path) -> Path:
    """A bundle for the echoing engine: a case of steps between two without."""
    plain = bpte.MethodTestCase([9] * 6, [9] * 6)
    steps = [bpte.MethodTestCase([i] * 6, [i] * 6) for i in (3, 4, 5)]
    return echoed.pack(path, [plain, bpte.MethodTestCase(steps=steps), plain])


def test_a_line_without_a_way_back(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    """The runner sends the outputs of each step behind its record, and of none another's."""
    bundle = _counted(tmp_path / "m.bpte")
    command = [cpp_tool("runner_tool"), bundle, "once"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    run = launcher.judge_log(Path("log"), [done.stdout], Request(bundle))
    assert run.state is State.PASSED, run.message
    found = {key: {output.value for output in outputs} for key, outputs in run.kept.items()}
    steps = {CaseKey(0, 1, i): {3 + i} for i in range(3)}
    assert found == {CaseKey(0, 0): {9}, CaseKey(0, 2): {9}} | steps


def test_tensors_on_a_line_without_a_way_back(
    recurrent: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    command = [bpte_runner, recurrent, "--engine", "reference", "--outputs", "once"]
    done = subprocess.run([*command, "--nonce", "n"], capture_output=True, check=True, timeout=60)
    run = launcher.judge_log(Path("log"), [done.stdout], Request(recurrent))
    assert run.state is State.PASSED, run.message
    assert {key: kept[1].array()[0] for key, kept in run.kept.items()} == {
        key: (key.step or 0) + 1 for key in KEYS
    }
    # A frame that is lost is missed by the name of its step.
    lines = done.stdout.splitlines(keepends=True)
    frames = [i for i, line in enumerate(lines) if not line.startswith(b"#bpte ")]
    assert len(frames) == 12
    log = b"".join(lines[: frames[5]] + lines[frames[5] + 1 :])
    run = launcher.judge_log(Path("log"), [log], Request(recurrent))
    assert (run.state, CaseKey(0, 0, 2) in run.kept) == (State.CUT_SHORT, False)
    assert "suite 0, case 0, step 2, output 1: 8 of its 8 bytes did not arrive" in run.message


def test_a_value_of_another_step_contradicts_the_record(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = keep(recurrent)
    kept = dict(run.kept)
    kept[CaseKey(0, 1, 1)], kept[CaseKey(0, 1, 2)] = kept[CaseKey(0, 1, 2)], kept[CaseKey(0, 1, 1)]
    results = echoed.write(tmp_path / "results", replace(run, kept=kept))
    code, found, _ = _judged(capsys, "judge", results, "--bundle", recurrent)
    assert (code, found["state"]) == (4, "contradictory")
    assert found["message"].startswith("forward[1.1], output 0: its record says verdict pass, the")
    held = kept_check.hold_against(
        Judgement(run.state, run.message), run.transcript, kept, Request(recurrent)
    )
    assert held.state is State.CONTRADICTORY
    assert held.message.startswith("forward[1.1]: output 0: its record says verdict pass, the")


# --- Judged again ---------------------------------------------------------------------------------


def test_each_step_is_judged_from_its_own_values(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A taught run fails in step 1, whose stated state is 8 off."""
    run = keep(recurrent, teach=True)
    assert run.state is State.MISMATCH, run.message
    results = echoed.write(tmp_path / "results", run)
    for atol, failed in ((7.5, 2), (8, 0)):
        words = ("judge", results, "--bundle", recurrent, "--rtol", 0, "--atol", atol)
        code, found, text = _judged(capsys, *map(str, words))
        assert code == bool(failed)
        outputs = [(o["case"], o["step"], o["output"], o["verdict"]) for o in found["outputs"]]
        assert outputs == [
            (case, step, output, "fail" if failed and step == 1 else "pass")
            for _, case, step in KEYS
            for output in range(2)
        ]
        assert {o["judged_from"] for o in found["outputs"]} == {"values"}
        assert ("forward[0.1], output 0" in text) == bool(failed)


def test_results_of_steps_want_a_bundle_with_them(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path
) -> None:
    """`judge` refuses another bundle by its checksums; what asks for its values, by its steps."""
    run = keep(recurrent)
    with bpte.open(recurrent) as bundle:
        case = bundle.suites[0].test_cases[0]
        assert case.at(None) is case
        assert [float(case.at(step).inputs[1][0]) for step in range(3)] == [0, 9, 2]
        with pytest.raises(IndexError):
            case.at(3)
        with pytest.raises(IndexError):
            case.at(0).at(0)
    twice = replace(run.transcript, cases=run.transcript.cases[:1] * 2)
    folder = echoed.write(tmp_path / "results", replace(run, transcript=twice, kept={}))
    with pytest.raises(results_folder.ResultsError, match="suite 0, case 0, step 0 is there twice"):
        results_folder.read(folder)


# --- Compared -------------------------------------------------------------------------------------


def test_two_runs_are_compared_step_by_step(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    cpp_tool: Callable[[str], Path],
) -> None:  # fmt: skip
    tool = cpp_tool("runner_tool")
    free, taught = keep(recurrent), keep(recurrent, teach=True)
    folders = [echoed.write(tmp_path / name, run) for name, run in (("a", free), ("b", taught))]
    code, found, text = _judged(capsys, "diff", *folders)
    assert (code, found["only_in_a"], found["only_in_b"]) == (1, [], [])
    assert [(case["case"], case["step"], case["changed"]) for case in found["cases"]] == [
        (case, step, step == 1) for _, case, step in KEYS
    ]
    differ = [[o["elements"]["differ"] for o in case["outputs"]] for case in found["cases"]]
    assert differ == [[0, 0], [2, 2], [0, 0]] * 2
    assert "forward[1.1]: A passed, B failed" in text
    assert "forward[1.1], output 0: 2 of 2 elements differ" in text
    # A bundle whose case has no steps has another case.
    one = echoed.pack(tmp_path / "one.bpte", [bpte.MethodTestCase([3] * 6, [3] * 6)])
    many = echoed.pack(
        tmp_path / "many.bpte",
        [bpte.MethodTestCase(steps=[bpte.MethodTestCase([3] * 6, [3] * 6)])],
    )
    folders = [
        echoed.write(tmp_path / bundle.stem, echoed.run(tool, bundle, keep=False))
        for bundle in (one, many)
    ]
    code, found, text = _judged(capsys, "diff", *folders)
    assert (code, found["cases"]) == (1, [])
    assert [[case.get("step") for case in found[f"only_in_{side}"]] for side in "ab"] == [
        [None],
        [0],
    ]
    assert "only in A: echo[0]\n" in text and "only in B: echo[0.0]\n" in text


# --- Recorded -------------------------------------------------------------------------------------


def test_steps_are_recorded(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    bpte_runner: Path,
) -> None:  # fmt: skip
    """What a free run gives is expected, and is what the next step is said to begin with. Labels,
    metrics, names and tolerances stay."""
    monkeypatch.setenv("BPTE_RUNNER", str(bpte_runner))
    x, wrong = np.ones(2, np.float32), np.zeros(2, np.float32)
    with bpte.open(recurrent) as source:
        program = bytes(source.program)
    steps = [
        bpte.MethodTestCase(
            (x * (i + 1), wrong), (wrong, wrong), name=f"step {i}", labels=[0],
            tolerances=bpte.Tolerance(atol=0.5),
        )
        for i in range(3)
    ]  # fmt: skip
    plain = bpte.MethodTestCase((x, x), (wrong, wrong))
    cases = [plain, bpte.MethodTestCase(steps=steps, carry={1: 1}, name="walk")]
    metrics = [Metric(MetricKind.COSINE, minimum=0.5)]
    suite = bpte.MethodTestSuite("forward", cases, metrics=metrics)
    given, made = tmp_path / "given.bpte", tmp_path / "made.bpte"
    bpte.BundledProgram(program, [suite]).save(given, fit="relayout", durable=False)
    words = ["record", "--from", str(given), "-o", str(made), "--engine", "reference"]
    assert main(words) == 0
    with bpte.open(made) as bundle:
        (suite_made,) = bundle.suites
        assert [metric.kind for metric in suite_made.metrics] == [MetricKind.COSINE]
        one, walk = suite_made.test_cases
        assert [value.tolist() for value in one.expected_outputs] == [[1, 1], [2, 2]]
        assert (walk.name, [step.name for step in walk.steps]) == (
            "walk",
            ["step 0", "step 1", "step 2"],
        )
        found = [
            [float(value[0]) for value in (*step.inputs, *step.expected_outputs)]
            for step in walk.steps
        ]
        assert found == [[1, 0, 0, 1], [2, 1, 2, 3], [3, 3, 9, 6]]
        assert [[tuple(carry) for carry in step.carries] for step in walk.steps] == [
            [],
            [(1, 1)],
            [(1, 1)],
        ]
        assert all(list(step.labels) == [0] for step in walk.steps)
        assert all(step.tolerance(0).atol == 0.5 for step in walk.steps)


def test_what_was_recorded_passes_free_and_taught(
    recurrent: Path, keep: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    bpte_runner: Path,
) -> None:  # fmt: skip
    """Of the source only the free run passes."""
    monkeypatch.setenv("BPTE_RUNNER", str(bpte_runner))
    made = tmp_path / "made.bpte"
    for tolerance in (None, bpte.Tolerance(rtol=0.0, atol=0.0)):
        bpte.record(None, made, source=recurrent, tolerance=tolerance, engine="reference")
        for engine in ("reference", "executorch"):
            for teach in (False, True):
                run = keep(made, engine, teach=teach)
                assert run.state is State.PASSED, run.message
                assert [case.verdict for case in run.transcript.cases] == [Verdict.PASS] * 6
