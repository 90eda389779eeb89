// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/runner/runner.h>

#include <cstdint>

namespace bpte_board {

/// Measures the time of a case. In cycles, where the processor has a cycle counter (DWT) that
/// counts. Elsewhere, as in QEMU, in nanoseconds by SysTick; unit() then says "ns". Where each
/// instruction takes an emulator the same time, in instructions.
class BoardClock final : public bpte::Clock {
 public:
  /// Starts both counters. Call it once. `instruction_ns`: the emulator's time for an instruction,
  /// if it counts these; else 0.
  void start(uint32_t instruction_ns = 0);
  uint64_t now() override;
  const char* unit() const override;

 private:
  bool cycles_ = false;
  uint32_t instruction_ns_ = 0;
};

extern "C" void clock_interrupt();

}  // namespace bpte_board
