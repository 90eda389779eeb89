// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "accumulators.h"
#include "channel_scales.h"
#include "feature_map.h"
#include "machine.h"
#include "output.h"
#include "products.h"
#include "weights.h"
#include "window.h"

namespace bpte::ethosu {

inline int32_t round_up(int32_t value, int32_t to) {
  return (value + to - 1) / to * to;
}
inline int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

/// Weights of a tap of a depthwise convolution are filled up to a multiple of this.
inline constexpr int32_t kTapStep = 16;

/// The scales of a group of channels, as vectors take them.
struct GroupScales {
  int32_t bias[kGroup];
  int32_t multiplier[kGroup];
  int32_t shift[kGroup];
};

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
  /// Of a block: [group][pair][channel of the group][weight of the pair], with a channel's weights
  /// in the order [tap][IFM channel]; depthwise [tap][channel].
  int16_t* weights = nullptr;
  int16_t* patch = nullptr;     ///< the window: [tap][IFM channel]
  GroupScales* fast = nullptr;  ///< of a block, for run_block_fast()

  int32_t taps() const { return window.taps_y() * window.taps_x(); }
  int32_t depth() const { return depthwise ? 1 : ifm.size().depth; }
  /// Weights of a channel.
  int32_t length() const { return taps() * depth(); }
  int32_t pairs() const { return (length() + 1) / 2; }
  /// Depthwise: from one tap to the next.
  ptrdiff_t tap_stride() const { return round_up(block_depth, kTapStep); }
  bool wide_ifm() const { return ifm.element().bytes == 2; }
  bool part_kernel() const { return window.part_kernel_first() && !depthwise; }
  /// Where the weights of a channel of the block begin, and from there the one of a tap and an IFM
  /// channel.
  int16_t* channel_weights(int32_t channel) const {
    if (depthwise) return weights + channel;
    const ptrdiff_t before = ptrdiff_t{channel / kGroup} * pairs() * kGroup;
    return weights + (before + channel % kGroup) * 2;
  }
  ptrdiff_t weight_at(int32_t tap, int32_t c) const {
    if (depthwise) return tap * tap_stride();
    const int32_t k = tap * depth() + c;
    return ptrdiff_t{k >> 1} * 2 * kGroup + (k & 1);
  }
  /// Takes the next `count` weights of a channel of the block, for IFM channels from `c` on. What
  /// is past the last of them fills up the NPU's units only, and so it does where `channel` is < 0.
  void take_weights(WeightStream& stream, int32_t channel, int32_t tap, int32_t c,
                    int32_t count) const;
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

}  // namespace bpte::ethosu
