// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace bpte_test {

/// A file's content in memory, at a multiple of what most bundles ask for.
class AlignedFile {
 public:
  explicit AlignedFile(const char* path) {
    std::FILE* const file = std::fopen(path, "rb");
    if (file == nullptr) return;
    std::fseek(file, 0, SEEK_END);
    const auto size = static_cast<size_t>(std::ftell(file));
    std::rewind(file);
    memory_.resize(size + kAlignment);
    uint8_t* const bytes =
        memory_.data() + (-reinterpret_cast<uintptr_t>(memory_.data()) & (kAlignment - 1));
    ok_ = std::fread(bytes, 1, size, file) == size;
    std::fclose(file);
    bytes_ = {bytes, size};
  }
  AlignedFile(const AlignedFile&) = delete;
  AlignedFile& operator=(const AlignedFile&) = delete;

  bool ok() const { return ok_; }
  bpte::Span<const uint8_t> bytes() const { return bytes_; }

 private:
  static constexpr size_t kAlignment = 4096;

  std::vector<uint8_t> memory_;
  bpte::Span<const uint8_t> bytes_;
  bool ok_ = false;
};

}  // namespace bpte_test
