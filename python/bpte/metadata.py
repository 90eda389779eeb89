# SPDX-License-Identifier: BSD-3-Clause
"""A bundle's metadata: what it says, how it is written, and how it is read from a file that nobody
vouches for.

Reading takes two steps. The first follows every offset of the FlatBuffer and checks that all of it
is well-formed (rule ``metadata_malformed``); the second checks what it says, rule by rule, in the
order of ``schema/README.md``.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bpte import layout
from bpte.flatbuf import Malformed, Reader, Shape, Writer
from bpte.header import BP08, BP09, Header
from bpte.layout import Extent
from bpte.rules import NOWHERE, BundleError, Place, Rule
from bpte.scalar_type import ELEMENT_SIZE
from bpte.tolerance import NanPolicy, Tolerance

SCHEMA_VERSION = 2
MAX_RANK = 16
"""ExecuTorch's kTensorDimensionLimit."""
_U64 = (1 << 64) - 1


class Segment(NamedTuple):
    """A run of bytes behind the metadata. ``offset`` counts from ``segment_base_offset``."""

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


# ---- Reading: what the FlatBuffer holds -------------------------------------------------------

_BYTE = struct.Struct("<b")
_U8 = struct.Struct("<B")
_I64 = struct.Struct("<q")
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")
_PAYLOAD = struct.Struct("<QQI4x")
_SEGMENT = struct.Struct("<QQII")

_TENSOR, _INT, _BOOL, _DOUBLE = 1, 2, 3, 4

_Run = tuple[int, int]  # offset of the first element, count


class _RawTensor(NamedTuple):
    at: int
    scalar_type: int
    sizes: _Run | None
    data: _Run | None
    dim_order: _Run | None
    payload: tuple[int, int, int] | None  # offset, size, segment


class _RawTolerance(NamedTuple):
    at: int
    rtol: float | None
    atol: float | None
    max_outlier_share: float
    min_sqnr_db: float | None
    min_cosine: float | None
    nan_policy: int
    not_compared: bool


_RawValue = tuple[int, "_RawTensor | int | float | bool | None"]  # offset, value


class _RawCase(NamedTuple):
    at: int
    inputs: list[_RawValue] | None
    outputs: list[_RawValue] | None
    name: _Run | None
    tolerances: list[_RawTolerance]


class _RawSuite(NamedTuple):
    at: int
    method_name: _Run | None
    cases: list[_RawCase] | None
    tolerances: list[_RawTolerance]


class _RawRoot(NamedTuple):
    at: int
    version: int
    suites: list[_RawSuite] | None
    program: _Run | None
    segments: _Run | None
    program_segment: int
    named_data: list[tuple[int, _Run | None, int]]
    strings: list[tuple[int, _Run | None, _Run | None]]


