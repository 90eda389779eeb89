# SPDX-License-Identifier: BSD-3-Clause
"""Real models on the emulated Cortex-M55 with the reference engine, against the host."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from boards_support import TOLERANCE, changed, pack, run
from bpte.run import launcher
from bpte.run.outcome import State

Models = Callable[[str], tuple[Path, list[tuple[np.ndarray, np.ndarray]]]]

NAMES = ("mlp", "convnet", "mobilenet", "encoder")


@pytest.fixture(scope="session")
def elf(corstone_300: Path) -> Path:
    return corstone_300 / "bpte-firmware.elf"


@pytest.mark.parametrize("name", NAMES)
def test_passes_in_place_and_from_a_file(
    name: str, reference_models: Models, elf: Path, tmp_path: Path
) -> None:
    bundle = pack(tmp_path / f"{name}.bpte", *reference_models(name), tolerance=TOLERANCE)
    in_place = run(bundle, elf)
    assert in_place.state is State.PASSED, in_place.message
    begin = in_place.transcript.begin
    assert begin is not None and begin.program_offset is not None
    assert begin.program_address == 0x71000000 + begin.program_offset
    assert begin.program_address % 128 == 0

    used = in_place.transcript.resources
    assert used is not None and used.planned_memory and used.stack and used.stack_size
    beyond_the_plan = (used.static_memory, used.stack_size, used.engine_memory, used.buffers)
    assert sum(figure or 0 for figure in beyond_the_plan) < 16 * 1024
    assert used.stack < used.stack_size

    from_file = run(bundle, elf, from_file=True)
    assert from_file.state is State.PASSED, from_file.message
    for here, there in zip(in_place.transcript.cases, from_file.transcript.cases, strict=True):
        assert here.outputs == there.outputs


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_element_fails_as_on_the_host(
    name: str, reference_models: Models, elf: Path, tmp_path: Path
) -> None:
    program, cases = reference_models(name)
    bundle = pack(tmp_path / f"{name}.bpte", program, changed(cases), tolerance=TOLERANCE)
    on_board = run(bundle, elf)
    on_host = launcher.run(launcher.Request(bundle))
    if on_host.state is State.NOT_STARTED:
        pytest.skip(f"no host runner: {on_host.message.splitlines()[0]}")
    assert (on_board.outcome, on_host.outcome) == (1, 1), (on_board.message, on_host.message)
    found = []
    for result in (on_board, on_host):
        (failed,) = (case for case in result.transcript.cases if case.verdict.value == "fail")
        (output,) = failed.outputs
        assert output.first is not None and output.mismatches == 1
        found.append((failed.method, failed.case, output.first))
    (method, case, board_first), (host_method, host_case, host_first) = found
    assert (method, case) == (host_method, host_case) == ("forward", len(cases) - 1)
    assert board_first.index == host_first.index
    assert board_first.expected == host_first.expected
    assert abs(board_first.actual - host_first.actual) < 1e-5


def test_flash(elf: Path) -> None:
    """Vectors, code, constants and what variables begin with, every operator included."""
    text = subprocess.run(
        ["arm-none-eabi-size", elf], capture_output=True, text=True, check=True
    ).stdout
    code, data = (int(word) for word in text.splitlines()[1].split()[:2])
    assert 16 * 1024 < code + data <= 96 * 1024
