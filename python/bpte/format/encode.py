# SPDX-License-Identifier: BSD-3-Clause
"""Writes metadata as FlatBuffers of schema/bpte.fbs. The same content gives the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from bpte.format import layout, schema
from bpte.format.budget import Budget
from bpte.format.flatbuffer import Shape, Writer
from bpte.format.header import BP08, BP09, identifier
from bpte.format.layout import Extent
from bpte.format.metadata import (
    SCHEMA_VERSION,
    Case,
    NamedData,
    Segment,
    Suite,
    Tensor,
    TraceEntry,
    Value,
    features,
)
from bpte.format.metric import Metric, MetricKind
from bpte.format.tolerance import Tolerance
from bpte.format.trace import TracedMethod

_ROOT_FIELDS = [
    (schema.PROGRAM_VERSION, "I"),
    (schema.PROGRAM_METHOD_TEST_SUITES, "I"),
    (schema.PROGRAM_SEGMENTS, "I"),
    (schema.PROGRAM_PROGRAM_SEGMENT, "I"),
    (schema.PROGRAM_NAMED_DATA, "I"),
    (schema.PROGRAM_METADATA, "I"),
]
# By whether there are budgets.
_ROOT = {
    False: Shape(_ROOT_FIELDS),
    True: Shape([*_ROOT_FIELDS, (schema.PROGRAM_BUDGETS, "I")]),
}
_ROOT_BP08 = Shape(
    [
        (schema.PROGRAM_VERSION, "I"),
        (schema.PROGRAM_METHOD_TEST_SUITES, "I"),
        (schema.PROGRAM_PROGRAM, "I"),
    ]
)
_SUITE_FIELDS: tuple[int, ...] = (schema.SUITE_METHOD_NAME, schema.SUITE_TEST_CASES)
_CASE_FIELDS: tuple[int, ...] = (schema.CASE_INPUTS, schema.CASE_EXPECTED_OUTPUTS)
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
_TRACE_VALUE = Shape(
    [
        (schema.TRACE_VALUE_INSTRUCTION, "I"),
        (schema.TRACE_VALUE_OUTPUT, "I"),
        (schema.TRACE_VALUE_VALUE, "I"),
    ]
)
_TRACED_METHOD = Shape(
    [
        (schema.TRACED_METHOD_PROGRAM_CRC32, "I"),
        (schema.TRACED_METHOD_ORIGIN, "b"),
        (schema.TRACED_METHOD_INSTRUCTIONS, "I"),
    ]
)


@lru_cache(maxsize=1000)
def _offsets(fields: tuple[int, ...]) -> Shape:
    """A table with nothing but offsets."""
    return Shape([(field, "I") for field in fields])


@lru_cache(maxsize=1000)
def _shape(fields: tuple[tuple[int, str], ...]) -> Shape:
    return Shape(fields)


Member = tuple[int, str, object]
"""Field, struct code, value. A text's code is I; a value that is None is left out."""


def _put_members(writer: Writer, slot: int, members: Sequence[Member]) -> None:
    """Writes a table of numbers and texts."""
    stated = [member for member in members if member[2] is not None]
    shape = _shape(tuple((field, code) for field, code, _ in stated))
    numbers = [0 if isinstance(value, str) else value for _, _, value in stated]
    at = writer.table(slot, shape, *numbers)
    for (_, _, value), place in zip(stated, shape.slots, strict=True):
        if isinstance(value, str):
            writer.string(at + place, value)


class Encoded(NamedTuple):
    """Metadata ready to be written, except the header."""

    buffer: bytearray
    segments_at: int
    """Where the segment table lies, so that checksums can be filled in."""
    crc32s_at: list[int]
    """Where the program's CRC-32 stands in traced methods."""
    features: int
    """For the header: ``required_features``."""


