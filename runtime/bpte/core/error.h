// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// The rules of a .bpte file, one enumerator for each, in the order of schema/README.md's table of
/// rules. The name that to_string() gives is the rule's name there and in the Python package
/// (`bpte.Rule`), so that every reader names a violation alike. Append only.
enum class Error : uint8_t {
  kOk = 0,
  // The file.
  kTooShort,        ///< too_short: fewer bytes than the fixed part of a file
  kNotABundle,      ///< not_a_bundle: bytes 4..5 are not "BP"
  kUnknownVersion,  ///< unknown_version: an identifier "BP.." other than BP08 and BP09
  kSchemaVersion,   ///< schema_version: the root table's `version` is not one that we know
  kHeaderMagic,     ///< header_magic: bytes 8..11 are not "BH01"
  kHeaderLength,    ///< header_length: below 64, not a multiple of 8, or beyond the metadata
  kHeaderReserved,  ///< header_reserved: a reserved byte is not zero
  kUnknownFeature,  ///< unknown_feature: a bit in required_features that we do not know
  kBaseAlignment,   ///< base_alignment: not a power of two, or below 128
  kMetadataSize,    ///< metadata_size: the metadata does not fit between header and segments
  kSegmentBase,    ///< segment_base: segment_base_offset is not the next multiple of base_alignment
  kFileSize,       ///< file_size: segment_base_offset + segment_data_size is not file_size
  kTruncated,      ///< truncated: fewer bytes than the header states
  kTrailingBytes,  ///< trailing_bytes: more bytes than the header states
  kOverflow,       ///< overflow: a sum or product leaves u64, or size_t on this target
  kMisalignedBase,     ///< misaligned_base: the first byte lies at no multiple of base_alignment
  kMetadataChecksum,   ///< metadata_checksum
  kMetadataMalformed,  ///< metadata_malformed: no valid FlatBuffer for our schema
  kPadding,            ///< padding: a byte that must be zero is not
  // The segments.
  kSegmentsMissing,   ///< segments_missing: BP09 without a segment table
  kSegmentAlignment,  ///< segment_alignment: no power of two, above base_alignment, or the offset
                      ///< is no multiple of it
  kSegmentOrder,      ///< segment_order: begins before the one in front of it ends
  kSegmentGap,        ///< segment_gap: more padding in front of it than its alignment needs
  kSegmentBounds,  ///< segment_bounds: ends past segment_data_size, or the last one ends before it
  kSegmentChecksum,  ///< segment_checksum
  // The program.
  kProgramMissing,    ///< program_missing: no program, an empty one, or an index past the segment
                      ///< table
  kProgramAlignment,  ///< program_alignment: the program segment's alignment is below 128
  kProgramInline,     ///< program_inline: BP09 with the program inside the metadata
  // Suites, cases, values.
  kSuitesMissing,      ///< suites_missing: the vector of suites is absent
  kMethodNameMissing,  ///< method_name_missing: absent or empty
  kDuplicateSuite,     ///< duplicate_suite: two suites for one method
  kCasesMissing,       ///< cases_missing: the vector of test cases is absent
  kInputsMissing,      ///< inputs_missing: the vector of inputs is absent
  kOutputsMissing,     ///< outputs_missing: the vector of expected outputs is absent
  kValueMissing,       ///< value_missing: a value of no type, or of a type that we do not know
  kTextEncoding,       ///< text_encoding: a name or text is not UTF-8, or holds a NUL
  kToleranceCount,     ///< tolerance_count: neither none, one, nor one for each expected output
  kToleranceValue,  ///< tolerance_value: negative or NaN, a share outside 0..1, or an unknown NaN
                    ///< policy
  // Tensors.
  kScalarType,        ///< scalar_type: unknown, or no type that a bundle carries
  kSizesMissing,      ///< sizes_missing
  kNegativeSize,      ///< negative_size
  kRank,              ///< rank: more than 16 dimensions (ExecuTorch's kTensorDimensionLimit)
  kDimOrderMissing,   ///< dim_order_missing
  kDimOrder,          ///< dim_order: not a permutation of 0..rank-1
  kPayloadMissing,    ///< payload_missing: no payload (BP09: no reference; BP08: no data)
  kPayloadInline,     ///< payload_inline: BP09 with the payload inside the metadata
  kPayloadSegment,    ///< payload_segment: an index past the segment table, or another segment than
                      ///< the case's first
  kPayloadAlignment,  ///< payload_alignment: no multiple of 16 within its segment
  kPayloadBounds,     ///< payload_bounds: ends past its segment
  kPayloadSize,       ///< payload_size: not the number of elements times the element's size
  // Named data and string metadata.
  kNamedData,  ///< named_data: key absent or twice, or an index past the segment table
  kKeyValue,   ///< key_value: key or value absent, or a key twice
  // The program against its suites.
  kUnknownMethod,  ///< unknown_method: a suite for a method that the program does not have
  // A data source and its buffers.
  kReadFailed,  ///< read_failed: the source reported an error, or gave fewer bytes than asked for
  kSourceChanged,   ///< source_changed: two reads of the same bytes differ
  kBufferTooSmall,  ///< buffer_too_small: the caller's buffer; Fault::expected is the size needed
  // The caller.
  kNoSuchItem,  ///< no_such_item: an index or name that the bundle does not have
  kCount_,
};

/// The rule's name in schema/README.md, e.g. "payload_bounds". Never null; static storage.
const char* to_string(Error error);

/// What an index of `Fault` says when it does not apply.
inline constexpr uint32_t kNoIndex = 0xFFFFFFFFu;

/// One violation: which rule, where, and the value found there. Plain data, cheap to copy.
struct Fault {
  /// No fault. Out of line: copies of the initial values in each place that starts with one would
  /// take a small target hundreds of bytes.
  Fault();

  Error error;
  /// Where: indices count from 0; kNoIndex where the level does not apply.
  uint32_t suite;
  uint32_t test_case;
  uint32_t input;   ///< index among the case's inputs ...
  uint32_t output;  ///< ... or among its expected outputs
  uint32_t segment;
  uint64_t offset;    ///< offset in the file of the offending item, 0 when there is none to name
  uint64_t value;     ///< the value found
  uint64_t expected;  ///< the value, limit or alignment that the rule wants; 0 when there is none
                      ///< to name
};

/// Writes a one-line message for people, NUL-terminated and cut to fit, such as
/// "payload_bounds: suite 0, case 1, input 0: ends past its segment: 4096, limit 1024 (file offset
/// 688)". Returns the number of characters written, without the NUL. Needs no heap and no printf.
size_t format_fault(const Fault& fault, Span<char> buffer);

}  // namespace bpte
