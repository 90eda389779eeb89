// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the record `begin` says about the bundle, so that a reader can tell it from any other.

#include <bpte/core/bundle.h>

#include <cstdint>

namespace bpte {

struct Identity {
  /// BP09: the header's metadata_crc32, which covers every segment's checksum. BP08: the CRC-32 of
  /// the whole file.
  uint32_t metadata_crc32 = 0;
  uint32_t program_crc32 = 0;
};

/// BP09: as the file states it. BP08 states nothing, so both are computed from its bytes, which are
/// read through `scratch` (any size; an internal buffer when it is empty). Fails as Bundle::read()
/// does.
Result<Identity> identity_of(const Bundle& bundle, Span<uint8_t> scratch);

}  // namespace bpte
