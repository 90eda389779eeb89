// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/core/internal/open.h>

namespace bpte::internal {

#if BPTE_CORE_CHECKSUMS

/// Holds the CRC-32 computed over a segment's bytes against its stored one.
Status check_segment_crc(uint32_t index, const SegmentInfo& segment, uint32_t computed);

/// Holds the CRC-32 of BP09 metadata against the header's.
Status check_metadata_crc(const Header& header, Span<const uint8_t> metadata);

#endif

}  // namespace bpte::internal