def encode(
    suites: list[Suite],
    segments: list[Segment],
    program_segment: int,
    named_data: Mapping[str, NamedData],
    strings: Mapping[str, str],
    budgets: Sequence[Budget] = (),
) -> Encoded:
    """BP09 metadata. Its length depends neither on the segments' offsets nor on their sizes.
    The caller gives suites, named data and strings in the order of their keys, as the format
    demands. A budget's method is one of the suites'."""
    writer = Writer(identifier(BP09), inserted=layout.HEADER_LENGTH)
    shape = _ROOT[bool(budgets)]
    slots = shape.slots
    unset = [0] * len(budgets[:1])
    root = writer.table(0, shape, SCHEMA_VERSION, 0, 0, program_segment, 0, 0, *unset)
    segments_at = writer.vector(root + slots[2], len(segments), schema.SEGMENT.size, 8)
    for index, segment in enumerate(segments):
        schema.SEGMENT.pack_into(writer.buffer, segments_at + index * schema.SEGMENT.size, *segment)
    crc32s_at = _put_suites(writer, root + slots[1], suites, None)
    first = writer.vector(root + slots[4], len(named_data), 4)
    for index, (key, named) in enumerate(named_data.items()):
        members: list[Member] = [
            (schema.NAMED_DATA_KEY, "I", key),
            (schema.NAMED_DATA_SEGMENT, "I", named.segment),
            (schema.NAMED_DATA_ROLE, "b", named.role or None),
            (schema.NAMED_DATA_FILE_NAME, "I", named.file_name),
        ]
        _put_members(writer, first + 4 * index, members)
    first = writer.vector(root + slots[5], len(strings), 4)
    for index, (key, value) in enumerate(strings.items()):
        members = [(schema.KEY_VALUE_KEY, "I", key), (schema.KEY_VALUE_VALUE, "I", value)]
        _put_members(writer, first + 4 * index, members)
    if budgets:
        methods = {suite.method_name: index for index, suite in enumerate(suites)}
        first = writer.vector(root + slots[6], len(budgets), 4)
        for index, budget in enumerate(budgets):
            members = [
                (schema.BUDGET_RESOURCE, "b", budget.resource),
                (schema.BUDGET_LIMIT, "Q", budget.limit),
                (
                    schema.BUDGET_SUITE,
                    "I",
                    None if budget.method is None else methods[budget.method],
                ),
                (schema.BUDGET_TARGET, "I", budget.target),
            ]
            _put_members(writer, first + 4 * index, members)
    return Encoded(writer.buffer, segments_at, crc32s_at, features(suites, budgets))


def fill_in_segment(encoded: Encoded, index: int, segment: Segment) -> None:
    """Replaces one entry of the segment table."""
    at = encoded.segments_at + index * schema.SEGMENT.size
    schema.SEGMENT.pack_into(encoded.buffer, at, *segment)


def fill_in_program_crc32(encoded: Encoded, crc32: int) -> None:
    """Binds the traces to the program."""
    for at in encoded.crc32s_at:
        struct.pack_into("<I", encoded.buffer, at, crc32)


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
) -> list[int]:
    """``data_slots``: for BP08, takes (slot, size) of every tensor's data; ``None`` for BP09.
    Gives ``Encoded.crc32s_at``."""
    first = writer.vector(slot, len(suites), 4)
    bp09 = data_slots is None
    crc32s_at: list[int] = []
    for number, suite in enumerate(suites):
        fields = _SUITE_FIELDS
        if bp09 and (suite.tolerances or suite.metrics or suite.traced_method):
            fields += (schema.SUITE_TOLERANCES,) * bool(suite.tolerances)
            fields += (schema.SUITE_METRICS,) * bool(suite.metrics)
            fields += (schema.SUITE_TRACED_METHOD,) * bool(suite.traced_method)
        shape = _offsets(fields)
        at = writer.table(first + 4 * number, shape, *[0] * len(fields))
        slot_of = {field: at + place for field, place in zip(fields, shape.slots, strict=True)}
        writer.string(slot_of[schema.SUITE_METHOD_NAME], suite.method_name)
        if schema.SUITE_TOLERANCES in slot_of:
            _put_tolerances(writer, slot_of[schema.SUITE_TOLERANCES], suite.tolerances)
        cases = writer.vector(slot_of[schema.SUITE_TEST_CASES], len(suite.test_cases), 4)
        for index, case in enumerate(suite.test_cases):
            _put_case(writer, cases + 4 * index, case, data_slots)
        if schema.SUITE_METRICS in slot_of:
            _put_metrics(writer, slot_of[schema.SUITE_METRICS], suite.metrics)
        if schema.SUITE_TRACED_METHOD in slot_of and suite.traced_method:
            place = slot_of[schema.SUITE_TRACED_METHOD]
            crc32s_at.append(_put_traced_method(writer, place, suite.traced_method))
    return crc32s_at


def _put_case(
    writer: Writer, slot: int, case: Case, data_slots: list[tuple[int, int]] | None
) -> None:
    fields = _CASE_FIELDS
    if data_slots is None:
        _, _, _, tolerances, _, steps, carries, labels, trace = case
        name = case.name
        if name:
            fields += (schema.CASE_NAME,)
        if tolerances:
            fields += (schema.CASE_TOLERANCES,)
        if steps or carries or labels or trace:
            fields += (schema.CASE_STEPS,) * bool(steps)
            fields += (schema.CASE_CARRIES,) * bool(carries)
            fields += (schema.CASE_LABELS,) * bool(labels)
            fields += (schema.CASE_TRACE,) * bool(trace)
    shape = _offsets(fields)
    at = writer.table(slot, shape, *[0] * len(fields))
    slots = shape.slots
    for field, place in zip(fields[2:], slots[2:], strict=True):
        if field == schema.CASE_NAME:
            writer.string(at + place, name)
        elif field == schema.CASE_TOLERANCES:
            _put_tolerances(writer, at + place, tolerances)
        else:
            _put_part(writer, at + place, field, case)
    for side, values in enumerate((case.inputs, case.expected_outputs)):
        first = writer.vector(at + slots[side], len(values), 4)
        for index, value in enumerate(values):
            _put_value(writer, first + 4 * index, value, data_slots)


