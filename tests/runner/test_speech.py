# SPDX-License-Identifier: BSD-3-Clause
"""A model of speech on real speech (examples/speech): sequences whose state is carried."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.run import launcher
from bpte.run.outcome import State

ROOT = Path(__file__).resolve().parents[2]
CHUNKS = {"goforward": 87, "something": 93}


@pytest.mark.parametrize("engine", ["executorch", "reference"])
@pytest.mark.parametrize("teach", [False, True], ids=["free", "taught"])
@pytest.mark.parametrize("name", ["speech", "speech_int8"])
def test_every_step_passes_on_this_machine(
    name: str, teach: bool, engine: str, speech: Path, bpte_runner: Path
) -> None:
    bundle = speech / f"{name}.bpte"
    request = launcher.Request(bundle, program=bpte_runner, engine=engine, teach=teach)
    result = launcher.run(request)
    assert result.state is State.PASSED, result.message
    assert [case.verdict.value for case in result.transcript.cases] == ["pass"] * sum(
        CHUNKS.values()
    )


def test_a_wrong_state_fails_the_steps_after_it(
    speech: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    """The carried state is what counts: with another start, what free steps give is refused, and
    what taught steps give from the second on is not."""
    with bpte.open(speech / "speech.bpte") as bundle:
        case = bundle.suites[0].test_cases[1]
        steps = [
            bpte.MethodTestCase(
                [step.inputs[0], step.inputs[1] + (1.0 if number == 0 else 0.0)],
                step.expected_outputs,
            )
            for number, step in enumerate(case.steps[:12])
        ]
    within = bpte.Tolerance(rtol=0, atol=1e-4)
    suite = bpte.MethodTestSuite(
        "forward", [bpte.MethodTestCase(steps=steps, carry={1: 1})], within
    )
    path = tmp_path / "wrong.bpte"
    bpte.BundledProgram(speech / "speech.pte", [suite]).save(path)
    failed = {}
    for teach in (False, True):
        result = launcher.run(launcher.Request(path, program=bpte_runner, teach=teach))
        assert result.state is State.MISMATCH, result.message
        cases = result.transcript.cases
        failed[teach] = [case.step for case in cases if case.verdict.value == "fail"]
    assert failed[True] == [0]
    assert failed[False][:3] == [0, 1, 2]


def probabilities(bundle: Path) -> dict[str, np.ndarray]:
    """What each step's network gives, by case."""
    with bpte.open(bundle) as opened:
        return {
            case.name: np.array([step.expected_outputs[0].item() for step in case.steps])
            for case in opened.suites[0].test_cases
        }


def as_the_package_says(bundle: Path) -> dict[str, np.ndarray]:
    """The same by the package's own model, which keeps context and state by itself."""
    torch = pytest.importorskip("torch")
    spec = importlib.util.find_spec("silero_vad")
    assert spec is not None and spec.origin is not None
    model = torch.jit.load(Path(spec.origin).parent / "data" / "silero_vad.jit")
    found = {}
    plain = torch.jit.optimized_execution(False)  # optimising takes longer than all chunks
    with bpte.open(bundle) as opened, torch.no_grad(), plain:
        for case in opened.suites[0].test_cases:
            model.reset_states()
            chunks = [torch.from_numpy(np.array(step.inputs[0]))[:, 64:] for step in case.steps]
            found[case.name] = np.array([model(chunk, 16000).item() for chunk in chunks])
    return found


def test_speech_is_told_from_silence(speech: Path) -> None:
    original = as_the_package_says(speech / "speech.bpte")
    assert {name: len(values) for name, values in original.items()} == CHUNKS
    plain = probabilities(speech / "speech.bpte")
    quantised = probabilities(speech / "speech_int8.bpte")
    for name, wanted in original.items():
        speaks, silent = wanted > 0.9, wanted < 0.1
        assert speaks.sum() > 40 and silent.sum() > 25
        np.testing.assert_allclose(plain[name], wanted, rtol=0, atol=1e-5)
        # Quantising moves probabilities, above all where speech ends; not what they say.
        assert np.all(quantised[name][speaks] > 0.5) and np.all(quantised[name][silent] < 0.5)
        assert np.mean((quantised[name] > 0.5) == (wanted > 0.5)) >= 0.98
        assert 1e-4 < np.abs(quantised[name] - wanted).max() < 0.25


def test_drift_is_shown(speech: Path, bpte_runner: Path, tmp_path: Path) -> None:
    """The quantised network's state goes away from the float32 network's; taught, it begins at that
    state in each step."""
    bundle = str(speech / "speech_drift.bpte")
    folders = [str(tmp_path / name) for name in ("free", "taught")]
    for folder, more in zip(folders, ([], ["--teach"]), strict=True):
        assert main(["run", bundle, "--elf", str(bpte_runner), *more, "-o", folder]) == 0
    command = [sys.executable, ROOT / "examples" / "speech" / "drift.py", *folders, "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    free, taught = ([float(row[column]) for row in rows] for column in (1, 2))
    assert len(rows) == CHUNKS["something"]
    assert free[0] == taught[0] > 0  # both begin at the desk's state
    assert sum(free) > 1.5 * sum(taught)
    assert max(map(len, done.stdout.splitlines())) <= 90
