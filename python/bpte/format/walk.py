# SPDX-License-Identifier: BSD-3-Clause
"""What every part of a walk over metadata needs: where it is, what it may still reach, texts and
keys."""

from __future__ import annotations

import struct

from bpte.format import layout
from bpte.format.flatbuffer import Reader
from bpte.format.header import BP08, Header
from bpte.format.metadata import Segment
from bpte.format.rules import NOWHERE, BundleError, Rule

BYTE = struct.Struct("<b")
U8 = struct.Struct("<B")
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")
I64 = struct.Struct("<q")
F64 = struct.Struct("<d")

LARGEST_U64 = (1 << 64) - 1

Run = tuple[int, int]
"""Offset of the first element, count."""


class Walk:
    """One walk over metadata that is not trusted. Methods raise ``BundleError`` for a rule that is
    broken, and ``Malformed`` for what is not a FlatBuffer."""

    def __init__(self, reader: Reader, header: Header) -> None:
        self.reader = reader
        self.header = header
        self.bp08 = header.format == BP08
        self.place = NOWHERE
        self.segments: list[Segment] = []
        self.program_crc32 = 0
        self._reach_left = layout.REACH_PER_BYTE * reader.size

    def fault(
        self,
        rule: Rule,
        at: int,
        value: object = None,
        expected: object = None,
        detail: str | None = None,
    ) -> BundleError:
        return BundleError(
            rule, place=self.place, offset=at, value=value, expected=expected, detail=detail
        )

    def reach(self, at: int, size: int) -> None:
        """Counts the bytes that a reference leads to, once for each reference. Vectors may be
        shared, so a small file can take an endless walk. This bounds it."""
        self._reach_left -= size
        if self._reach_left < 0:
            raise self.fault(Rule.TABLE_SHARING, at)

    def tables(self, field: int) -> range:
        """The positions of the offsets in a vector of tables; ``reader.table`` follows each."""
        elements = self.reader.elements(field)
        self.reach(elements.start, layout.REACH_OF_ENTRY * len(elements))
        return elements

    def key(self, run: Run, index: int, last: str) -> str:
        """Reads key ``index`` of a list. It must come after ``last``, the key before it."""
        key = self.text(run)
        # Code points sort as their UTF-8 does.
        if index and key <= last:
            raise self.fault(Rule.KEY_ORDER, run[0], index)
        return key

    def text(self, run: Run) -> str:
        first, count = run
        self.reach(first, count)
        data = self.reader.data[first : first + count]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            at = error.start
            raise self.fault(
                Rule.TEXT_ENCODING, first + at, count, detail=f"byte {data[at]:#04x}"
            ) from None
        if "\0" in text:
            raise self.fault(Rule.TEXT_ENCODING, first + data.index(0), count, detail="a NUL")
        return text

    def number(self, field: int, default: int = 0) -> int:
        """A u32."""
        number: int = self.reader.scalar(field, U32, default)
        return number

    def optional_text(self, field: int) -> str | None:
        return self.text(self.reader.string(field)) if field else None
