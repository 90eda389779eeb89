# SPDX-License-Identifier: BSD-3-Clause
"""Where things lie: the layout against a reading of the specification byte by byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bpte.format import layout

powers = st.integers(0, 16).map(lambda exponent: 1 << exponent)


@given(st.integers(1, 1 << 40), st.lists(st.tuples(st.integers(0, 1 << 40), powers), max_size=20))
def test_nothing_overlaps_and_no_byte_is_unaccounted_for(
    metadata_size: int, segments: list[tuple[int, int]]
) -> None:
    plan = layout.plan(metadata_size, segments)
    assert plan.base_alignment == max([128, *(alignment for _, alignment in segments)])
    assert plan.segment_base_offset % plan.base_alignment == 0
    assert 0 <= plan.segment_base_offset - metadata_size < plan.base_alignment
    end = 0
    for extent, (size, alignment) in zip(plan.segments, segments, strict=True):
        assert extent.size == size
        assert extent.offset % alignment == 0
        assert 0 <= extent.offset - end < alignment
        end = extent.end
    assert plan.segment_data_size == end
    assert plan.file_size == plan.segment_base_offset + end


@given(st.integers(0, 1 << 32), st.integers(2, 12).map(lambda exponent: 1 << exponent))
def test_a_vector_s_bytes_are_aligned(offset: int, alignment: int) -> None:
    at = layout.place_vector(offset, alignment)
    assert at >= offset
    assert (at + 4) % alignment == 0
    assert at - offset < alignment


def test_large_programs_are_page_aligned() -> None:
    assert layout.program_alignment(1) == 128
    assert layout.program_alignment((1 << 20) - 1) == 128
    assert layout.program_alignment(1 << 20) == 4096
