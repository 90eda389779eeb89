# SPDX-License-Identifier: BSD-3-Clause
"""Frames: how bytes travel on a line that may lose some, between lines of text.

docs/result-protocol.md, "Frames", is the specification; runtime/bpte/runner/frame.h is the other
side. Nothing here reads or writes: it turns bytes into frames and back, whatever the line is.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

MARK = b"#bpte:"
#: A longer line is neither a frame nor text worth keeping. This bounds the memory.
MAX_LINE = 1 << 20
#: Bytes of a frame besides its body: kind, sequence and checksum.
OVERHEAD = 9
#: Bytes of an offset.
OFFSET_SIZE = 6

_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_RUN = re.compile(rb"[A-Za-z0-9+/]*")


class Kind(IntEnum):
    """What a frame is for. A reader ignores a kind that it does not know."""

    READ = 1
    DATA = 2
    OFFER = 3
    DONE = 4
    NEXT = 5


class Frame(NamedTuple):
    """A frame whose checksum was right."""

    kind: int
    sequence: int
    body: bytes


def seed(nonce: str | None) -> int:
    """What a run's checksums begin with, so that a frame of another run counts as damaged."""
    return zlib.crc32((nonce or "").encode())


def length(body: int) -> int:
    """How many characters a frame with so many bytes of body takes, its newline included."""
    return len(MARK) + -(-(body + OVERHEAD) * 4 // 3) + 1


def encode(kind: int, sequence: int, body: bytes, start: int) -> bytes:
    """A frame as a line; `start` is the run's `seed`."""
    content = bytes((kind,)) + sequence.to_bytes(4, "little") + body
    content += zlib.crc32(content, start).to_bytes(4, "little")
    return MARK + binascii.b2a_base64(content, newline=False).rstrip(b"=") + b"\n"


def decode(text: bytes, start: int) -> Frame | None:
    """The frame that the characters after a mark make, up to the first that is not base64's; None
    when it is damaged."""
    if rest := text.translate(None, _DIGITS):
        run = _RUN.match(text)
        assert rest and run is not None
        text = run[0]
    if len(text) % 4 == 1:
        return None  # a lone last character holds less than a byte
    content = binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    if len(content) < OVERHEAD:
        return None
    covered = memoryview(content)[:-4]
    if zlib.crc32(covered, start) != int.from_bytes(content[-4:], "little"):
        return None
    return Frame(content[0], int.from_bytes(content[1:5], "little"), content[5:-4])


class Scanner:
    """Tells frames and lines of text apart, in bytes that come in pieces of any size.

    `start` is the run's `seed`, and may be set later. `damaged` counts what began as a frame and
    was none.
    """

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.damaged = 0
        self._pending = b""
        self._skipping = False  # inside a line that grew too long

    def feed(self, data: bytes) -> Iterator[Frame | bytes]:
        """Frames, and lines of text without their newline, in the order in which they came. Of a
        line that is too long, its beginning: longer than MAX_LINE all the same.

        The caller takes all of them. Each line is looked at when it is its turn, so that a `start`
        which a record states holds for the next line.
        """
        *lines, rest = data.split(b"\n")
        for line in lines:
            skipping, self._skipping = self._skipping, False
            line, self._pending = self._pending + line, b""
            if not skipping:
                yield from self._take(line)
        if not self._skipping:
            self._pending += rest
            if len(self._pending) > MAX_LINE:
                beginning, self._pending = self._pending[: MAX_LINE + 1], b""
                self._skipping = True
                yield beginning

    def finish(self) -> bytes:
        """The text of a last line without a newline."""
        rest, self._pending = self._pending, b""
        return rest

    def _take(self, line: bytes) -> Iterator[Frame | bytes]:
        # A line that lost its end has the next one after it.
        before, *frames = line.split(MARK)
        if before or not frames:
            yield before
        for text in frames:
            frame = decode(text, self.start)
            if frame is None:
                self.damaged += 1
            else:
                yield frame
