// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstdint>

namespace bpte {

/// Where a bundle's bytes come from when they cannot be mapped: a file, semihosting, an SD card.
class DataSource {
 public:
  /// What size() returns when the source does not know its size.
  static constexpr uint64_t kUnknownSize = ~uint64_t{0};

  /// Bytes in the whole source, or kUnknownSize. The header's file_size then counts, and reads past
  /// the end must fail; a BP08 file cannot be opened, because it does not state its length.
  virtual uint64_t size() const = 0;

  /// Fills `buffer` with the bytes at [offset, offset + buffer.size()). False when it could not
  /// fill all of it: a short read is a failure.
  [[nodiscard]] virtual bool read(uint64_t offset, Span<uint8_t> buffer) = 0;

 protected:
  ~DataSource() = default;  // never deleted through the interface
};

}  // namespace bpte
