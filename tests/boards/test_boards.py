# SPDX-License-Identifier: BSD-3-Clause
"""Every firmware board: it builds, and where QEMU emulates it, it runs the demo model.

Corstone-300's firmware is the other tests'; the rest is configured and built by `bpte run` itself.
A new board needs no word here: its board.toml says whether QEMU emulates it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from boards_support import ROOT, build, demo_arrays, demo_program, pack, require
from bpte.run import board, launcher
from bpte.run.outcome import State

BOARDS = {name: board.find_board(name) for name in board.board_names(ROOT)}
FIRMWARE = {name for name, described in BOARDS.items() if described.kind == "firmware"}
EMULATED = {
    name for name in FIRMWARE if "qemu" in (simulator.name for simulator in BOARDS[name].simulators)
}


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_says_what_it_is(name: str) -> None:
    assert {"corstone-300", "mps2-an500"} <= EMULATED
    assert (ROOT / "boards" / name / "README.md").read_text("utf-8").startswith("# ")
    assert (BOARDS[name].kind == "host") != (ROOT / "boards" / name / "toolchain.cmake").is_file()


@pytest.mark.parametrize("name", sorted(EMULATED))
def test_runs_the_demo(
    name: str, demo: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    require("arm-none-eabi-g++", "qemu-system-arm")
    here = launcher.Request(demo, board=name, simulator="qemu", timeout=60)
    if name == "corstone-300":
        elf = request.getfixturevalue("corstone_300") / "bpte-firmware.elf"
        here = replace(here, program=elf)
    else:
        here = replace(here, operators_from=(demo_program(),))
    result = launcher.run(here)
    assert result.state is State.PASSED, result.message
    begin = result.transcript.begin
    described = board.find_board(name)
    assert begin is not None and begin.program_offset is not None
    assert described.load_address is not None
    assert begin.program_address == described.load_address + begin.program_offset

    from_file = launcher.run(replace(here, from_file=True))
    assert from_file.state is State.PASSED, from_file.message

    (x, y), *rest = demo_arrays()
    off = pack(tmp_path / "off.bpte", demo_program(), [(x, y + 0.01), *rest])
    result = launcher.run(replace(here, bundle=off))
    assert (result.state, result.outcome) == (State.MISMATCH, 1), result.message


def test_operators_of_a_program_alone(tmp_path: Path) -> None:
    """The firmware of the test above lacks what the demo's program does not use, and says so."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    program = tmp_path / "other.pte"
    data = demo_program().read_bytes()
    assert b"aten::relu" in data and b"aten::addmm" in data
    data = data.replace(b"aten::relu", b"aten::tanh").replace(b"aten::addmm", b"aten::bddmm")
    program.write_bytes(data)
    bundle = pack(tmp_path / "other.bpte", program, demo_arrays())
    result = launcher.run(
        launcher.Request(
            bundle,
            board="mps2-an500",
            simulator="qemu",
            timeout=60,
            operators_from=(demo_program(),),
        )
    )
    assert (result.state, result.outcome) == (State.NOT_RUN, 4), result.message
    assert "missing_operator: not in this engine: " in result.message
    assert "aten::tanh.out" in result.message and "aten::bddmm.out" in result.message


@pytest.mark.parametrize("name", sorted(FIRMWARE - EMULATED))
def test_what_nothing_emulates_here_builds(name: str, demo: Path) -> None:
    require("arm-none-eabi-g++")
    folder = build(name, "reference", target="bpte-firmware")
    elf = folder / "bpte-firmware.elf"
    assert elf.is_file()
    for simulator in BOARDS[name].simulators:
        if shutil.which(simulator.command[0]) is None:
            result = launcher.run(
                launcher.Request(demo, board=name, simulator=simulator.name, program=elf)
            )
            assert result.state is State.NOT_STARTED
            assert f"{simulator.command[0]} is not installed" in result.message
