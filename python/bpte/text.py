# SPDX-License-Identifier: BSD-3-Clause
"""Text of a file or a target, made fit for people's eyes. Imports nothing of bpte."""

from __future__ import annotations


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8 (PEP 383)
        code -= 0xDC00
    elif code > 0xFF:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    short = {0x09: r"\t", 0x0A: r"\n", 0x0D: r"\r"}
    return short.get(code) or f"\\x{code:02x}"


def printable(text: str) -> str:
    """One line that cannot act on a terminal: control characters (ESC, CR, NUL, C1), line ends,
    marks that reorder text (bidi) and what cannot be encoded become visible escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def printable_lines(text: str) -> str:
    """The same, line by line: the line feeds stay."""
    return "\n".join(map(printable, text.split("\n")))
