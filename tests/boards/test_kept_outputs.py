# SPDX-License-Identifier: BSD-3-Clause
"""Actual outputs from emulated boards: whole over any line, or exit code 4."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from boards_support import build, require
from bpte.run import launcher
from bpte.run.outcome import State
from wire_support import MLP, behind, relu_bundle, whole

#: A line that loses one byte of a hundred, and doubles and flips some.
FAULTS = ("--lose", "0.01", "--double", "0.001", "--flip", "0.001", "--seed", "5")


@pytest.fixture(scope="module")
def firmware() -> Path:
    """For the emulated Cortex-M55, with the wire."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    folder = build("corstone-300", "reference", "-DBPTE_RUNNER_WIRE=ON", target="bpte-firmware")
    return folder / "bpte-firmware.elf"


def run(bundle: Path, board: str | Path, elf: Path | None, timeout: float = 300) -> launcher.Run:
    return launcher.run(
        launcher.Request(
            bundle,
            board=str(board),
            simulator="qemu",
            program=elf,
            keep_outputs=True,
            timeout=timeout,
        )
    )


def as_on_the_desk(result: launcher.Run) -> None:
    """The demo's three outputs, within the tolerance of its cases."""
    arrays = np.load(MLP.with_suffix(".npz"))
    assert sorted(result.kept) == [(0, index, None) for index in range(3)]
    for index in range(3):
        (output,) = result.kept[0, index, None]
        np.testing.assert_allclose(output.array(), arrays[f"out{index}"], 1e-4, 1e-5)


def test_over_the_uart(firmware: Path, tmp_path: Path) -> None:
    path = tmp_path / "relu.bpte"
    wanted = relu_bundle(path, 1)
    result = run(path, "corstone-300", firmware)
    assert result.state is State.PASSED, result.message
    assert whole(result, wanted)
    assert result.line.retransmitted == 0


def test_a_cortex_m7(demo: Path) -> None:
    """Built by the launcher, which asks for the wire where outputs are asked for."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    result = run(demo, "mps2-an500", None)
    assert result.state is State.PASSED, result.message
    as_on_the_desk(result)


def test_over_semihosting(firmware: Path, demo: Path, tmp_path: Path) -> None:
    board = behind("corstone-300", tmp_path)
    path = board / "board.toml"
    words = "arg=bpte,arg=--console,arg=semihosting{arguments}"
    path.write_text(path.read_text("utf-8").replace("arg=bpte{arguments}", words), "utf-8")
    result = run(demo, board, firmware)
    assert result.state is State.PASSED, result.message
    as_on_the_desk(result)


@pytest.mark.parametrize("by", ["stdio", "pty", "socket"])
def test_over_a_line_with_faults(firmware: Path, demo: Path, tmp_path: Path, by: str) -> None:
    board = behind("corstone-300", tmp_path, *FAULTS, by=by)
    result = run(demo, board, firmware)
    assert result.state is State.PASSED, (result.message, result.stderr, result.line)
    as_on_the_desk(result)
    assert result.line.damaged > 0
    # The target's own count is part of what the checksum at the end covers.
    assert result.transcript.end is not None
    assert result.transcript.end.retransmitted is not None


@pytest.mark.parametrize("fault", ["--stick", "--reset"])
def test_a_line_that_is_lost(firmware: Path, tmp_path: Path, fault: str) -> None:
    path = tmp_path / "relu.bpte"
    relu_bundle(path, 1)
    board = behind("corstone-300", tmp_path, fault, "100000")
    # What sticks is noticed by the time limit alone.
    result = run(path, board, firmware, timeout=12 if fault == "--stick" else 30)
    assert result.outcome == 4, result.message
    assert fault != "--reset" or "started again" in result.message, result.message


def test_once(firmware: Path, demo: Path, tmp_path: Path) -> None:
    """A simulator whose standard input does not reach the firmware, such as the FVP."""
    board = behind("corstone-300", tmp_path)
    path = board / "board.toml"
    path.write_text(path.read_text("utf-8").replace("input = true\n", ""), "utf-8")
    result = run(demo, board, firmware)
    assert result.state is State.PASSED, result.message
    as_on_the_desk(result)
    assert result.transcript.begin is not None and result.transcript.begin.wire == "once"


def test_a_firmware_without_the_wire(corstone_300: Path, firmware: Path, demo: Path) -> None:
    """It has nothing of it, and refuses the option."""
    without = corstone_300 / "bpte-firmware.elf"
    for elf, has in ((without, False), (firmware, True)):
        command = ["arm-none-eabi-nm", "-C", elf]
        symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "bpte::Bundle" in symbols
        for name in ("bpte::Wire::", "bpte::FrameReader::", "write_values", "semihosting_read"):
            assert (name in symbols) == has, name
    result = run(demo, "corstone-300", corstone_300 / "bpte-firmware.elf")
    assert result.state is State.USAGE, result.message
    assert "BPTE_RUNNER_WIRE" in result.message
