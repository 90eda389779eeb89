# SPDX-License-Identifier: BSD-3-Clause
"""Boards: what boards/<name>/board.toml says, checked. boards/README.md explains its keys."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from bpte.files import access, toml
from bpte.text import printable


class BoardError(Exception):
    """No such board, or a board.toml that breaks a rule; the message names file and key."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


@dataclass(frozen=True)
class Simulator:
    """One way to run a board's firmware: an emulator, a model, or the machine itself."""

    name: str
    #: argv. Placeholders: {program}, {bundle}, {load_address}, {timeout} (whole seconds);
    #: {arguments}, the runner's arguments within a word, each as `argument` says. Words of their
    #: own: {arguments...}, one word for each, {preload...}, the words of `preload` when the bundle
    #: is handed over in memory, and {count...}, those of `count` when instructions are counted.
    command: tuple[str, ...]
    argument: str = " {}"
    preload: tuple[str, ...] = ()
    #: Whether the process's exit status is the run's outcome (semihosting, a native process).
    exit_status: bool = True
    #: Whether what its standard input gets reaches the runner.
    input: bool = False
    #: The options with which each instruction takes the emulator the same time; and that time.
    count: tuple[str, ...] = ()
    instruction_ns: int = 0
    #: An environment variable that names the executable, if it is not the command's first word.
    environment: str | None = None
    #: How to get it, for the message when it is missing.
    install: str = ""


@dataclass(frozen=True)
class Build:
    """How the program that runs on the board is built with CMake."""

    cmake: tuple[str, ...]
    target: str
    artifact: str
    #: An environment variable that names a ready-built one.
    environment: str | None = None
    #: Programs that must be installed, each with the advice to give when it is not.
    needs: Mapping[str, str] = field(default_factory=dict)
    #: Environment variable that names the prefix of an ExecuTorch installed for this board.
    executorch_prefix: str | None = None


@dataclass(frozen=True)
class Region:
    """A range of the board's memory, in bytes."""

    origin: int
    length: int

    @property
    def end(self) -> int:
        return self.origin + self.length


@dataclass(frozen=True)
class Board:
    name: str
    folder: Path
    description: str
    kind: str
    cpu: str
    engines: tuple[str, ...]
    timeout: float
    build: Build
    simulators: tuple[Simulator, ...]
    #: Where a preloaded bundle lies, and how many bytes there are for it; None: files only.
    load_address: int | None = None
    load_size: int | None = None
    #: What the firmware's linker and sources must know; empty where there is no firmware.
    memory: Mapping[str, Region] = field(default_factory=dict)
    peripherals: Mapping[str, int] = field(default_factory=dict)


_KINDS = ("host", "linux", "firmware")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
# Regions and peripherals that a firmware cannot do without, and a region that it may have.
_REGIONS = ("rom", "ram", "arena", "bundle")
_OPTIONAL_REGION = "code"
_PERIPHERALS = ("uart", "clock_hz")
_KEY = re.compile(r"[a-z][a-z0-9_]*\Z")
_ADDRESSES = 1 << 32
_PLACEHOLDERS = {"program", "bundle", "load_address", "timeout", "arguments"}
_WORDS = {"{arguments...}", "{preload...}", "{count...}"}


_T = TypeVar("_T")
_REQUIRED = object()


