# SPDX-License-Identifier: BSD-3-Clause
"""Weights in data files (`.ptd`), and state that lives from step to step, on the emulated
Cortex-M55 with the reference engine. A firmware reads data files where it was built to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards_support import ROOT, run
from bpte.run.outcome import State

SCRIPTS = ROOT / "tests" / "runner"


@pytest.mark.parametrize(
    ("script", "folder", "name", "cases"),
    [
        ("data_models.py", "data-models", "external.bpte", 4),
        ("lm_model.py", "language-model", "lm.bpte", 64),
    ],
)
def test_passes_in_place_and_from_a_file(
    script: str,
    folder: str,
    name: str,
    cases: int,
    made_by: Callable[[Path, Path], Path],
    with_everything: Path,
) -> None:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    bundle = made_by(SCRIPTS / script, ROOT / "build" / folder) / name
    in_place = run(bundle, with_everything, timeout=120)
    assert in_place.state is State.PASSED, in_place.message
    assert len(in_place.transcript.cases) == cases
    from_file = run(bundle, with_everything, from_file=True, timeout=120)
    assert from_file.state is State.PASSED, from_file.message
    for here, there in zip(in_place.transcript.cases, from_file.transcript.cases, strict=True):
        assert here.outputs == there.outputs


def test_a_firmware_without_the_code_for_data_files_says_so(
    made_by: Callable[[Path, Path], Path], corstone_300: Path
) -> None:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    bundle = made_by(SCRIPTS / "data_models.py", ROOT / "build" / "data-models") / "external.bpte"
    result = run(bundle, corstone_300 / "bpte-firmware.elf", timeout=120)
    assert (result.state, result.outcome) == (State.NOT_RUN, 4)
    assert "unsupported" in result.message and "BPTE_ENGINE_DATA_FILES" in result.message
