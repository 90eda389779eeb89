// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/data_source.h>
#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>

namespace bpte::host {

/// A regular file, read-only.
class File final : public DataSource {
 public:
  File() = default;
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// False when there is no such file, or it cannot be read as a regular one; `error()` says why.
  [[nodiscard]] bool open(const char* path);
  const char* error() const { return error_; }

  uint64_t size() const override { return size_; }
  [[nodiscard]] bool read(uint64_t offset, Span<uint8_t> buffer) override;

  /// Maps the whole file read-only, its first byte at a multiple of `alignment` (a power of two).
  /// Gives nothing when the file is empty or cannot be mapped. Valid as long as the File is. Call
  /// it once.
  Span<const uint8_t> map(size_t alignment);

 private:
  int descriptor_ = -1;
  uint64_t size_ = 0;
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  const char* error_ = "";
};

}  // namespace bpte::host
