# SPDX-License-Identifier: BSD-3-Clause
"""The content of a bundle's metadata, as plain data. ``decode`` reads it, ``encode`` writes it."""

from __future__ import annotations

from typing import NamedTuple

from bpte.format.layout import Extent
from bpte.format.tolerance import Tolerance

SCHEMA_VERSION = 2
MAX_RANK = 16
"""ExecuTorch's kTensorDimensionLimit."""


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


class Case(NamedTuple):
    name: str
    inputs: list[Value]
    expected_outputs: list[Value]
    tolerances: list[Tolerance]
    segment: int | None
    """Where the tensors' payloads lie; ``None`` for a case without tensors, and in BP08."""


class Suite(NamedTuple):
    method_name: str
    test_cases: list[Case]
    tolerances: list[Tolerance]


class Metadata(NamedTuple):
    suites: list[Suite]
    segments: list[Segment]
    program_segment: int | None
    program: Extent
    """In the file."""
    named_data: dict[str, int]
    """Key to segment."""
    strings: dict[str, str]
    """Producer, model name and the like."""
