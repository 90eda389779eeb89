// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Steps of opening that the span and the data source share.

#include <bpte/core/bundle.h>

namespace bpte::internal {

inline Fault make_fault(Error error, uint64_t offset, uint64_t value, uint64_t expected) {
  Fault fault;
  fault.error = error;
  fault.offset = offset;
  fault.value = value;
  fault.expected = expected;
  return fault;
}

/// Holds the header's file_size against the real one.
Status check_file_size(const Header& header, uint64_t size);

/// Everything about the metadata: its checksum, then its content.
Status check_metadata_bytes(const Header& header, Span<const uint8_t> metadata);

}  // namespace bpte::internal
