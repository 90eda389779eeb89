# SPDX-License-Identifier: BSD-3-Clause
"""Metrics on an emulated Cortex-M55: measured there, and again here from the outputs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import bpte
from boards_support import demo_arrays, demo_program, require
from bpte.run import launcher
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
    bpte.BundledProgram(demo_program(), [suite]).save(path, durable=False)
    request = launcher.Request(
        path, board="corstone-300", simulator="qemu", keep_outputs=True, timeout=300
    )
    on_the_board = launcher.run(request)
    assert on_the_board.state in (State.PASSED, State.MISMATCH), on_the_board.message
    host = launcher.run(launcher.Request(path, engine="reference", keep_outputs=True))
    assert host.state is on_the_board.state, (host.message, on_the_board.message)
    metrics = on_the_board.transcript.metrics
    assert len(metrics) == 8 and len(on_the_board.kept) == 3
    for here, there in zip(host.transcript.metrics, metrics, strict=True):
        counts = ("verdict", "cases", "samples", "hits", "positives", "elements")
        assert [getattr(here, name) for name in counts] == [getattr(there, name) for name in counts]
    assert on_the_board.transcript.confusion == host.transcript.confusion


def test_a_firmware_without_metrics_has_nothing_of_them(corstone_300: Path) -> None:
    """Nothing of their code is in it. What states a metric is not run by it, and not green."""
    symbols = subprocess.run(
        ["arm-none-eabi-nm", "-C", corstone_300 / "bpte-firmware.elf"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "bpte::run_bundle" in symbols
    for name in ("Metrics::", "MetricState", "write_metric", "largest_metrics"):
        assert name not in symbols
