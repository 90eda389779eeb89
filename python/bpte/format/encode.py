# SPDX-License-Identifier: BSD-3-Clause
"""Writes metadata as FlatBuffers of schema/bpte.fbs. The same content gives the same bytes."""

from __future__ import annotations

import struct
from typing import NamedTuple

from bpte.format import layout, schema
from bpte.format.flatbuffer import Shape, Writer
from bpte.format.header import BP08, BP09, identifier
from bpte.format.layout import Extent
from bpte.format.metadata import SCHEMA_VERSION, Case, Segment, Suite, Tensor, Value
from bpte.format.tolerance import Tolerance

_ROOT = Shape(
    [
        (schema.PROGRAM_VERSION, "I"),
        (schema.PROGRAM_METHOD_TEST_SUITES, "I"),
        (schema.PROGRAM_SEGMENTS, "I"),
        (schema.PROGRAM_PROGRAM_SEGMENT, "I"),
        (schema.PROGRAM_NAMED_DATA, "I"),
        (schema.PROGRAM_METADATA, "I"),
    ]
)
_ROOT_BP08 = Shape(
    [
        (schema.PROGRAM_VERSION, "I"),
        (schema.PROGRAM_METHOD_TEST_SUITES, "I"),
        (schema.PROGRAM_PROGRAM, "I"),
    ]
)
_SUITE_FIELDS = [(schema.SUITE_METHOD_NAME, "I"), (schema.SUITE_TEST_CASES, "I")]
_SUITE = {
    False: Shape(_SUITE_FIELDS),
    True: Shape([*_SUITE_FIELDS, (schema.SUITE_TOLERANCES, "I")]),
}
_CASE_FIELDS = [(schema.CASE_INPUTS, "I"), (schema.CASE_EXPECTED_OUTPUTS, "I")]
# By whether there is a name, and whether there are tolerances.
_CASE: dict[tuple[bool, bool], Shape] = {
    (name, tolerances): Shape(
        _CASE_FIELDS
        + [(schema.CASE_NAME, "I")] * name
        + [(schema.CASE_TOLERANCES, "I")] * tolerances
    )
    for name in (False, True)
    for tolerances in (False, True)
}
_VALUE = Shape([(schema.VALUE_VAL_TYPE, "B"), (schema.VALUE_VAL, "I")])
_TENSOR_BP09 = Shape(
    [
        (schema.TENSOR_SCALAR_TYPE, "b"),
        (schema.TENSOR_SIZES, "I"),
        (schema.TENSOR_DIM_ORDER, "I"),
        (schema.TENSOR_PAYLOAD, schema.PAYLOAD_REF.format.lstrip("<")),
    ]
)
_TENSOR_BP08 = Shape(
    [
        (schema.TENSOR_SCALAR_TYPE, "b"),
        (schema.TENSOR_SIZES, "I"),
        (schema.TENSOR_DATA, "I"),
        (schema.TENSOR_DIM_ORDER, "I"),
    ]
)
_INT = Shape([(schema.INT_INT_VAL, "q")])
_BOOL = Shape([(schema.BOOL_BOOL_VAL, "?")])
_DOUBLE = Shape([(schema.DOUBLE_DOUBLE_VAL, "d")])
_NAMED_DATA = Shape([(schema.NAMED_DATA_KEY, "I"), (schema.NAMED_DATA_SEGMENT, "I")])
_KEY_VALUE = Shape([(schema.KEY_VALUE_KEY, "I"), (schema.KEY_VALUE_VALUE, "I")])


class Encoded(NamedTuple):
    """Metadata ready to be written, except the header."""

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
    The caller gives suites, named data and strings in the order of their keys, as the format
    demands."""
    writer = Writer(identifier(BP09), inserted=layout.HEADER_LENGTH)
    slots = _ROOT.slots
    root = writer.table(0, _ROOT, SCHEMA_VERSION, 0, 0, program_segment, 0, 0)
    segments_at = writer.vector(root + slots[2], len(segments), schema.SEGMENT.size, 8)
    for index, segment in enumerate(segments):
        schema.SEGMENT.pack_into(writer.buffer, segments_at + index * schema.SEGMENT.size, *segment)
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
    at = encoded.segments_at + index * schema.SEGMENT.size
    schema.SEGMENT.pack_into(encoded.buffer, at, *segment)


class EncodedBP08(NamedTuple):
    """A BP08 file, except the contents of its byte vectors."""

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
    Uses the tensors' ``size``, but not their ``segment`` and ``offset``."""
    writer = Writer(identifier(BP08))
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


def _put_case(
    writer: Writer, slot: int, case: Case, data_slots: list[tuple[int, int]] | None
) -> None:
    bp09 = data_slots is None
    name = case.name if bp09 else ""
    tolerances = case.tolerances if bp09 else []
    shape = _CASE[bool(name), bool(tolerances)]
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
    kind, shape = _kind_of(value)
    slot = writer.table(slot, _VALUE, kind, 0) + _VALUE.slots[1]
    if isinstance(value, Tensor):
        _put_tensor(writer, slot, value, data_slots)
    else:
        writer.table(slot, shape, value)


def _kind_of(value: Value) -> tuple[int, Shape]:
    """The number in the union, and for a scalar the shape of its table."""
    if isinstance(value, Tensor):
        return schema.UNION_TENSOR, _TENSOR_BP09
    if isinstance(value, bool):  # before int: a bool is an int, too
        return schema.UNION_BOOL, _BOOL
    if isinstance(value, int):
        return schema.UNION_INT, _INT
    return schema.UNION_DOUBLE, _DOUBLE


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
                (schema.TOLERANCE_RTOL, tolerance.rtol),
                (schema.TOLERANCE_ATOL, tolerance.atol),
                (schema.TOLERANCE_MAX_OUTLIER_SHARE, tolerance.max_outlier_share or None),
                (schema.TOLERANCE_MIN_SQNR_DB, tolerance.min_sqnr_db),
                (schema.TOLERANCE_MIN_COSINE, tolerance.min_cosine),
            )
            if value is not None
        ]
        if tolerance.nan_policy:
            stated.append((schema.TOLERANCE_NAN_POLICY, "b", int(tolerance.nan_policy)))
        if tolerance.not_compared:
            stated.append((schema.TOLERANCE_NOT_COMPARED, "?", True))
        shape = Shape([(field, code) for field, code, _ in stated])
        writer.table(first + 4 * index, shape, *[value for _, _, value in stated])
