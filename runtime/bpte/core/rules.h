// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Made from schema/rules.toml by tools/rules.py: do not edit.

#include <cstdint>

namespace bpte {

/// The rules of a .bpte file, in the order of schema/README.md's table, which says more; each with
/// its name and when a file (a request, a source) is refused. The name is what to_string() gives
/// and what the Python package says (`bpte.Rule`): it stays. The numbers may change from version to
/// version: nothing stores them.
// clang-format 14 takes the attribute for a name.
// clang-format off
enum class [[nodiscard]] Error : uint8_t {
  kOk = 0,

  // The file.
  /// too_short: it is shorter than 72 bytes (BP08: 16), or than 8 whatever it is
  kTooShort,
  /// not_a_bundle: bytes 4-5 are not BP
  kNotABundle,
  /// unknown_version: the identifier is BP.. but neither BP08 nor BP09
  kUnknownVersion,
  /// schema_version: the root table's version is not 2
  kSchemaVersion,
  /// header_magic: bytes 8-11 are not BH01
  kHeaderMagic,
  /// header_length: it is below 64, no multiple of 8, or 8 + header_length exceeds metadata_size
  kHeaderLength,
  /// header_reserved: a reserved byte is not zero
  kHeaderReserved,
  /// unknown_feature: required_features has a bit that the reader does not know
  kUnknownFeature,
  /// base_alignment: it is not a power of two from 128 to 2 MiB (2097152)
  kBaseAlignment,
  /// metadata_size: it exceeds segment_base_offset, or 2^31 - 1, the largest FlatBuffer
  kMetadataSize,
  /// segment_base: segment_base_offset is not the smallest multiple of base_alignment that is at
  /// least metadata_size
  kSegmentBase,
  /// file_size: segment_base_offset + segment_data_size is not file_size
  kFileSize,
  /// truncated: there are fewer bytes than file_size
  kTruncated,
  /// trailing_bytes: there are more bytes than file_size
  kTrailingBytes,
  /// overflow: a sum or product leaves u64, or what the target can address
  kOverflow,
  /// misaligned_base: the first byte, used in place, lies at no multiple of base_alignment (BP08:
  /// 16)
  kMisalignedBase,
  /// metadata_checksum: the CRC-32 differs
  kMetadataChecksum,
  /// metadata_malformed: the metadata is not a valid FlatBuffer of the schema: an offset, vtable,
  /// vector or string leaves it or is misaligned, or a string is unterminated
  kMetadataMalformed,
  /// table_sharing: its references reach more than 8 times the metadata's size (see *Work at
  /// opening*)
  kTableSharing,
  /// padding: a byte between metadata and segments, or between segments, is not zero
  kPadding,

  // The segments.
  /// segments_missing: there is no segment table
  kSegmentsMissing,
  /// segment_alignment: it is not a power of two, exceeds base_alignment, or offset is not a
  /// multiple of it
  kSegmentAlignment,
  /// segment_order: a segment begins before the one in front of it ends
  kSegmentOrder,
  /// segment_gap: there is more padding in front of it than its alignment needs
  kSegmentGap,
  /// segment_bounds: it ends past segment_data_size, or the last one ends before it
  kSegmentBounds,
  /// segment_checksum: the CRC-32 differs
  kSegmentChecksum,

  // The program.
  /// program_missing: there is no program, it is empty, or program_segment is past the table
  kProgramMissing,
  /// program_alignment: the program segment's alignment is below 128
  kProgramAlignment,
  /// program_inline: BP09 metadata holds a program vector
  kProgramInline,

  // Suites, cases, values.
  /// suites_missing: method_test_suites is absent
  kSuitesMissing,
  /// method_name_missing: a suite's method_name is absent or empty
  kMethodNameMissing,
  /// key_order: a key is not greater than the one before it (see *Keys*)
  kKeyOrder,
  /// too_many_suites: there are more than 256 suites, whose order is not stated
  kTooManySuites,
  /// duplicate_suite: two suites name one method
  kDuplicateSuite,
  /// cases_missing: a suite's test_cases is absent
  kCasesMissing,
  /// inputs_missing: a case's inputs is absent
  kInputsMissing,
  /// outputs_missing: a case's expected_outputs is absent
  kOutputsMissing,
  /// value_missing: a value has no type, an unknown one, or no table
  kValueMissing,
  /// text_encoding: a name, key or text is not UTF-8 or holds a NUL
  kTextEncoding,
  /// tolerance_count: a tolerances vector holds neither one entry nor one per expected output (for
  /// a suite's, or that of a case with steps: of every case or step that inherits it)
  kToleranceCount,
  /// tolerance_value: rtol or atol is negative or NaN, a share lies outside 0..1, a floor is NaN,
  /// or the NaN policy is unknown
  kToleranceValue,

