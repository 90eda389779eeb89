// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the two ways of opening share.

#include <bpte/core/bundle.h>
#include <bpte/core/internal/refuse.h>

namespace bpte::internal {

/// Compares the header's file_size with the real one.
Error check_file_size(const Header& header, uint64_t size, Fault& fault);

/// Whether `data` lies at a multiple of `alignment`, a power of two.
Error check_alignment(const void* data, uint32_t alignment, Fault& fault);

/// Checks every rule that the metadata can break, by itself or together with the header. `metadata`
/// is the whole FlatBuffer.
Error check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

/// Compares the CRC-32 of BP09 metadata with the header's.
Error check_metadata_crc(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

/// Compares the CRC-32 of a segment's bytes with the stored one; unknown_feature in a build without
/// checksums.
Error check_segment(uint32_t index, const SegmentInfo& segment, const Span<const uint8_t>& bytes,
                    Fault& fault);

}  // namespace bpte::internal
