// SPDX-License-Identifier: BSD-3-Clause
#include "channel_scales.h"

namespace bpte::ethosu {
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
    if (static_cast<uint64_t>(of_core) * kScaleSize > length) {
      return machine.invalid() << "SCALE_LENGTH " << length << " is too small for " << of_core
                               << " channels";
    }
    machine.count_read(region, length);
    if (!machine.checking()) tables_[k] += first;
  }
  return true;
}

}  // namespace bpte::ethosu