  // Tensors.
  /// scalar_type: it is unknown, or a bundle cannot carry it
  kScalarType,
  /// sizes_missing: sizes is absent
  kSizesMissing,
  /// negative_size: a size is negative
  kNegativeSize,
  /// rank: there are more than 16 dimensions
  kRank,
  /// dim_order_missing: dim_order is absent
  kDimOrderMissing,
  /// dim_order: it is not a permutation of 0..rank-1
  kDimOrder,
  /// payload_missing: BP09: no payload. BP08: no data, though the tensor has elements
  kPayloadMissing,
  /// payload_inline: BP09 metadata holds a tensor's data
  kPayloadInline,
  /// payload_segment: the segment is past the table, or not that of the case's other tensors
  kPayloadSegment,
  /// payload_alignment: the offset in the segment, or the segment's own alignment, is not a
  /// multiple of 16
  kPayloadAlignment,
  /// payload_bounds: the payload ends past its segment
  kPayloadBounds,
  /// payload_size: its size is not product(sizes) x element size
  kPayloadSize,

  // Steps and carries.
  /// step_values: a case with steps has an input, an expected output, a label or a trace of its own
  kStepValues,
  /// nested_steps: a step has steps
  kNestedSteps,
  /// carry_first_step: a carry stands in a case that is not a step, or in the first step
  kCarryFirstStep,
  /// carry_index: a carry names an input that its step does not have, or an expected output that
  /// the step before does not have
  kCarryIndex,
  /// carry_order: the carries of a step are not in strictly ascending order of their inputs
  kCarryOrder,
  /// carry_mismatch: a carry connects two values that differ in kind, scalar type, sizes or
  /// dim_order
  kCarryMismatch,

  // Labels and metrics.
  /// label_count: a case has more than 256 labels
  kLabelCount,
  /// label_value: a label is negative, or above 1023
  kLabelValue,
  /// metric_value: its kind is unknown, a bound is NaN, k or bins is not from 1 to 1024, classes is
  /// above 1024 (of a confusion matrix: or 0), low and high are not finite and ascending, or a
  /// confusion matrix has a bound
  kMetricValue,
  /// metric_output: it compares with an expected output that a case or step of the suite does not
  /// have
  kMetricOutput,
  /// labels_missing: it needs labels and a case or step of the suite has none
  kLabelsMissing,

  // Traces.
  /// instruction_order: the instructions of a traced method are not in strictly ascending order of
  /// chain, index and operation
  kInstructionOrder,
  /// trace_origin: the origin of a trace is unknown
  kTraceOrigin,
  /// trace_program: program_crc32 of a traced method is not that of the program
  kTraceProgram,
  /// trace_instruction: a trace names an instruction that its suite does not list
  kTraceInstruction,
  /// trace_segment: the payloads of a trace lie in the segment of the inputs and expected outputs
  kTraceSegment,

  // Budgets.
  /// budget_value: its resource is unknown, its limit is 0, or its suite is past the list
  kBudgetValue,

  // Named data and string metadata.
  /// named_data: a key is absent or empty, or its segment is past the table
  kNamedData,
  /// named_data_role: its role is unknown
  kNamedDataRole,
  /// file_name: it is empty, ., .., or holds /, \, :, a byte below 0x20 or 0x7F; or a .ptd has none
  kFileName,
  /// ptd_alignment: the segment of a .ptd has an alignment below 16
  kPtdAlignment,
  /// key_value: a key or value of metadata is absent
  kKeyValue,

  // Features.
  /// feature_bits: required_features is not the sum of the features that its metadata uses (see
  /// *Features*)
  kFeatureBits,
  /// not_in_bp08: the field of steps, carries, labels, a trace, metrics, a traced method or budgets
  /// is there
  kNotInBp08,

  // The program against its suites.
  /// unknown_method: the program has no method of a suite's name
  kUnknownMethod,

  // A data source and its buffers.
  /// read_failed: the source reports an error, or gives fewer bytes than asked
  kReadFailed,
  /// source_changed: two reads of the same bytes differ
  kSourceChanged,
  /// buffer_too_small: the caller's buffer cannot take what must be read; the error names the size
  kBufferTooSmall,

  // The caller.
  /// no_such_item: an index or name that the bundle does not have
  kNoSuchItem,

  kCount_,
};
// clang-format on

/// What a program exits with that this rule stops: 3 when the bundle is malformed, 4 when the
/// surroundings are at fault (docs/result-protocol.md).
constexpr int exit_code(Error error) {
  switch (error) {
    case Error::kMisalignedBase:
    case Error::kReadFailed:
    case Error::kSourceChanged:
    case Error::kBufferTooSmall:
    case Error::kNoSuchItem:
      return 4;
    default:
      return 3;
  }
}

}  // namespace bpte
