# SPDX-License-Identifier: BSD-3-Clause
"""Metrics and budgets on an emulated Cortex-M55: judged there, and again here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import bpte
from boards_support import demo_arrays, demo_program, require
from bpte.run import budget_words, launcher, report
from bpte.run.footprint import footprint
from bpte.run.outcome import State

EVERY = [
    bpte.Metric(kind, classes=4, low=-10.0, high=10.0, minimum=minimum)
    for kind, minimum in zip(
        bpte.MetricKind, (0.5, 1.0, None, None, 100.0, 0.999, None, None), strict=True
    )
]


def test_metrics_on_a_cortex_m55(tmp_path: Path) -> None:
    """The launcher builds a runner that measures. What it says agrees with the outputs that it
    sent: to the last bit where that can be."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    measured = bpte.Tolerance(not_compared=True)
    cases = [
        bpte.MethodTestCase([given], [expected], labels=[0, i % 2], tolerances=measured)
        for i, (given, expected) in enumerate(demo_arrays())
    ]
    path = tmp_path / "m.bpte"
    suite = bpte.MethodTestSuite("forward", cases, metrics=EVERY)
    budgets = [
        bpte.Budget(bpte.BudgetResource.FLASH, 1 << 20, target="corstone-300"),
        bpte.Budget(bpte.BudgetResource.TIME_INSTRUCTIONS, 1 << 30, "forward", "corstone-300"),
        bpte.Budget(bpte.BudgetResource.PLANNED_MEMORY, 1 << 30),
    ]
    bundled = bpte.BundledProgram(demo_program(), [suite], budgets=budgets)
    bundled.save(path, durable=False)
    request = launcher.Request(
        path,
        board="corstone-300",
        simulator="qemu",
        keep_outputs=True,
        timeout=300,
        operators_from=(demo_program(),),
    )
    on_the_board = launcher.run(request)
    assert on_the_board.state in (State.PASSED, State.MISMATCH), on_the_board.message
    assert [budget.verdict.value for budget in on_the_board.transcript.budgets] == ["pass"] * 3
    before = footprint(request)
    assert before.outcome == 0 and len(before.budgets) == 2
    assert set(before.budgets) < set(on_the_board.transcript.budgets)
    host = launcher.run(launcher.Request(path, engine="reference", keep_outputs=True))
    assert host.state is on_the_board.state, (host.message, on_the_board.message)
    metrics = on_the_board.transcript.metrics
    assert len(metrics) == 8 and len(on_the_board.kept) == 3
    for here, there in zip(host.transcript.metrics, metrics, strict=True):
        counts = ("verdict", "cases", "samples", "hits", "positives", "elements")
        assert [getattr(here, name) for name in counts] == [getattr(there, name) for name in counts]
    assert on_the_board.transcript.confusion == host.transcript.confusion


def test_a_firmware_without_them_has_nothing_of_them(corstone_300: Path, tmp_path: Path) -> None:
    """Nothing of their code is in it. What states them is not run by it, and not green."""
    elf = corstone_300 / "bpte-firmware.elf"
    symbols = _said("arm-none-eabi-nm", "-C", elf)
    assert "bpte::run_bundle" in symbols
    for name in ("Metrics::", "MetricState", "write_metric", "largest_metrics", "write_budget"):
        assert name not in symbols
    budgets = [bpte.Budget(bpte.BudgetResource.FLASH, 1 << 30)]
    for more, says in (({"metrics": EVERY[-1:]}, "metrics"), ({"budgets": budgets}, "budgets")):
        cases = [bpte.MethodTestCase([x], [y], labels=0) for x, y in demo_arrays()]
        suite = bpte.MethodTestSuite("forward", cases, metrics=more.get("metrics", ()))
        path = tmp_path / "m.bpte"
        bundled = bpte.BundledProgram(demo_program(), [suite], budgets=more.get("budgets", ()))
        bundled.save(path, durable=False)
        result = _run(path, elf)
        assert (result.state, result.transcript.cases) == (State.NOT_RUN, ())
        assert f"states {says}: not supported by this runner" in result.message


def _said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _run(bundle: Path, elf: Path, **more: Any) -> launcher.Run:
    return launcher.run(
        launcher.Request(
            bundle, board="corstone-300", simulator="qemu", program=elf, timeout=300, **more
        )
    )


def test_instructions_are_the_same_in_every_run(corstone_300: Path, demo: Path) -> None:
    elf = corstone_300 / "bpte-firmware.elf"
    first, second = (_run(demo, elf, count_instructions=True) for _ in range(2))
    times = [case.time for case in first.transcript.cases]
    assert first.state is State.PASSED, first.message
    assert first.transcript.begin is not None and first.transcript.begin.unit == "instructions"
    assert times == [case.time for case in second.transcript.cases]
    most = max(time or 0 for time in times)
    assert most > 1000
    for limit, state in ((most, State.PASSED), (most - 1, State.MISMATCH)):
        asked = budget_words.parse(f"instructions<={limit}")
        assert launcher.judge_budgets(first, asked).state is state
    assert "They are not cycles." in report.table(first)
    # Without being asked, QEMU tells its own time; a budget of instructions asks.
    assert _run(demo, elf).transcript.begin.unit == "ns"  # type: ignore[union-attr]
    asked = budget_words.parse("instructions<=1G")
    assert _run(demo, elf, budgets=asked).transcript.begin.unit == "instructions"  # type: ignore[union-attr]


def test_the_firmwares_figures_are_the_linkers(corstone_300: Path, demo: Path) -> None:
    elf = corstone_300 / "bpte-firmware.elf"
    used = _run(demo, elf).transcript.resources
    assert used is not None
    sizes = {
        words[0]: int(words[1])
        for line in _said("arm-none-eabi-size", "-A", elf).splitlines()
        if len(words := line.split()) == 3 and words[1].isdigit()
    }
    image = (".vectors", ".text", ".ARM.extab", ".ARM.exidx", ".data")
    assert used.flash == sum(sizes.get(name, 0) for name in image)
    assert used.static_memory == sizes[".data"] + sizes[".bss"]
    assert used.stack_size == sizes[".stack"]
