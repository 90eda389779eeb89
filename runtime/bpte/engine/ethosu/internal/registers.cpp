// SPDX-License-Identifier: BSD-3-Clause
#include "registers.h"

namespace bpte::ethosu {
namespace {

constexpr size_t kNowhere = SIZE_MAX;
// A bit for each number of a row that is a register.
struct Row {
  uint16_t first;
  uint16_t members;
};
// 0x110 and 0x119, say, are no registers.
constexpr Row kNarrow[] = {
    {0x100, 0xBEBF}, {0x110, 0x9DFE}, {0x120, 0xA3FF}, {0x130, 0x000F}, {0x180, 0xBE23}};
constexpr Row kWide[] = {{0x00, 0x007F}, {0x10, 0x007F}, {0x20, 0x007F},
                         {0x30, 0x001F}, {0x80, 0x007F}, {0x90, 0x000F}};

template <size_t N>
size_t place(const Row (&rows)[N], uint16_t number) {
  for (size_t i = 0; i < N; ++i) {
    if ((number & ~15u) != rows[i].first) continue;
    const uint32_t column = number & 15u;
    return (rows[i].members >> column & 1) != 0 ? i * 16 + column : kNowhere;
  }
  return kNowhere;
}

}  // namespace

void Registers::clear() {
  for (uint16_t& value : narrow_) value = 0;
  for (uint64_t& value : wide_) value = 0;
}

bool Registers::set_narrow(uint16_t number, uint16_t value) {
  static_assert(sizeof(kNarrow) / sizeof(Row) == kNarrowRows);
  const size_t at = place(kNarrow, number);
  if (at == kNowhere) return false;
  narrow_[at] = value;
  return true;
}

bool Registers::set_wide(uint16_t number, uint64_t value) {
  static_assert(sizeof(kWide) / sizeof(Row) == kWideRows);
  const size_t at = place(kWide, number);
  if (at == kNowhere) return false;
  wide_[at] = value;
  return true;
}

uint32_t Registers::get(Narrow name) const {
  return narrow_[place(kNarrow, static_cast<uint16_t>(name))];
}

uint64_t Registers::get(Wide name) const {
  return wide_[place(kWide, static_cast<uint16_t>(name))];
}

}  // namespace bpte::ethosu
