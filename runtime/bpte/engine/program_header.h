// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/program_schema.h>

#include <cstring>

namespace bpte {

/// A .pte's extended header (executorch/schema/extended_header.h) as the file states it, unchecked.
/// Offsets count from the program's first byte.
struct ExtendedHeader {
  bool present = false;
  uint32_t length = 0;  ///< in bytes
  uint64_t program_size = 0;
  uint64_t segment_base = 0;
  uint64_t segment_data_size = 0;  ///< also 0 when the header is an older, shorter one

  /// Reads it from a program's first bytes: all of them or at least 40. They may be too few for a
  /// header.
  static ExtendedHeader read(Span<const uint8_t> program) {
    namespace schema = program_schema;
    ExtendedHeader header;
    if (program.size() < schema::kHeaderOffset + schema::kHeaderMinimumLength) return header;
    const uint8_t* const at = program.data() + schema::kHeaderOffset;
    if (std::memcmp(at, schema::kHeaderMagic, 4) != 0) return header;
    header.present = true;
    std::memcpy(&header.length, at + 4, sizeof header.length);
    std::memcpy(&header.program_size, at + 8, sizeof header.program_size);
    std::memcpy(&header.segment_base, at + 16, sizeof header.segment_base);
    if (header.length >= schema::kHeaderLengthWithDataSize &&
        program.size() >= schema::kHeaderOffset + schema::kHeaderLengthWithDataSize) {
      std::memcpy(&header.segment_data_size, at + 24, sizeof header.segment_data_size);
    }
    return header;
  }
};

}  // namespace bpte
