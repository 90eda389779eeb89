# SPDX-License-Identifier: BSD-3-Clause
"""Which of a program's intermediate values a trace keeps: all of them take much more room than the
outputs alone."""

from __future__ import annotations

from dataclasses import dataclass

from bpte.format.scalar_type import largest_finite
from bpte.format.tensor_data import TensorData
from bpte.pack.cases import PackedValue
from bpte.pack.tensors import PackError


@dataclass(frozen=True)
class TraceChoice:
    """``floats_only``: only tensors of a floating-point type. ``every``: only instructions whose
    index is a multiple of this. Raises ``PackError`` for an ``every`` below 1."""

    floats_only: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        if type(self.every) is not int or self.every < 1:
            raise PackError(f"a trace of every {self.every!r} instructions: 1 at least")

    def takes(self, index: int) -> bool:
        """Whether the values of the instruction with this index in its chain are wanted."""
        return index % self.every == 0

    def keeps(self, value: PackedValue) -> bool:
        """Whether this value of such an instruction is."""
        if not self.floats_only:
            return True
        return isinstance(value, TensorData) and largest_finite(value.scalar_type) is not None

    def as_strings(self) -> dict[str, str]:
        """For the metadata of a bundle."""
        return {
            "trace.values": "tensors of floating-point types" if self.floats_only else "all",
            "trace.every": str(self.every),
        }
