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
from bpte.format.budget import Budget
from bpte.format.metadata import Case, NamedData, Segment, Suite, Tensor, TraceEntry
from bpte.format.tensor_data import TensorData
from bpte.pack import named
from bpte.pack.cases import PackedCase, PackedSuite, PackedValue
from bpte.pack.named import NamedFile
from bpte.pack.program_source import ProgramSource
from bpte.pack.tensors import PackError, write_tensor


class _Payloads(NamedTuple):
    """The distinct payloads of a case, of a step, or of the trace of one, and where each lies in
    its segment."""

    tensors: list[TensorData]
    extents: list[layout.Extent]
    size: int


_FIRST_PAYLOADS = 1
"""The program is segment 0, payloads come next, named data last."""


class Bp09Writer:
    """Writes a BP09 file: first the segments, at offsets that are known before any of them is read;
    then, when their checksums are known, the metadata in front of them."""

    def __init__(
        self,
        suites: list[PackedSuite],
        program: ProgramSource,
        notes: list[str],
        extra: dict[str, tuple[NamedFile, ProgramSource]],
        strings: dict[str, str],
        budgets: list[Budget],
        alignment: int | None,
        payload_alignment: int,
    ) -> None:
        self.program = program
        self.notes = notes
        self.extra = [source for _, source in extra.values()]
        self.suites = suites
        program_alignment = alignment or layout.program_alignment(program.size)
        self._wanted = [(program.size, program_alignment)]
        self._payload_alignment = payload_alignment
        self.payloads: list[_Payloads] = []
        # How payloads begin -> segments. Those of a trace and of a case never share one.
        self._alike: dict[object, list[int]] = {}
        plain = [
            Suite(
                suite.method_name,
                [self._place_case(case) for case in suite.test_cases],
                suite.tolerances,
                suite.metrics,
                suite.traced_method,
            )
            for suite in suites
        ]
        wanted = self._wanted
        entries = {}
        for key, (file, source) in extra.items():
            entries[key] = NamedData(len(wanted), file.role, file.file_name)
            wanted.append((source.size, named.alignment(file.role, source.size, payload_alignment)))
        blank = [Segment(0, size, alignment, 0) for size, alignment in wanted]
        self.encoded = encode.encode(plain, blank, 0, entries, strings, budgets)
        self.alignments = [alignment for _, alignment in wanted]
        self.plan = layout.plan(len(self.encoded.buffer), wanted)
        if self.plan.metadata_size > layout.MAX_FLATBUFFER:
            raise PackError(f"the metadata takes {self.plan.metadata_size} bytes, 2 GiB at most")

    def _place_case(self, case: PackedCase) -> Case:
        stored, number = self._place([*case.inputs, *case.expected_outputs], is_trace=False)
        count = len(case.inputs)
        trace: list[TraceEntry] = []
        if case.trace:
            values, _ = self._place([entry.value for entry in case.trace], is_trace=True)
            trace = [
                TraceEntry(entry.instruction, entry.output, value)
                for entry, value in zip(case.trace, values, strict=True)
            ]
        return Case(
            case.name,
            stored[:count],
            stored[count:],
            case.tolerances,
            number,
            [self._place_case(step) for step in case.steps],
            case.carries,
            case.labels,
            trace,
        )

    def _place(
        self, values: list[PackedValue], *, is_trace: bool
    ) -> tuple[list[metadata.Value], int | None]:
        """Gives the tensors among these values a segment. Returns what the metadata says of all
        values, and the segment's number; ``None`` when there are no tensors."""
        tensors: list[TensorData] = []
        begins: list[object] = []
        twins: dict[object, list[int]] = {}
        where: dict[int, int] = {}  # id of the value -> index among the distinct ones
        for value in values:
            if isinstance(value, TensorData) and id(value) not in where:
                begin = value.size, value.beginning()
                alike = twins.setdefault(begin, [])
                twin = next((i for i in alike if tensors[i].same_bytes(value)), None)
                if twin is None:
                    twin = len(tensors)
                    alike.append(twin)
                    tensors.append(value)
                    begins.append(begin)
                where[id(value)] = twin
        if not where:
            return [value for value in values if not isinstance(value, TensorData)], None
        extents, size = layout.pack_extents(
            (tensor.size, self._payload_alignment) for tensor in tensors
        )
        key = is_trace, tuple(begins)
        number = self._segment_with(tensors, self._alike.setdefault(key, []))
        if number is None:
            number = len(self._wanted)
            self._alike[key].append(number)
            self._wanted.append((size, self._payload_alignment))
            self.payloads.append(_Payloads(tensors, extents, size))

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

        return [stored(value) for value in values], number

    def _segment_with(self, tensors: list[TensorData], alike: list[int]) -> int | None:
        """The one of these segments that holds the very same payloads.

        Only payloads that begin alike are compared byte by byte: there may be many of one size.
        """
        for number in alike:
            earlier = self.payloads[number - _FIRST_PAYLOADS].tensors
            if all(map(TensorData.same_bytes, tensors, earlier)):
                return number
        return None

    def write(self, fd: int, progress: Callable[[int], Progress] | None) -> tuple[int, int]:
        """Gives the file's size and the program's offset."""
        plan = self.plan
        moved = self.program.size + sum(source.size for source in self.extra)
        moved += sum(tensor.size for run in self.payloads for tensor in run.tensors)
        step = progress(moved) if progress else None
        os.ftruncate(fd, plan.file_size)  # padding is not written: holes read as zeros
        base = plan.segment_base_offset
        crcs = [self.program.copy_to(fd, base + plan.segments[0].offset, step)]
        self._require_traced_program(crcs[0])
        for run, extent in zip(self.payloads, plan.segments[1:], strict=False):
            crcs.append(_write_payloads(fd, base + extent.offset, run, step))
        for source, extent in zip(self.extra, plan.segments[1 + len(self.payloads) :], strict=True):
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

    def _require_traced_program(self, crc32: int) -> None:
        for suite in self.suites:
            traced = suite.traced_method
            if traced and traced.program_crc32 not in (None, crc32):
                raise PackError(
                    f"its traces were made from another program: CRC-32 {traced.program_crc32:#x}, "
                    f"{self.program.name} has {crc32:#x}",
                    method=suite.method_name,
                )


def _write_payloads(fd: int, offset: int, run: _Payloads, progress: Progress | None) -> int:
    crc = end = 0
    for tensor, extent in zip(run.tensors, run.extents, strict=True):
        crc = crc32(bytes(extent.offset - end), crc)
        at = extent._replace(offset=offset + extent.offset)
        crc = write_tensor(fd, at, tensor, progress, crc)
        end = extent.end
    return crc
