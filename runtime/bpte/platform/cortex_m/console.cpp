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

Text& Text::put(const char* text) {
  return put(text, std::strlen(text));
}

Text& Text::put(const char* text, size_t size) {
  for (; size != 0 && size_ < sizeof(buffer_); --size) buffer_[size_++] = *text++;
  return *this;
}

Text& Text::put_hex(uint32_t value) {
  char digits[bpte::kMaxNumberLength];
  return put("0x").put(digits, bpte::format_hex(value, 8, bpte::Span<char>(digits)));
}

Text& Text::put_decimal(uint32_t value) {
  char digits[bpte::kMaxNumberLength];
  return put(digits, bpte::format_uint(value, bpte::Span<char>(digits)));
}

}  // namespace bpte_board
