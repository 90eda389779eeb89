# SPDX-License-Identifier: BSD-3-Clause
"""bpte_add_bundle(): a bundle inside of a program, on the host and on a board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from boards_support import LINKED, ROOT, demo_arrays, demo_program, pack, run
from bpte.run.outcome import State

CMAKE = str(Path(sys.executable).with_name("cmake"))

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(linked LANGUAGES CXX ASM)
set(BPTE_ENGINE_EXECUTORCH OFF)
set(BPTE_ENGINE_REFERENCE OFF)
add_subdirectory("{root}" bpte)
include("{root}/cmake/bpte_add_bundle.cmake")
add_executable(linked main.cpp)
target_link_libraries(linked PRIVATE bpte::core)
bpte_add_bundle(linked "{bundle}" {options})
"""

MAIN = """
#include <bpte/core/bundle.h>
#include <cstdint>
#include <cstdio>
extern "C" const uint8_t bpte_bundle[], bpte_bundle_end[];
int main() {
  const auto bundle = bpte::Bundle::open({bpte_bundle, size_t(bpte_bundle_end - bpte_bundle)});
  std::printf("%d %zu\\n", bundle.ok(), reinterpret_cast<uintptr_t>(bpte_bundle) % ALIGNMENT);
  return bundle.ok() ? 0 : 1;
}
"""


def project(tmp_path: Path, bundle: Path, options: str = "", alignment: int = 128) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    text = PROJECT.format(root=ROOT, bundle=bundle, options=options)
    (folder / "CMakeLists.txt").write_text(text)
    (folder / "main.cpp").write_text(MAIN.replace("ALIGNMENT", str(alignment)))
    return folder


def cmake(*words: object) -> subprocess.CompletedProcess[str]:
    command = [CMAKE if Path(CMAKE).is_file() else "cmake", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("alignment", [128, 4096])
def test_on_the_host(demo: Path, tmp_path: Path, alignment: int) -> None:
    options = "SECTION .my_data ALIGN 4096" if alignment == 4096 else ""
    folder = project(tmp_path, demo, options, alignment)
    assert (done := cmake("-S", folder, "-B", folder / "b")).returncode == 0, done.stderr
    assert (done := cmake("--build", folder / "b", "-j", 2)).returncode == 0, done.stdout
    ran = subprocess.run([folder / "b" / "linked"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "1 0\n")

    # Another file of the same name is linked in its place.
    pack(demo, demo_program(), demo_arrays(7))
    size = demo.stat().st_size
    assert (done := cmake("--build", folder / "b", "-j", 2)).returncode == 0, done.stdout
    assert demo.read_bytes() in (folder / "b" / "linked").read_bytes()
    assert size > 0


@pytest.mark.parametrize(
    ("options", "spoil", "message"),
    [
        ("ALIGN 64", False, "ALIGN 64"),
        ("ALIGN 192", False, "needs a power of two"),
        ("ALIGNMENT 128", False, "unknown argument ALIGNMENT"),
        ("", True, "no .bpte file"),
    ],
)
def test_refused(demo: Path, tmp_path: Path, options: str, spoil: bool, message: str) -> None:
    if spoil:
        demo.write_bytes(b"something else entirely, and long enough to have a header of its own")
    folder = project(tmp_path, demo, options)
    done = cmake("-S", folder, "-B", folder / "b")
    assert done.returncode != 0
    assert message in " ".join(done.stderr.split())


def test_on_a_board(demo: Path, tmp_path: Path, corstone_300: Path) -> None:
    """Told nothing, and with nothing in memory: the firmware has what it needs."""
    text = (ROOT / "boards" / "corstone-300" / "board.toml").read_text()
    copy = tmp_path / "corstone-300"
    copy.mkdir()
    alone = text.replace(
        '"enable=on,target=native,chardev=console,arg=bpte{arguments}"',
        '"enable=on,target=native,chardev=console"',
    ).replace('  "{preload...}",\n', "")
    assert alone != text
    (copy / "board.toml").write_text(alone)
    linked = corstone_300 / "tests" / "firmware-linked.elf"
    result = run(demo, linked, board=str(copy), trust_target=True)
    assert result.state is State.PASSED, result.message
    begin = result.transcript.begin
    assert begin is not None and begin.program_address is not None
    assert begin.program_address % 128 == 0
    assert begin.file_size == LINKED.stat().st_size


def test_linked_in(demo: Path, tmp_path: Path, corstone_300: Path) -> None:
    """FILE is what must be linked in: it is neither preloaded nor read."""
    linked = corstone_300 / "tests" / "firmware-linked.elf"
    result = run(LINKED, linked, linked=True)
    assert result.state is State.PASSED, result.message
    assert not any("loader" in word or "--file" in word for word in result.command)
    begin = result.transcript.begin
    assert begin is not None and begin.file_size == LINKED.stat().st_size

    (x, y), *rest = demo_arrays()
    for other in (demo_arrays(1), [(x, y + 1), *rest]):
        pack(demo, demo_program(), other)
        result = run(demo, linked, linked=True)
        assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
        assert "metadata_crc32" in result.message

    result = run(demo, corstone_300 / "bpte-firmware.elf", linked=True)
    assert (result.state, result.message) == (State.USAGE, "no bundle is linked in")
    result = run(demo, linked, linked=True, from_file=True)
    assert (result.state, result.outcome) == (State.USAGE, 2)
    assert "exclude each other" in result.message


def test_a_board_without_memory_to_preload(tmp_path: Path, corstone_300: Path) -> None:
    text = (ROOT / "boards" / "corstone-300" / "board.toml").read_text()
    copy = tmp_path / "corstone-300"
    copy.mkdir()
    start = text.index("[bundle]")
    (copy / "board.toml").write_text(text[:start] + text[text.index("[build]") :])
    linked = corstone_300 / "tests" / "firmware-linked.elf"
    result = run(LINKED, linked, board=str(copy))
    assert (result.state, result.outcome) == (State.USAGE, 2)
    assert "--linked" in result.message
    assert run(LINKED, linked, board=str(copy), linked=True).state is State.PASSED
