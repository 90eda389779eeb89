// SPDX-License-Identifier: BSD-3-Clause
#include "clock.h"

#include "fault.h"

namespace bpte_board {
namespace {

volatile uint32_t& reg(uintptr_t address) {
  return *reinterpret_cast<volatile uint32_t*>(address);
}

constexpr uintptr_t kSysTickControl = 0xE000E010;
constexpr uintptr_t kSysTickReload = 0xE000E014;
constexpr uintptr_t kSysTickValue = 0xE000E018;
constexpr uintptr_t kIcsr = 0xE000ED04;
constexpr uintptr_t kDemcr = 0xE000EDFC;
constexpr uintptr_t kDwtControl = 0xE0001000;
constexpr uintptr_t kDwtCycles = 0xE0001004;

constexpr uint32_t kTraceEnable = 1u << 24;
constexpr uint32_t kCycleCounterEnable = 1;
constexpr uint32_t kSysTickRun = 7;  // enabled, interrupt, processor clock
constexpr uint32_t kSysTickPending = 1u << 26;
constexpr uint32_t kSysTickMax = 0xFFFFFF;

// SysTick wraps every 2^24 ticks, and its interrupt counts the wraps. It also reads the cycle
// counter, often enough to count that one's wraps as well.
volatile uint32_t wraps = 0;
volatile uint32_t cycles_high = 0;
volatile uint32_t cycles_last = 0;

void note_cycles() {
  const uint32_t cycles = reg(kDwtCycles);
  if (cycles < cycles_last) cycles_high = cycles_high + 1;
  cycles_last = cycles;
}

class InterruptsOff {
 public:
  InterruptsOff() { asm volatile("mrs %0, primask\n cpsid i" : "=r"(before_)::"memory"); }
  ~InterruptsOff() { asm volatile("msr primask, %0" ::"r"(before_) : "memory"); }
  InterruptsOff(const InterruptsOff&) = delete;
  InterruptsOff& operator=(const InterruptsOff&) = delete;

 private:
  uint32_t before_;
};

}  // namespace

extern "C" void clock_interrupt() {
  wraps = wraps + 1;
  note_cycles();
}

void BoardClock::start(uint32_t instruction_ns) {
  instruction_ns_ = instruction_ns;
  uint32_t control = 0;
  reg(kDemcr) = reg(kDemcr) | kTraceEnable;
  if (probe_read(kDwtControl, control)) {
    reg(kDwtControl) = control | kCycleCounterEnable;
    const uint32_t before = reg(kDwtCycles);
    for (int i = 0; i < 64; ++i) asm volatile("nop");
    cycles_ = instruction_ns == 0 && reg(kDwtCycles) != before;
  }
  reg(kSysTickReload) = kSysTickMax;
  reg(kSysTickValue) = 0;
  reg(kSysTickControl) = kSysTickRun;
  // Until the first tick loads it, it is 0, which would look like a full turn.
  while (reg(kSysTickValue) == 0) {
  }
}

uint64_t BoardClock::now() {
  const InterruptsOff guard;
  if (cycles_) {
    note_cycles();
    return (static_cast<uint64_t>(cycles_high) << 32) | cycles_last;
  }
  uint32_t value = reg(kSysTickValue);
  uint32_t seen = wraps;
  if ((reg(kIcsr) & kSysTickPending) !=
      0) {  // it has wrapped, and the interrupt has not counted that yet
    value = reg(kSysTickValue);
    ++seen;
  }
  const uint64_t ticks = (static_cast<uint64_t>(seen) << 24) + (kSysTickMax - value);
  const uint64_t time = ticks * 1'000'000 / (BPTE_BOARD_CLOCK_HZ / 1'000);
  return instruction_ns_ != 0 ? time / instruction_ns_ : time;
}

const char* BoardClock::unit() const {
  if (instruction_ns_ != 0) return "instructions";
  return cycles_ ? "cycles" : "ns";
}

}  // namespace bpte_board
