// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "machine.h"
#include "scaling.h"

namespace bpte::ethosu {

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

}  // namespace bpte::ethosu
