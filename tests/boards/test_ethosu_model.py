# SPDX-License-Identifier: BSD-3-Clause
"""An Ethos-U55 program on the emulated Cortex-M55, by the functional model of the NPU."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from boards_support import ROOT, pack, quantised, require, run
from bpte.run import launcher
from bpte.run.board import find_board
from bpte.run.build import program
from bpte.run.outcome import State

STAND_IN = "Ethos-U functional model, not an NPU"


@pytest.fixture(scope="session")
def with_model() -> Path:
    """Built as `bpte run --npu model` builds it, and at the same place."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    return program(find_board("corstone-300"), "reference", features=("BPTE_ETHOSU_MODEL",))


def test_runs_and_says_that_it_is_no_npu(with_model: Path, tmp_path: Path) -> None:
    source, cases, one_step = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", source, cases, tolerance=one_step)
    for from_file in (False, True):
        result = run(bundle, with_model, from_file=from_file)
        assert result.state is State.PASSED, result.message
        assert len(result.transcript.cases) == 3
        assert {case.stand_in for case in result.transcript.cases} == {STAND_IN}
        assert result.message == f"3 of 3 cases passed ({STAND_IN})"


def test_a_wrong_expectation_fails(with_model: Path, tmp_path: Path) -> None:
    source, cases, one_step = quantised("ethos_u55")
    x, y = cases[0]
    bundle = pack(tmp_path / "off.bpte", source, [(x, y + 3 * one_step.atol)], tolerance=one_step)
    assert run(bundle, with_model).outcome == 1


def test_a_firmware_without_the_model_names_the_backend(corstone_300: Path, tmp_path: Path) -> None:
    source, cases, one_step = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", source, cases, tolerance=one_step)
    result = run(bundle, corstone_300 / "bpte-firmware.elf")
    assert result.outcome == 4
    assert "needs the backend EthosUBackend; this engine runs operators only" in result.message


@pytest.mark.usefixtures("with_model")  # which is built there
def test_the_option_builds_and_runs_it(tmp_path: Path) -> None:
    source, cases, one_step = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", source, cases, tolerance=one_step)
    request = launcher.Request(bundle, board="corstone-300", simulator="qemu", npu="model")
    result = launcher.run(request)
    assert result.state is State.PASSED, result.message
    assert STAND_IN in result.message


@pytest.mark.parametrize(
    ("board", "elf", "message"),
    [
        ("host", None, "--npu: host's runner has the functional model anyway"),
        ("corstone-300", __file__, "--npu: the firmware is built already (--elf)"),
    ],
)
def test_the_option_is_refused_where_it_does_nothing(
    tmp_path: Path, board: str, elf: str | None, message: str
) -> None:
    source, cases, _ = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", source, cases)
    built = Path(elf) if elf else None
    result = launcher.run(launcher.Request(bundle, board=board, program=built, npu="model"))
    assert (result.state, result.message) == (State.USAGE, message)


@pytest.mark.parametrize("driver", [False, True])
def test_the_drivers_entry_points_compile_for_the_board(tmp_path: Path, driver: bool) -> None:
    """They are linked only with an ExecuTorch built for bare metal. With the driver in the firmware
    as well, they stand before its own."""
    require("arm-none-eabi-g++", "arm-none-eabi-nm")
    source = ROOT / "runtime" / "bpte" / "platform" / "cortex_m" / "npu_model.cpp"
    compiled = tmp_path / "npu_model.o"
    command = [
        *("arm-none-eabi-g++", "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-Os"),
        *("-std=c++17", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wshadow", "-Werror"),
        *("-DBPTE_BOARD_NPU=0x58102000", f"-I{ROOT / 'runtime'}"),
        *(["-DBPTE_NPU_DRIVER"] if driver else []),
        *("-c", source, "-o", compiled),
    ]
    subprocess.run(command, check=True)
    listed = subprocess.run(
        ["arm-none-eabi-nm", compiled], capture_output=True, text=True, check=True
    ).stdout
    symbols = {tuple(line.split()[-2:]) for line in listed.splitlines()}
    for name in ("ethosu_reserve_driver", "ethosu_release_driver", "ethosu_invoke_v3"):
        assert ("T", f"__wrap_{name}" if driver else name) in symbols
        assert (("U", f"__real_{name}") in symbols) == driver
