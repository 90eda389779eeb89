// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "bytes.h"
#include "machine.h"
#include "scaling.h"

namespace bpte::ethosu {

inline constexpr uint64_t kScaleSize = 10;  ///< bytes of a channel

/// A bias and a scale for each channel of the OFM, 10 bytes in the region of the scales. Each core
/// of an Ethos-U65 has its own: core k of n has the channels k, k + n, k + 2n, ...
class ChannelScales {
 public:
  /// Of `cores` cores; `wide`: of an Ethos-U85's accumulators of 48 bits.
  [[nodiscard]] bool describe(Machine& machine, int32_t channels, int32_t cores, bool wide);

  void get(int32_t channel, int64_t& bias, Scale& scale) const;

 private:
  enum class Format : uint8_t { kU55, kU85, kU85Wide };

  const uint8_t* tables_[2] = {};
  int32_t cores_ = 1;
  Format format_ = Format::kU55;
};

inline int64_t signed_of(uint64_t bits, uint32_t width) {
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

inline void ChannelScales::get(int32_t channel, int64_t& bias, Scale& scale) const {
  // Of one core or two.
  const int32_t core = cores_ == 1 ? 0 : channel & 1;
  const int32_t of_core = cores_ == 1 ? channel : channel >> 1;
  const uint8_t* entry = tables_[core] + static_cast<size_t>(of_core) * kScaleSize;
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
