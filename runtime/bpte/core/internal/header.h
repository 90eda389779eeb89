// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte::internal {

/// Where the extended header begins, in bytes from the file's start.
inline constexpr unsigned kHeaderAt = 8;
/// Where metadata_crc32 lies in the file: the metadata's checksum takes these four bytes as zero.
inline constexpr unsigned kMetadataCrcAt = kHeaderAt + 48;
/// Root offset, identifier, a vtable and a table: no BP08 file is shorter.
inline constexpr unsigned kSmallestBP08 = 16;

}  // namespace bpte::internal
