// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a run says of the bundle that it runs, so that a reader can tell it from any other.

#include <bpte/core/bundle.h>

#include <cstdint>

namespace bpte {

struct Identity {
  /// BP09: the header's, which covers the segment table and with it every segment's checksum. BP08:
  /// of the whole file.
  uint32_t metadata_crc32 = 0;
  uint32_t program_crc32 = 0;
};

/// BP09: as the file states it. BP08 states nothing: both are taken of the bytes, which are read
/// through `scratch` (any size; a small buffer of its own when it is empty). Fails as
/// Bundle::read() does.
Result<Identity> identity_of(const Bundle& bundle, Span<uint8_t> scratch);

}  // namespace bpte
