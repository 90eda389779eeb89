/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Arm's semihosting (IHI 0074): what an emulator does for a program that has no devices. */
enum { kSemihostingWriteCharacter = 0x03, kSemihostingExitExtended = 0x20 };

static inline void semihosting_call(int operation, const void* parameter) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}
