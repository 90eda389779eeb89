# SPDX-License-Identifier: BSD-3-Clause
"""A model of speech on real speech, on the emulated Cortex-M55 with the reference engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards_support import run
from bpte.run.outcome import State

STEPS = 87


@pytest.mark.parametrize("teach", [False, True], ids=["free", "taught"])
@pytest.mark.parametrize("name", ["speech", "speech_int8"])
def test_every_step_passes(name: str, teach: bool, speech: Path, corstone_300: Path) -> None:
    elf = corstone_300 / "bpte-firmware.elf"
    result = run(speech / f"{name}.bpte", elf, teach=teach, case=0, timeout=240)
    assert result.state is State.PASSED, result.message
    cases = result.transcript.cases
    assert [(case.step, case.verdict.value) for case in cases] == [
        (step, "pass") for step in range(STEPS)
    ]
