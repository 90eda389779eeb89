# SPDX-License-Identifier: BSD-3-Clause
"""A language model in small (lm_model.py): state inside of the program, weights beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.run import launcher, outputs_file
from bpte.run.outcome import State

ROOT = Path(__file__).resolve().parents[2]
STEPS = 32


@pytest.fixture(scope="session")
def model(made_by: Callable[[Path, Path], Path]) -> Path:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    return made_by(ROOT / "tests" / "runner" / "lm_model.py", ROOT / "build" / "language-model")


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_the_same_tokens_as_on_the_desk(engine: str, model: Path, bpte_runner: Path) -> None:
    bundle = model / "lm.bpte"
    request = launcher.Request(bundle, program=bpte_runner, engine=engine, keep_outputs=True)
    result = launcher.run(request)
    assert result.state is State.PASSED, result.message
    kept = result.kept
    assert len(kept) == 2 * STEPS
    with bpte.open(bundle) as opened:
        for case in range(2):
            steps = opened.suites[0].test_cases[case].steps
            expected = [int(np.argmax(step.expected_outputs[0])) for step in steps]
            tokens = []
            for key in sorted(kept, key=lambda key: (key.case, key.step or 0)):
                if key.case == case:
                    scores = outputs_file.value_of(kept[key][0])
                    tokens.append(int(scores.array().argmax()))  # type: ignore[union-attr]
            assert tokens == expected
            assert len(set(tokens)) > 8  # it does not say one thing over and over
            # What a step chose is what the next one took.
            assert [int(step.inputs[0][0]) for step in steps[1:]] == expected[:-1]


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_a_cache_that_is_not_emptied_is_red(
    engine: str, model: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    """Both cases as one sequence: the second half begins with the first one's cache."""
    with bpte.open(model / "lm.bpte") as bundle:
        both = [
            bpte.MethodTestCase(list(step.inputs), list(step.expected_outputs))
            for case in bundle.suites[0].test_cases
            for step in case.steps
        ]
        tolerances = bundle.suites[0].tolerances
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase(steps=both)], tolerances)
    weights = {path.name: path for path in model.glob("*.ptd")}
    path = tmp_path / "both.bpte"
    bpte.BundledProgram(model / "lm.pte", [suite], weights=weights).save(path, durable=False)
    result = launcher.run(launcher.Request(path, program=bpte_runner, engine=engine))
    verdicts = [case.verdict.value for case in result.transcript.cases]
    assert verdicts[:STEPS] == ["pass"] * STEPS
    assert verdicts[STEPS] == "fail"
    assert result.transcript.cases[STEPS].step == STEPS
