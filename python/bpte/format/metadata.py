# SPDX-License-Identifier: BSD-3-Clause
"""The content of a bundle's metadata, as plain data. ``decode`` reads it, ``encode`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from bpte.format.budget import Budget
from bpte.format.layout import Extent
from bpte.format.metric import Metric
from bpte.format.tolerance import Tolerance
from bpte.format.trace import TracedMethod

SCHEMA_VERSION = 2
MAX_RANK = 16
"""ExecuTorch's kTensorDimensionLimit."""

# Bits of the header's required_features.
FEATURE_STEPS = 1 << 0
FEATURE_METRICS = 1 << 1
FEATURE_BUDGETS = 1 << 2


class Segment(NamedTuple):
    """A run of bytes after the metadata. ``offset`` counts from ``segment_base_offset``."""

    offset: int
    size: int
    alignment: int
    crc32: int


class Tensor(NamedTuple):
    """A dense tensor; its ``size`` payload bytes are in the memory order that ``dim_order`` states
    (outermost dimension in memory first)."""

    scalar_type: int
    sizes: tuple[int, ...]
    dim_order: tuple[int, ...]
    segment: int | None
    """``None`` in BP08."""
    offset: int
    """In the segment; in BP08, in the file."""
    size: int


Value = Tensor | int | float | bool


class Carry(NamedTuple):
    """An output of the step before that becomes an input of this one."""

    output: int
    input: int


class TraceEntry(NamedTuple):
    """What an instruction gave."""

    instruction: int
    """Index into the suite's ``traced_method.instructions``."""
    output: int
    value: Value


class Case(NamedTuple):
    name: str
    inputs: list[Value]
    expected_outputs: list[Value]
    tolerances: list[Tolerance]
    segment: int | None
    """Where the tensors' payloads lie; ``None`` for a case without tensors, and in BP08."""
    steps: Sequence[Case] = ()
    """A case with steps has neither values nor labels nor a trace of its own."""
    carries: Sequence[Carry] = ()
    """Of a step that is not the first."""
    labels: Sequence[int] = ()
    trace: Sequence[TraceEntry] = ()

    @property
    def runs(self) -> Sequence[Case]:
        """What is executed: the steps, or the case itself."""
        return self.steps or (self,)


class Suite(NamedTuple):
    method_name: str
    test_cases: list[Case]
    tolerances: list[Tolerance]
    metrics: Sequence[Metric] = ()
    traced_method: TracedMethod | None = None


class NamedDataRole(IntEnum):
    """What named data is for."""

    NONE = 0
    """It is between a writer and its readers."""
    PTD = 1
    """The program's external weights, ExecuTorch's ``.ptd``."""
    GRAPH = 2
    """What a delegate was made from, for a reference implementation."""


class NamedData(NamedTuple):
    segment: int
    role: NamedDataRole = NamedDataRole.NONE
    file_name: str | None = None
    """A name, not a path."""


class Metadata(NamedTuple):
    suites: list[Suite]
    segments: list[Segment]
    program_segment: int | None
    program: Extent
    """In the file."""
    named_data: dict[str, NamedData]
    strings: dict[str, str]
    """Producer, model name and the like."""
    budgets: list[Budget]


def features(suites: Sequence[Suite], budgets: Sequence[Budget]) -> int:
    """The bits of ``required_features`` for these contents."""
    bits = 0
    for suite in suites:
        if suite.metrics:
            bits |= FEATURE_METRICS
        if any(case.steps for case in suite.test_cases):
            bits |= FEATURE_STEPS
    return bits | (FEATURE_BUDGETS if budgets else 0)


def is_file_name(text: str) -> bool:
    """Whether named data may have this file name: a name, never a path."""
    return text not in ("", ".", "..") and not any(c in "/\\:\x7f" or c < " " for c in text)
