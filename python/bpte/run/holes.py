# SPDX-License-Identifier: BSD-3-Clause
"""Which bytes of an object have not arrived yet."""

from __future__ import annotations

from bisect import bisect_right


class Holes:
    """The missing ranges of `size` bytes, in their order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.missing = size
        self._starts = [0] if size else []
        self._ends = [size] if size else []

    @property
    def first(self) -> int:
        """The first missing byte; `size` when none is."""
        return self._starts[0] if self._starts else self.size

    def touches(self, start: int, end: int) -> bool:
        """Whether any byte of a range is missing."""
        at = bisect_right(self._starts, start) - 1
        if at >= 0 and self._ends[at] > start:
            return True
        return at + 1 < len(self._starts) and self._starts[at + 1] < end

    def whole(self, start: int, end: int) -> bool:
        """Whether a range lies within one hole."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and self._ends[at] >= end

    def fill(self, start: int, length: int) -> bool:
        """Marks a range as arrived. False, and nothing is marked, when none of it is missing or it
        lies outside."""
        end = start + length
        if length <= 0 or end > self.size or not self.touches(start, end):
            return False
        at = max(bisect_right(self._starts, start) - 1, 0)
        if self._ends[at] <= start:
            at += 1
        while at < len(self._starts) and self._starts[at] < end:
            hole = self._starts[at], self._ends[at]
            left = [(hole[0], start)] if hole[0] < start else []
            right = [(end, hole[1])] if hole[1] > end else []
            kept = left + right
            self._starts[at : at + 1] = [a for a, _ in kept]
            self._ends[at : at + 1] = [b for _, b in kept]
            self.missing -= hole[1] - hole[0] - sum(b - a for a, b in kept)
            at += len(kept)
        return True
