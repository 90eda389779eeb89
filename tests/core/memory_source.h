// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/data_source.h>

#include <cstring>

namespace bpte_test {

/// A data source over bytes in memory.
class MemorySource : public bpte::DataSource {
 public:
  explicit MemorySource(bpte::Span<const uint8_t> bytes, bool tell_size = true)
      : bytes_(bytes), tell_size_(tell_size) {}

  uint64_t size() const override { return tell_size_ ? bytes_.size() : kUnknownSize; }

  bool read(uint64_t offset, bpte::Span<uint8_t> buffer) override {
    ++reads;
    if (offset > bytes_.size() || buffer.size() > bytes_.size() - offset) {
      return false;
    }
    if (!buffer.empty()) {
      std::memcpy(buffer.data(), bytes_.data() + offset, buffer.size());
    }
    return true;
  }

  unsigned reads = 0;

 private:
  bpte::Span<const uint8_t> bytes_;
  bool tell_size_;
};

}  // namespace bpte_test
