// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the two ways of opening share.

#include <bpte/core/bundle.h>
#include <bpte/core/internal/refuse.h>

namespace bpte::internal {

/// Holds the header's file_size against the real one.
Error check_file_size(const Header& header, uint64_t size, Fault& fault);

/// Whether `data` lies at a multiple of `alignment`, a power of two.
Error check_alignment(const void* data, uint32_t alignment, Fault& fault);

/// Checks everything that the metadata can get wrong, against itself and the header. `metadata` is
/// the whole FlatBuffer.
Error check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

/// Holds BP09 metadata's CRC-32 against the header's.
Error check_metadata_crc(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

/// Holds the CRC-32 of a segment's bytes against its stored one; unknown_feature in a build that
/// has no checksums.
Error check_segment(uint32_t index, const SegmentInfo& segment, const Span<const uint8_t>& bytes,
                    Fault& fault);

}  // namespace bpte::internal
