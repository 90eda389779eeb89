# SPDX-License-Identifier: BSD-3-Clause
"""Metadata into FlatBuffers of schema/bpte.fbs: the same content gives the same bytes."""

from __future__ import annotations

import struct
from typing import NamedTuple

from bpte.format import layout
from bpte.format.flatbuffer import Shape, Writer
from bpte.format.header import BP08, BP09
from bpte.format.layout import Extent
from bpte.format.metadata import SCHEMA_VERSION, Case, Segment, Suite, Tensor, Value
from bpte.format.tolerance import Tolerance

_SEGMENT = struct.Struct("<QQII")
_TENSOR, _INT, _BOOL, _DOUBLE = 1, 2, 3, 4  # ValueUnion

_ROOT = Shape([(0, "I"), (1, "I"), (3, "I"), (4, "I"), (5, "I"), (6, "I")])
_ROOT_BP08 = Shape([(0, "I"), (1, "I"), (2, "I")])
_SUITE = {False: Shape([(0, "I"), (1, "I")]), True: Shape([(0, "I"), (1, "I"), (2, "I")])}
_CASE_FIELDS = [(0, "I"), (1, "I"), (2, "I"), (3, "I")]
_VALUE = Shape([(0, "B"), (1, "I")])
_TENSOR_BP09 = Shape([(0, "b"), (1, "I"), (3, "I"), (4, "QQI4x")])
_TENSOR_BP08 = Shape([(0, "b"), (1, "I"), (2, "I"), (3, "I")])
_INT_SHAPE = Shape([(0, "q")])
_BOOL_SHAPE = Shape([(0, "?")])
_DOUBLE_SHAPE = Shape([(0, "d")])
_NAMED_DATA = Shape([(0, "I"), (1, "I")])
_KEY_VALUE = Shape([(0, "I"), (1, "I")])


class Encoded(NamedTuple):
    """Metadata ready to be written, but for the header."""

    buffer: bytearray
    segments_at: int
    """Where the segment table lies, so that checksums can be filled in."""


def encode(
    suites: list[Suite],
    segments: list[Segment],
    program_segment: int,
    named_data: dict[str, int],
    strings: dict[str, str],
) -> Encoded:
    """BP09 metadata. Its length depends neither on the segments' offsets nor on their sizes.
    Suites, named data and strings are given in the order of their keys, which the format wants."""
    writer = Writer(BP09, inserted=layout.HEADER_LENGTH)
    slots = _ROOT.slots
    root = writer.table(0, _ROOT, SCHEMA_VERSION, 0, 0, program_segment, 0, 0)
    segments_at = writer.vector(root + slots[2], len(segments), _SEGMENT.size, 8)
    for index, segment in enumerate(segments):
        _SEGMENT.pack_into(writer.buffer, segments_at + index * _SEGMENT.size, *segment)
    _put_suites(writer, root + slots[1], suites, None)
    first = writer.vector(root + slots[4], len(named_data), 4)
    for index, (key, number) in enumerate(named_data.items()):
        table = writer.table(first + 4 * index, _NAMED_DATA, 0, number)
        writer.string(table + _NAMED_DATA.slots[0], key)
    first = writer.vector(root + slots[5], len(strings), 4)
    for index, (key, value) in enumerate(strings.items()):
        table = writer.table(first + 4 * index, _KEY_VALUE, 0, 0)
        writer.string(table + _KEY_VALUE.slots[0], key)
        writer.string(table + _KEY_VALUE.slots[1], value)
    return Encoded(writer.buffer, segments_at)


def fill_in_segment(encoded: Encoded, index: int, segment: Segment) -> None:
    """Replaces one entry of the segment table."""
    _SEGMENT.pack_into(encoded.buffer, encoded.segments_at + index * _SEGMENT.size, *segment)


class EncodedBP08(NamedTuple):
    """A BP08 file but for the contents of its byte vectors."""

    structure: bytearray
    """From byte 0."""
    lengths: list[tuple[int, int]]
    """(offset, length) of each vector's u32 length, in the order in which they lie."""
    program: Extent
    payloads: list[Extent]
    """In the order in which the tensors stand in the suites."""

    @property
    def file_size(self) -> int:
        return self.program.end


def encode_bp08(suites: list[Suite], program_size: int, program_alignment: int) -> EncodedBP08:
    """A BP08 file: tables first, then the tensors' payloads at multiples of 16, the program last.
    The tensors' ``size`` is taken, their ``segment`` and ``offset`` are not."""
    writer = Writer(BP08)
    root = writer.table(0, _ROOT_BP08, SCHEMA_VERSION, 0, 0)
    data_slots: list[tuple[int, int]] = []
    _put_suites(writer, root + _ROOT_BP08.slots[1], suites, data_slots)
    buffer = writer.buffer
    end = len(buffer)
    lengths: list[tuple[int, int]] = []
    extents: list[Extent] = []
    data_slots.append((root + _ROOT_BP08.slots[2], program_size))
    for index, (slot, size) in enumerate(data_slots):
        is_program = index == len(data_slots) - 1
        alignment = program_alignment if is_program else layout.PAYLOAD_ALIGNMENT
        vector = layout.place_vector(end, alignment)
        if vector + 4 + size <= layout.MAX_FLATBUFFER:
            struct.pack_into("<I", buffer, slot, vector - slot)
        lengths.append((vector, size))
        extents.append(Extent(vector + 4, size))
        end = vector + 4 + size
    return EncodedBP08(buffer, lengths, extents[-1], extents[:-1])


