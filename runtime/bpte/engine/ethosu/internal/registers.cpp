// SPDX-License-Identifier: BSD-3-Clause
#include "registers.h"

namespace bpte::ethosu {
namespace {

constexpr size_t kNowhere = SIZE_MAX;
// A bit for each number of a row that is a register, of the Ethos-U55 and of the Ethos-U85.
struct Row {
  uint16_t first;
  uint16_t members[2];
};
// 0x110 and 0x119, say, are not registers.
constexpr Row kNarrow[] = {{0x100, {0xBEBF, 0x9FBF}},
                           {0x110, {0x9DFE, 0x9DFE}},
                           {0x120, {0xA3FF, 0xFFF7}},
                           {0x130, {0x000F, 0x001F}},
                           {0x180, {0xBE23, 0x9E21}}};
constexpr Row kWide[] = {{0x00, {0x007F, 0x007F}}, {0x10, {0x007F, 0x007F}},
                         {0x20, {0x007F, 0x00FF}}, {0x30, {0x001F, 0x03FF}},
                         {0x80, {0x007F, 0x007F}}, {0x90, {0x000F, 0x00FF}}};

template <size_t N>
size_t place(const Row (&rows)[N], uint16_t number, Generation generation) {
  for (size_t i = 0; i < N; ++i) {
    if ((number & ~15u) != rows[i].first) continue;
    const uint32_t column = number & 15u;
    const uint32_t members = rows[i].members[generation == Generation::kU85 ? 1 : 0];
    return (members >> column & 1) != 0 ? i * 16 + column : kNowhere;
  }
  return kNowhere;
}

}  // namespace

void Registers::clear(Generation generation) {
  generation_ = generation;
  for (uint16_t& value : narrow_) value = 0;
  for (uint64_t& value : wide_) value = 0;
}

bool Registers::set_narrow(uint16_t number, uint16_t value) {
  static_assert(sizeof(kNarrow) / sizeof(Row) == kNarrowRows);
  const size_t at = place(kNarrow, number, generation_);
  if (at == kNowhere) return false;
  narrow_[at] = value;
  return true;
}

bool Registers::set_wide(uint16_t number, uint64_t value) {
  static_assert(sizeof(kWide) / sizeof(Row) == kWideRows);
  const size_t at = place(kWide, number, generation_);
  if (at == kNowhere) return false;
  wide_[at] = value;
  return true;
}

uint32_t Registers::get(Narrow name) const {
  const size_t at = place(kNarrow, static_cast<uint16_t>(name), generation_);
  return at == kNowhere ? 0 : narrow_[at];
}

uint64_t Registers::get(Wide name) const {
  const size_t at = place(kWide, static_cast<uint16_t>(name), generation_);
  return at == kNowhere ? 0 : wide_[at];
}

}  // namespace bpte::ethosu
