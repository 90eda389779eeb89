# SPDX-License-Identifier: BSD-3-Clause
"""Reads inputs, outputs and traced values from metadata that is not trusted."""

from __future__ import annotations

import struct

from bpte.format import layout, schema
from bpte.format.flatbuffer import Reader
from bpte.format.header import Header
from bpte.format.metadata import MAX_RANK, Tensor, Value
from bpte.format.rules import Rule
from bpte.format.scalar_type import ELEMENT_SIZE
from bpte.format.walk import BYTE, F64, I64, LARGEST_U64, U8, Walk

_SIZES = [struct.Struct(f"<{rank}i") for rank in range(MAX_RANK + 1)]


class ValueWalk(Walk):
    def __init__(self, reader: Reader, header: Header) -> None:
        super().__init__(reader, header)
        self.foreign_segment: int | None = None
        """While a trace is read: the segment of the inputs and expected outputs."""
        # Values by the offset of their table: what many cases share is checked once.
        self._values: dict[int, Value] = {}

    def value(self, at: int, case_segment: int | None) -> Value:
        """The value at ``at``. A tensor must lie in ``case_segment``, unless that is ``None``."""
        known = self._values.get(at)
        if known is not None and (
            not isinstance(known, Tensor)
            or (
                case_segment in (None, known.segment)
                and (known.segment is None or known.segment != self.foreign_segment)
            )
        ):
            return known
        value = self._values[at] = self._read_value(at, case_segment)
        return value

    def _read_value(self, at: int, case_segment: int | None) -> Value:
        reader = self.reader
        fields = reader.fields(at)
        field = fields[schema.VALUE_VAL]
        kind: int = reader.scalar(fields[schema.VALUE_VAL_TYPE], U8, 0)
        table = reader.table(field) if field else 0
        if not schema.UNION_TENSOR <= kind <= schema.UNION_DOUBLE or not table:
            raise self.fault(Rule.VALUE_MISSING, at, kind)
        if kind == schema.UNION_TENSOR:
            return self._tensor(table, case_segment)
        content = reader.fields(table)
        if kind == schema.UNION_INT:
            integer: int = reader.scalar(content[schema.INT_INT_VAL], I64, 0)
            return integer
        if kind == schema.UNION_BOOL:
            return bool(reader.scalar(content[schema.BOOL_BOOL_VAL], U8, 0) != 0)
        double: float = reader.scalar(content[schema.DOUBLE_DOUBLE_VAL], F64, 0.0)
        return double

    def _tensor(self, at: int, case_segment: int | None) -> Tensor:
        reader = self.reader
        memory = reader.data
        fields = reader.fields(at)
        sizes_field = fields[schema.TENSOR_SIZES]
        order_field = fields[schema.TENSOR_DIM_ORDER]
        data_field = fields[schema.TENSOR_DATA]
        payload_field = fields[schema.TENSOR_PAYLOAD]
        scalar_type: int = reader.scalar(fields[schema.TENSOR_SCALAR_TYPE], BYTE, 0)
        sizes_run = reader.vector(sizes_field, 4, 4) if sizes_field else None
        order_run = reader.vector(order_field, 1, 1) if order_field else None
        data = reader.vector(data_field, 1, layout.PAYLOAD_ALIGNMENT) if data_field else None
        payload = reader.struct(payload_field, schema.PAYLOAD_REF, 8) if payload_field else None
        element_size = ELEMENT_SIZE.get(scalar_type)
        if element_size is None:
            raise self.fault(Rule.SCALAR_TYPE, at, scalar_type)
        if sizes_run is None:
            raise self.fault(Rule.SIZES_MISSING, at)
        first, rank = sizes_run
        if rank > MAX_RANK:
            raise self.fault(Rule.RANK, first, rank, MAX_RANK)
        sizes: tuple[int, ...] = _SIZES[rank].unpack_from(memory, first)
        count = element_size
        for size in sizes:
            if size < 0:
                raise self.fault(Rule.NEGATIVE_SIZE, first, size)
            count *= size
        if order_run is None:
            raise self.fault(Rule.DIM_ORDER_MISSING, at)
        first, length = order_run
        dim_order = tuple(memory[first : first + min(length, rank)])
        for index, dim in enumerate(dim_order):
            if dim >= rank or dim in dim_order[:index]:
                raise self.fault(Rule.DIM_ORDER, first + index, dim, rank)
        if length != rank:
            raise self.fault(Rule.DIM_ORDER, first, length, rank)
        if count > LARGEST_U64:
            raise self.fault(Rule.OVERFLOW, at)
        if self.bp08:
            if data is None and count:
                raise self.fault(Rule.PAYLOAD_MISSING, at, expected=count)
            first, size = data or (at, 0)
            if size != count:
                raise self.fault(Rule.PAYLOAD_SIZE, first, size, count)
            return Tensor(scalar_type, sizes, dim_order, None, first, size)
        if data is not None:
            raise self.fault(Rule.PAYLOAD_INLINE, data[0], data[1])
        if payload is None:
            raise self.fault(Rule.PAYLOAD_MISSING, at, expected=count)
        self._check_payload(at, payload, case_segment, count)
        offset, size, segment = payload
        return Tensor(scalar_type, sizes, dim_order, segment, offset, size)

    def _check_payload(
        self, at: int, payload: tuple[int, ...], case_segment: int | None, count: int
    ) -> None:
        """Holds a reference to a payload of ``count`` bytes against its segment."""
        offset, size, segment = payload
        place = self.place
        if segment >= len(self.segments):
            raise self.fault(Rule.PAYLOAD_SEGMENT, at, segment, len(self.segments))
        self.place = place._replace(segment=segment)
        if case_segment is not None and segment != case_segment:
            raise self.fault(Rule.PAYLOAD_SEGMENT, at, segment, case_segment)
        if segment == self.foreign_segment:
            raise self.fault(Rule.TRACE_SEGMENT, at, segment)
        _, segment_size, alignment, _ = self.segments[segment]
        for aligned in (offset, alignment):  # the segment's limits the payload's
            if aligned % layout.PAYLOAD_ALIGNMENT:
                raise self.fault(Rule.PAYLOAD_ALIGNMENT, at, aligned, layout.PAYLOAD_ALIGNMENT)
        if offset + size > LARGEST_U64:
            raise self.fault(Rule.OVERFLOW, at, size, LARGEST_U64 - offset)
        if offset + size > segment_size:
            raise self.fault(Rule.PAYLOAD_BOUNDS, at, offset + size, segment_size)
        if size != count:
            raise self.fault(Rule.PAYLOAD_SIZE, at, size, count)
        self.place = place
