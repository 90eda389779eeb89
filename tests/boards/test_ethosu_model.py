# SPDX-License-Identifier: BSD-3-Clause
"""An Ethos-U55 program on the emulated Cortex-M55, by the functional model of the NPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards_support import CORTEX_M, build, pack, quantised, require, run
from bpte.run.outcome import State

PROGRAM = CORTEX_M / "ethos_u55.pte"


@pytest.fixture(scope="session")
def with_model() -> Path:
    require("arm-none-eabi-g++", "qemu-system-arm")
    folder = build(
        "corstone-300",
        "reference",
        "-DBPTE_ETHOSU_MODEL=ON",
        f"-DBPTE_BOARD_PROGRAMS={PROGRAM}",
        target="bpte-firmware",
    )
    return folder / "bpte-firmware.elf"


def test_runs_and_says_that_it_is_no_npu(with_model: Path, tmp_path: Path) -> None:
    program, cases, one_step = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", program, cases, tolerance=one_step)
    for from_file in (False, True):
        result = run(bundle, with_model, from_file=from_file)
        assert result.state is State.PASSED, result.message
        assert len(result.transcript.cases) == 3
        begin = result.transcript.begin
        assert begin is not None
        assert begin.engine_version.endswith("with Ethos-U functional model, not an NPU")


def test_a_wrong_expectation_fails(with_model: Path, tmp_path: Path) -> None:
    program, cases, one_step = quantised("ethos_u55")
    x, y = cases[0]
    bundle = pack(tmp_path / "off.bpte", program, [(x, y + 3 * one_step.atol)], tolerance=one_step)
    assert run(bundle, with_model).outcome == 1


def test_a_firmware_without_the_model_names_the_backend(corstone_300: Path, tmp_path: Path) -> None:
    program, cases, one_step = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", program, cases, tolerance=one_step)
    result = run(bundle, corstone_300 / "bpte-firmware.elf")
    assert result.outcome == 4
    assert "needs the backend EthosUBackend; this engine runs operators only" in result.message
