// SPDX-License-Identifier: BSD-3-Clause
#include "console.h"

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

Text& Text::put(const char* text) {
  while (*text != '\0' && size_ < sizeof(buffer_)) buffer_[size_++] = *text++;
  return *this;
}

Text& Text::put_hex(uint32_t value) {
  char digits[] = "0x00000000";
  for (int i = 9; i > 1; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return put(digits);
}

Text& Text::put_decimal(uint32_t value) {
  char digits[11];
  char* at = digits + 10;
  *at = '\0';
  do {
    *--at = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return put(at);
}

}  // namespace bpte_board
