// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace bpte_fuzz {

/// A copy on the heap that begins at a multiple of `alignment`, with AddressSanitizer's guard right
/// after its last byte.
class AlignedCopy {
 public:
  AlignedCopy(const uint8_t* data, size_t size, size_t alignment = 1024) : size_(size) {
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, size == 0 ? 1 : size) != 0) {
      std::abort();
    }
    data_ = static_cast<uint8_t*>(memory);
    if (data != nullptr && size != 0) {
      std::memcpy(data_, data, size);
    }
  }
  explicit AlignedCopy(size_t size) : AlignedCopy(nullptr, size) {}
  AlignedCopy(const AlignedCopy&) = delete;
  AlignedCopy& operator=(const AlignedCopy&) = delete;
  ~AlignedCopy() { std::free(data_); }

  bpte::Span<const uint8_t> bytes() const { return {data_, size_}; }
  bpte::Span<uint8_t> writable() const { return {data_, size_}; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace bpte_fuzz