class _Table:
    """Typed access to a TOML table; every refusal names file and key, and no key goes unread."""

    def __init__(self, path: Path, table: Mapping[str, Any], at: str = "") -> None:
        self._path = path
        self._table = table
        self._at = at
        self._read: set[str] = set()

    def _get(self, key: str, kind: type[_T], wanted: str, default: object = _REQUIRED) -> _T:
        self._read.add(key)
        value = self._table.get(key, default)
        if value is _REQUIRED:
            self.refuse(key, "is missing")
        # An integer stands for a real number, but true and false for nothing else.
        kinds = (int, float) if kind is float else kind
        if key in self._table and (
            not isinstance(value, kinds) or isinstance(value, bool) != (kind is bool)
        ):
            self.refuse(key, f"is not {wanted}: {value!r}")
        return cast("_T", value)

    def refuse(self, key: str, why: str) -> NoReturn:
        raise BoardError(f"{self._path}: {self._at}{key} {why}")

    def text(self, key: str) -> str:
        return self._get(key, str, "a string")

    def optional_text(self, key: str) -> str | None:
        return self._get(key, str, "a string", None)

    def integer(self, key: str) -> int | None:
        return self._get(key, int, "an integer", None)

    def count(self, key: str) -> int:
        """A required number that is not negative."""
        value = self._get(key, int, "an integer")
        if value < 0:
            self.refuse(key, f"is negative: {value}")
        return value

    def seconds(self, key: str) -> float:
        value = float(self._get(key, float, "a number of seconds"))
        if not 0 < value < 1e6:
            self.refuse(key, f"is out of range: {value}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        return self._get(key, bool, "true or false", default)

    def words(self, key: str, required: bool = True) -> tuple[str, ...]:
        wanted = "an array of strings"
        value = self._get(key, list, wanted, _REQUIRED if required else [])
        if not all(isinstance(item, str) for item in value):
            self.refuse(key, f"is not {wanted}: {value!r}")
        return tuple(value)

    def texts(self, key: str) -> dict[str, str]:
        wanted = "a table of strings"
        value = self._get(key, dict, wanted, {})
        if not all(isinstance(item, str) for item in value.values()):
            self.refuse(key, f"is not {wanted}: {value!r}")
        return dict(value)

    def table(self, key: str) -> _Table:
        return _Table(self._path, self._get(key, dict, "a table"), f"{self._at}{key}.")

    def optional_table(self, key: str) -> _Table | None:
        return self.table(key) if key in self._table else None

    def names(self) -> list[str]:
        return list(self._table)

    def done(self) -> None:
        if unknown := sorted(set(self._table) - self._read):
            raise BoardError(f"{self._path}: unknown key {self._at}{unknown[0]}")


def _check_placeholders(path: Path, words: tuple[str, ...], known: set[str]) -> None:
    """Checks that braces hold names only. str.format itself would allow much more."""
    for word in words:
        if word in _WORDS:
            continue
        try:
            for _, name, form, conversion in string.Formatter().parse(word):
                if name is None:
                    continue
                if form or conversion:
                    raise ValueError("a placeholder is a name in braces and nothing else")
                if name not in known:
                    names = ", ".join(f"{{{each}}}" for each in sorted(known))
                    if known is _PLACEHOLDERS:
                        names += f", and as words of their own {', '.join(sorted(_WORDS))}"
                    raise ValueError(f"unknown placeholder {name!r}; there are {names}")
        except ValueError as error:
            raise BoardError(f"{path}: {word!r}: {error}") from None


def _simulator(path: Path, name: str, table: _Table) -> Simulator:
    simulator = Simulator(
        name=name,
        command=table.words("command"),
        argument=table.optional_text("argument") or " {}",
        preload=table.words("preload", required=False),
        exit_status=table.flag("exit_status", True),
        input=table.flag("input", False),
        count=table.words("count", required=False),
        instruction_ns=table.integer("instruction_ns") or 0,
        environment=table.optional_text("environment"),
        install=table.optional_text("install") or "",
    )
    table.done()
    if not simulator.command:
        raise BoardError(f"{path}: simulators.{name}.command is empty")
    if bool(simulator.count) != (simulator.instruction_ns > 0):
        raise BoardError(
            f"{path}: simulators.{name}: count and instruction_ns belong together, and the time of "
            "an instruction is 1 or more"
        )
    _check_placeholders(path, simulator.command + simulator.preload, _PLACEHOLDERS)
    _check_placeholders(path, (simulator.argument,), {""})
    return simulator


def _memory(path: Path, table: _Table | None, required: bool) -> dict[str, Region]:
    """[memory]: regions within 32-bit addresses that do not overlap."""
    if table is None and not required:
        return {}
    regions: dict[str, Region] = {}
    for name in table.names() if table else ():
        if name not in (*_REGIONS, _OPTIONAL_REGION):
            raise BoardError(f"{path}: unknown key memory.{name}")
        assert table is not None
        entry = table.table(name)
        region = Region(entry.count("origin"), entry.count("length"))
        entry.done()
        if region.length == 0 or region.end > _ADDRESSES:
            raise BoardError(f"{path}: memory.{name} does not lie within 32-bit addresses")
        regions[name] = region
    if missing := [name for name in _REGIONS if name not in regions]:
        raise BoardError(f"{path}: memory.{missing[0]} is missing")
    in_order = sorted(regions.items(), key=lambda item: item[1].origin)
    for (name, region), (above, next_region) in pairwise(in_order):
        if region.end > next_region.origin:
            raise BoardError(f"{path}: memory.{name} and memory.{above} overlap")
    return regions


def _peripherals(path: Path, table: _Table | None, required: bool) -> dict[str, int]:
    """[peripherals]: numbers, each of which the firmware's sources get as BPTE_BOARD_<NAME>."""
    found: dict[str, int] = {}
    for name in table.names() if table else ():
        assert table is not None
        found[name] = table.count(name)
        if not _KEY.match(name) or found[name] >= _ADDRESSES:
            raise BoardError(f"{path}: peripherals.{name} is not a name of a 32-bit number")
    if missing := [name for name in _PERIPHERALS if required and name not in found]:
        raise BoardError(f"{path}: peripherals.{missing[0]} is missing")
    return found


def load_board(folder: Path) -> Board:
    """Reads folder/board.toml. Raises BoardError."""
    path = folder / "board.toml"
    for each in folder.glob("*"):  # cmake reads the others
        access.reads_path(each)
    try:
        root = _Table(path, toml.parse(access.read_input(path)))
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from None
    except toml.TomlError as error:
        raise BoardError(f"{path}: {error}") from None

    kind = root.text("kind")
    if kind not in _KINDS:
        raise BoardError(f"{path}: kind is not one of {', '.join(_KINDS)}: {kind!r}")
    build = root.table("build")
    simulators = root.table("simulators")
    bundle = root.optional_table("bundle")
    firmware = kind == "firmware"
    memory = _memory(path, root.optional_table("memory"), firmware)
    peripherals = _peripherals(path, root.optional_table("peripherals"), firmware)
    board = Board(
        name=root.text("name"),
        folder=folder,
        description=root.text("description"),
        kind=kind,
        cpu=root.text("cpu"),
        engines=root.words("engines"),
        timeout=root.seconds("timeout"),
        build=Build(
            cmake=build.words("cmake", required=False),
            target=build.text("target"),
            artifact=build.text("artifact"),
            environment=build.optional_text("environment"),
            needs=build.texts("needs"),
            executorch_prefix=build.optional_text("executorch_prefix"),
        ),
        simulators=tuple(
            _simulator(path, name, simulators.table(name)) for name in simulators.names()
        ),
        load_address=bundle.integer("load_address") if bundle else None,
        load_size=bundle.integer("load_size") if bundle else None,
        memory=memory,
        peripherals=peripherals,
    )
    root.done()
    build.done()
    if bundle:
        bundle.done()
    if board.name != folder.name:
        raise BoardError(f"{path}: name is {board.name!r}, but the folder's is {folder.name!r}")
    if not board.simulators or not board.engines:
        raise BoardError(f"{path}: no {'engine' if board.simulators else 'simulator'}")
    return board


def source_root() -> Path | None:
    """The folder that holds boards/ and runtime/: a checkout, or what was packaged."""
    package = Path(__file__).resolve().parent.parent
    for root in (package / "_sources", *package.parents):
        if (root / "boards").is_dir() and (root / "runtime" / "bpte").is_dir():
            return root
    return None


def find_board(name: str) -> Board:
    """A board by its name, or by the path of a folder of your own. Raises BoardError."""
    if "/" in name or name in (".", ".."):
        return load_board(Path(name).resolve())
    if not _NAME.match(name):
        raise BoardError(f"{name!r} is not a board's name")
    root = source_root()
    if root is None:
        raise BoardError("no boards: this installation of bpte carries no sources of the firmware")
    folder = root / "boards" / name
    if not (folder / "board.toml").is_file():
        raise BoardError(f"no board {name!r}; there are: {', '.join(board_names(root))}")
    return load_board(folder)


def board_names(root: Path) -> list[str]:
    """The boards of a source tree."""
    return sorted(path.parent.name for path in (root / "boards").glob("*/board.toml"))
