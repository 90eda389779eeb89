# SPDX-License-Identifier: BSD-3-Clause
"""A board of one's own: a folder anywhere, with data, and code only where it differs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from boards_support import ROOT, demo_program, require
from bpte.run import board, build, launcher
from bpte.run.outcome import State

FACTS = ROOT / build.FIRMWARE / "cmake" / "board_facts.py"

TOOLCHAIN = """
set(BPTE_CPU_FLAGS "-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16")
include(${BPTE_CMAKE_DIR}/arm-none-eabi.cmake)
"""
# A UART that writes capitals in front of the first line, so that it shows whose driver ran.
UART = """
#include "console.h"

#include "hooks.h"

extern "C" unsigned pins;
void bpte_board::Uart::write(const char* data, size_t size) {
  struct Registers { volatile uint32_t data, state, control; };
  auto* const uart = reinterpret_cast<Registers*>(BPTE_BOARD_UART);
  uart->control = 1;
  static bool first = true;
  if (first && pins == BPTE_BOARD_PINS) {
    for (const char* at = "PINS\\n"; *at != 0; ++at) uart->data = static_cast<uint8_t>(*at);
  }
  first = false;
  for (size_t i = 0; i < size; ++i) uart->data = static_cast<uint8_t>(data[i]);
}
"""
INIT = """
#include "hooks.h"

extern "C" unsigned pins;
unsigned pins = 1;
extern "C" void board_init() { pins = pins == 1 ? BPTE_BOARD_PINS : 0; }
"""


@pytest.fixture
def own_board(tmp_path: Path) -> Path:
    """mps2-an500 once more, under another name and outside of the sources."""
    folder = tmp_path / "my-board"
    folder.mkdir()
    text = (ROOT / "boards" / "mps2-an500" / "board.toml").read_text()
    text = text.replace('name = "mps2-an500"', 'name = "my-board"')
    # As people write TOML: decimal numbers, tables over several lines, comments behind values.
    text = text.replace(
        "ram = { origin = 0x20000000, length = 0x100000 }",
        "ram.origin = 536_870_912 # 0x20000000\nram.length = 0x10_0000",
    )
    text = text.replace("[peripherals]\n", "[peripherals]\npins = 0x1234\n")
    assert "ram.origin" in text and "pins" in text
    (folder / "board.toml").write_text(text)
    (folder / "toolchain.cmake").write_text(TOOLCHAIN)
    return folder


def facts(folder: Path, output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, FACTS, folder, output, *words], capture_output=True, text=True, check=False
    )


def test_its_own_code_runs(
    own_board: Path, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("arm-none-eabi-g++", "qemu-system-arm")
    (own_board / "uart.cpp").write_text(UART)
    (own_board / "init.cpp").write_text(INIT)
    monkeypatch.setattr(build, "folder", lambda root, name: tmp_path / "build" / name)
    text: list[bytes] = []
    result = launcher.run(
        launcher.Request(demo, board=str(own_board), timeout=60, operators_from=(demo_program(),)),
        on_text=text.append,
    )
    assert result.state is State.PASSED, result.message
    assert b"PINS" in b"".join(text)


def test_memory_script(own_board: Path, tmp_path: Path) -> None:
    done = facts(own_board, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    script = (tmp_path / "out" / "memory.ld").read_text().splitlines()
    assert "  RAM_ : ORIGIN = 0x20000000, LENGTH = 0x100000" in script
    assert 'REGION_ALIAS("CODE", ROM_)' in script
    definitions = (tmp_path / "out" / "board_facts.cmake").read_text()
    assert "BPTE_BOARD_PINS=0x1234" in definitions
    assert "BPTE_BOARD_LOAD_ADDRESS=0x60000000" in definitions


def test_code_has_a_region_of_its_own_when_large(tmp_path: Path) -> None:
    folder = ROOT / "boards" / "corstone-300"
    for words, region in (((), "ROM_"), (("--large",), "CODE_")):
        assert facts(folder, tmp_path, *words).returncode == 0
        assert f'REGION_ALIAS("CODE", {region})' in (tmp_path / "memory.ld").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rom = { origin = 0x00000000, length = 0x400000 }\n", "", "memory.rom is missing"),
        ("length = 0x400000 }", "size = 1 }", "memory.rom.length is missing"),
        ("length = 0x400000 }", "length = 0 }", "memory.rom does not lie within 32-bit addresses"),
        ("length = 0x400000 }", "length = -4 }", "memory.rom.length is negative: -4"),
        ("length = 0x400000 }", 'length = "4 MB" }', "memory.rom.length is not an integer"),
        ("length = 0x400000 }", "length = 0x20000004 }", "memory.rom and memory.ram overlap"),
        ("length = 0x400000 }", "length = 1, fast = 1 }", "unknown key memory.rom.fast"),
        ("rom = {", "flash = {", "unknown key memory.flash"),
        ("uart = 0x40004000\n", "", "peripherals.uart is missing"),
        ("uart = 0x40004000\n", "uart = 0x1_4000_4000\n", "not a name of a 32-bit number"),
        ("pins = 0x1234\n", "'$(x)' = 1\n", "not a name of a 32-bit number"),
    ],
)
def test_refused(own_board: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    """The launcher and the build refuse alike, with the file and the key named."""
    path = own_board / "board.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(board.BoardError) as caught:
        board.load_board(own_board)
    assert message in str(caught.value) and str(path) in str(caught.value)
    done = facts(own_board, tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_boards_are_data() -> None:
    """What every Cortex-M shares lies in runtime/bpte/platform/cortex_m."""
    allowed = {"board.toml", "toolchain.cmake", "README.md", "uart.cpp", "init.cpp"}
    for folder in (ROOT / "boards").iterdir():
        if folder.name != "README.md":
            assert {path.name for path in folder.iterdir()} <= allowed, folder
            assert (folder / "README.md").is_file(), folder


def test_without_a_toolchain_file(own_board: Path, tmp_path: Path) -> None:
    (own_board / "toolchain.cmake").unlink()
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or "cmake"
    done = subprocess.run(
        [cmake, "-S", ROOT / build.FIRMWARE, "-B", tmp_path / "b", f"-DBPTE_BOARD={own_board}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "no toolchain.cmake there" in " ".join(done.stderr.split())
