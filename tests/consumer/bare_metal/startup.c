/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From reset to main(), on any Cortex-M, with any C library.
 */
#include <stdint.h>
#include <string.h>

#include "semihosting.h"

/* From firmware.ld. */
extern uint32_t __stack_top[];
extern char __data_start[], __data_end[], __data_source[], __bss_start[], __bss_end[];
extern char __tls_base[];

int main(void);

static void end(uint32_t reason, uint32_t status) {
  const uint32_t block[] = {reason, status};
  semihosting_call(kSemihostingExitExtended, block);
  for (;;) {
  }
}

static void fault(void) {
  end(0x20023 /* ADP_Stopped_RunTimeErrorUnknown */, 70);
}

void reset(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  *(volatile uint32_t*)0xE000ED88 |= 0xF00000; /* CPACR: floating point and MVE */
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  memcpy(__data_start, __data_source, (size_t)(__data_end - __data_start));
  memset(__bss_start, 0, (size_t)(__bss_end - __bss_start));
#ifdef __PICOLIBC__
  void _set_tls(void*);
  _set_tls(__tls_base); /* where errno lies */
#endif
  end(0x20026 /* ADP_Stopped_ApplicationExit */, (uint32_t)main());
}

/* What a C library wants that would stop a program. */
void _exit(int status) {
  end(0x20026, (uint32_t)status);
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const void* const vectors[16] = {
    __stack_top,  (void*)reset, (void*)fault, (void*)fault,
    (void*)fault, (void*)fault, (void*)fault, (void*)fault,
};