class _Structure:
    """The first step: follows every offset, judges nothing else."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def _number(self, unpacker: struct.Struct, field: int, default: int | float) -> int | float:
        if not field:
            return default
        at = self.reader.scalar(unpacker, field, unpacker.size)
        number: int | float = unpacker.unpack_from(self.reader.data, at)[0]
        return number

    def _int(self, unpacker: struct.Struct, field: int, default: int = 0) -> int:
        return self._number(unpacker, field, default)  # type: ignore[return-value]

    def _optional_double(self, field: int) -> float | None:
        return self._number(_F64, field, 0.0) if field else None

    def root(self) -> _RawRoot:
        reader = self.reader
        at = reader.root()
        version, suites, program, segments, program_segment, named_data, strings = reader.fields(
            at
        )[:7]
        return _RawRoot(
            at,
            self._int(_U32, version),
            [self._suite(table) for table in reader.tables(suites)] if suites else None,
            reader.vector(program, 1, 1) if program else None,
            reader.vector(segments, _SEGMENT.size, 8) if segments else None,
            self._int(_U32, program_segment),
            [self._named_data(table) for table in reader.tables(named_data)] if named_data else [],
            [self._key_value(table) for table in reader.tables(strings)] if strings else [],
        )

    def _named_data(self, at: int) -> tuple[int, _Run | None, int]:
        key, segment = self.reader.fields(at)[:2]
        return at, self.reader.string(key) if key else None, self._int(_U32, segment)

    def _key_value(self, at: int) -> tuple[int, _Run | None, _Run | None]:
        key, value = self.reader.fields(at)[:2]
        string = self.reader.string
        return at, string(key) if key else None, string(value) if value else None

    def _suite(self, at: int) -> _RawSuite:
        reader = self.reader
        name, cases, tolerances = reader.fields(at)[:3]
        return _RawSuite(
            at,
            reader.string(name) if name else None,
            [self._case(table) for table in reader.tables(cases)] if cases else None,
            self._tolerances(tolerances),
        )

    def _case(self, at: int) -> _RawCase:
        reader = self.reader
        inputs, outputs, name, tolerances = reader.fields(at)[:4]
        value = self._value
        return _RawCase(
            at,
            [value(table) for table in reader.tables(inputs)] if inputs else None,
            [value(table) for table in reader.tables(outputs)] if outputs else None,
            reader.string(name) if name else None,
            self._tolerances(tolerances),
        )

    def _tolerances(self, field: int) -> list[_RawTolerance]:
        return [self._tolerance(table) for table in self.reader.tables(field)] if field else []

    def _tolerance(self, at: int) -> _RawTolerance:
        rtol, atol, share, sqnr, cosine, policy, not_compared = self.reader.fields(at)[:7]
        return _RawTolerance(
            at,
            self._optional_double(rtol),
            self._optional_double(atol),
            self._number(_F64, share, 0.0),
            self._optional_double(sqnr),
            self._optional_double(cosine),
            self._int(_BYTE, policy),
            self._int(_U8, not_compared) != 0,
        )

    def _value(self, at: int) -> _RawValue:
        reader = self.reader
        kind_field, field = reader.fields(at)[:2]
        kind = self._int(_U8, kind_field)
        if not field:
            return at, None
        table = reader.table(field)
        if kind == _TENSOR:
            return table, self._tensor(table)
        if kind not in (_INT, _BOOL, _DOUBLE):
            return at, None
        content = reader.fields(table)[0]
        if kind == _INT:
            return table, self._int(_I64, content)
        if kind == _BOOL:
            return table, self._int(_U8, content) != 0
        return table, float(self._number(_F64, content, 0.0))

    def _tensor(self, at: int) -> _RawTensor:
        reader = self.reader
        scalar_type, sizes, data, dim_order, payload = reader.fields(at)[:5]
        return _RawTensor(
            at,
            self._int(_BYTE, scalar_type),
            reader.vector(sizes, 4, 4) if sizes else None,
            reader.vector(data, 1, 1) if data else None,
            reader.vector(dim_order, 1, 1) if dim_order else None,
            _PAYLOAD.unpack_from(reader.data, reader.scalar(_PAYLOAD, payload, 8))
            if payload
            else None,
        )


# ---- Reading: what it says --------------------------------------------------------------------


def decode(reader: Reader, header: Header) -> Metadata:
    """Reads and checks the metadata. Raises ``BundleError``."""
    try:
        raw = _Structure(reader).root()
    except Malformed as malformed:
        raise BundleError(
            Rule.METADATA_MALFORMED, offset=malformed.offset, detail=malformed.what
        ) from None
    return _Meaning(reader, header).metadata(raw)


class _Meaning:
    """The second step: checks what well-formed metadata says."""

    def __init__(self, reader: Reader, header: Header) -> None:
        self.reader = reader
        self.header = header
        self.bp08 = header.format == "bp08"
        self.segments: list[Segment] = []
        self._texts: dict[_Run, str] = {}
        self._text_bytes = 0
        self._tensors: dict[tuple[object, ...], Tensor] = {}

    def metadata(self, raw: _RawRoot) -> Metadata:
        if raw.version != SCHEMA_VERSION:
            raise BundleError(
                Rule.SCHEMA_VERSION, offset=raw.at, value=raw.version, expected=SCHEMA_VERSION
            )
        if self.bp08:
            if raw.program is None or raw.program[1] == 0:
                raise BundleError(Rule.PROGRAM_MISSING, offset=raw.at)
            program = Extent(*raw.program)
        else:
            self._read_segments(raw)
            program = self._program(raw)
        if raw.suites is None:
            raise BundleError(Rule.SUITES_MISSING, offset=raw.at)
        return Metadata(
            self._suites(raw.suites),
            self.segments,
            None if self.bp08 else raw.program_segment,
            program,
            {} if self.bp08 else self._named_data(raw),
            {} if self.bp08 else self._strings(raw),
        )

    def _read_segments(self, raw: _RawRoot) -> None:
        if raw.segments is None:
            raise BundleError(Rule.SEGMENTS_MISSING, offset=raw.at)
        first, count = raw.segments
        header = self.header
        end = 0
        for index in range(count):
            at = first + index * _SEGMENT.size
            segment = Segment._make(_SEGMENT.unpack_from(self.reader.data, at))
            place = Place(segment=index)
            offset, size, alignment, _ = segment
            if (
                not layout.is_power_of_two(alignment)
                or alignment > header.base_alignment
                or offset % alignment
            ):
                raise BundleError(
                    Rule.SEGMENT_ALIGNMENT,
                    place=place,
                    offset=at,
                    value=f"alignment {alignment}, offset {offset}",
                    expected=f"a power of two up to {header.base_alignment}, kept by the offset",
                )
            if offset < end:
                raise BundleError(
                    Rule.SEGMENT_ORDER, place=place, offset=at, value=offset, expected=end
                )
            if offset != layout.align_up(end, alignment):
                raise BundleError(
                    Rule.SEGMENT_GAP,
                    place=place,
                    offset=at,
                    value=offset,
                    expected=layout.align_up(end, alignment),
                )
            end = offset + size
            if end > _U64:
                raise BundleError(
                    Rule.OVERFLOW, place=place, offset=at, value=size, expected=_U64 - offset
                )
            if end > header.segment_data_size:
                raise BundleError(
                    Rule.SEGMENT_BOUNDS,
                    place=place,
                    offset=at,
                    value=end,
                    expected=header.segment_data_size,
                )
            self.segments.append(segment)
        if end != header.segment_data_size:
            raise BundleError(
                Rule.SEGMENT_BOUNDS,
                place=Place(segment=count - 1) if count else NOWHERE,
                offset=first,
                value=end,
                expected=header.segment_data_size,
            )

    def _program(self, raw: _RawRoot) -> Extent:
        index = raw.program_segment
        if index >= len(self.segments):
            raise BundleError(
                Rule.PROGRAM_MISSING,
                offset=raw.at,
                value=index,
                expected=f"fewer than {len(self.segments)}",
            )
        segment = self.segments[index]
        place = Place(segment=index)
        if segment.size == 0:
            raise BundleError(Rule.PROGRAM_MISSING, place=place, offset=raw.at)
        if segment.alignment < layout.MIN_PROGRAM_ALIGNMENT:
            raise BundleError(
                Rule.PROGRAM_ALIGNMENT,
                place=place,
                offset=raw.at,
                value=segment.alignment,
                expected=layout.MIN_PROGRAM_ALIGNMENT,
            )
        if raw.program is not None:
            raise BundleError(Rule.PROGRAM_INLINE, offset=raw.program[0], value=raw.program[1])
        return Extent(self.header.segment_base_offset + segment.offset, segment.size)

    def _text(self, run: _Run, place: Place = NOWHERE) -> str:
        text = self._texts.get(run)
        if text is None:
            first, count = run
            # Texts that do not overlap fit into the metadata; this bounds the work.
            self._text_bytes += count
            if self._text_bytes > self.reader.size:
                raise BundleError(
                    Rule.METADATA_MALFORMED, place=place, offset=first, detail="texts overlap"
                )
            data = bytes(self.reader.data[first : first + count])
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BundleError(
                    Rule.TEXT_ENCODING,
                    place=place,
                    offset=first + error.start,
                    value=f"byte {data[error.start]:#04x}",
                ) from None
            if "\0" in text:
                raise BundleError(
                    Rule.TEXT_ENCODING,
                    place=place,
                    offset=first + data.index(0),
                    value="NUL",
                )
            self._texts[run] = text
        return text

    def _suites(self, raw_suites: list[_RawSuite]) -> list[Suite]:
        suites: list[Suite] = []
        methods: set[str] = set()
        for index, raw in enumerate(raw_suites):
            place = Place(suite=index)
            if raw.method_name is None or raw.method_name[1] == 0:
                raise BundleError(Rule.METHOD_NAME_MISSING, place=place, offset=raw.at)
            method = self._text(raw.method_name, place)
            if method in methods:
                raise BundleError(Rule.DUPLICATE_SUITE, place=place, offset=raw.at, value=method)
            methods.add(method)
            if raw.cases is None:
                raise BundleError(Rule.CASES_MISSING, place=place, offset=raw.at)
            tolerances = self._tolerances(raw.tolerances, place)
            cases = [
                self._case(case, len(tolerances), index, number)
                for number, case in enumerate(raw.cases)
            ]
            suites.append(Suite(method, cases, tolerances))
        return suites

    def _tolerances(self, raws: list[_RawTolerance], place: Place) -> list[Tolerance]:
        if self.bp08:
            return []
        tolerances = []
        for raw in raws:
            try:
                tolerances.append(Tolerance(*raw[1:6], NanPolicy(raw.nan_policy), raw[7]))
            except ValueError as error:
                raise BundleError(
                    Rule.TOLERANCE_VALUE, place=place, offset=raw.at, detail=str(error)
                ) from None
        return tolerances

    def _case(self, raw: _RawCase, inherited: int, suite: int, number: int) -> Case:
        place = Place(suite, number)
        if raw.inputs is None:
            raise BundleError(Rule.INPUTS_MISSING, place=place, offset=raw.at)
        if raw.outputs is None:
            raise BundleError(Rule.OUTPUTS_MISSING, place=place, offset=raw.at)
        name = self._text(raw.name, place) if raw.name and not self.bp08 else ""
        tolerances = self._tolerances(raw.tolerances, place)
        count = len(tolerances) or inherited
        if count not in (0, 1, len(raw.outputs)) and not self.bp08:
            raise BundleError(
                Rule.TOLERANCE_COUNT,
                place=place,
                offset=raw.at,
                value=count,
                expected=f"none, one or {len(raw.outputs)}",
            )
        segment: int | None = None
        sides: list[list[Value]] = []
        for is_output, side in enumerate((raw.inputs, raw.outputs)):
            values: list[Value] = []
            for index, (at, value) in enumerate(side):
                if isinstance(value, _RawTensor):
                    tensor = self._tensor(value, segment, suite, number, is_output, index)
                    segment = tensor.segment
                    values.append(tensor)
                elif value is None:
                    raise BundleError(
                        Rule.VALUE_MISSING,
                        place=_value_place(suite, number, is_output, index),
                        offset=at,
                    )
                else:
                    values.append(value)
            sides.append(values)
        return Case(name, sides[0], sides[1], tolerances, segment)

    def _tensor(
        self,
        raw: _RawTensor,
        case_segment: int | None,
        suite: int,
        case: int,
        is_output: int,
        index: int,
    ) -> Tensor:
        def fault(
            rule: Rule, value: object = None, expected: object = None, at: int | None = None
        ) -> BundleError:
            return BundleError(
                rule,
                place=_value_place(suite, case, is_output, index),
                offset=raw.at if at is None else at,
                value=value,
                expected=expected,
            )

        data = self.reader.data
        element_size = ELEMENT_SIZE.get(raw.scalar_type)
        if element_size is None:
            raise fault(Rule.SCALAR_TYPE, raw.scalar_type)
        if raw.sizes is None:
            raise fault(Rule.SIZES_MISSING)
        first, rank = raw.sizes
        if rank > MAX_RANK:
            raise fault(Rule.RANK, rank, MAX_RANK, first)
        sizes: tuple[int, ...] = struct.unpack_from(f"<{rank}i", data, first)
        count = element_size
        for size in sizes:
            if size < 0:
                raise fault(Rule.NEGATIVE_SIZE, size, at=first)
            count *= size
        if raw.dim_order is None:
            raise fault(Rule.DIM_ORDER_MISSING)
        first, length = raw.dim_order
        if length != rank:
            raise fault(Rule.DIM_ORDER, f"{length} entries", rank, first)
        dim_order = tuple(data[first : first + length])
        if sorted(dim_order) != list(range(rank)):
            raise fault(Rule.DIM_ORDER, list(dim_order), f"a permutation of 0..{rank - 1}", first)
        if count > _U64:
            raise fault(Rule.OVERFLOW, count, _U64)
        if self.bp08:
            if raw.data is None:
                if count:
                    raise fault(Rule.PAYLOAD_MISSING)
                return Tensor(raw.scalar_type, sizes, dim_order, None, raw.at, 0)
            if raw.data[1] != count:
                raise fault(Rule.PAYLOAD_SIZE, raw.data[1], count, raw.data[0])
            return Tensor(raw.scalar_type, sizes, dim_order, None, *raw.data)
        if raw.payload is None:
            raise fault(Rule.PAYLOAD_MISSING)
        if raw.data is not None:
            raise fault(Rule.PAYLOAD_INLINE, raw.data[1], at=raw.data[0])
        offset, size, segment = raw.payload
        if segment >= len(self.segments) or case_segment not in (None, segment):
            expected = f"fewer than {len(self.segments)}" if case_segment is None else case_segment
            raise fault(Rule.PAYLOAD_SEGMENT, segment, expected)
        if offset % layout.PAYLOAD_ALIGNMENT:
            raise fault(Rule.PAYLOAD_ALIGNMENT, offset)
        if offset + size > _U64:
            raise fault(Rule.OVERFLOW, size, _U64 - offset)
        if offset + size > self.segments[segment].size:
            raise fault(Rule.PAYLOAD_BOUNDS, offset + size, self.segments[segment].size)
        if size != count:
            raise fault(Rule.PAYLOAD_SIZE, size, count)
        return Tensor(raw.scalar_type, sizes, dim_order, segment, offset, size)

    def _named_data(self, raw: _RawRoot) -> dict[str, int]:
        named: dict[str, int] = {}
        for at, run, segment in raw.named_data:
            if run is None or run[1] == 0:
                raise BundleError(Rule.NAMED_DATA, offset=at, detail="named data without a key")
            key = self._text(run)
            if key in named:
                raise BundleError(Rule.NAMED_DATA, offset=at, detail="a key used twice", value=key)
            if segment >= len(self.segments):
                raise BundleError(
                    Rule.NAMED_DATA,
                    offset=at,
                    detail=f"{key!r} names no segment",
                    value=segment,
                    expected=f"fewer than {len(self.segments)}",
                )
            named[key] = segment
        return named

    def _strings(self, raw: _RawRoot) -> dict[str, str]:
        strings: dict[str, str] = {}
        for at, key_run, value_run in raw.strings:
            if key_run is None or value_run is None:
                what = "key" if key_run is None else "value"
                raise BundleError(Rule.KEY_VALUE, offset=at, detail=f"an entry without a {what}")
            key = self._text(key_run)
            if key in strings:
                raise BundleError(Rule.KEY_VALUE, offset=at, detail="a key used twice", value=key)
            strings[key] = self._text(value_run)
        return strings


def _value_place(suite: int, case: int, is_output: int, index: int) -> Place:
    return Place(suite, case, None if is_output else index, index if is_output else None)


# ---- Writing ----------------------------------------------------------------------------------

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
    """BP09 metadata. Its length depends neither on the segments' offsets nor on their sizes."""
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
