# SPDX-License-Identifier: BSD-3-Clause
"""What a program's instructions gave: which instruction, which of its outputs, which value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple


class TraceOrigin(IntEnum):
    """Who computed the values."""

    EXECUTORCH = 0
    EAGER = 1
    """PyTorch in eager mode, over the edge program."""
    REFERENCE = 2
    """This project's reference engine."""
    TOSA = 3
    """The TOSA reference model."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a method, or one operation inside of a delegate call. A text that is
    ``None`` is not known."""

    chain: int
    index: int
    """In the chain."""
    operation: int | None = None
    """Inside of a delegate call; ``None``: the instruction itself."""
    operator_name: str | None = None
    """Such as ``aten::addmm.out``."""
    node: str | None = None
    """The node's name in the exported graph."""
    module_path: str | None = None
    """Such as ``classifier.1``."""
    source: str | None = None
    """Such as ``model.py:41``."""

    @property
    def order(self) -> tuple[int, int, int]:
        """Ascends in a traced method: an instruction comes before its operations."""
        return self.chain, self.index, -1 if self.operation is None else self.operation


class TraceValue(NamedTuple):
    """One output of an instruction, for one time that it ran."""

    instruction: Instruction
    output: int
    """Which of the instruction's outputs."""
    value: Any
    """An array or a scalar."""


class TracedMethod(NamedTuple):
    """What the traces of a suite's cases refer to."""

    origin: TraceOrigin
    instructions: Sequence[Instruction] = ()
    """What is known of them, in ascending ``order``. When it is given to be packed, those of the
    traces need not be listed, and the order does not matter."""
    program_crc32: int | None = None
    """Of the program that was traced. ``None``: the program that it is packed with."""
