// SPDX-License-Identifier: BSD-3-Clause
#include "accumulators.h"
#include "channel_scales.h"
#include "feature_map.h"
#include "machine.h"
#include "output.h"
#include "window.h"

namespace bpte::ethosu {
namespace {

enum class Pooling : uint16_t {
  kMax = 0,
  kAverage = 1,
  kReduceSum = 2,
  // Ethos-U85 only.
  kSum = 3,
  kNone = 4,  ///< what the accumulators hold
  kMin = 5,
};

/// 1 / count, as the NPU divides: a multiplier of `bits` bits.
Scale reciprocal(uint32_t count, uint32_t bits) {
  uint32_t k = 0;
  while (uint32_t{1} << k < count) ++k;
  const uint64_t one = (uint64_t{1} << (bits + k)) + (uint64_t{1} << k);
  return {static_cast<uint32_t>(one / count), bits + k};
}

struct Pool {
  Pooling mode;
  bool u85 = false;
  FeatureMap ifm;
  Output output;
  Window window;
  Accumulators accumulators;
  ChannelScales scales;

  int64_t reduce(int32_t y, int32_t x, int32_t c, uint32_t& count) const;
  int64_t sum_of_channels(int32_t y, int32_t x) const;
  Scale average_scale(uint32_t count) const;
  void run_pixel(int32_t y, int32_t x) const;
};

int64_t Pool::reduce(int32_t y, int32_t x, int32_t c, uint32_t& count) const {
  const ptrdiff_t channel = ifm.channel(c);
  const bool sums = mode == Pooling::kAverage || mode == Pooling::kSum;
  int64_t result = 0;
  count = 0;
  for (int32_t j = 0; j < window.taps_y(); ++j) {
    const int32_t row = window.row(y, j);
    if (row < 0) continue;
    for (int32_t i = 0; i < window.taps_x(); ++i) {
      const int32_t column = window.column(x, i);
      if (column < 0) continue;
      const int64_t value = int64_t{ifm.read(ifm.pixel(row, column) + channel)} - ifm.zero_point();
      if (sums) {
        result += value;
      } else if (count == 0 || (mode == Pooling::kMax ? value > result : value < result)) {
        result = value;
      }
      ++count;
    }
  }
  return result;
}

int64_t Pool::sum_of_channels(int32_t y, int32_t x) const {
  const uint8_t* pixel = ifm.pixel(y, x);
  int64_t sum = 0;
  for (int32_t c = 0; c < ifm.size().depth; ++c) {
    sum += int64_t{ifm.read(pixel + ifm.channel(c))} - ifm.zero_point();
  }
  return sum;
}

/// An Ethos-U55 divides by itself only where padding makes the counts differ.
Scale Pool::average_scale(uint32_t count) const {
  if (u85) return reciprocal(count != 0 ? count : 1, 30);
  return window.has_padding() ? reciprocal(count != 0 ? count : 1, 31) : output.scale();
}

void Pool::run_pixel(int32_t y, int32_t x) const {
  const Output::Pixel pixel = output.pixel(y, x);
  for (int32_t c = 0; c < output.size().depth; ++c) {
    uint32_t count = 0;
    int64_t value = mode == Pooling::kNone        ? 0
                    : mode == Pooling::kReduceSum ? sum_of_channels(y, x)
                                                  : reduce(y, x, c, count);
    value += accumulators.first(y, x, c);
    if (accumulators.only_kept()) {
      accumulators.keep(y, x, c, value);
      continue;
    }
    int64_t bias = 0;
    Scale scale = mode == Pooling::kAverage ? average_scale(count) : output.scale();
    if (!output.global_scale()) scales.get(c, bias, scale);
    output.put(pixel, c, apply(scale, value + bias, output.rounding()));
  }
}

bool describe_scales(Machine& machine, Pool& pool) {
  if (pool.output.global_scale()) {
    const bool averages = pool.u85 && pool.mode == Pooling::kAverage;
    if (averages && (pool.output.scale().multiplier != 1 || pool.output.scale().shift != 0)) {
      return machine.unsupported() << "an average that is scaled as well is not modelled";
    }
    return true;
  }
  if (!pool.u85 || pool.mode == Pooling::kAverage) {
    return machine.unsupported() << "pooling with a scale for each channel is not modelled";
  }
  if (pool.accumulators.only_kept()) return true;
  return pool.scales.describe(machine, pool.output.size().depth, 1, pool.accumulators.wide());
}

bool describe(Machine& machine, Pool& pool) {
  pool.u85 = machine.u85();
  if (!pool.output.describe(machine) || !pool.ifm.describe(machine, kIfm) ||
      !pool.window.describe(machine, pool.output.size()) ||
      !pool.accumulators.describe(machine, pool.output) || !describe_scales(machine, pool)) {
    return false;
  }
  const Window& window = pool.window;
  const Size& ofm = pool.output.size();
  Size size = {window.ifm_height(), window.ifm_width(), ofm.depth};
  uint64_t work = static_cast<uint64_t>(window.taps_y()) * static_cast<uint64_t>(window.taps_x());
  if (pool.mode == Pooling::kReduceSum) {
    size.depth = machine.registers().plus_one(Narrow::IFM_DEPTH_M1);
    if (ofm.depth != 1 || work != 1 || size.height != ofm.height || size.width != ofm.width) {
      return machine.invalid() << "REDUCE_SUM of a window, or into more than one channel";
    }
    work = static_cast<uint64_t>(size.depth);
  } else if (work > UINT16_MAX) {
    return machine.invalid() << "pooling over " << work << " elements";
  }
  return (pool.mode == Pooling::kNone || pool.ifm.place_input(machine, size)) &&
         machine.count(static_cast<uint64_t>(ofm.height) * static_cast<uint64_t>(ofm.width),
                       static_cast<uint64_t>(ofm.depth), work);
}

}  // namespace

bool pool(Machine& machine, uint16_t mode) {
  const Pooling last = machine.u85() ? Pooling::kMin : Pooling::kReduceSum;
  if (machine.u85() && (mode == 6 || mode == 7)) {
    return machine.unsupported() << "the pooling mode ARGMAX is not modelled";
  }
  if (mode > static_cast<uint16_t>(last)) {
    return machine.invalid() << "the unknown pooling mode " << mode;
  }
  Pool pool;
  pool.mode = static_cast<Pooling>(mode);
  return describe(machine, pool) && compute(machine, pool);
}

}  // namespace bpte::ethosu
