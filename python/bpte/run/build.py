# SPDX-License-Identifier: BSD-3-Clause
"""Finds or builds what runs on a board: the host runner or a firmware, with CMake, once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bpte import __version__
from bpte.run import process
from bpte.run.board import Board, source_root
from bpte.text import printable_lines

_JOBS = "2"
#: The CMake project of a firmware, in the sources.
FIRMWARE = Path("runtime/bpte/platform/cortex_m")
#: What our CMakeLists.txt require, and what the executorch Python package requires.
_CMAKE_NEEDED = (3, 25)
_CMAKE_NEEDED_BY_EXECUTORCH = (3, 28)
#: How long a build tool has to remove half-written files before it is killed.
_GRACE_SECONDS = 5.0
#: A line by which ninja or make says that it compiles something.
_COMPILES = re.compile(rb"^\[[ 0-9/%]+\] .*(Building|Linking)", re.MULTILINE)

Note = Callable[[str], None]


class BuildError(Exception):
    """The program for a board is not available; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(printable_lines(message))


def program(
    board: Board,
    engine: str | None,
    operators_from: tuple[Path, ...] = (),
    on_note: Note | None = None,
    features: tuple[str, ...] = (),
) -> Path:
    """The program for this board and engine, built when none is named or installed. `features`: the
    switches that a firmware is built with ("BPTE_RUNNER_WIRE"); other programs have all of them.

    `on_note` gets a line for people when something is being built, because that takes time.
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
    if board.kind == "firmware":
        engine = engine or "reference"
    definitions = _definitions(board, engine, operators_from, features)
    return _Build(board, on_note or (lambda _: None)).make(root, engine, definitions)


def folder(root: Path, name: str) -> Path:
    """Where a build of these sources belongs: within a checkout, else in the user's cache."""
    if (root / "CMakePresets.json").is_file() and os.access(root, os.W_OK):
        return root / "build" / name
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    key = hashlib.sha256(os.fsencode(f"{root}\0{sys.prefix}")).hexdigest()[:12]
    return Path(cache) / "bpte" / f"{__version__}-{key}" / name


def interpreter() -> str:
    """This Python by one name, whether it was started as python or as python3, so that both share
    a build. Links are not followed: a virtual environment is one."""
    running = Path(sys.executable)
    for name in ("python3", "python"):
        path = running.with_name(name)
        if path.exists() and path.samefile(running):
            return str(path)
    return str(running)


