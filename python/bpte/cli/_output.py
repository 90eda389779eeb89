# SPDX-License-Identifier: BSD-3-Clause
"""What commands share in talking to people."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from bpte.cli._terminal import trusted
from bpte.run.table import GAP, Column, fit
from bpte.text import printable


def use_colour() -> bool:
    """On a terminal, but not where NO_COLOR (no-color.org) is set, nor on a dumb one."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def bold(text: str) -> str:
    """One line: bold on a terminal, plain elsewhere and where NO_COLOR is set."""
    return f"\x1b[1m{printable(text)}\x1b[0m" if use_colour() else printable(text)


def size(count: float) -> str:
    """A number of bytes, for people: ``"1.5 MiB"``."""
    if count < 1024:
        return f"{int(count)} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count /= 1024
        if count < 1000 or unit == "TiB":
            break
    return f"{count:.3g} {unit}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Columns, those named in ``right`` (by first letters of 'l' and 'r') set to the right."""
    columns = [Column(text, right=right[i : i + 1] == "r") for i, text in enumerate(head)]
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    first, *others = (GAP.join(row).rstrip() for row in fit(columns, cells, sys.maxsize))
    return "\n".join([GAP + bold(first), *(GAP + line for line in others)])


def progress(what: str) -> Callable[[int], Callable[[int], None]] | None:
    """A progress bar with rate on stderr, for what takes more than a second, on a terminal only."""
    if not sys.stderr.isatty():
        return None

    def start(total: int) -> Callable[[int], None]:
        begun = time.monotonic()
        shown = begun + 0.7  # the first bar appears a little later: what is quick shows none
        done = 0

        def step(count: int) -> None:
            nonlocal done, shown
            done += count
            now = time.monotonic()
            if now >= shown or (done >= total and shown > begun + 0.8):
                shown = now + 0.1
                _draw(what, done, total, now - begun)

        return step

    return start


def _draw(what: str, done: int, total: int, seconds: float) -> None:
    share = done / total if total else 1.0
    width = 30
    full = int(share * width)
    bar = "#" * full + "-" * (width - full)
    rate = f"{size(done / seconds)}/s" if seconds else ""
    end = "\n" if done >= total else ""
    # The carriage return is our own, and so is all the rest.
    stream = trusted(sys.stderr)
    stream.write(f"\r{what} [{bar}] {share:4.0%} of {size(total)}, {rate}   {end}")
    stream.flush()
