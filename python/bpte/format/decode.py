# SPDX-License-Identifier: BSD-3-Clause
"""Reads metadata from a file that is not trusted. Checks every rule of schema/README.md that the
metadata can break, in one walk, in the order that the page states."""

from __future__ import annotations

from collections.abc import Iterator

from bpte.format import layout, schema
from bpte.format.budget import Budget, BudgetResource
from bpte.format.decode_suites import SuiteWalk
from bpte.format.flatbuffer import Malformed, Reader
from bpte.format.header import FEATURES_AT, Header
from bpte.format.layout import Extent
from bpte.format.metadata import (
    SCHEMA_VERSION,
    Metadata,
    NamedData,
    NamedDataRole,
    Segment,
    Suite,
    features,
    is_file_name,
)
from bpte.format.rules import NOWHERE, BundleError, Place, Rule
from bpte.format.walk import BYTE, LARGEST_U64, U32, U64

_ROLES = frozenset(NamedDataRole)
_RESOURCES = frozenset(BudgetResource)


def decode(reader: Reader, header: Header) -> Metadata:
    """Reads and checks the metadata. Raises ``BundleError``."""
    walk = _RootWalk(reader, header)
    try:
        return walk.root()
    except Malformed as malformed:
        raise BundleError(
            Rule.METADATA_MALFORMED,
            place=walk.place,
            offset=malformed.offset,
            detail=malformed.what,
        ) from None


class _RootWalk(SuiteWalk):
    def root(self) -> Metadata:
        reader = self.reader
        at = reader.root()
        fields = reader.fields(at)
        found: int = reader.scalar(fields[schema.PROGRAM_VERSION], U32, 0)
        if found != SCHEMA_VERSION:
            raise self.fault(Rule.SCHEMA_VERSION, at, found, SCHEMA_VERSION)
        if not self.bp08:
            self._read_segments(at, fields[schema.PROGRAM_SEGMENTS])
        number, extent = self._program(
            at, fields[schema.PROGRAM_PROGRAM], fields[schema.PROGRAM_PROGRAM_SEGMENT]
        )
        suites_field = fields[schema.PROGRAM_METHOD_TEST_SUITES]
        if not suites_field:
            raise self.fault(Rule.SUITES_MISSING, at)
        suites = self.suites(self.tables(suites_field))
        self.place = NOWHERE
        named = {} if self.bp08 else self._named_data(fields[schema.PROGRAM_NAMED_DATA])
        strings = self._strings(fields[schema.PROGRAM_METADATA])
        budgets_field = fields[schema.PROGRAM_BUDGETS]
        if self.bp08 and budgets_field:
            raise self.fault(Rule.NOT_IN_BP08, at)
        budgets = self._budgets(budgets_field, suites) if budgets_field else []
        used = features(suites, budgets)
        if used != self.header.required_features:
            raise self.fault(Rule.FEATURE_BITS, FEATURES_AT, self.header.required_features, used)
        return Metadata(suites, self.segments, number, extent, named, strings, budgets)

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
            if end > LARGEST_U64:
                raise self.fault(Rule.OVERFLOW, at, size, LARGEST_U64 - offset)
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
        index: int = self.reader.scalar(field, U32, 0)
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
        self.program_crc32 = segment.crc32
        return index, Extent(self.header.segment_base_offset + segment.offset, segment.size)

    def _entries(self, field: int, rule: Rule) -> Iterator[tuple[int, str, list[int]]]:
        """(offset, key, fields) of tables whose first field is a key."""
        reader = self.reader
        key = ""
        for index, element in enumerate(self.tables(field) if field else ()):
            table = reader.table(element)
            fields = reader.fields(table)
            run = reader.string(fields[0]) if fields[0] else None
            if run is None or (run[1] == 0 and rule is Rule.NAMED_DATA):
                raise self.fault(rule, table)
            key = self.key(run, index, key)
            yield table, key, fields

    def _named_data(self, field: int) -> dict[str, NamedData]:
        named: dict[str, NamedData] = {}
        for at, key, fields in self._entries(field, Rule.NAMED_DATA):
            segment = self.number(fields[schema.NAMED_DATA_SEGMENT])
            if segment >= len(self.segments):
                raise self.fault(Rule.NAMED_DATA, at, segment, len(self.segments))
            role: int = self.reader.scalar(fields[schema.NAMED_DATA_ROLE], BYTE, 0)
            if role not in _ROLES:
                raise self.fault(Rule.NAMED_DATA_ROLE, at, role)
            name = self.optional_text(fields[schema.NAMED_DATA_FILE_NAME])
            if not is_file_name(name) if name is not None else role == NamedDataRole.PTD:
                raise self.fault(Rule.FILE_NAME, at)
            alignment = self.segments[segment].alignment
            if role == NamedDataRole.PTD and alignment < layout.PTD_ALIGNMENT:
                raise self.fault(Rule.PTD_ALIGNMENT, at, alignment, layout.PTD_ALIGNMENT)
            named[key] = NamedData(segment, NamedDataRole(role), name)
        return named

    def _strings(self, field: int) -> dict[str, str]:
        strings: dict[str, str] = {}
        for at, key, fields in self._entries(field, Rule.KEY_VALUE):
            value = fields[schema.KEY_VALUE_VALUE]
            if not value:
                raise self.fault(Rule.KEY_VALUE, at)
            strings[key] = self.text(self.reader.string(value))
        return strings

    def _budgets(self, field: int, suites: list[Suite]) -> list[Budget]:
        budgets = []
        for element in self.tables(field):
            table = self.reader.table(element)
            fields = self.reader.fields(table)
            resource: int = self.reader.scalar(fields[schema.BUDGET_RESOURCE], BYTE, 0)
            limit: int = self.reader.scalar(fields[schema.BUDGET_LIMIT], U64, 0)
            suite_field = fields[schema.BUDGET_SUITE]
            suite = self.number(suite_field) if suite_field else None
            if (
                resource not in _RESOURCES
                or limit == 0
                or (suite is not None and suite >= len(suites))
            ):
                raise self.fault(Rule.BUDGET_VALUE, table)
            target = self.optional_text(fields[schema.BUDGET_TARGET])
            method = None if suite is None else suites[suite].method_name
            budgets.append(Budget(BudgetResource(resource), limit, method, target))
        return budgets
