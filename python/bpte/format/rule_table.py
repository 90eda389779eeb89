# SPDX-License-Identifier: BSD-3-Clause
"""Made from schema/rules.toml by tools/rules.py: do not edit."""

# ruff: noqa: E501
# fmt: off
from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Rule(str, Enum):
    """A rule of the format, in the order of schema/README.md's table. The value is its name."""

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
    TABLE_SHARING = "table_sharing"
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
    KEY_ORDER = "key_order"
    TOO_MANY_SUITES = "too_many_suites"
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

    # Steps and carries.
    STEP_VALUES = "step_values"
    NESTED_STEPS = "nested_steps"
    CARRY_FIRST_STEP = "carry_first_step"
    CARRY_INDEX = "carry_index"
    CARRY_ORDER = "carry_order"
    CARRY_MISMATCH = "carry_mismatch"

    # Labels and metrics.
    LABEL_COUNT = "label_count"
    LABEL_VALUE = "label_value"
    METRIC_VALUE = "metric_value"
    METRIC_OUTPUT = "metric_output"
    LABELS_MISSING = "labels_missing"

    # Traces.
    INSTRUCTION_ORDER = "instruction_order"
    TRACE_ORIGIN = "trace_origin"
    TRACE_PROGRAM = "trace_program"
    TRACE_INSTRUCTION = "trace_instruction"
    TRACE_SEGMENT = "trace_segment"

    # Budgets.
    BUDGET_VALUE = "budget_value"

    # Named data and string metadata.
    NAMED_DATA = "named_data"
    NAMED_DATA_ROLE = "named_data_role"
    FILE_NAME = "file_name"
    PTD_ALIGNMENT = "ptd_alignment"
    KEY_VALUE = "key_value"

    # Features.
    FEATURE_BITS = "feature_bits"
    NOT_IN_BP08 = "not_in_bp08"

    # The program against its suites.
    UNKNOWN_METHOD = "unknown_method"

    # A data source and its buffers.
    READ_FAILED = "read_failed"
    SOURCE_CHANGED = "source_changed"
    BUFFER_TOO_SMALL = "buffer_too_small"

    # The caller.
    NO_SUCH_ITEM = "no_such_item"

    __str__ = str.__str__

    @property
    def exit_code(self) -> int:
        """Of a program that this rule stops: 3 when the bundle is malformed, 4 when the
        surroundings are at fault."""
        return FACTS[self].exit_code


class Facts(NamedTuple):
    """What is said of a violation."""

    exit_code: int
    text: str
    """What is wrong."""
    values: str
    """What follows when value and expectation are known; empty for none."""


