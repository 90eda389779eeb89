// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "accumulators.h"
#include "channel_scales.h"
#include "feature_map.h"
#include "machine.h"
#include "output.h"
#include "weights.h"
#include "window.h"

namespace bpte::ethosu {

/// NPU_OP_CONV or NPU_OP_DEPTHWISE.
struct Convolution {
  bool depthwise = false;
  bool weights_in_ifm2 = false;  ///< Ethos-U85: the product of two feature maps
  bool fast_weights = false;     ///< Ethos-U85: of the format FWD, all in the first core's stream
  bool sparse = false;           ///< Ethos-U85: of four weights, two are zero
  int32_t cores = 1;
  uint32_t macs = 0;
  int32_t block_depth = 1;
  int32_t ublock_depth = 8;
  FeatureMap ifm;
  FeatureMap ifm2;
  Output output;
  Window window;
  Accumulators accumulators;
  ChannelScales scales;
  Span<const uint8_t> streams[kMostCores];
  int16_t* weights =
      nullptr;               ///< of a block: [channel][tap][IFM channel], depthwise [tap][channel]
  int16_t* patch = nullptr;  ///< the window: [tap][IFM channel]

  int32_t taps() const { return window.taps_y() * window.taps_x(); }
  int32_t depth() const { return depthwise ? 1 : ifm.size().depth; }
  bool wide_ifm() const { return ifm.element().bytes == 2; }
  bool part_kernel() const { return window.part_kernel_first() && !depthwise; }
  /// Puts a weight where it is wanted: `channel` of the block.
  void put_weight(int32_t channel, int32_t tap, int32_t c, int16_t weight) const {
    const ptrdiff_t at = depthwise ? ptrdiff_t{tap} * block_depth + channel
                                   : (ptrdiff_t{channel} * taps() + tap) * depth() + c;
    weights[at] = weight;
  }
};

/// How an Ethos-U85 divides the IFM's channels and the kernel's elements.
struct OrderU85 {
  int32_t ifm_block = 64;   ///< channels
  int32_t ifm_ublock = 64;  ///< channels
  int32_t ifm_step = 8;     ///< channels that stand together
  int32_t rounding = 1;     ///< elements of a kernel come in so many
  explicit OrderU85(const Convolution& op);
};

/// Take the weights of one core's OFM block out of its stream, which has them in the order in which
/// the NPU's cores use them.
void decode_block_u55(const Convolution& op, int32_t core, int32_t block, WeightStream& stream);
void decode_block_u85(const Convolution& op, int32_t core, int32_t block, WeightStream& stream);

inline int32_t round_up(int32_t value, int32_t to) {
  return (value + to - 1) / to * to;
}
inline int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

}  // namespace bpte::ethosu
