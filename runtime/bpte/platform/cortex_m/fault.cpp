// SPDX-License-Identifier: BSD-3-Clause
#include "fault.h"

#include <cstddef>

#include "console.h"
#include "semihosting.h"

// Registers and bits: Armv8-M Architecture Reference Manual (DDI0553), D1.2; Armv7-M (DDI0403),
// B3.2.

namespace bpte_board {
namespace {

volatile uint32_t& reg(uintptr_t address) {
  return *reinterpret_cast<volatile uint32_t*>(address);
}

constexpr uintptr_t kCcr = 0xE000ED14;
constexpr uintptr_t kShcsr = 0xE000ED24;
constexpr uintptr_t kCfsr = 0xE000ED28;
constexpr uintptr_t kHfsr = 0xE000ED2C;
constexpr uintptr_t kMmfar = 0xE000ED34;
constexpr uintptr_t kBfar = 0xE000ED38;
constexpr uintptr_t kSfsr = 0xE000EDE4;
constexpr uintptr_t kSfar = 0xE000EDE8;

constexpr uint32_t kMmfarValid = 1u << 7;
constexpr uint32_t kBfarValid = 1u << 15;
constexpr uint32_t kStackError = (1u << 4) | (1u << 12) | (1u << 20);  // MSTKERR, STKERR, STKOF
constexpr uint32_t kDivideByZeroTrap = 1u << 4;
constexpr uint16_t kSemihostingBreakpoint = 0xBEAB;

/// What the processor pushes when it takes an exception.
struct Frame {
  uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

// The state of probe_read(): 0 idle, 1 reading, 2 faulted.
volatile uint32_t probing = 0;

const char* name_of(uint32_t exception) {
  switch (exception) {
    case 2:
      return "NMI";
    case 3:
      return "HardFault";
    case 4:
      return "MemManage";
    case 5:
      return "BusFault";
    case 6:
      return "UsageFault";
    case 7:
      return "SecureFault";
    default:
      return "unexpected exception";
  }
}

// The kinds of usage fault people meet, by their bit in CFSR.
const char* cause_of(uint32_t cfsr) {
  struct Cause {
    uint32_t bit;
    const char* text;
  };
  static constexpr Cause kCauses[] = {
      {16, "undefined instruction"},
      {17, "invalid state"},
      {18, "invalid exception return"},
      {19, "coprocessor (FPU or MVE) disabled"},
      {20, "stack overflow"},
      {24, "unaligned access"},
      {25, "division by zero"},
      {8, "instruction fetch"},
      {9, "data access"},
      {10, "data access (imprecise)"},
      {0, "execution not allowed"},
      {1, "data access not allowed"},
  };
  for (const Cause& cause : kCauses) {
    if ((cfsr >> cause.bit) & 1) return cause.text;
  }
  return nullptr;
}

uint32_t exception_number() {
  uint32_t ipsr;
  asm volatile("mrs %0, ipsr" : "=r"(ipsr));
  return ipsr & 0x1FF;
}

// HFSR.DEBUGEVT would say that it was a breakpoint, but QEMU (7.2) sets FORCED instead.
bool is_hard_fault() {
  return exception_number() == 3;
}

bool is_32_bit(uint16_t first_half) {
  return (first_half >> 11) >= 0x1D;
}

}  // namespace

extern "C" {

volatile uint32_t fault_semihosting_absent = 0;

// Two kinds of fault are stepped over: of a probe, and of a semihosting call without an answer.
// Returns whether this is one of them.
uint32_t fault_recover(Frame* frame) {
  const uint32_t cfsr = reg(kCfsr);
  if ((cfsr & kStackError) != 0) return 0;
  if (probing == 1) {
    probing = 2;
  } else if (is_hard_fault() && cfsr == 0 &&
             *reinterpret_cast<const uint16_t*>(frame->pc) == kSemihostingBreakpoint) {
    fault_semihosting_absent = 1;
    frame->r0 = 0xFFFFFFFF;
  } else {
    return 0;
  }
  reg(kCfsr) = cfsr;  // writing ones clears them
  reg(kHfsr) = reg(kHfsr);
  frame->pc += is_32_bit(*reinterpret_cast<const uint16_t*>(frame->pc)) ? 4 : 2;
  return 1;
}

[[noreturn]] void fault_report(const Frame* frame) {
  const uint32_t exception = exception_number();
  const uint32_t cfsr = reg(kCfsr);
  bpte::Message text;  // the longest is 235 characters, which it holds
  text << "\nbpte-fault: " << name_of(exception);
  if (exception > 7) text << " " << exception;
  if (const char* cause = cause_of(cfsr)) text << " (" << cause << ")";
  // After a stack overflow the frame may not have been written.
  if ((cfsr & kStackError) == 0) {
    text << " pc=" << Hex{frame->pc} << " lr=" << Hex{frame->lr} << " r0=" << Hex{frame->r0}
         << " xpsr=" << Hex{frame->xpsr};
  }
  text << " sp=" << Hex{reinterpret_cast<uintptr_t>(frame)} << " cfsr=" << Hex{cfsr}
       << " hfsr=" << Hex{reg(kHfsr)};
  if ((cfsr & kBfarValid) != 0) text << " address=" << Hex{reg(kBfar)};
  if ((cfsr & kMmfarValid) != 0) text << " address=" << Hex{reg(kMmfar)};
#if __ARM_ARCH >= 8
  if (exception == 7) text << " sfsr=" << Hex{reg(kSfsr)} << " sfar=" << Hex{reg(kSfar)};
#endif
  text << "\n";
  say(text);
  stop(kFaultStatus);
}

// Runs on the main stack, whose pointer may be beyond its limit. A fault that is stepped over
// returns on that stack; a report gets a stack of its own.
alignas(8) uint8_t fault_stack[1024];

__attribute__((naked)) void fault_entry() {
  asm volatile(
      "mrs r0, msp            \n"
#if __ARM_ARCH >= 8
      "movs r1, #0            \n"
      "mrs r2, msplim         \n"
      "msr msplim, r1         \n"
      "push {r0, r2, r4, lr}  \n"
#else
      "push {r0, r2, r4, lr}  \n"
#endif
      "bl fault_recover       \n"
      "mov r3, r0             \n"
      "pop {r0, r2, r4, lr}   \n"
#if __ARM_ARCH >= 8
      "msr msplim, r2         \n"
#endif
      "cbz r3, 1f             \n"
      "bx lr                  \n"
      "1:                     \n"
#if __ARM_ARCH >= 8
      "msr msplim, r3         \n"
#endif
      "ldr r1, =fault_stack   \n"
      "add r1, r1, #1024      \n"
      "mov sp, r1             \n"
      "b fault_report         \n"
      ".ltorg                 \n");
}

// The C library calls this to end the program.
[[noreturn]] void bpte_board_abort() {
  bpte::Message text;
  text << "\nbpte-fault: abort() lr="
       << Hex{reinterpret_cast<uintptr_t>(__builtin_return_address(0))} << "\n";
  say(text);
  stop(kFaultStatus);
}

}  // extern "C"

void enable_faults() {
  uint32_t enabled = 7u << 16;  // MEMFAULTENA, BUSFAULTENA, USGFAULTENA
#if __ARM_ARCH >= 8
  enabled |= 1u << 19;  // SECUREFAULTENA
#endif
  reg(kShcsr) = reg(kShcsr) | enabled;
  reg(kCcr) = reg(kCcr) | kDivideByZeroTrap;
  asm volatile("dsb\n isb" ::: "memory");
}

bool probe_read(uintptr_t address, uint32_t& value) {
  probing = 1;
  asm volatile("dsb\n isb" ::: "memory");
  uint32_t read = 0;
  asm volatile("ldr %0, [%1]\n dsb\n isb" : "+r"(read) : "r"(address) : "memory");
  const bool ok = probing == 1;
  probing = 0;
  if (ok) value = read;
  return ok;
}

}  // namespace bpte_board
