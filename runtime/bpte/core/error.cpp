// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/error.h>

namespace bpte {

namespace {

// One string with the names behind one another: half the size of a table of pointers and strings.
constexpr char kNames[] =
    "ok\0"
    "too_short\0"
    "not_a_bundle\0"
    "unknown_version\0"
    "schema_version\0"
    "header_magic\0"
    "header_length\0"
    "header_reserved\0"
    "unknown_feature\0"
    "base_alignment\0"
    "metadata_size\0"
    "segment_base\0"
    "file_size\0"
    "truncated\0"
    "trailing_bytes\0"
    "overflow\0"
    "misaligned_base\0"
    "metadata_checksum\0"
    "metadata_malformed\0"
    "padding\0"
    "segments_missing\0"
    "segment_alignment\0"
    "segment_order\0"
    "segment_gap\0"
    "segment_bounds\0"
    "segment_checksum\0"
    "program_missing\0"
    "program_alignment\0"
    "program_inline\0"
    "suites_missing\0"
    "method_name_missing\0"
    "duplicate_suite\0"
    "cases_missing\0"
    "inputs_missing\0"
    "outputs_missing\0"
    "value_missing\0"
    "text_encoding\0"
    "tolerance_count\0"
    "tolerance_value\0"
    "scalar_type\0"
    "sizes_missing\0"
    "negative_size\0"
    "rank\0"
    "dim_order_missing\0"
    "dim_order\0"
    "payload_missing\0"
    "payload_inline\0"
    "payload_segment\0"
    "payload_alignment\0"
    "payload_bounds\0"
    "payload_size\0"
    "named_data\0"
    "key_value\0"
    "unknown_method\0"
    "read_failed\0"
    "source_changed\0"
    "buffer_too_small\0"
    "no_such_item\0"
    "unknown";

constexpr unsigned count_names() {
  unsigned count = 1;
  for (size_t i = 0; i + 1 < sizeof kNames; ++i) {
    count += kNames[i] == '\0' ? 1 : 0;
  }
  return count;
}
static_assert(count_names() == static_cast<unsigned>(Error::kCount_) + 1,
              "one name for each rule, and the last for none of them");

}  // namespace

Fault::Fault()
    : error(Error::kOk),
      suite(kNoIndex),
      test_case(kNoIndex),
      input(kNoIndex),
      output(kNoIndex),
      segment(kNoIndex),
      offset(0),
      value(0),
      expected(0) {}

const char* to_string(Error error) {
  const unsigned wanted =
      error < Error::kCount_ ? static_cast<unsigned>(error) : static_cast<unsigned>(Error::kCount_);
  const char* name = kNames;
  for (unsigned i = 0; i < wanted; ++i) {
    while (*name != '\0') {
      ++name;
    }
    ++name;
  }
  return name;
}

}  // namespace bpte
