// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/executorch/arena.h>

namespace bpte_board {

/// What another arena has left over, taken from the end of its buffer. For needs that come and go
/// while that arena does not change: scratch memory of single operators and delegates.
class TailArena final : public bpte::Arena {
 public:
  TailArena() = default;
  /// `front` allocates from the front of `buffer`, and outlives this.
  TailArena(bpte::Span<uint8_t> buffer, const bpte::Arena& front)
      : front_(&front), end_(buffer.data() + buffer.size()) {}

  void* allocate(size_t size, size_t alignment) override {
    if (size > available()) return nullptr;
    uint8_t* const start = end_ - used_ - size;
    const size_t padding = reinterpret_cast<uintptr_t>(start) & (alignment - 1);
    if (padding > available() - size) return nullptr;
    used_ += size + padding;
    if (used_ > peak_) peak_ = used_;
    return start - padding;
  }
  size_t mark() const override { return used_; }
  void rewind(size_t mark) override { used_ = mark; }
  size_t available() const override {
    const size_t left = front_ == nullptr ? 0 : front_->available();
    return left > used_ ? left - used_ : 0;
  }
  /// The largest use so far.
  size_t peak() const { return peak_; }

 private:
  const bpte::Arena* front_ = nullptr;
  uint8_t* end_ = nullptr;
  size_t used_ = 0;
  size_t peak_ = 0;
};

}  // namespace bpte_board
