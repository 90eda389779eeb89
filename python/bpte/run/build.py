# SPDX-License-Identifier: BSD-3-Clause
"""Finds or builds what runs on a board: the host runner or a firmware, with CMake, once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bpte import __version__
from bpte.run.board import Board, source_root

_JOBS = "2"
#: The CMake project of a firmware, in the sources.
FIRMWARE = Path("runtime/bpte/platform/cortex_m")


class BuildError(Exception):
    """The program for a board could not be had; the message says what to do."""


def program(board: Board, engine: str | None, operators_from: tuple[Path, ...] = ()) -> Path:
    """The program for this board and engine, built when none is named or installed.

    Raises BuildError.
    """
    variable = board.build.environment
    if variable and (named := os.environ.get(variable)):
        path = Path(named)
        if not path.is_file():
            raise BuildError(f"${variable}: {named}: no such file")
        return path
    if board.kind == "host" and (installed := shutil.which(Path(board.build.artifact).name)):
        return Path(installed)
    for tool, advice in board.build.needs.items():
        if shutil.which(tool) is None:
            raise BuildError(f"{board.name}'s program cannot be built: {tool} is missing; {advice}")
    root = source_root()
    if root is None:
        raise BuildError("this installation of bpte carries no sources to build from; use --elf")
    return _build(root, board, engine, operators_from)


def folder(root: Path, name: str) -> Path:
    """Where a build of these sources belongs: within a checkout, else in the user's cache."""
    if (root / "CMakePresets.json").is_file() and os.access(root, os.W_OK):
        return root / "build" / name
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    key = hashlib.sha256(f"{root}\0{sys.prefix}".encode()).hexdigest()[:12]
    return Path(cache) / "bpte" / f"{__version__}-{key}" / name


def _cmake() -> str:
    beside = Path(sys.executable).parent / "cmake"  # the PyPI package, in a virtual environment
    found = str(beside) if beside.is_file() else shutil.which("cmake")
    if found is None:
        raise BuildError("cmake is missing; `pip install cmake` or `apt-get install cmake`")
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One build of a folder at a time, whoever else is at work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _call(command: list[str], log: Path, what: str) -> None:
    with log.open("wb") as file:
        file.write((" ".join(command) + "\n").encode())
        file.flush()
        status = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
    if status != 0:
        lines = log.read_text("utf-8", "replace").splitlines()
        tail = "\n  ".join(lines[-15:])
        raise BuildError(f"{what} (whole log: {log}):\n  {tail}")


def _definitions(board: Board, engine: str | None, operators_from: tuple[Path, ...]) -> list[str]:
    definitions = list(board.build.cmake)
    if board.kind == "firmware":
        definitions.append(f"-DBPTE_PYTHON={sys.executable}")
        definitions += [f"-DBPTE_BOARD={board.folder}", f"-DBPTE_BOARD_ENGINE={engine}"]
        if operators_from:
            files = ";".join(str(path.resolve()) for path in operators_from)
            definitions.append(f"-DBPTE_BOARD_PROGRAMS={files}")
        variable = board.build.executorch_prefix
        if engine == "executorch" and variable and (prefix := os.environ.get(variable)):
            definitions.append(f"-DCMAKE_PREFIX_PATH={prefix}")
    else:
        definitions.append(f"-DBPTE_PYTHON={sys.executable}")
        if engine == "reference" or find_spec("executorch") is None:
            definitions.append("-DBPTE_ENGINE_EXECUTORCH=OFF")
    return definitions


def _build(root: Path, board: Board, engine: str | None, operators_from: tuple[Path, ...]) -> Path:
    if board.kind == "firmware":
        engine = engine or "reference"
    preset = root / "build" / "host"
    if board.kind == "host" and (preset / "CMakeCache.txt").is_file():
        with _locked(preset.with_suffix(".lock")):  # the preset's runner has every engine
            return _compile(board, preset, preset.with_suffix(".log"))
    definitions = _definitions(board, engine, operators_from)
    # Another configuration is another folder, so that none is ever configured over.
    key = hashlib.sha256("\0".join(definitions).encode()).hexdigest()[:8]
    name = f"{board.name}-{engine}" if engine else board.name
    build_folder = folder(root, f"run/{name}-{key}")
    log = build_folder.with_suffix(".log")
    source = root / FIRMWARE if board.kind == "firmware" else root
    with _locked(build_folder.with_suffix(".lock")):
        if not (build_folder / "CMakeCache.txt").is_file():
            generator = ["-G", "Ninja"] if shutil.which("ninja") else []
            paths = ["-S", str(source), "-B", str(build_folder)]
            try:
                _call(
                    [_cmake(), *paths, *generator, *definitions],
                    log,
                    f"{board.name}'s program could not be configured",
                )
            except BuildError:
                (build_folder / "CMakeCache.txt").unlink(missing_ok=True)
                raise
        return _compile(board, build_folder, log)


def _compile(board: Board, build_folder: Path, log: Path) -> Path:
    target = ["--target", board.build.target, "-j", _JOBS]
    what = f"{board.name}'s program could not be built"
    _call([_cmake(), "--build", str(build_folder), *target], log, what)
    path = build_folder / board.build.artifact
    if not path.is_file():
        raise BuildError(f"the build of {board.name} made no {board.build.artifact} (log: {log})")
    return path
