# SPDX-License-Identifier: BSD-3-Clause
"""What `bpte inspect --board host` says before is what a run says after, with both engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bpte
from awkward import AWKWARD
from bpte.cli import main
from bpte.run import launcher
from bpte.run.footprint import footprint
from bpte.run.outcome import Outcome, State

ROOT = Path(__file__).resolve().parents[2]
EXPORTED = ("mlp", "two_methods", "dynamic_batch", "scalar_input", "int8_tensors")
#: Of operators that the reference engine has not.
LEFT_OUT = {"control_flow"}


def agree(bundle: Path, runner: Path, engine: str) -> bool:
    """Whether the engine has what the program needs."""
    asked = launcher.Request(bundle, program=runner, engine=engine)
    before = footprint(asked)
    result = launcher.run(asked)
    if result.state is State.NOT_RUN:
        return False
    after = result.transcript.resources
    assert before.outcome == 0 and after is not None
    assert before.resources["planned_memory"] == after.planned_memory, bundle
    assert before.resources["engine_memory"] == after.engine_memory, bundle
    return True


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_models(
    engine: str,
    bpte_runner: Path,
    demo_bundle: Path,
    example_models: Path,
    awkward_models: Path,
    made_by: Callable[[Path, Path], Path],
) -> None:
    external = made_by(ROOT / "tests" / "runner" / "data_models.py", ROOT / "build" / "data-models")
    paths = [example_models / f"{name}.bpte" for name in EXPORTED]
    paths += [awkward_models / f"{name}.bpte" for name in AWKWARD]
    bundles = [demo_bundle, external / "external.bpte", *paths]
    left_out = {bundle.stem for bundle in bundles if not agree(bundle, bpte_runner, engine)}
    assert left_out == (LEFT_OUT if engine == "reference" else set())


def test_a_limit_one_byte_too_small(bpte_runner: Path, demo_bundle: Path) -> None:
    for limit, code in ((2432, 0), (2431, 1)):
        words = ("--max-planned-memory", str(limit), "--engine", "reference")
        assert main(["inspect", str(demo_bundle), "--board", "host", *words]) == code
        asked = launcher.Request(
            demo_bundle, program=bpte_runner, engine="reference", max_planned_memory=limit
        )
        assert launcher.run(asked).outcome == (Outcome.INFRASTRUCTURE if code else Outcome.PASSED)


def test_budgets_are_judged_as_after_a_run(
    bpte_runner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the byte; what only a run knows, or another target is asked for, is left out."""
    resource = bpte.BudgetResource
    asked = [
        bpte.Budget(resource.PLANNED_MEMORY, 2432),
        bpte.Budget(resource.PLANNED_MEMORY, 2431, "forward"),
        bpte.Budget(resource.TIME_NS, 1 << 60),
        bpte.Budget(resource.PLANNED_MEMORY, 1, target="corstone-300"),
    ]
    for budgets, code in ((asked[:1], 0), (asked, 1), ([bpte.Budget(resource.FLASH, 1)], 4)):
        arrays = np.load(ROOT / "examples" / "demo" / "mlp.npz")
        case = bpte.MethodTestCase([arrays["in0"]], [arrays["out0"]])
        path = tmp_path / "budgets.bpte"
        suite = bpte.MethodTestSuite("forward", [case])
        program = ROOT / "examples" / "demo" / "mlp.pte"
        bpte.BundledProgram(program, [suite], budgets=budgets).save(path, durable=False)
        request = launcher.Request(path, program=bpte_runner, engine="reference")
        before = footprint(request)
        assert before.fits is True and before.outcome == code
        run = launcher.run(request)
        after = {budget.budget: budget for budget in run.transcript.budgets}
        assert [after[budget.budget] for budget in before.budgets] == list(before.budgets)
        times = [n for n, budget in after.items() if budget.resource.startswith("time")]
        assert set(after) - {budget.budget for budget in before.budgets} == set(times)
        assert run.outcome == code
    assert main(["inspect", str(path), "--board", "host"]) == 4
    assert "budget flash: not known before a run" in capsys.readouterr().out
