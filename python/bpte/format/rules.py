# SPDX-License-Identifier: BSD-3-Clause
"""The rules of a ``.bpte`` file, and the error that names the one a file breaks.

The names are those of ``schema/README.md``'s table and of ``to_string(Error)`` in the C++ core
(``bpte/core/error.h``); a test compares the three.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Rule(str, Enum):
    """One rule of the format. The value is the rule's name; append only."""

    # The file.
    TOO_SHORT = "too_short"
    NOT_A_BUNDLE = "not_a_bundle"
    UNKNOWN_VERSION = "unknown_version"
    SCHEMA_VERSION = "schema_version"
    HEADER_MAGIC = "header_magic"
    HEADER_LENGTH = "header_length"
    HEADER_RESERVED = "header_reserved"
    UNKNOWN_FEATURE = "unknown_feature"
    BASE_ALIGNMENT = "base_alignment"
    METADATA_SIZE = "metadata_size"
    SEGMENT_BASE = "segment_base"
    FILE_SIZE = "file_size"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    OVERFLOW = "overflow"
    MISALIGNED_BASE = "misaligned_base"
    METADATA_CHECKSUM = "metadata_checksum"
    METADATA_MALFORMED = "metadata_malformed"
    PADDING = "padding"
    # The segments.
    SEGMENTS_MISSING = "segments_missing"
    SEGMENT_ALIGNMENT = "segment_alignment"
    SEGMENT_ORDER = "segment_order"
    SEGMENT_GAP = "segment_gap"
    SEGMENT_BOUNDS = "segment_bounds"
    SEGMENT_CHECKSUM = "segment_checksum"
    # The program.
    PROGRAM_MISSING = "program_missing"
    PROGRAM_ALIGNMENT = "program_alignment"
    PROGRAM_INLINE = "program_inline"
    # Suites, cases, values.
    SUITES_MISSING = "suites_missing"
    METHOD_NAME_MISSING = "method_name_missing"
    DUPLICATE_SUITE = "duplicate_suite"
    CASES_MISSING = "cases_missing"
    INPUTS_MISSING = "inputs_missing"
    OUTPUTS_MISSING = "outputs_missing"
    VALUE_MISSING = "value_missing"
    TEXT_ENCODING = "text_encoding"
    TOLERANCE_COUNT = "tolerance_count"
    TOLERANCE_VALUE = "tolerance_value"
    # Tensors.
    SCALAR_TYPE = "scalar_type"
    SIZES_MISSING = "sizes_missing"
    NEGATIVE_SIZE = "negative_size"
    RANK = "rank"
    DIM_ORDER_MISSING = "dim_order_missing"
    DIM_ORDER = "dim_order"
    PAYLOAD_MISSING = "payload_missing"
    PAYLOAD_INLINE = "payload_inline"
    PAYLOAD_SEGMENT = "payload_segment"
    PAYLOAD_ALIGNMENT = "payload_alignment"
    PAYLOAD_BOUNDS = "payload_bounds"
    PAYLOAD_SIZE = "payload_size"
    # Named data and string metadata.
    NAMED_DATA = "named_data"
    KEY_VALUE = "key_value"
    # The program against its suites.
    UNKNOWN_METHOD = "unknown_method"
    # A data source and its buffers.
    READ_FAILED = "read_failed"
    SOURCE_CHANGED = "source_changed"
    BUFFER_TOO_SMALL = "buffer_too_small"
    # The caller.
    NO_SUCH_ITEM = "no_such_item"

    __str__ = str.__str__