def _put_suites(
    writer: Writer, slot: int, suites: list[Suite], data_slots: list[tuple[int, int]] | None
) -> None:
    """``data_slots``: for BP08, takes (slot, size) of every tensor's data; ``None`` for BP09."""
    first = writer.vector(slot, len(suites), 4)
    bp09 = data_slots is None
    for number, suite in enumerate(suites):
        tolerances = suite.tolerances if bp09 else []
        shape = _SUITE[bool(tolerances)]
        at = writer.table(first + 4 * number, shape, *[0] * len(shape.slots))
        writer.string(at + shape.slots[0], suite.method_name)
        if tolerances:
            _put_tolerances(writer, at + shape.slots[2], tolerances)
        cases = writer.vector(at + shape.slots[1], len(suite.test_cases), 4)
        for index, case in enumerate(suite.test_cases):
            _put_case(writer, cases + 4 * index, case, data_slots)


_CASE_SHAPES: dict[tuple[bool, bool], Shape] = {
    (name, tolerances): Shape(
        _CASE_FIELDS[:2] + _CASE_FIELDS[2:3] * name + _CASE_FIELDS[3:] * tolerances
    )
    for name in (False, True)
    for tolerances in (False, True)
}


def _put_case(
    writer: Writer, slot: int, case: Case, data_slots: list[tuple[int, int]] | None
) -> None:
    bp09 = data_slots is None
    name = case.name if bp09 else ""
    tolerances = case.tolerances if bp09 else []
    shape = _CASE_SHAPES[bool(name), bool(tolerances)]
    at = writer.table(slot, shape, *[0] * len(shape.slots))
    if name:
        writer.string(at + shape.slots[2], name)
    if tolerances:
        _put_tolerances(writer, at + shape.slots[-1], tolerances)
    for side, values in enumerate((case.inputs, case.expected_outputs)):
        first = writer.vector(at + shape.slots[side], len(values), 4)
        for index, value in enumerate(values):
            _put_value(writer, first + 4 * index, value, data_slots)


def _put_value(
    writer: Writer, slot: int, value: Value, data_slots: list[tuple[int, int]] | None
) -> None:
    kind = (
        _TENSOR
        if isinstance(value, Tensor)
        else _BOOL
        if isinstance(value, bool)
        else _INT
        if isinstance(value, int)
        else _DOUBLE
    )
    slot = writer.table(slot, _VALUE, kind, 0) + _VALUE.slots[1]
    if isinstance(value, Tensor):
        _put_tensor(writer, slot, value, data_slots)
    elif isinstance(value, bool):
        writer.table(slot, _BOOL_SHAPE, value)
    elif isinstance(value, int):
        writer.table(slot, _INT_SHAPE, value)
    else:
        writer.table(slot, _DOUBLE_SHAPE, value)


def _put_tensor(
    writer: Writer, slot: int, tensor: Tensor, data_slots: list[tuple[int, int]] | None
) -> None:
    if data_slots is None:
        shape = _TENSOR_BP09
        payload = (tensor.offset, tensor.size, tensor.segment)
        at = writer.table(slot, shape, tensor.scalar_type, 0, 0, payload)
        dim_order_slot = at + shape.slots[2]
    else:
        shape = _TENSOR_BP08
        at = writer.table(slot, shape, tensor.scalar_type, 0, 0, 0)
        data_slots.append((at + shape.slots[2], tensor.size))
        dim_order_slot = at + shape.slots[3]
    rank = len(tensor.sizes)
    first = writer.vector(at + shape.slots[1], rank, 4)
    struct.pack_into(f"<{rank}i", writer.buffer, first, *tensor.sizes)
    writer.bytes(dim_order_slot, bytes(tensor.dim_order))


def _put_tolerances(writer: Writer, slot: int, tolerances: list[Tolerance]) -> None:
    first = writer.vector(slot, len(tolerances), 4)
    for index, tolerance in enumerate(tolerances):
        stated: list[tuple[int, str, object]] = [
            (field, "d", value)
            for field, value in (
                (0, tolerance.rtol),
                (1, tolerance.atol),
                (2, tolerance.max_outlier_share or None),
                (3, tolerance.min_sqnr_db),
                (4, tolerance.min_cosine),
            )
            if value is not None
        ]
        if tolerance.nan_policy:
            stated.append((5, "b", int(tolerance.nan_policy)))
        if tolerance.not_compared:
            stated.append((6, "?", True))
        shape = Shape([(field, code) for field, code, _ in stated])
        writer.table(first + 4 * index, shape, *[value for _, _, value in stated])