FACTS: dict[Rule, Facts] = {
    Rule.TOO_SHORT: Facts(3, "too short to be a bundle", "{value} bytes, {expected} are the fewest"),
    Rule.NOT_A_BUNDLE: Facts(3, "not a bundled program: bytes 4 to 7 do not begin with \"BP\"", "they are \"{value:c}\""),
    Rule.UNKNOWN_VERSION: Facts(3, "a version of the format that this reader does not know, or was built without", "the identifier is \"{value:c}\""),
    Rule.SCHEMA_VERSION: Facts(3, "a version of the schema that this reader does not know", "{value}, known is {expected}"),
    Rule.HEADER_MAGIC: Facts(3, "bytes 8 to 11 are not \"BH01\"", "they are \"{value:c}\""),
    Rule.HEADER_LENGTH: Facts(3, "the header's length is below 64, not a multiple of 8, or beyond the metadata", "header_length {value}, metadata_size {expected}"),
    Rule.HEADER_RESERVED: Facts(3, "a reserved byte of the header is not zero", ""),
    Rule.UNKNOWN_FEATURE: Facts(3, "the file requires a feature that this reader does not know: update the reader", "required_features {value:x}"),
    Rule.BASE_ALIGNMENT: Facts(3, "the base alignment is not a power of two from 128 to 2 MiB", "{value}"),
    Rule.METADATA_SIZE: Facts(3, "the metadata does not fit in front of the segments", "{value} bytes, limit {expected}"),
    Rule.SEGMENT_BASE: Facts(3, "the segments do not begin at the first multiple of base_alignment after the metadata", "segment_base_offset {value}, base_alignment {expected}"),
    Rule.FILE_SIZE: Facts(3, "the header's sizes do not add up to its file_size", "file_size {value}, the parts end at {expected}"),
    Rule.TRUNCATED: Facts(3, "bytes are missing: copy the file again", "{value} bytes are there, the header states {expected}"),
    Rule.TRAILING_BYTES: Facts(3, "there are bytes after the end that the header states", "{value} bytes are there, the header states {expected}"),
    Rule.OVERFLOW: Facts(3, "a sum or product is too large", "{value}, limit {expected}"),
    Rule.MISALIGNED_BASE: Facts(4, "the first byte is not aligned as the bundle needs: place it at a multiple of its base alignment", "address {value:x}, alignment {expected}"),
    Rule.METADATA_CHECKSUM: Facts(3, "the metadata's checksum differs: copy the file again", "the bytes give {value:x}, the header states {expected:x}"),
    Rule.METADATA_MALFORMED: Facts(3, "the metadata is not a valid FlatBuffer of the schema", ""),
    Rule.TABLE_SHARING: Facts(3, "vectors or texts are shared so often that reading the metadata takes too long", ""),
    Rule.PADDING: Facts(3, "a padding byte is not zero", "{value}"),
    Rule.SEGMENTS_MISSING: Facts(3, "there is no segment table", ""),
    Rule.SEGMENT_ALIGNMENT: Facts(3, "the segment's alignment is not a power of two up to base_alignment, or its offset is not a multiple of it", "{value}, against {expected}"),
    Rule.SEGMENT_ORDER: Facts(3, "the segment begins before the one in front of it ends", "it begins at {value}, the other one ends at {expected}"),
    Rule.SEGMENT_GAP: Facts(3, "there is more padding in front of the segment than its alignment needs", "it begins at {value}, the one in front of it ends at {expected}"),
    Rule.SEGMENT_BOUNDS: Facts(3, "the segments do not end where the file does", "end {value}, segment_data_size {expected}"),
    Rule.SEGMENT_CHECKSUM: Facts(3, "the segment's checksum differs: copy the file again", "the bytes give {value:x}, the table states {expected:x}"),
    Rule.PROGRAM_MISSING: Facts(3, "there is no program, or it is empty", "segment {value} of {expected}"),
    Rule.PROGRAM_ALIGNMENT: Facts(3, "the program's alignment is too small", "{value}, at least {expected}"),
    Rule.PROGRAM_INLINE: Facts(3, "the program lies inside BP09 metadata", "{value} bytes"),
    Rule.SUITES_MISSING: Facts(3, "there is no vector of test suites", ""),
    Rule.METHOD_NAME_MISSING: Facts(3, "the suite names no method", ""),
    Rule.KEY_ORDER: Facts(3, "keys must be in strictly ascending order of their bytes, this one is not greater than the one before it", "entry {value}"),
    Rule.TOO_MANY_SUITES: Facts(3, "a BP08 file has too many suites: convert it to BP09", "{value}, limit {expected}"),
    Rule.DUPLICATE_SUITE: Facts(3, "there are two suites for this method", ""),
    Rule.CASES_MISSING: Facts(3, "the suite has no vector of test cases", ""),
    Rule.INPUTS_MISSING: Facts(3, "the case has no vector of inputs", ""),
    Rule.OUTPUTS_MISSING: Facts(3, "the case has no vector of expected outputs", ""),
    Rule.VALUE_MISSING: Facts(3, "a value is absent, or of an unknown type", "type {value}"),
    Rule.TEXT_ENCODING: Facts(3, "a text is not UTF-8, or holds a NUL", "a text of {value} bytes"),
    Rule.TOLERANCE_COUNT: Facts(3, "there must be no tolerance, one, or one for each expected output", "{value} tolerances, {expected} expected outputs"),
    Rule.TOLERANCE_VALUE: Facts(3, "a tolerance is negative, NaN, a share outside 0 to 1, or of an unknown NaN policy", ""),
    Rule.SCALAR_TYPE: Facts(3, "the element type is unknown, or a bundle cannot carry it", "type {value:d}"),
    Rule.SIZES_MISSING: Facts(3, "the tensor has no sizes", ""),
    Rule.NEGATIVE_SIZE: Facts(3, "a size is negative", "{value:d}"),
    Rule.RANK: Facts(3, "the tensor has too many dimensions", "{value}, limit {expected}"),
    Rule.DIM_ORDER_MISSING: Facts(3, "the tensor has no dim_order", ""),
    Rule.DIM_ORDER: Facts(3, "dim_order is not a permutation of the dimensions", "{value} in a dim_order for rank {expected}"),
    Rule.PAYLOAD_MISSING: Facts(3, "the tensor has no payload", "its sizes want {expected} bytes"),
    Rule.PAYLOAD_INLINE: Facts(3, "the payload lies inside BP09 metadata", "{value} bytes"),
    Rule.PAYLOAD_SEGMENT: Facts(3, "the payload's segment is past the table, or not that of the case's other tensors", "segment {value}, against {expected}"),
    Rule.PAYLOAD_ALIGNMENT: Facts(3, "the payload is not aligned", "{value} is not a multiple of {expected}"),
    Rule.PAYLOAD_BOUNDS: Facts(3, "the payload ends past its segment", "it ends at {value}, the segment has {expected} bytes"),
    Rule.PAYLOAD_SIZE: Facts(3, "the payload does not have the size that sizes and element type want", "{value} bytes, wanted are {expected}"),
    Rule.STEP_VALUES: Facts(3, "a case with steps has values of its own", ""),
    Rule.NESTED_STEPS: Facts(3, "a step has steps", ""),
    Rule.CARRY_FIRST_STEP: Facts(3, "a carry where there is no step before", ""),
    Rule.CARRY_INDEX: Facts(3, "a carry from an output or to an input that is not there", "index {value} of {expected}"),
    Rule.CARRY_ORDER: Facts(3, "the carries of a step are not in ascending order of their inputs", "input {value} after {expected}"),
    Rule.CARRY_MISMATCH: Facts(3, "a carry between values of different kind, type, sizes or dim_order", ""),
    Rule.LABEL_COUNT: Facts(3, "a case has too many labels", "{value}, at most {expected}"),
    Rule.LABEL_VALUE: Facts(3, "a label is not a class from 0 to 1023", "{value:d}"),
    Rule.METRIC_VALUE: Facts(3, "a metric of an unknown kind, or with a parameter out of range", ""),
    Rule.METRIC_OUTPUT: Facts(3, "a metric of an expected output that a case does not have", "output {value}, the fewest are {expected}"),
    Rule.LABELS_MISSING: Facts(3, "a metric needs labels, and a case has none", ""),
    Rule.INSTRUCTION_ORDER: Facts(3, "the instructions of a traced method are not in ascending order", ""),
    Rule.TRACE_ORIGIN: Facts(3, "a trace of an unknown origin", "{value:d}"),
    Rule.TRACE_PROGRAM: Facts(3, "the trace was made from another program", "its CRC-32 is {value:x}, the program's {expected:x}"),
    Rule.TRACE_INSTRUCTION: Facts(3, "a trace names an instruction that its suite does not list", "instruction {value} of {expected}"),
    Rule.TRACE_SEGMENT: Facts(3, "the payloads of a trace lie in the segment of the case", "segment {value}"),
    Rule.BUDGET_VALUE: Facts(3, "a budget of an unknown resource, without a limit, or of a suite that is not there", ""),
    Rule.NAMED_DATA: Facts(3, "a key of the named data is absent or empty, or its segment is past the table", "segment {value} of {expected}"),
    Rule.NAMED_DATA_ROLE: Facts(3, "named data of an unknown role", "role {value:d}"),
    Rule.FILE_NAME: Facts(3, "the file name of named data is absent, or is not a plain name", ""),
    Rule.PTD_ALIGNMENT: Facts(3, "the segment of a .ptd is not aligned enough", "{value}, at least {expected}"),
    Rule.KEY_VALUE: Facts(3, "a key or value of the metadata is absent", ""),
    Rule.FEATURE_BITS: Facts(3, "the required features in the header are not those that the metadata uses", "required_features {value:x}, used are {expected:x}"),
    Rule.NOT_IN_BP08: Facts(3, "BP08 cannot hold steps, carries, labels, metrics, traces or budgets", ""),
    Rule.UNKNOWN_METHOD: Facts(3, "the program has no method of this name", ""),
    Rule.READ_FAILED: Facts(4, "the bytes could not be read", "{value} bytes were asked for"),
    Rule.SOURCE_CHANGED: Facts(4, "the bytes changed while they were read", ""),
    Rule.BUFFER_TOO_SMALL: Facts(4, "the buffer is too small", "it has {value} bytes, {expected} are needed"),
    Rule.NO_SUCH_ITEM: Facts(4, "the bundle has no such item", "item {value} of {expected}"),
}
