// SPDX-License-Identifier: BSD-3-Clause
//
// From reset to main(): vector table, floating point, memory, constructors.

#include <cstdint>

#include "clock.h"
#include "console.h"
#include "fault.h"
#include "hooks.h"

extern "C" {

// From firmware.ld.
extern uint32_t __stack_limit[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __data_source[];
extern uint32_t __bss_start[], __bss_end[];
extern void (*__init_array_start[])();
extern void (*__init_array_end[])();
extern char __tls_base[];

int main();
// picolibc's: where this thread's variables (errno) lie.
void _set_tls(void* tls);

[[noreturn]] void reset_main() {
  using namespace bpte_board;
  for (uint32_t *to = __data_start, *from = __data_source; to < __data_end;) *to++ = *from++;
  for (uint32_t* at = __bss_start; at < __bss_end;) *at++ = 0;
  _set_tls(__tls_base);
  enable_faults();
  board_init();
  for (void (**constructor)() = __init_array_start; constructor < __init_array_end; ++constructor) {
    (*constructor)();
  }
  stop(main());
}

// No C++ before the coprocessors are on: the compiler may use their registers anywhere.
__attribute__((naked, noreturn)) void reset_handler() {
  asm volatile(
#if __ARM_ARCH >= 8
      "ldr r0, =__stack_limit  \n"
      "msr msplim, r0          \n"
#endif
      "ldr r0, =__stack_top    \n"
      "mov sp, r0              \n"
      // CPACR: full access to CP10 and CP11, floating point and MVE.
      "ldr r0, =0xE000ED88     \n"
      "ldr r1, [r0]            \n"
      "orr r1, r1, #0x00F00000 \n"
      "str r1, [r0]            \n"
#if defined(__ARM_FEATURE_MVE)
      // CCR.LOB: lets Armv8.1-M's low-overhead loops cache their branch.
      "ldr r0, =0xE000ED14     \n"
      "ldr r1, [r0]            \n"
      "orr r1, r1, #0x00040000 \n"
      "str r1, [r0]            \n"
#endif
      "dsb                     \n"
      "isb                     \n"
      // The unused part of the stack keeps this pattern.
      "ldr r0, =__stack_limit  \n"
      "ldr r1, =__stack_top    \n"
      "ldr r2, =0xA5A5A5A5     \n"
      "1: cmp r0, r1           \n"
      "it lo                   \n"
      "strlo r2, [r0], #4      \n"
      "blo 1b                  \n"
      "b reset_main            \n"
      ".ltorg                  \n");
}

__attribute__((weak)) void board_init() {}

__attribute__((weak)) void board_interrupt() {
  bpte_board::fault_entry();
}

using Vector = void (*)();
// The interrupts 0 to 63 of devices: enough for those in use (Corstone's NPU has 56 or 16).
struct Vectors {
  void* stack;
  Vector system[15];
  Vector device[64];
};

extern const Vectors vectors;
__attribute__((section(".vectors"), used)) const Vectors vectors = {
    __stack_top,
    {
        reset_handler,
        bpte_board::fault_entry,  // NMI
        bpte_board::fault_entry,  // HardFault
        bpte_board::fault_entry,  // MemManage
        bpte_board::fault_entry,  // BusFault
        bpte_board::fault_entry,  // UsageFault
        bpte_board::fault_entry,  // SecureFault
        nullptr,
        nullptr,
        nullptr,
        bpte_board::fault_entry,  // SVCall
        bpte_board::fault_entry,  // DebugMonitor
        nullptr,
        bpte_board::fault_entry,  // PendSV
        bpte_board::clock_interrupt,
    },
#define BPTE_8(x) x, x, x, x, x, x, x, x
    {BPTE_8(board_interrupt), BPTE_8(board_interrupt), BPTE_8(board_interrupt),
     BPTE_8(board_interrupt), BPTE_8(board_interrupt), BPTE_8(board_interrupt),
     BPTE_8(board_interrupt), BPTE_8(board_interrupt)},
#undef BPTE_8
};

}  // extern "C"
