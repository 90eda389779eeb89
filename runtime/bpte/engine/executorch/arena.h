// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bpte {

/// Memory given out piece by piece and taken back from the end, as a stack is.
class Arena {
 public:
  /// `size` bytes at a multiple of `alignment` (a power of two), or nullptr. Not initialised.
  virtual void* allocate(size_t size, size_t alignment) = 0;
  /// How much is given out; what rewind() takes.
  virtual size_t mark() const = 0;
  /// Takes back everything allocated since mark() gave `mark`.
  virtual void rewind(size_t mark) = 0;
  /// Bytes that are left, padding for alignment not counted; SIZE_MAX when the arena grows.
  virtual size_t available() const = 0;
  /// Makes zeros of memory that allocate() gave.
  virtual void clear(void* start, size_t size) { std::memset(start, 0, size); }

 protected:
  ~Arena() = default;
};

/// An arena in a buffer that the caller owns.
class FixedArena final : public Arena {
 public:
  FixedArena() = default;
  explicit FixedArena(Span<uint8_t> buffer) : buffer_(buffer) {}

  void* allocate(size_t size, size_t alignment) override {
    const uintptr_t next = reinterpret_cast<uintptr_t>(buffer_.data()) + used_;
    const size_t padding = static_cast<size_t>(-next & (alignment - 1));
    if (padding > available() || size > available() - padding) return nullptr;
    uint8_t* const start = buffer_.data() + used_ + padding;
    used_ += padding + size;
    if (used_ > peak_) peak_ = used_;
    return start;
  }
  size_t mark() const override { return used_; }
  void rewind(size_t mark) override { used_ = mark; }
  size_t available() const override { return buffer_.size() - used_; }

  /// The most that was ever in use: what a board's buffer could be shrunk to.
  size_t peak() const { return peak_; }

 private:
  Span<uint8_t> buffer_;
  size_t used_ = 0;
  size_t peak_ = 0;
};

}  // namespace bpte