# What a violation of each rule says to people.
_TEXT: dict[Rule, str] = {
    Rule.TOO_SHORT: "too short to be a bundle",
    Rule.NOT_A_BUNDLE: "not a bundled program: bytes 4-5 are not 'BP'",
    Rule.UNKNOWN_VERSION: "a version of the format that this reader does not know",
    Rule.SCHEMA_VERSION: "a version of the schema that this reader does not know",
    Rule.HEADER_MAGIC: "the extended header's magic is not 'BH01'",
    Rule.HEADER_LENGTH: "the extended header's length is not possible",
    Rule.HEADER_RESERVED: "a reserved byte of the header is not zero",
    Rule.UNKNOWN_FEATURE: "requires a feature that this reader does not know",
    Rule.BASE_ALIGNMENT: "the base alignment is not a power of two of at least 128",
    Rule.METADATA_SIZE: "the metadata does not fit in front of the segments",
    Rule.SEGMENT_BASE: "the segments do not begin at the next multiple of the base alignment",
    Rule.FILE_SIZE: "the header's sizes do not add up to its file size",
    Rule.TRUNCATED: "fewer bytes than the header states",
    Rule.TRAILING_BYTES: "more bytes than the header states",
    Rule.OVERFLOW: "a sum or product is too large",
    Rule.MISALIGNED_BASE: "the first byte is not aligned as the bundle needs",
    Rule.METADATA_CHECKSUM: "the metadata's checksum differs",
    Rule.METADATA_MALFORMED: "the metadata is not a valid FlatBuffer",
    Rule.PADDING: "a padding byte is not zero",
    Rule.SEGMENTS_MISSING: "there is no segment table",
    Rule.SEGMENT_ALIGNMENT: "the segment's alignment is not possible, or not kept",
    Rule.SEGMENT_ORDER: "begins before the segment in front of it ends",
    Rule.SEGMENT_GAP: "more padding in front of it than its alignment needs",
    Rule.SEGMENT_BOUNDS: "the segments do not end where the file does",
    Rule.SEGMENT_CHECKSUM: "the segment's checksum differs",
    Rule.PROGRAM_MISSING: "there is no program",
    Rule.PROGRAM_ALIGNMENT: "the program's alignment is below 128",
    Rule.PROGRAM_INLINE: "the program lies inside the metadata",
    Rule.SUITES_MISSING: "there is no vector of test suites",
    Rule.METHOD_NAME_MISSING: "the suite names no method",
    Rule.DUPLICATE_SUITE: "a second suite for the same method",
    Rule.CASES_MISSING: "the suite has no vector of test cases",
    Rule.INPUTS_MISSING: "the case has no vector of inputs",
    Rule.OUTPUTS_MISSING: "the case has no vector of expected outputs",
    Rule.VALUE_MISSING: "a value of no type, or of an unknown one",
    Rule.TEXT_ENCODING: "a text is not UTF-8, or holds a NUL",
    Rule.TOLERANCE_COUNT: "neither no tolerance, nor one, nor one for each expected output",
    Rule.TOLERANCE_VALUE: "a tolerance that cannot be",
    Rule.SCALAR_TYPE: "an element type that a bundle does not carry",
    Rule.SIZES_MISSING: "the tensor has no sizes",
    Rule.NEGATIVE_SIZE: "a negative size",
    Rule.RANK: "too many dimensions",
    Rule.DIM_ORDER_MISSING: "the tensor has no dim_order",
    Rule.DIM_ORDER: "dim_order is not a permutation of the dimensions",
    Rule.PAYLOAD_MISSING: "the tensor has no payload",
    Rule.PAYLOAD_INLINE: "the payload lies inside the metadata",
    Rule.PAYLOAD_SEGMENT: "the payload lies in no segment, or in another than the case's first",
    Rule.PAYLOAD_ALIGNMENT: "the payload's offset is no multiple of 16",
    Rule.PAYLOAD_BOUNDS: "the payload ends past its segment",
    Rule.PAYLOAD_SIZE: "the payload's size is not elements times element size",
    Rule.NAMED_DATA: "named data without a key, with one used twice, or without a segment",
    Rule.KEY_VALUE: "a metadata entry without key or value, or with a key used twice",
    Rule.UNKNOWN_METHOD: "the program has no such method",
    Rule.READ_FAILED: "could not be read",
    Rule.SOURCE_CHANGED: "changed while it was read",
    Rule.BUFFER_TOO_SMALL: "the buffer is too small",
    Rule.NO_SUCH_ITEM: "the bundle has no such item",
}


class Place(NamedTuple):
    """Where in a bundle: indices from 0, ``None`` where the level does not apply."""

    suite: int | None = None
    case: int | None = None
    input: int | None = None
    output: int | None = None
    segment: int | None = None

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {index}" for name, index in zip(self._fields, self, strict=True)
            if index is not None
        )  # fmt: skip


NOWHERE = Place()


class BundleError(ValueError):
    """A file breaks a rule of the format.

    Attributes: ``rule``; ``place``; ``offset`` in the file of the offending item (``None`` when
    there is none to name); the ``value`` found and what the rule ``expected`` (``None`` likewise);
    ``path`` of the file, when it has one.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        place: Place = NOWHERE,
        offset: int | None = None,
        value: object = None,
        expected: object = None,
        path: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(rule)
        self.rule = rule
        self.place = place
        self.offset = offset
        self.value = value
        self.expected = expected
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        text = f"{self.rule.value}: "
        if self.path is not None:
            text = f"{self.path}: {text}"
        place = str(self.place)
        if place:
            text += f"{place}: "
        text += self.detail or _TEXT[self.rule]
        if self.value is not None:
            text += f": {self.value}"
        if self.expected is not None:
            text += f", expected {self.expected}" if self.value is not None else (
                f": expected {self.expected}"
            )  # fmt: skip
        if self.offset is not None:
            text += f" (file offset {self.offset})"
        return text

    def to_json(self) -> dict[str, object]:
        """The same facts for a machine."""
        return {
            "rule": self.rule.value,
            "place": {k: v for k, v in self.place._asdict().items() if v is not None},
            "offset": self.offset,
            "value": self.value if isinstance(self.value, (int, float)) else _text(self.value),
            "expected": (
                self.expected if isinstance(self.expected, (int, float)) else _text(self.expected)
            ),
            "message": str(self),
        }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
