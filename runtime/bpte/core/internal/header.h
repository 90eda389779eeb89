// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/core/internal/refuse.h>

namespace bpte::internal {

/// Where the extended header begins, in bytes from the file's start.
inline constexpr unsigned kHeaderAt = 8;
/// Bytes of the extended header that this reader knows; there may be more.
inline constexpr unsigned kHeaderLength = 64;
/// Where metadata_crc32 lies in the file: the metadata's checksum takes these four bytes as zero.
inline constexpr unsigned kMetadataCrcAt = kHeaderAt + 48;
/// Root offset, identifier, a vtable and a table: no BP08 file is shorter.
inline constexpr unsigned kSmallestBP08 = 16;

inline bool is_power_of_two(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

/// Reads and checks what Header::parse() does.
Error parse_header(const Span<const uint8_t>& first_bytes, Header& header, Fault& fault);

}  // namespace bpte::internal
