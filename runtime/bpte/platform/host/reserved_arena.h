// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/executorch/arena.h>

#include <cstddef>

namespace bpte::host {

/// Addresses for as many bytes as asked for, or for half of them, or a quarter, ... when the system
/// refuses (ulimit -v). Memory comes page by page when it is touched, and is zero until then.
class Reservation {
 public:
  explicit Reservation(size_t size);
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  Span<uint8_t> span() const { return {bytes_, size_}; }

  /// Makes zeros of a part of any reservation. Large parts are given back to the system, and so
  /// take no memory before they are touched again.
  static void clear(Span<uint8_t> part);

 private:
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
};

/// An arena in a reservation: what is allocated and never used takes no memory.
class ReservedArena final : public Arena {
 public:
  explicit ReservedArena(size_t size) : memory_(size), arena_(memory_.span()) {}

  void* allocate(size_t size, size_t alignment) override {
    return arena_.allocate(size, alignment);
  }
  size_t mark() const override { return arena_.mark(); }
  void rewind(size_t mark) override { arena_.rewind(mark); }
  size_t available() const override { return arena_.available(); }
  void clear(void* start, size_t size) override {
    Reservation::clear({static_cast<uint8_t*>(start), size});
  }

 private:
  Reservation memory_;
  FixedArena arena_;
};

}  // namespace bpte::host
