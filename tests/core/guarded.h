// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace bpte_test {

/// Memory between two unmapped areas: a read or write outside it is a crash at once, sanitizer or
/// not. It begins at a multiple of `alignment`. The upper guard begins right after it when size is
/// a multiple of that, otherwise at the next multiple (the bytes in between are 0xA5). With
/// `at_end`, it ends at the guard whatever its size, so its first byte may be misaligned.
class Guarded {
 public:
  Guarded(size_t size, size_t alignment = 128, bool at_end = false) : size_(size) {
    const size_t inner = (size + kPage - 1) / kPage * kPage;
    mapped_ = inner + 2 * kPage;
    void* const base = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
      std::abort();
    }
    base_ = static_cast<uint8_t*>(base);
    if (inner != 0 && mprotect(base_ + kPage, inner, PROT_READ | PROT_WRITE) != 0) {
      std::abort();
    }
    uint8_t* const end = base_ + kPage + inner;
    data_ = end - (at_end ? size : (size + alignment - 1) / alignment * alignment);
    std::memset(base_ + kPage, 0xA5, inner);
  }
  Guarded(const uint8_t* bytes, size_t size, size_t alignment = 128, bool at_end = false)
      : Guarded(size, alignment, at_end) {
    if (size != 0) {
      std::memcpy(data_, bytes, size);
    }
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(base_, mapped_); }

  bpte::Span<const uint8_t> bytes() const { return {data_, size_}; }
  bpte::Span<uint8_t> writable() const { return {data_, size_}; }

 private:
  // At least a page everywhere that the tests run, and at least base_alignment of their files.
  static constexpr size_t kPage = 65536;

  uint8_t* base_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;
};

}  // namespace bpte_test
