// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bpte {

/// Memory that is allocated piece by piece and released from the end, like a stack.
class Arena {
 public:
  /// `size` bytes at a multiple of `alignment` (a power of two), or nullptr. Not initialised.
  virtual void* allocate(size_t size, size_t alignment) = 0;
  /// How much is allocated: the argument for rewind().
  virtual size_t mark() const = 0;
  /// Releases everything allocated since mark() returned `mark`.
  virtual void rewind(size_t mark) = 0;
  /// Bytes that are left, without padding for alignment; SIZE_MAX when the arena grows.
  virtual size_t available() const = 0;
  /// Fills memory from allocate() with zeros.
  virtual void clear(void* start, size_t size) { std::memset(start, 0, size); }

 protected:
  ~Arena() = default;
};

/// An arena in a buffer that the caller owns.
class FixedArena : public Arena {
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

  /// The largest use so far: a board's buffer could be as small.
  size_t peak() const { return peak_; }

 private:
  Span<uint8_t> buffer_;
  size_t used_ = 0;
  size_t peak_ = 0;
};

}  // namespace bpte
