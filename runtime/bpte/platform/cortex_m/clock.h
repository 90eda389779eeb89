// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/runner/runner.h>

#include <cstdint>

namespace bpte_board {

/// Measures the time of a case. In cycles, where the processor has a cycle counter (DWT) that
/// counts. Elsewhere, as in QEMU, in nanoseconds by SysTick; unit() then says "ns".
class BoardClock final : public bpte::Clock {
 public:
  /// Starts both counters. Call it once.
  void start();
  uint64_t now() override;
  const char* unit() const override;

 private:
  bool cycles_ = false;
};

extern "C" void clock_interrupt();

}  // namespace bpte_board
