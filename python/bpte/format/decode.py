# SPDX-License-Identifier: BSD-3-Clause
"""Reads metadata from a file that is not trusted. Checks every rule of schema/README.md that the
metadata can break, in one walk, in the order of the C++ core."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bpte.format import layout, schema
from bpte.format.flatbuffer import Malformed, Reader
from bpte.format.header import BP08, Header
from bpte.format.layout import Extent
from bpte.format.metadata import (
    MAX_RANK,
    SCHEMA_VERSION,
    Case,
    Metadata,
    Segment,
    Suite,
    Tensor,
    Value,
)
from bpte.format.rules import NOWHERE, BundleError, Place, Rule
from bpte.format.scalar_type import ELEMENT_SIZE
from bpte.format.tolerance import NanPolicy, Tolerance

_BYTE = struct.Struct("<b")
_U8 = struct.Struct("<B")
_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_F64 = struct.Struct("<d")
_SIZES = [struct.Struct(f"<{rank}i") for rank in range(MAX_RANK + 1)]

_U64 = (1 << 64) - 1

_Run = tuple[int, int]  # offset of the first element, count


def decode(reader: Reader, header: Header) -> Metadata:
    """Reads and checks the metadata. Raises ``BundleError``."""
    walk = _Walk(reader, header)
    try:
        return walk.root()
    except Malformed as malformed:
        raise BundleError(
            Rule.METADATA_MALFORMED,
            place=walk.place,
            offset=malformed.offset,
            detail=malformed.what,
        ) from None


class _Walk:
    def __init__(self, reader: Reader, header: Header) -> None:
        self.reader = reader
        self.header = header
        self.bp08 = header.format == BP08
        self.place = NOWHERE
        self.segments: list[Segment] = []
        self._reach_left = layout.REACH_PER_BYTE * reader.size
        # Values by the offset of their table: what many cases share is checked once.
        self._values: dict[int, Value] = {}

    def fault(
        self,
        rule: Rule,
        at: int,
        value: object = None,
        expected: object = None,
        detail: str | None = None,
    ) -> BundleError:
        return BundleError(
            rule, place=self.place, offset=at, value=value, expected=expected, detail=detail
        )

    def _reach(self, at: int, size: int) -> None:
        """Counts the bytes that a reference leads to, once for each reference. Vectors may be
        shared, so a small file can take an endless walk. This bounds it."""
        self._reach_left -= size
        if self._reach_left < 0:
            raise self.fault(Rule.TABLE_SHARING, at)

    def _tables(self, field: int) -> range:
        """The positions of the offsets in a vector of tables; ``reader.table`` follows each."""
        elements = self.reader.elements(field)
        self._reach(elements.start, layout.REACH_OF_ENTRY * len(elements))
        return elements

    def _key(self, run: _Run, index: int, last: str) -> str:
        """Reads key ``index`` of a list. It must come after ``last``, the key before it."""
        key = self._text(run)
        # Code points sort as their UTF-8 does.
        if index and key <= last:
            raise self.fault(Rule.KEY_ORDER, run[0], index)
        return key

    def root(self) -> Metadata:
        reader = self.reader
        at = reader.root()
        fields = reader.fields(at)
        found: int = reader.scalar(fields[schema.PROGRAM_VERSION], _U32, 0)
        if found != SCHEMA_VERSION:
            raise self.fault(Rule.SCHEMA_VERSION, at, found, SCHEMA_VERSION)
        if not self.bp08:
            self._read_segments(at, fields[schema.PROGRAM_SEGMENTS])
        number, extent = self._program(
            at, fields[schema.PROGRAM_PROGRAM], fields[schema.PROGRAM_PROGRAM_SEGMENT]
        )
        suites = fields[schema.PROGRAM_METHOD_TEST_SUITES]
        if not suites:
            raise self.fault(Rule.SUITES_MISSING, at)
        read_suites = self._suites(self._tables(suites))
        self.place = NOWHERE
        return Metadata(
            read_suites,
            self.segments,
            number,
            extent,
            {} if self.bp08 else self._named_data(fields[schema.PROGRAM_NAMED_DATA]),
            self._strings(fields[schema.PROGRAM_METADATA]),
        )

    def _read_segments(self, root: int, field: int) -> None:
        first, count = self.reader.vector(field, schema.SEGMENT.size, 8) if field else (0, 0)
        if not count:
            raise self.fault(Rule.SEGMENTS_MISSING, root)
        header = self.header
        end = 0
        for index in range(count):
            at = first + index * schema.SEGMENT.size
            segment = Segment._make(schema.SEGMENT.unpack_from(self.reader.data, at))
            self.place = Place(segment=index)
            offset, size, alignment, _ = segment
            if not layout.is_power_of_two(alignment) or alignment > header.base_alignment:
                raise self.fault(Rule.SEGMENT_ALIGNMENT, at, alignment, header.base_alignment)
            if offset % alignment:
                raise self.fault(Rule.SEGMENT_ALIGNMENT, at, offset, alignment)
            if offset < end:
                raise self.fault(Rule.SEGMENT_ORDER, at, offset, end)
            if offset != layout.align_up(end, alignment):
                raise self.fault(Rule.SEGMENT_GAP, at, offset, end)
            end = offset + size
            if end > _U64:
                raise self.fault(Rule.OVERFLOW, at, size, _U64 - offset)
            if end > header.segment_data_size:
                raise self.fault(Rule.SEGMENT_BOUNDS, at, end, header.segment_data_size)
            self.segments.append(segment)
        if end != header.segment_data_size:
            raise self.fault(Rule.SEGMENT_BOUNDS, first, end, header.segment_data_size)
        self.place = NOWHERE

    def _program(self, root: int, inline: int, field: int) -> tuple[int | None, Extent]:
        run = self.reader.vector(inline, 1, 1) if inline else None
        if self.bp08:
            if run is None or run[1] == 0:
                raise self.fault(Rule.PROGRAM_MISSING, root)
            return None, Extent(*run)
        if run is not None:
            raise self.fault(Rule.PROGRAM_INLINE, run[0], run[1])
        index: int = self.reader.scalar(field, _U32, 0)
        if index >= len(self.segments):
            raise self.fault(Rule.PROGRAM_MISSING, root, index, len(self.segments))
        segment = self.segments[index]
        self.place = Place(segment=index)
        if segment.size == 0:
            raise self.fault(Rule.PROGRAM_MISSING, root, 0, 1)
        if segment.alignment < layout.MIN_PROGRAM_ALIGNMENT:
            raise self.fault(
                Rule.PROGRAM_ALIGNMENT, root, segment.alignment, layout.MIN_PROGRAM_ALIGNMENT
            )
        self.place = NOWHERE
        return index, Extent(self.header.segment_base_offset + segment.offset, segment.size)

    def _text(self, run: _Run) -> str:
        first, count = run
        self._reach(first, count)
        data = self.reader.data[first : first + count]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            at = error.start
            raise self.fault(
                Rule.TEXT_ENCODING, first + at, count, detail=f"byte {data[at]:#04x}"
            ) from None
        if "\0" in text:
            raise self.fault(Rule.TEXT_ENCODING, first + data.index(0), count, detail="a NUL")
        return text

    def _suites(self, elements: range) -> list[Suite]:
        reader = self.reader
        if self.bp08 and len(elements) > layout.MAX_SUITES_BP08:
            raise self.fault(
                Rule.TOO_MANY_SUITES, elements.start, len(elements), layout.MAX_SUITES_BP08
            )
        suites: list[Suite] = []
        methods: set[str] = set()
        method = ""
        for index, element in enumerate(elements):
            self.place = Place(index)
            table = reader.table(element)
            fields = reader.fields(table)
            name = fields[schema.SUITE_METHOD_NAME]
            cases = fields[schema.SUITE_TEST_CASES]
            tolerances = fields[schema.SUITE_TOLERANCES]
            run = reader.string(name) if name else (0, 0)
            if not run[1]:
                raise self.fault(Rule.METHOD_NAME_MISSING, table)
            if self.bp08:
                method = self._text(run)
                if method in methods:
                    raise self.fault(Rule.DUPLICATE_SUITE, run[0])
                methods.add(method)
            else:
                method = self._key(run, index, method)
            if not cases:
                raise self.fault(Rule.CASES_MISSING, table)
            case_elements = self._tables(cases)
            inherited = self._tolerances(tolerances)
            test_cases = []
            for number, case in enumerate(case_elements):
                self.place = Place(index, number)
                test_cases.append(self._case(reader.table(case), len(inherited)))
            suites.append(Suite(method, test_cases, inherited))
        return suites

    def _tolerances(self, field: int) -> list[Tolerance]:
        if not field:
            return []
        reader = self.reader
        tolerances = []
        place = self.place
        for index, element in enumerate(self._tables(field)):
            self.place = place._replace(output=index)
            table = reader.table(element)
            fields = reader.fields(table)

            def stated(field: int, fields: list[int] = fields) -> float | None:
                number: float | None = reader.scalar(fields[field], _F64, None)
                return number

            share = stated(schema.TOLERANCE_MAX_OUTLIER_SHARE)
            policy: int = reader.scalar(fields[schema.TOLERANCE_NAN_POLICY], _BYTE, 0)
            not_compared = reader.scalar(fields[schema.TOLERANCE_NOT_COMPARED], _U8, 0) != 0
            try:
                tolerances.append(
                    Tolerance(
                        rtol=stated(schema.TOLERANCE_RTOL),
                        atol=stated(schema.TOLERANCE_ATOL),
                        max_outlier_share=0.0 if share is None else share,
                        min_sqnr_db=stated(schema.TOLERANCE_MIN_SQNR_DB),
                        min_cosine=stated(schema.TOLERANCE_MIN_COSINE),
                        nan_policy=NanPolicy(policy),
                        not_compared=not_compared,
                    )
                )
            except ValueError as error:
                raise self.fault(Rule.TOLERANCE_VALUE, table, detail=str(error)) from None
        self.place = place
        return tolerances

    def _case(self, table: int, inherited: int) -> Case:
        reader = self.reader
        fields = reader.fields(table)
        inputs = fields[schema.CASE_INPUTS]
        outputs = fields[schema.CASE_EXPECTED_OUTPUTS]
        name = fields[schema.CASE_NAME]
        tolerances = fields[schema.CASE_TOLERANCES]
        if not inputs:
            raise self.fault(Rule.INPUTS_MISSING, table)
        input_elements = self._tables(inputs)
        if not outputs:
            raise self.fault(Rule.OUTPUTS_MISSING, table)
        output_elements = self._tables(outputs)
        text = self._text(reader.string(name)) if name else ""
        own = self._tolerances(tolerances)
        count = len(own) or inherited
        if count > 1 and count != len(output_elements):
            raise self.fault(Rule.TOLERANCE_COUNT, table, count, len(output_elements))
        segment: int | None = None
        sides: list[list[Value]] = []
        for side, elements in (("input", input_elements), ("output", output_elements)):
            values: list[Value] = []
            for index, element in enumerate(elements):
                try:
                    value = self._value(reader.table(element), segment)
                except (BundleError, Malformed) as error:
                    self.place = self.place._replace(**{side: index})
                    if isinstance(error, BundleError):
                        error.place = self.place
                    raise
                if isinstance(value, Tensor):
                    segment = value.segment
                values.append(value)
            sides.append(values)
        return Case(text, sides[0], sides[1], own, segment)

    def _value(self, at: int, case_segment: int | None) -> Value:
        known = self._values.get(at)
        if known is not None and (
            not isinstance(known, Tensor) or case_segment in (None, known.segment)
        ):
            return known
        value = self._values[at] = self._read_value(at, case_segment)
        return value

    def _read_value(self, at: int, case_segment: int | None) -> Value:
        reader = self.reader
        fields = reader.fields(at)
        field = fields[schema.VALUE_VAL]
        kind: int = reader.scalar(fields[schema.VALUE_VAL_TYPE], _U8, 0)
        table = reader.table(field) if field else 0
        if not schema.UNION_TENSOR <= kind <= schema.UNION_DOUBLE or not table:
            raise self.fault(Rule.VALUE_MISSING, at, kind)
        if kind == schema.UNION_TENSOR:
            return self._tensor(table, case_segment)
        content = reader.fields(table)
        if kind == schema.UNION_INT:
            integer: int = reader.scalar(content[schema.INT_INT_VAL], _I64, 0)
            return integer
        if kind == schema.UNION_BOOL:
            return bool(reader.scalar(content[schema.BOOL_BOOL_VAL], _U8, 0) != 0)
        double: float = reader.scalar(content[schema.DOUBLE_DOUBLE_VAL], _F64, 0.0)
        return double

    def _tensor(self, at: int, case_segment: int | None) -> Tensor:
        reader = self.reader
        memory = reader.data
        fields = reader.fields(at)
        sizes_field = fields[schema.TENSOR_SIZES]
        order_field = fields[schema.TENSOR_DIM_ORDER]
        data_field = fields[schema.TENSOR_DATA]
        payload_field = fields[schema.TENSOR_PAYLOAD]
        scalar_type: int = reader.scalar(fields[schema.TENSOR_SCALAR_TYPE], _BYTE, 0)
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
        if count > _U64:
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
        _, segment_size, alignment, _ = self.segments[segment]
        for aligned in (offset, alignment):  # the segment's limits the payload's
            if aligned % layout.PAYLOAD_ALIGNMENT:
                raise self.fault(Rule.PAYLOAD_ALIGNMENT, at, aligned, layout.PAYLOAD_ALIGNMENT)
        if offset + size > _U64:
            raise self.fault(Rule.OVERFLOW, at, size, _U64 - offset)
        if offset + size > segment_size:
            raise self.fault(Rule.PAYLOAD_BOUNDS, at, offset + size, segment_size)
        if size != count:
            raise self.fault(Rule.PAYLOAD_SIZE, at, size, count)
        self.place = place

    def _entries(self, field: int, rule: Rule) -> Iterator[tuple[int, str, list[int]]]:
        """(offset, key, fields) of tables whose first field is a key."""
        reader = self.reader
        key = ""
        for index, element in enumerate(self._tables(field) if field else ()):
            table = reader.table(element)
            fields = reader.fields(table)
            run = reader.string(fields[0]) if fields[0] else None
            if run is None or (run[1] == 0 and rule is Rule.NAMED_DATA):
                raise self.fault(rule, table)
            key = self._key(run, index, key)
            yield table, key, fields

    def _named_data(self, field: int) -> dict[str, int]:
        named: dict[str, int] = {}
        for at, key, fields in self._entries(field, Rule.NAMED_DATA):
            segment: int = self.reader.scalar(fields[schema.NAMED_DATA_SEGMENT], _U32, 0)
            if segment >= len(self.segments):
                raise self.fault(Rule.NAMED_DATA, at, segment, len(self.segments))
            named[key] = segment
        return named

    def _strings(self, field: int) -> dict[str, str]:
        strings: dict[str, str] = {}
        for at, key, fields in self._entries(field, Rule.KEY_VALUE):
            value = fields[schema.KEY_VALUE_VALUE]
            if not value:
                raise self.fault(Rule.KEY_VALUE, at)
            strings[key] = self._text(self.reader.string(value))
        return strings
