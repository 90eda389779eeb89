# SPDX-License-Identifier: BSD-3-Clause
"""What instructions take on the emulated boards: counted by QEMU, alike in every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards_support import build, require, run
from bpte.run import profile
from bpte.run.outcome import State


@pytest.mark.parametrize("board", ["corstone-300", "mps2-an500"])
def test_counted_instructions(board: str, demo: Path) -> None:
    require("arm-none-eabi-g++", "qemu-system-arm")
    folder = build(board, "reference", "-DBPTE_ENGINE_STEPPING=ON", target="bpte-firmware")
    elf = folder / "bpte-firmware.elf"
    first, second = (
        run(demo, elf, board=board, profile=2, count_instructions=True) for _ in range(2)
    )
    assert first.state is second.state is State.PASSED, first.message
    transcript = first.transcript
    assert transcript.begin is not None and transcript.begin.unit == "instructions"
    assert transcript.times == second.transcript.times
    assert transcript.executions == second.transcript.executions
    (found,) = profile.profiles(transcript.times, transcript.executions, transcript.cases)
    # The parts are nearly the whole: most of it is spent inside of instructions.
    assert 0.9 * found.whole < found.total < found.whole < found.stepped < 1.25 * found.whole
    plain = run(demo, elf, board=board, profile=1)
    assert plain.state is State.PASSED, plain.message
    assert plain.transcript.begin is not None and plain.transcript.begin.unit == "ns"
