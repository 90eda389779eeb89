# SPDX-License-Identifier: BSD-3-Clause
"""The error that names the rule that a file breaks, and the place. The rules themselves, with their
texts, come from ``schema/rules.toml``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bpte.format.rule_table import FACTS, Rule
from bpte.text import printable

__all__ = ["NOWHERE", "BundleError", "Place", "Rule"]


class Place(NamedTuple):
    """Where in a bundle: indices from 0, ``None`` where the level does not apply."""

    suite: int | None = None
    case: int | None = None
    step: int | None = None
    """Of a case with steps."""
    input: int | None = None
    output: int | None = None
    segment: int | None = None

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {index}" for name, index in zip(self._fields, self, strict=True)
            if index is not None
        )  # fmt: skip


NOWHERE = Place()


class BundleError(ValueError):
    """A file breaks a rule of the format.

    Attributes: ``rule``; ``place``; ``offset`` in the file of the offending item (``None`` when
    there is none to name); the ``value`` found and what the rule ``expected`` (``None`` likewise);
    ``detail``, what there is to say beyond the rule's own text; ``path`` of the file, when it has
    one.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        place: Place = NOWHERE,
        offset: int | None = None,
        value: object = None,
        expected: object = None,
        path: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(rule)
        self.rule = rule
        self.place = place
        self.offset = offset
        self.value = value
        self.expected = expected
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        parts = [self.rule.value, str(self.place), FACTS[self.rule].text]
        parts.append(self.detail or _fill(FACTS[self.rule].values, self.value, self.expected))
        if self.path is not None:
            parts.insert(0, self.path)
        text = ": ".join(part for part in parts if part)
        return printable(text if self.offset is None else f"{text} (file offset {self.offset})")

    def to_json(self) -> dict[str, object]:
        """The same facts for a machine."""
        return {
            "rule": self.rule.value,
            "place": {k: v for k, v in self.place._asdict().items() if v is not None},
            "offset": self.offset,
            "value": self.value if isinstance(self.value, (int, float)) else _text(self.value),
            "expected": (
                self.expected if isinstance(self.expected, (int, float)) else _text(self.expected)
            ),
            "message": str(self),
        }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


_PLACEHOLDER = re.compile(r"\{(value|expected)(?::(.))?\}")


def _fill(template: str, value: object, expected: object) -> str:
    """The text of a rule's values; empty when one that it needs is not known."""
    known = {"value": value, "expected": expected}

    def put(found: re.Match[str]) -> str:
        what = known[found[1]]
        if isinstance(what, bytes):
            return "".join(chr(c) if 0x20 <= c < 0x7F else f"\\x{c:02x}" for c in what)
        return f"{what:#x}" if found[2] == "x" and isinstance(what, int) else str(what)

    wanted = {found[1] for found in _PLACEHOLDER.finditer(template)}
    # As in the C++ core, two zeros mean that the values are not known.
    if any(known[name] is None for name in wanted) or not (_counts(value) or _counts(expected)):
        return ""
    return _PLACEHOLDER.sub(put, template)


def _counts(what: object) -> bool:
    return any(what) if isinstance(what, bytes) else bool(what)
