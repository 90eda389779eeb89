# SPDX-License-Identifier: BSD-3-Clause
"""The writer of BP09 files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from bpte.files import transfer
from bpte.files.checksum import crc32
from bpte.files.transfer import Progress
from bpte.format import encode, header, layout, metadata
from bpte.format.metadata import Case, Segment, Suite, Tensor
from bpte.format.tensor_data import TensorData
from bpte.pack.cases import PackedCase, PackedSuite, PackedValue
from bpte.pack.program_source import ProgramSource
from bpte.pack.tensors import PackError, write_tensor


class _CaseSegment(NamedTuple):
    """The distinct payloads of a case, and where each lies in its segment."""

    tensors: list[TensorData]
    extents: list[layout.Extent]
    size: int


_FIRST_CASE_SEGMENT = 1
"""The program is segment 0, the cases' come next, named data last."""


class Bp09Writer:
    """Writes a BP09 file: first the segments, at offsets that are known before any of them is read;
    then, when their checksums are known, the metadata in front of them."""

    def __init__(
        self,
        suites: list[PackedSuite],
        program: ProgramSource,
        notes: list[str],
        extra: dict[str, ProgramSource],
        strings: dict[str, str],
        alignment: int | None,
        payload_alignment: int,
    ) -> None:
        self.program = program
        self.notes = notes
        self.extra = extra
        program_alignment = alignment or layout.program_alignment(program.size)
        wanted = [(program.size, program_alignment)]
        self.cases: list[_CaseSegment] = []
        self._alike: dict[object, list[int]] = {}  # how cases begin -> their segments
        plain = []
        for suite in suites:
            plain_cases = [
                self._place_case(case, wanted, payload_alignment) for case in suite.test_cases
            ]
            plain.append(Suite(suite.method_name, plain_cases, suite.tolerances))
        named = {}
        for key, source in extra.items():
            named[key] = metadata.NamedData(len(wanted))
            wanted.append((source.size, payload_alignment))
        blank = [Segment(0, size, alignment, 0) for size, alignment in wanted]
        self.encoded = encode.encode(plain, blank, 0, named, strings)
        self.alignments = [alignment for _, alignment in wanted]
        self.plan = layout.plan(len(self.encoded.buffer), wanted)
        if self.plan.metadata_size > layout.MAX_FLATBUFFER:
            raise PackError(f"the metadata takes {self.plan.metadata_size} bytes, 2 GiB at most")

    def _place_case(self, case: PackedCase, wanted: list[tuple[int, int]], alignment: int) -> Case:
        tensors: list[TensorData] = []
        where: dict[int, int] = {}  # id of the value -> index among the distinct ones
        for value in (*case.inputs, *case.expected_outputs):
            if isinstance(value, TensorData):
                twin = next((i for i, t in enumerate(tensors) if t.same_bytes(value)), None)
                if twin is None:
                    twin = len(tensors)
                    tensors.append(value)
                where[id(value)] = twin
        if not where:
            sides: list[list[metadata.Value]] = [
                [value for value in side if not isinstance(value, TensorData)]
                for side in (case.inputs, case.expected_outputs)
            ]
            return Case(case.name, sides[0], sides[1], case.tolerances, None)
        extents, size = layout.pack_extents((tensor.size, alignment) for tensor in tensors)
        number = self._segment_with(tensors)
        if number is None:
            number = len(wanted)
            wanted.append((size, alignment))
            self.cases.append(_CaseSegment(tensors, extents, size))

        def stored(value: PackedValue) -> metadata.Value:
            if not isinstance(value, TensorData):
                return value
            extent = extents[where[id(value)]]
            return Tensor(
                int(value.scalar_type),
                value.sizes,
                value.dim_order,
                number,
                extent.offset,
                extent.size,
            )

        return Case(
            case.name,
            [stored(value) for value in case.inputs],
            [stored(value) for value in case.expected_outputs],
            case.tolerances,
            number,
        )

    def _segment_with(self, tensors: list[TensorData]) -> int | None:
        """The segment of an earlier case with the very same payloads.

        Only cases that begin alike are compared byte by byte: there may be many of one size.
        """
        begins = tuple((tensor.size, tensor.beginning()) for tensor in tensors)
        alike = self._alike.setdefault(begins, [])
        for number in alike:
            earlier = self.cases[number - _FIRST_CASE_SEGMENT].tensors
            if all(map(TensorData.same_bytes, tensors, earlier)):
                return number
        alike.append(_FIRST_CASE_SEGMENT + len(self.cases))
        return None

    def write(self, fd: int, progress: Callable[[int], Progress] | None) -> tuple[int, int]:
        """Gives the file's size and the program's offset."""
        plan = self.plan
        moved = self.program.size + sum(source.size for source in self.extra.values())
        moved += sum(tensor.size for case in self.cases for tensor in case.tensors)
        step = progress(moved) if progress else None
        os.ftruncate(fd, plan.file_size)  # padding is not written: holes read as zeros
        base = plan.segment_base_offset
        crcs = [self.program.copy_to(fd, base + plan.segments[0].offset, step)]
        for case, extent in zip(self.cases, plan.segments[1:], strict=False):
            crcs.append(_write_case(fd, base + extent.offset, case, step))
        for source, extent in zip(
            self.extra.values(), plan.segments[1 + len(self.cases) :], strict=True
        ):
            crcs.append(source.copy_to(fd, base + extent.offset, step))
        for index, (extent, alignment, crc) in enumerate(
            zip(plan.segments, self.alignments, crcs, strict=True)
        ):
            segment = Segment(extent.offset, extent.size, alignment, crc)
            encode.fill_in_segment(self.encoded, index, segment)
        encode.fill_in_program_crc32(self.encoded, crcs[0])
        header.seal(self.encoded.buffer, plan, self.encoded.features)
        transfer.write_all(fd, self.encoded.buffer, 0)
        return plan.file_size, base + plan.segments[0].offset


def _write_case(fd: int, offset: int, case: _CaseSegment, progress: Progress | None) -> int:
    crc = end = 0
    for tensor, extent in zip(case.tensors, case.extents, strict=True):
        crc = crc32(bytes(extent.offset - end), crc)
        at = extent._replace(offset=offset + extent.offset)
        crc = write_tensor(fd, at, tensor, progress, crc)
        end = extent.end
    return crc
