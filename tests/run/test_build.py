# SPDX-License-Identifier: BSD-3-Clause
"""How the launcher builds, with a stand-in for CMake. Real builds are made in tests/boards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpte.run import build
from bpte.run.board import Board, Build, Simulator

#: Configures and builds as told by files beside it; notes how it was called.
CMAKE = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
--version) cat "$here/version"; exit;;
--build) echo build >> "$here/calls"; cat "$here/says"; mkdir -p "$2/bin"; touch "$2/bin/it"; exit;;
esac
echo configure >> "$here/calls"
mkdir -p "$4"; touch "$4/CMakeCache.txt"
exec sh "$here/then"
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a Python with a CMake beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cmake").write_text(CMAKE)
    (folder / "cmake").chmod(0o755)
    (folder / "version").write_text("cmake version 3.28.1\n\nCMake suite\n")
    (folder / "says").write_text("[1/2] Building CXX object x.o\n[2/2] Linking it\n")
    (folder / "then").write_text("exit 0\n")
    (folder / "python3").symlink_to(sys.executable)
    monkeypatch.setattr(build.sys, "executable", str(folder / "python3"))
    return folder


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(
        name="mine",
        folder=tmp_path,
        description="",
        kind="firmware",
        cpu="",
        engines=("reference",),
        timeout=1,
        build=Build(cmake=(), target="it", artifact="bin/it"),
        simulators=(Simulator(name="s", command=("x",)),),
        load_address=None,
        load_size=None,
    )


def make(board: Board, root: Path, notes: list[str] | None = None) -> Path:
    root.mkdir(exist_ok=True)
    (root / "CMakePresets.json").touch()
    told = notes if notes is not None else []
    return build._Build(board, told.append).make(root, None, ())


def test_a_changed_toolchain_is_configured(tools: Path, board: Board, tmp_path: Path) -> None:
    toolchain = board.folder / "toolchain.cmake"
    toolchain.write_text('set(BPTE_CPU_FLAGS "-mcpu=cortex-m7")\n')
    first = make(board, tmp_path / "root")
    assert make(board, tmp_path / "root") == first
    toolchain.write_text('set(BPTE_CPU_FLAGS "-mcpu=cortex-m4")\n')
    make(board, tmp_path / "root")
    calls = (tools / "calls").read_text().split()
    assert calls == ["configure", "build", "build", "configure", "build"]


@pytest.mark.parametrize(
    ("version", "needed", "fits"),
    [
        ("3.28.0", (3, 28), True),
        ("3.27.9", (3, 28), False),
        ("3.9.1", (3, 28), False),
        ("4.0.2", (3, 28), True),
        ("3.25.1", (3, 25), True),
        ("3.25.1-rc1", (3, 28), False),
    ],
)
def test_cmake_too_old(tools: Path, version: str, needed: tuple[int, int], fits: bool) -> None:
    (tools / "version").write_text(f"cmake version {version}\n")
    if fits:
        assert build.cmake(needed) == str(tools / "cmake")
        return
    with pytest.raises(build.BuildError, match=r"pip install 'cmake>=3.28'") as caught:
        build.cmake(needed)
    assert ".".join(version.split(".")[:2]) in str(caught.value)
    assert "3.28 is needed" in str(caught.value)


@pytest.mark.parametrize("version", ["nonsense", ""])
def test_a_cmake_that_does_not_work(tools: Path, version: str) -> None:
    (tools / "version").write_text(version)
    with pytest.raises(build.BuildError, match=r"pip install 'cmake>=3.28'"):
        build.cmake()
    (tools / "cmake").chmod(0o644)
    with pytest.raises(build.BuildError, match=r"pip install 'cmake>=3.28'"):
        build.cmake()


def test_a_configuration_that_was_cut_short_is_made_again(
    tools: Path, board: Board, tmp_path: Path
) -> None:
    (tools / "then").write_text("echo why; exit 1\n")
    with pytest.raises(build.BuildError, match="could not be configured") as caught:
        make(board, tmp_path / "root")
    assert str(caught.value).endswith("\n  why")
    (tools / "then").write_text("kill -9 $$\n")
    with pytest.raises(build.BuildError, match="could not be configured"):
        make(board, tmp_path / "root")
    (tools / "then").write_text("exit 0\n")
    assert make(board, tmp_path / "root").is_file()
    assert make(board, tmp_path / "root").is_file()
    calls = (tools / "calls").read_text().split()
    assert calls == ["configure"] * 3 + ["build"] * 2


def test_a_build_is_announced_when_there_is_one(tools: Path, board: Board, tmp_path: Path) -> None:
    for says, told in (
        ("[1/2] Building CXX object x.o\n", True),  # configures, too
        ("ninja: no work to do.\n", False),
        ("[100%] Built target it\n", False),
        ("[ 50%] Building CXX object x.o\n[100%] Built target it\n", True),
        ("[1/1] Linking CXX executable it\n", True),
    ):
        (tools / "says").write_text(says)
        notes: list[str] = []
        make(board, tmp_path / "root", notes)
        assert len(notes) == told
        assert all("building mine's program" in note and ".log" in note for note in notes)


def test_each_place_of_the_sources_has_a_build_of_its_own(
    tools: Path, board: Board, tmp_path: Path
) -> None:
    """CMake refuses a cache that was made for another one. A name need not be UTF-8."""
    made = {make(board, tmp_path / os.fsdecode(name)) for name in (b"root", b"moved-\xff")}
    assert len({path.parents[1].name for path in made}) == 2


def test_python_and_python3_share_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path(sys.executable)
    for name in ("python", "python3", "python3.11"):
        (tmp_path / name).symlink_to(real)
        monkeypatch.setattr(build.sys, "executable", str(tmp_path / name))
        if name != "python":
            assert build.interpreter() == str(tmp_path / "python3")
    (tmp_path / "python3").unlink()
    (tmp_path / "python3").write_text("another one")
    assert build.interpreter() == str(tmp_path / "python")


def test_the_name_of_this_python_does_not_matter() -> None:
    """Of the very environment that runs the tests."""
    script = "from bpte.run import build; print(build.interpreter())"
    here = Path(sys.executable).parent
    said = {
        subprocess.run([path, "-c", script], capture_output=True, text=True, check=True).stdout
        for path in (here / "python", here / "python3")
        if path.exists()
    }
    assert len(said) == 1
