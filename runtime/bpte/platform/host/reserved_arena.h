// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/executorch/arena.h>

#include <cstddef>

namespace bpte::host {

/// Reserves addresses for `size` bytes; for half of them, a quarter, ... when the system refuses
/// (ulimit -v). A page takes memory when it is first touched. It is zero until then.
class Reservation {
 public:
  explicit Reservation(size_t size);
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  Span<uint8_t> span() const { return {bytes_, size_}; }

  /// Fills a part of any reservation with zeros. Large parts are returned to the system, so they
  /// take no memory before they are touched again.
  static void clear(Span<uint8_t> part);

 private:
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
};

/// An arena in a reservation: memory that is allocated but never used takes no pages.
class ReservedArena final : private Reservation, public FixedArena {
 public:
  explicit ReservedArena(size_t size) : Reservation(size), FixedArena(span()) {}
  void clear(void* start, size_t size) override {
    Reservation::clear({static_cast<uint8_t*>(start), size});
  }
};

}  // namespace bpte::host
