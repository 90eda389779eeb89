// SPDX-License-Identifier: BSD-3-Clause
#include "console.h"

#include <cstring>

#include "semihosting.h"

namespace bpte_board {
namespace {

// Constant-initialised, because the fault handler may need them before any constructor has run.
Uart uart;
SemihostingOutput semihosting_output;
bool on_semihosting = false;

}  // namespace

bpte::Output& console() {
  if (on_semihosting) return semihosting_output;
  return uart;
}

void use_semihosting_console() {
  on_semihosting = true;
}

void stop(int status) {
  semihosting_exit(status);
  for (;;) asm volatile("wfi");
}

void say(const bpte::Message& line) {
  console().write(line.c_str(), std::strlen(line.c_str()));
}

bpte::Message& operator<<(bpte::Message& line, Hex number) {
  char digits[] = "0x00000000";
  uint32_t rest = number.value;
  for (int i = 9; i > 1; --i, rest >>= 4) digits[i] = "0123456789abcdef"[rest & 15];
  return line << static_cast<const char*>(digits);
}

}  // namespace bpte_board
