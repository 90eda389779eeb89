# SPDX-License-Identifier: BSD-3-Clause
"""The errors of ``bpte.program``."""

from __future__ import annotations

from bpte.text import printable


class ProgramError(ValueError):
    """A program, as objects or as bytes, breaks a rule.

    ``place`` is the path of the offending part below the program, for example
    ``execution_plan[0].values[17].val.sizes``; empty where it is the whole. ``rule`` says what is
    wrong there, with the value.
    """

    def __init__(self, rule: str, place: str = "") -> None:
        super().__init__(printable(f"{place}: {rule}" if place else rule))
        self.rule = rule
        self.place = place


class SchemaError(ProgramError):
    """A FlatBuffers schema, or the classes that mirror it, cannot be carried without loss."""
