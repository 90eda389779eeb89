# SPDX-License-Identifier: BSD-3-Clause
"""Reads what a firmware tells of itself: in its symbols, where the linker script states what the
firmware takes, and in the names of its operators."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from bpte.files import access

#: Of a 32-bit little-endian ELF, which every firmware for a Cortex-M is.
_IDENTITY = b"\x7fELF\x01\x01"
_MACHINE_ARM = 40
# e_machine; e_shoff; e_shentsize and e_shnum, each at its offset in the file.
_MACHINE = struct.Struct("<18xH")
_SECTIONS = struct.Struct("<32xI10xHH")
# sh_type; sh_offset, sh_size, sh_link.
_SECTION = struct.Struct("<4xI8xIII")
_SYMTAB = 2
# st_name, st_value; an entry is 16 bytes.
_SYMBOL = struct.Struct("<II8x")


class ElfError(Exception):
    """Not a firmware's ELF file, or a damaged one; the message names the file."""


def symbols(path: Path) -> dict[str, int]:
    """The value of each symbol: an address, or for an absolute symbol what the linker script has
    put there. Raises ElfError, OSError."""
    data = access.read_input(path)
    try:
        return dict(_symbols(data))
    except (struct.error, ValueError, IndexError):
        raise ElfError(f"{path}: the ELF file is damaged") from None
    except ElfError as error:
        raise ElfError(f"{path}: {error}") from None


def lacking(path: Path, texts: Iterable[str]) -> list[str]:
    """Those that stand nowhere in the file, each with a NUL behind it. Raises OSError."""
    data = access.read_input(path)
    return [text for text in texts if text.encode() + b"\0" not in data]


def _symbols(data: bytes) -> Iterator[tuple[str, int]]:
    """What is past the end of the file raises struct.error, ValueError or IndexError."""
    if data[: len(_IDENTITY)] != _IDENTITY or _MACHINE.unpack_from(data)[0] != _MACHINE_ARM:
        raise ElfError("not the ELF file of a 32-bit Arm firmware")
    start, entry, count = _SECTIONS.unpack_from(data)
    found = [_SECTION.unpack_from(data, start + i * entry) for i in range(count)]
    for kind, offset, size, link in found:
        if kind != _SYMTAB:
            continue
        _, names_at, names_size, _ = found[link]
        names = data[names_at : names_at + names_size]
        for at in range(offset, offset + size, _SYMBOL.size):
            name, value = _SYMBOL.unpack_from(data, at)
            yield names[name : names.index(b"\0", name)].decode("ascii", "replace"), value
