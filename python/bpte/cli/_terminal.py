# SPDX-License-Identifier: BSD-3-Clause
"""The door to standard output and standard error: nothing passes that acts on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from bpte.text import printable_lines

#: The colours that bpte sets itself. (Others could hide text: concealed, or black on black.)
_COLOUR = re.compile(r"(\x1b\[(?:0|1|3[123]|1;3[123])m)")


class Door:
    """Stands before a text stream: what would act on a terminal is made visible.

    Writing never raises: what cannot be written does not stop the work, nor changes its outcome.
    What follows then goes nowhere, and ``failure`` says why.
    """

    def __init__(self, stream: IO[str], name: str) -> None:
        self.trusted = stream
        """Takes everything as it is: for text that is all bpte's own."""
        self.failure: OSError | None = None
        """Why something could not be written. A reader that has had enough is not a failure."""
        self._name = name

    def write(self, text: str) -> int:
        parts = _COLOUR.split(text)
        parts[::2] = map(printable_lines, parts[::2])
        self._try(lambda: self.trusted.write("".join(parts)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._try(self.trusted.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.failure = OSError(error.errno, error.strerror, self._name)
            self._give_up()

    def _give_up(self) -> None:
        """What is still to come, the interpreter's last flush included, goes nowhere."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.trusted.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trusted, name)


def trusted(stream: Any) -> Any:
    """The stream that a door guards, or the stream itself where there is no door."""
    return getattr(stream, "trusted", stream)


@contextmanager
def doors() -> Iterator[Door]:
    """Puts a door before standard output and standard error. Yields that of standard output."""
    outside = sys.stdout, sys.stderr
    for stream in outside:
        with contextlib.suppress(AttributeError):  # not a stream of the interpreter's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    output = Door(sys.stdout, "standard output")
    sys.stdout = cast("Any", output)
    sys.stderr = cast("Any", Door(sys.stderr, "standard error"))
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = outside


def open_standard_streams() -> None:
    """Opens those of descriptors 0 to 2 that the caller closed.

    Otherwise the next file that is opened would get such a number, and printed text would go into
    it. Reading finds nothing. What is written to standard error is lost, as the caller asked for.
    Writing to standard output fails, so that a lost answer is noticed.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
