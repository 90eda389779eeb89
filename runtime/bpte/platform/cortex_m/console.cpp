// SPDX-License-Identifier: BSD-3-Clause
#include "console.h"

#include <bpte/core/format_number.h>

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
  char digits[bpte::kMaxNumberLength];
  const size_t size = bpte::format_hex(number.value, 8, bpte::Span<char>(digits));
  return line << "0x" << bpte::Span<const char>(digits, size);
}

}  // namespace bpte_board
