// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Steps of opening. Inside the core a step returns whether all is well and fills a Fault when not:
// passing Status and Result on by value costs a small target more code than the rules themselves.

#include <bpte/core/bundle.h>

namespace bpte::internal {

/// Fills in what is wrong, leaving the indices as they are. Always false.
bool refuse(Fault& fault, Error error, uint64_t offset);
/// The same with the values: for what a caller acts on.
bool refuse_with(Fault& fault, Error error, uint64_t offset, uint64_t value, uint64_t expected);
/// The same for what a person reads; a small target leaves the values out.
inline bool refuse(Fault& fault, Error error, uint64_t offset, uint64_t value, uint64_t expected) {
#if BPTE_CORE_SMALL
  (void)value;
  (void)expected;
  return refuse(fault, error, offset);
#else
  return refuse_with(fault, error, offset, value, expected);
#endif
}

/// Reads and checks what Header::parse() does.
bool parse_header(const Span<const uint8_t>& first_bytes, Header& header, Fault& fault);

/// Holds the header's file_size against the real one.
bool check_file_size(const Header& header, uint64_t size, Fault& fault);

/// Whether `data` lies at a multiple of `alignment`, a power of two.
bool check_alignment(const void* data, uint32_t alignment, Fault& fault);

/// Holds BP09 metadata's CRC-32 against the header's.
bool check_metadata_crc(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

/// Holds the CRC-32 computed over a segment's bytes against its stored one.
bool check_segment_crc(uint32_t index, const SegmentInfo& segment, uint32_t computed, Fault& fault);

/// Checks everything that the metadata can get wrong, against itself and the header. `metadata` is
/// the whole FlatBuffer.
bool check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

}  // namespace bpte::internal
