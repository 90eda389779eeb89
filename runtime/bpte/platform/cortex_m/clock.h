// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/runner/runner.h>

#include <cstdint>

namespace bpte_board {

/// The time of a case. Where the processor has a cycle counter (DWT) that counts: cycles. Where it
/// has none, as in QEMU, SysTick's time in nanoseconds: what is not cycles is not called so.
class BoardClock final : public bpte::Clock {
 public:
  /// Starts both counters. Once.
  void start();
  uint64_t now() override;
  const char* unit() const override;

 private:
  bool cycles_ = false;
};

extern "C" void clock_interrupt();

}  // namespace bpte_board
