// SPDX-License-Identifier: BSD-3-Clause
//
// Firmware of benchmarks/compare_target.py: instructions that compare() takes for each element, by
// the processor's own timer. Under QEMU's -icount each instruction takes the same time.

#include <bpte/core/compare.h>
#include <bpte/core/format_number.h>

#include <cstring>

#include "../../tests/consumer/bare_metal/semihosting.h"

namespace {

constexpr size_t kCount = 2048;  // more would not fit the timer's 24 bits

volatile uint32_t& reg(uintptr_t address) {
  return *reinterpret_cast<volatile uint32_t*>(address);
}

void start_timer() {
  reg(0xE000E010) = 0;           // SysTick off
  reg(0xE000E014) = 0x00FFFFFF;  // from the top
  reg(0xE000E018) = 0;
  reg(0xE000E010) = 5;  // on, by the processor's clock
}

uint32_t ticks() {
  return 0x00FFFFFF - reg(0xE000E018);
}

void say(const char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    semihosting_call(kSemihostingWriteCharacter, &text[i]);
  }
}

// Two instructions a turn, against which the timer is set.
void turn(uint32_t count) {
  asm volatile(
      "1: subs %0, %0, #1\n"
      "bne 1b"
      : "+r"(count)
      :
      : "cc");
}

double ticks_per_instruction() {
  constexpr uint32_t kTurns = 100000;
  start_timer();
  turn(kTurns);
  return static_cast<double>(ticks()) / (2 * kTurns);
}

void say(const char* text) {
  say(text, std::strlen(text));
}

void say_tenths(double value) {
  char text[bpte::kMaxNumberLength];
  const uint64_t tenths = static_cast<uint64_t>(value * 10 + 0.5);
  size_t size = bpte::format_uint(tenths / 10, bpte::Span<char>(text));
  text[size++] = '.';
  text[size++] = static_cast<char>('0' + tenths % 10);
  say(" ", 1);
  say(text, size);
}

template <typename Stored>
void measure(bpte::ScalarType type, double per_instruction, int first) {
  alignas(8) static Stored expected[kCount];
  alignas(8) static Stored actual[kCount];
  const int32_t sizes[] = {kCount};
  const uint8_t order[] = {0};
  bpte::Value e;
  e.kind = bpte::ValueKind::kTensor;
  e.tensor = {type, sizes, order, {reinterpret_cast<const uint8_t*>(expected), sizeof(expected)}};
  bpte::Value a = e;
  a.tensor.data = {reinterpret_cast<const uint8_t*>(actual), sizeof(actual)};
  say(bpte::to_string(type));
  constexpr size_t kOneIn[] = {0, 20, 1};  // equal, 5 % off, all wrong
  for (size_t one_in : kOneIn) {
    for (size_t i = 0; i < kCount; ++i) {
      expected[i] = static_cast<Stored>(first + static_cast<int>(i % 61));
      const bool off = one_in != 0 && i % one_in == 0;
      actual[i] = static_cast<Stored>(expected[i] + static_cast<Stored>(off ? 1 : 0));
    }
    start_timer();
    const bpte::Comparison result = bpte::compare(e, a, {});
    const uint32_t taken = ticks();
    if (result.numel != kCount || result.nonfinite != 0) {
      say(" wrong");
    }
    say_tenths(static_cast<double>(taken) / per_instruction / kCount);
  }
  say("\n");
}

}  // namespace

int main() {
  using bpte::ScalarType;
  const double per_instruction = ticks_per_instruction();
  measure<int8_t>(ScalarType::kChar, per_instruction, -30);
  measure<uint8_t>(ScalarType::kByte, per_instruction, 100);
  measure<int16_t>(ScalarType::kShort, per_instruction, -30);
  measure<int32_t>(ScalarType::kInt, per_instruction, -30);
  measure<int64_t>(ScalarType::kLong, per_instruction, -30);
  measure<uint16_t>(ScalarType::kHalf, per_instruction, 0x3C00);  // 1 and what follows
  measure<uint16_t>(ScalarType::kBFloat16, per_instruction, 0x3F80);
  measure<float>(ScalarType::kFloat, per_instruction, -30);
  measure<double>(ScalarType::kDouble, per_instruction, -30);
  return 0;
}