def cmake(needed: tuple[int, int] = _CMAKE_NEEDED) -> str:
    """The path of a CMake that is new enough. Raises BuildError."""
    beside = Path(sys.executable).parent / "cmake"  # the PyPI package, in a virtual environment
    found = str(beside) if beside.is_file() else shutil.which("cmake")
    # The advice names the one version that is enough for every build.
    advice = "`pip install 'cmake>={}.{}'`".format(*_CMAKE_NEEDED_BY_EXECUTORCH)
    if found is None:
        raise BuildError(f"cmake is missing; {advice}")
    try:
        said = subprocess.run(
            [found, "--version"], capture_output=True, text=True, check=False, timeout=60
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{found} does not work: {error}; {advice}") from None
    version = re.search(r"version (\d+)\.(\d+)", said)
    if version is None:
        raise BuildError(f"{found} does not report its version; {advice}")
    if (int(version[1]), int(version[2])) < needed:
        raise BuildError(
            f"{found} is version {version[1]}.{version[2]}, and {needed[0]}.{needed[1]} is needed; "
            f"{advice}"
        )
    return found


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Lets one process build a folder at a time. Yields the lock, a descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def call(
    command: list[str],
    log: Path,
    what: str,
    lock: int,
    on_output: Callable[[bytes], None] = lambda _: None,
) -> None:
    """Runs a step of a build, with its output in `log`. Raises BuildError, which says `what`.

    When this process is killed, so is the step with all that it started; only then is `lock` free.
    """
    with log.open("wb") as file:
        file.write((" ".join(command) + "\n").encode(errors="backslashreplace"))

        def take(data: bytes, _: bool) -> None:
            file.write(data)
            on_output(data)

        owned = process.Possessions(locks=(lock,), grace=_GRACE_SECONDS)
        try:
            status = process.execute(
                command, Path.cwd(), process.no_limit(), take, possessions=owned
            )
        except OSError as error:
            raise BuildError(f"{what}: {command[0]}: {error.strerror}") from None
    if status != 0:
        lines = log.read_text("utf-8", "replace").splitlines()
        tail = "\n  ".join(lines[-15:])
        raise BuildError(f"{what} (whole log: {log}):\n  {tail}")


def _definitions(
    board: Board, engine: str | None, operators_from: tuple[Path, ...], features: tuple[str, ...]
) -> list[str]:
    definitions = [*board.build.cmake, f"-DBPTE_PYTHON={interpreter()}"]
    if board.kind == "firmware":
        definitions += [f"-D{feature}=ON" for feature in features]
        definitions += [f"-DBPTE_BOARD={board.folder}", f"-DBPTE_BOARD_ENGINE={engine}"]
        if operators_from:
            files = ";".join(str(path.resolve()) for path in operators_from)
            definitions.append(f"-DBPTE_BOARD_PROGRAMS={files}")
        variable = board.build.executorch_prefix
        if engine == "executorch" and variable and (prefix := os.environ.get(variable)):
            definitions.append(f"-DCMAKE_PREFIX_PATH={prefix}")
    elif engine == "reference" or find_spec("executorch") is None:
        definitions.append("-DBPTE_ENGINE_EXECUTORCH=OFF")
    return definitions


class _Build:
    """One build of a board's program."""

    def __init__(self, board: Board, on_note: Note) -> None:
        self.board = board
        self._on_note = on_note
        self._noted = False

    def make(self, root: Path, engine: str | None, definitions: list[str]) -> Path:
        board = self.board
        preset = root / "build" / "host"
        if board.kind == "host" and (preset / "CMakeCache.txt").is_file():
            with _locked(preset.with_suffix(".lock")) as lock:  # its runner has every engine
                return self._compile(preset, preset.with_suffix(".log"), lock)
        source = root / FIRMWARE if board.kind == "firmware" else root
        # Another configuration is another folder, so that none is ever configured over.
        # The place of the project counts, too: CMake refuses a cache of another one.
        # CMake reads a toolchain's flags once: a changed toolchain is another configuration.
        toolchain = board.folder / "toolchain.cmake"
        words = os.fsencode("\0".join((str(source), *definitions)))
        if toolchain.is_file():
            words += b"\0" + toolchain.read_bytes()
        key = hashlib.sha256(words).hexdigest()[:8]
        name = f"{board.name}-{engine}" if engine else board.name
        build_folder = folder(root, f"run/{name}-{key}")
        log = build_folder.with_suffix(".log")
        with _locked(build_folder.with_suffix(".lock")) as lock:
            self._configure(source, build_folder, definitions, log, lock)
            return self._compile(build_folder, log, lock)

    def _note(self, log: Path) -> None:
        if not self._noted:
            self._noted = True
            self._on_note(f"building {self.board.name}'s program, once (log: {log}) ...")

    def _configure(
        self, source: Path, build_folder: Path, definitions: list[str], log: Path, lock: int
    ) -> None:
        # CMake leaves its cache before it has written the build: that alone does not say that a
        # build can go on where one was ended.
        done = build_folder / "bpte-configured"
        if done.is_file():
            return
        self._note(log)
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        paths = ["-S", str(source), "-B", str(build_folder)]
        what = f"{self.board.name}'s program could not be configured"
        (build_folder / "CMakeCache.txt").unlink(missing_ok=True)
        takes_package = (
            self.board.kind != "firmware" and "-DBPTE_ENGINE_EXECUTORCH=OFF" not in definitions
        )
        needed = _CMAKE_NEEDED_BY_EXECUTORCH if takes_package else _CMAKE_NEEDED
        call([cmake(needed), *paths, *generator, *definitions], log, what, lock)
        done.touch()

    def _compile(self, build_folder: Path, log: Path, lock: int) -> Path:
        board = self.board

        def look(data: bytes) -> None:
            if _COMPILES.search(data):
                self._note(log)

        target = ["--target", board.build.target, "-j", _JOBS]
        what = f"{board.name}'s program could not be built"
        call([cmake(), "--build", str(build_folder), *target], log, what, lock, look)
        path = build_folder / board.build.artifact
        if not path.is_file():
            raise BuildError(
                f"the build of {board.name} made no {board.build.artifact} (log: {log})"
            )
        return path
