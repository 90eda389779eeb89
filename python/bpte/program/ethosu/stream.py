# SPDX-License-Identifier: BSD-3-Clause
"""Reads the register command stream that Vela emits, with the driver's actions in front of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from bpte.program import ProgramError
from bpte.program.ethosu.registers import NARROW_ROWS, WIDE_ROWS, Narrow, Op, Wide, exists

_MAGIC = b"COP1"
_WHERE = "Ethos-U delegate"
#: A driver's actions, in the low byte of a word.
_OPTIMIZER_CONFIG, _COMMAND_STREAM, _NOP = 1, 2, 5
#: The product in a configuration's highest bits.
_U65 = 1
#: Lengths and addresses have so many bits.
_ADDRESS = (1 << 40) - 1
_SIGN = 1 << 39


@dataclass(frozen=True)
class Config:
    """The NPU that a stream was compiled for; ``macs`` are those of all cores together."""

    name: str
    macs: int
    cores: int

    @property
    def u85(self) -> bool:
        return self.name == "Ethos-U85"

    def __str__(self) -> str:
        return f"{self.name}, {self.macs} MACs"


@dataclass
class Registers:
    """What the commands up to an operation have set. A register that was never set is 0."""

    narrow: dict[int, int] = field(default_factory=dict)
    wide: dict[int, int] = field(default_factory=dict)

    def get(self, name: Narrow) -> int:
        return self.narrow.get(name, 0)

    def plus_one(self, name: Narrow) -> int:
        return self.get(name) + 1

    def extent(self, name: Wide) -> int:
        """A length or an address."""
        return self.wide.get(name, 0) & _ADDRESS

    def stride(self, name: Wide) -> int:
        """With a sign."""
        return (self.extent(name) ^ _SIGN) - _SIGN


@dataclass(frozen=True)
class Command:
    """An operation: its number among all commands, where it begins in the NPU's stream, in bytes,
    and its parameter."""

    number: int
    offset: int
    op: Op
    parameter: int


class CommandStream:
    """The stream of ``cmd_data``. Raises ProgramError, here and in ``operations``."""

    def __init__(self, data: memoryview) -> None:
        self.registers = Registers()
        self.config, self._words = _open(data)

    def operations(self) -> Iterator[Command]:
        """Each operation up to NPU_OP_STOP, waits as well. When one comes, ``registers`` are what
        it finds."""
        self.registers = registers = Registers()
        words, u85 = enumerate(self._words), self.config.u85
        for number, (at, word) in enumerate(words):
            code, parameter = word & 0x3FF, word >> 16
            where = f"Ethos-U command {number}"
            if word >> 14 & 3:
                _, low = next(words, (0, None))
                if low is None:
                    raise ProgramError("its second word is missing", where)
                if not exists(WIDE_ROWS, code, u85):
                    raise ProgramError(f"no register of 48 bits is {code}", where)
                registers.wide[code] = low | parameter << 32
            elif code >= 0x100:
                if not exists(NARROW_ROWS, code, u85):
                    raise ProgramError(f"no register of 16 bits is {code}", where)
                registers.narrow[code] = parameter
            elif code == Op.STOP:
                return
            elif code in Op.__members__.values() and (u85 or code != Op.RESIZE):
                yield Command(number, 4 * at, Op(code), parameter)
            else:
                raise ProgramError(f"no operation is {code}", where)
        raise ProgramError("the stream ends without NPU_OP_STOP", _WHERE)


def _open(data: memoryview) -> tuple[Config, tuple[int, ...]]:
    """The configuration, and the NPU's words."""
    if bytes(data[:4]) != _MAGIC:
        raise ProgramError(f"its commands do not begin with {_MAGIC.decode()}", _WHERE)
    words = struct.unpack_from(f"<{len(data) // 4}I", data)
    config: Config | None = None
    at = 1
    while at < len(words):
        action = words[at] & 0xFF
        at += 1
        if action == _OPTIMIZER_CONFIG:
            if at + 2 > len(words):
                raise ProgramError("OPTIMIZER_CONFIG is cut short", _WHERE)
            config = _config(words[at], words[at + 1])
            at += 2
        elif action == _COMMAND_STREAM:
            count = words[at - 1] >> 16 | (words[at - 1] & 0xFF00) << 8
            if count > len(words) - at:
                raise ProgramError(
                    f"COMMAND_STREAM states {count} words, {len(words) - at} are left", _WHERE
                )
            if config is None:
                raise ProgramError("no OPTIMIZER_CONFIG before COMMAND_STREAM", _WHERE)
            return config, words[at : at + count]
        elif action != _NOP:
            raise ProgramError(f"unknown driver action {action}", _WHERE)
    raise ProgramError("no COMMAND_STREAM", _WHERE)


def _config(config: int, identity: int) -> Config:
    architecture, macs_log2 = identity >> 28, config & 15
    if architecture not in (1, 2):
        raise ProgramError(f"compiled for an unknown NPU, architecture {architecture}", _WHERE)
    u85 = architecture == 2
    if not (7 if u85 else 5) <= macs_log2 <= (11 if u85 else 9):
        raise ProgramError(f"compiled for 2^{macs_log2} MACs", _WHERE)
    macs = 1 << macs_log2
    if u85:
        return Config("Ethos-U85", macs, 4 if macs >= 1024 else 2 if macs == 512 else 1)
    name = "Ethos-U65" if config >> 28 == _U65 else "Ethos-U55"  # of one architecture
    return Config(name, macs, 2 if macs == 512 else 1)