def _put_part(writer: Writer, slot: int, field: int, case: Case) -> None:
    """What not every case has."""
    if field == schema.CASE_STEPS:
        first = writer.vector(slot, len(case.steps), 4)
        for index, step in enumerate(case.steps):
            _put_case(writer, first + 4 * index, step, None)
    elif field == schema.CASE_CARRIES:
        first = writer.vector(slot, len(case.carries), schema.CARRY.size)
        for index, carry in enumerate(case.carries):
            schema.CARRY.pack_into(writer.buffer, first + index * schema.CARRY.size, *carry)
    elif field == schema.CASE_LABELS:
        first = writer.vector(slot, len(case.labels), 4)
        struct.pack_into(f"<{len(case.labels)}i", writer.buffer, first, *case.labels)
    else:
        _put_trace(writer, slot, case.trace)


def _put_trace(writer: Writer, slot: int, trace: Sequence[TraceEntry]) -> None:
    first = writer.vector(slot, len(trace), 4)
    place = _TRACE_VALUE.slots[2]
    for index, (instruction, output, value) in enumerate(trace):
        at = writer.table(first + 4 * index, _TRACE_VALUE, instruction, output, 0)
        _put_value(writer, at + place, value, None)


def _put_traced_method(writer: Writer, slot: int, method: TracedMethod) -> int:
    """Gives the place of the program's CRC-32."""
    shape = _TRACED_METHOD
    at = writer.table(slot, shape, method.program_crc32 or 0, method.origin, 0)
    first = writer.vector(at + shape.slots[2], len(method.instructions), 4)
    for index, instruction in enumerate(method.instructions):
        members: list[Member] = [
            (schema.INSTRUCTION_CHAIN, "I", instruction.chain),
            (schema.INSTRUCTION_INDEX, "I", instruction.index),
            (schema.INSTRUCTION_OPERATION, "I", instruction.operation),
            (schema.INSTRUCTION_OPERATOR_NAME, "I", instruction.operator_name),
            (schema.INSTRUCTION_NODE, "I", instruction.node),
            (schema.INSTRUCTION_MODULE_PATH, "I", instruction.module_path),
            (schema.INSTRUCTION_SOURCE, "I", instruction.source),
        ]
        _put_members(writer, first + 4 * index, members)
    return at + shape.slots[0]


def _put_metrics(writer: Writer, slot: int, metrics: Sequence[Metric]) -> None:
    first = writer.vector(slot, len(metrics), 4)
    default = Metric(MetricKind.TOP_K_ACCURACY)
    for index, metric in enumerate(metrics):
        members: list[Member] = [(schema.METRIC_KIND, "b", metric.kind)]
        for field, code, name in _METRIC_MEMBERS:
            value = getattr(metric, name)
            members.append((field, code, None if value == getattr(default, name) else value))
        _put_members(writer, first + 4 * index, members)


_METRIC_MEMBERS = (
    (schema.METRIC_OUTPUT, "I", "output"),
    (schema.METRIC_MINIMUM, "d", "minimum"),
    (schema.METRIC_MAXIMUM, "d", "maximum"),
    (schema.METRIC_K, "I", "k"),
    (schema.METRIC_CLASSES, "I", "classes"),
    (schema.METRIC_SCORE, "I", "score"),
    (schema.METRIC_BINS, "I", "bins"),
    (schema.METRIC_LOW, "d", "low"),
    (schema.METRIC_HIGH, "d", "high"),
)


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


def _put_tolerances(writer: Writer, slot: int, tolerances: Sequence[Tolerance]) -> None:
    first = writer.vector(slot, len(tolerances), 4)
    for index, tolerance in enumerate(tolerances):
        members: list[Member] = [
            (schema.TOLERANCE_RTOL, "d", tolerance.rtol),
            (schema.TOLERANCE_ATOL, "d", tolerance.atol),
            (schema.TOLERANCE_MAX_OUTLIER_SHARE, "d", tolerance.max_outlier_share or None),
            (schema.TOLERANCE_MIN_SQNR_DB, "d", tolerance.min_sqnr_db),
            (schema.TOLERANCE_MIN_COSINE, "d", tolerance.min_cosine),
            (schema.TOLERANCE_NAN_POLICY, "b", int(tolerance.nan_policy) or None),
            (schema.TOLERANCE_NOT_COMPARED, "?", tolerance.not_compared or None),
        ]
        _put_members(writer, first + 4 * index, members)
