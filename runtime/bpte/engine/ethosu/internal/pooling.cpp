// SPDX-License-Identifier: BSD-3-Clause
#include "feature_map.h"
#include "machine.h"
#include "output.h"
#include "window.h"

namespace bpte::ethosu {
namespace {

enum class Pooling : uint16_t { kMax = 0, kAverage = 1, kReduceSum = 2 };

/// 1 / count, as the NPU divides where padding makes the counts differ.
Scale reciprocal(uint32_t count) {
  uint32_t k = 0;
  while (uint32_t{1} << k < count) ++k;
  const uint64_t one = (uint64_t{1} << (31 + k)) + (uint64_t{1} << k);
  return {static_cast<uint32_t>(one / count), 31 + k};
}

struct Pool {
  Pooling mode;
  FeatureMap ifm;
  Output output;
  Window window;

  int64_t reduce(int32_t y, int32_t x, int32_t c, uint32_t& count) const;
  int64_t sum_of_channels(int32_t y, int32_t x) const;
  void run_pixel(int32_t y, int32_t x) const;
};

int64_t Pool::reduce(int32_t y, int32_t x, int32_t c, uint32_t& count) const {
  const ptrdiff_t channel = ifm.channel(c);
  int64_t result = 0;
  count = 0;
  for (int32_t j = 0; j < window.taps_y(); ++j) {
    const int32_t row = window.row(y, j);
    if (row < 0) continue;
    for (int32_t i = 0; i < window.taps_x(); ++i) {
      const int32_t column = window.column(x, i);
      if (column < 0) continue;
      const int64_t value = int64_t{ifm.read(ifm.pixel(row, column) + channel)} - ifm.zero_point();
      if (mode == Pooling::kAverage) {
        result += value;
      } else if (count == 0 || value > result) {
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

void Pool::run_pixel(int32_t y, int32_t x) const {
  uint8_t* to = output.map().pixel_to_write(y, x);
  if (mode == Pooling::kReduceSum) {
    output.put(to, 0, apply(output.scale(), sum_of_channels(y, x), output.rounding()));
    return;
  }
  const bool divides = mode == Pooling::kAverage && window.has_padding();
  for (int32_t c = 0; c < output.size().depth; ++c) {
    uint32_t count = 0;
    const int64_t value = reduce(y, x, c, count);
    const Scale scale = divides ? reciprocal(count != 0 ? count : 1) : output.scale();
    output.put(to, c, apply(scale, value, output.rounding()));
  }
}

bool describe(Machine& machine, Pool& pool) {
  if (!pool.output.describe(machine) || !pool.ifm.describe(machine, kIfm) ||
      !pool.window.describe(machine, pool.output.size())) {
    return false;
  }
  const Window& window = pool.window;
  const Size& ofm = pool.output.size();
  if (!pool.output.global_scale()) {
    return machine.unsupported() << "pooling with a scale for each channel is not modelled";
  }
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
  return pool.ifm.place_input(machine, size) &&
         machine.count(static_cast<uint64_t>(ofm.height) * static_cast<uint64_t>(ofm.width),
                       static_cast<uint64_t>(ofm.depth), work);
}

}  // namespace

bool pool(Machine& machine, uint16_t mode) {
  if (mode > static_cast<uint16_t>(Pooling::kReduceSum)) {
    return machine.invalid() << "the unknown pooling mode " << mode;
  }
  Pool pool;
  pool.mode = static_cast<Pooling>(mode);
  if (!describe(machine, pool)) return false;
  if (machine.checking()) return true;
  for (int32_t y = 0; y < pool.output.size().height; ++y) {
    for (int32_t x = 0; x < pool.output.size().width; ++x) pool.run_pixel(y, x);
  }
  return true;
}

}  // namespace bpte::ethosu
