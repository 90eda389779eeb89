// SPDX-License-Identifier: BSD-3-Clause
#include "channel_scales.h"

#include "bytes.h"

namespace bpte::ethosu {
namespace {

constexpr uint64_t kSize = 10;  // of a channel

int64_t signed_of(uint64_t bits, uint32_t width) {
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

}  // namespace

bool ChannelScales::describe(Machine& machine, int32_t channels, int32_t cores, bool wide) {
  static constexpr Wide kNames[2][2] = {{Wide::SCALE_BASE, Wide::SCALE_LENGTH},
                                        {Wide::SCALE1_BASE, Wide::SCALE1_LENGTH}};
  const Registers& registers = machine.registers();
  cores_ = cores;
  format_ = !machine.u85() ? Format::kU55 : wide ? Format::kU85Wide : Format::kU85;
  for (int32_t k = 0; k < cores && k < 2; ++k) {
    const int32_t of_core = (channels + cores - 1 - k) / cores;
    if (of_core == 0) continue;
    const uint64_t first = registers.address(kNames[k][0]);
    const uint64_t length = registers.address(kNames[k][1]);
    const Extent extent = {static_cast<int64_t>(first), static_cast<int64_t>(first + length)};
    const uint32_t region = registers.get(Narrow::SCALE_REGION);
    if (!machine.readable("SCALE", region, extent, tables_[k])) return false;
    if (static_cast<uint64_t>(of_core) * kSize > length) {
      return machine.invalid() << "SCALE_LENGTH " << length << " is too small for " << of_core
                               << " channels";
    }
    machine.count_read(region, length);
    if (!machine.checking()) tables_[k] += first;
  }
  return true;
}

void ChannelScales::get(int32_t channel, int64_t& bias, Scale& scale) const {
  const uint8_t* entry = tables_[channel % cores_] + static_cast<size_t>(channel / cores_) * kSize;
  switch (format_) {
    case Format::kU55:  // 40 bits, 32 bits, 6 bits
      bias = signed_of(load<uint32_t>(entry) | uint64_t{entry[4]} << 32, 40);
      scale = {load<uint32_t>(entry + 5), entry[9] & 63u};
      return;
    case Format::kU85:  // 32 bits, 31 bits, 6 bits
      bias = load<int32_t>(entry);
      scale = {load<uint32_t>(entry + 4) & 0x7FFFFFFF, entry[8] & 63u};
      return;
    case Format::kU85Wide:  // 48 bits, 15 bits, 6 bits
      bias = signed_of(load<uint32_t>(entry) | uint64_t{load<uint16_t>(entry + 4)} << 32, 48);
      scale = {load<uint16_t>(entry + 6) & 0x7FFFu, entry[8] & 63u};
      return;
  }
}

}  // namespace bpte::ethosu
