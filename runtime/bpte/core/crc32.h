// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstdint>

namespace bpte {

/// CRC-32 as zlib's crc32() computes it (polynomial 0xEDB88320, reflected, inverted in and out).
/// `previous` is the value for the bytes before, 0 at the start, so that crc32(b, crc32(a)) is the
/// value of a followed by b.
uint32_t crc32(const Span<const uint8_t>& bytes, uint32_t previous = 0);

}  // namespace bpte
