# SPDX-License-Identifier: BSD-3-Clause
"""Rows of text that fit a number of columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
#: No cell is cut to less, however narrow the terminal.
_NARROWEST = 8


def text_width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, width: int) -> str:
    """The text's start and end, where it is too long: names often differ in their ends."""
    if text_width(text) <= width:
        return text
    dots = "..."
    room = max(0, width - len(dots))
    end = ""
    for c in reversed(text):
        if text_width(c + end) > room // 3:
            break
        end = c + end
    start = ""
    for c in text:
        if text_width(start + c + end) > room:
            break
        start += c
    return start + dots + end


@dataclass(frozen=True)
class Column:
    """`cut`: may be cut, the higher first; 0: never. `drop`: may be left out, the higher first.
    `right`: set to the right, as numbers are."""

    head: str
    cut: int = 0
    drop: int = 0
    right: bool = False


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Head and rows with cells padded to columns, within `width` if that can be. Cells of columns
    that may be cut are, then columns that may be dropped are. Empty columns are left out."""
    kept = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    widths = {i: max(map(text_width, [columns[i].head, *(row[i] for row in rows)])) for i in kept}

    def too_wide() -> int:
        return sum(widths[i] + len(GAP) for i in kept) - len(GAP) - width

    for i in sorted((i for i in kept if columns[i].cut), key=lambda i: -columns[i].cut):
        if (over := too_wide()) > 0:
            least = max(_NARROWEST, len(columns[i].head))
            widths[i] = min(widths[i], max(least, widths[i] - over))
    for i in sorted((i for i in kept if columns[i].drop), key=lambda i: -columns[i].drop):
        if too_wide() > 0:
            kept.remove(i)
    cells = [
        _padded([columns[i].head, *(row[i] for row in rows)], widths[i], columns[i].right)
        for i in kept
    ]
    return [[column[line] for column in cells] for line in range(len(rows) + 1)]


def _padded(texts: Sequence[str], width: int, right: bool) -> list[str]:
    if "".join(texts).isascii():  # a text's width is its length: there may be many of them
        pad = str.rjust if right else str.ljust
        return [pad(text if len(text) <= width else cut(text, width), width) for text in texts]
    padded = []
    for text in texts:
        text = cut(text, width)
        space = " " * (width - text_width(text))
        padded.append(space + text if right else text + space)
    return padded


def paragraph(head: str, parts: Sequence[str], width: int) -> str:
    """A head and the facts that belong to it: on one line with it as far as they fit, then on
    indented lines of their own. A fact is never divided."""
    lines: list[str] = []
    line = head
    separator = ": "
    for part in parts:
        if text_width(line + separator + part) <= width or line == "  ":
            line += separator + part
        else:
            lines.append(line + (";" if separator == "; " else ":"))
            line = "  " + part
        separator = "; "
    return "\n".join([*lines, line])
