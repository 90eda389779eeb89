// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>

#include "bytes.h"
#include "feature_map.h"
#include "machine.h"
#include "output.h"
#include "weights.h"
#include "window.h"

namespace bpte::ethosu {
namespace {

constexpr int32_t kIfmUblock = 8;
constexpr size_t kScaleSize = 10;  // of a channel: i40 bias, u32 multiplier, u6 shift
// A product of this many weights and elements stays below 2^31: both are below 256.
constexpr int32_t kExactRun = 32768;

int32_t round_up(int32_t value, int32_t to) {
  return (value + to - 1) / to * to;
}
int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

/// One core's streams. Core k of n has the channels k, k + n, k + 2n, ... of the OFM.
struct Core {
  const uint8_t* weights = nullptr;
  uint64_t weights_size = 0;
  const uint8_t* scales = nullptr;
};

struct Convolution {
  bool depthwise = false;
  int32_t cores = 1;
  int32_t block_depth = 1;
  int32_t ublock_depth = 8;
  FeatureMap ifm;
  Output output;
  Window window;
  Core core[kMostCores];
  int16_t* weights = nullptr;  // of a block: [channel][tap][IFM channel], depthwise [tap][channel]
  int16_t* patch = nullptr;    // the window: [tap][IFM channel]

  int32_t taps() const { return window.taps_y() * window.taps_x(); }
  int32_t channels_of(int32_t k) const { return (output.size().depth + cores - 1 - k) / cores; }
  int32_t block_of(int32_t k) const { return (block_depth + cores - 1 - k) / cores; }
  bool wide_ifm() const { return ifm.element().bytes == 2; }
};

/// Takes the weights of one core's OFM block out of its stream, which has them in the order in
/// which the NPU's cores use them, and puts them where run() wants them.
class BlockDecoder {
 public:
  BlockDecoder(const Convolution& op, int32_t core, int32_t first, int32_t end, int32_t block_first)
      : op_(op), core_(core), first_(first), end_(end), block_first_(block_first) {}
  void decode(WeightStream& stream);

 private:
  void decode_subkernel(WeightStream& stream, int32_t y, int32_t x);
  void decode_tap(WeightStream& stream, int32_t tap, int32_t inner_depth);
  void decode_ublock(WeightStream& stream, int32_t tap, int32_t c);

  const Convolution& op_;
  int32_t core_;
  int32_t first_;  // among the core's channels
  int32_t end_;
  int32_t block_first_;  // among all channels
  int32_t ifm_first_ = 0;
  int32_t ifm_depth_ = 0;  // of the present IFM block
  int32_t outer_ = 0;      // part-kernel-first: where in that block
  int32_t ofm_first_ = 0;  // of the OFM ublock
};

void BlockDecoder::decode(WeightStream& stream) {
  const bool part_kernel = op_.window.part_kernel_first() && !op_.depthwise;
  const int32_t step = part_kernel || op_.wide_ifm() ? 16 : 32;
  const int32_t depth = op_.depthwise ? 1 : op_.ifm.size().depth;
  // Of a kernel, at most 8 by 8 elements of the dilated one at a time.
  const int32_t rows = 8 / op_.window.dilation_y();
  const int32_t columns = 8 / op_.window.dilation_x();
  for (ifm_first_ = 0; ifm_first_ < depth; ifm_first_ += step) {
    ifm_depth_ = op_.depthwise ? kIfmUblock
                 : part_kernel ? smaller(step, depth - ifm_first_)
                               : step;
    for (int32_t y = 0; y < op_.window.taps_y(); y += rows) {
      for (int32_t x = 0; x < op_.window.taps_x(); x += columns) decode_subkernel(stream, y, x);
    }
  }
}

void BlockDecoder::decode_subkernel(WeightStream& stream, int32_t y, int32_t x) {
  const bool part_kernel = op_.window.part_kernel_first() && !op_.depthwise;
  const int32_t height = smaller(op_.window.taps_y() - y, 8 / op_.window.dilation_y());
  const int32_t width = smaller(op_.window.taps_x() - x, 8 / op_.window.dilation_x());
  const int32_t rounding = op_.depthwise ? 4 : !part_kernel ? 1 : op_.wide_ifm() ? 2 : 4;
  const int32_t elements = round_up(height * width, rounding);
  const int32_t outer_depth = part_kernel ? ifm_depth_ : 1;
  const int32_t inner_depth = part_kernel ? 1 : ifm_depth_;
  for (outer_ = 0; outer_ < outer_depth; outer_ += kIfmUblock) {
    for (ofm_first_ = first_; ofm_first_ < end_; ofm_first_ += op_.ublock_depth) {
      for (int32_t element = 0; element < elements; ++element) {
        const int32_t row = element / width;
        const int32_t tap =
            row < height ? (y + row) * op_.window.taps_x() + x + element % width : -1;
        decode_tap(stream, tap, inner_depth);
      }
    }
  }
}

void BlockDecoder::decode_tap(WeightStream& stream, int32_t tap, int32_t inner_depth) {
  for (int32_t inner = 0; inner < inner_depth; inner += kIfmUblock) {
    decode_ublock(stream, tap, ifm_first_ + outer_ + inner);
  }
}

void BlockDecoder::decode_ublock(WeightStream& stream, int32_t tap, int32_t c) {
  const int32_t ifm_depth = op_.depthwise ? 1 : op_.ifm.size().depth;
  const int32_t width = op_.depthwise ? 1 : kIfmUblock;
  for (int32_t o = ofm_first_; o < ofm_first_ + op_.ublock_depth; ++o) {
    const ptrdiff_t channel = ptrdiff_t{o} * op_.cores + core_ - block_first_;
    for (int32_t i = c; i < c + width; ++i) {
      const int16_t weight = stream.next();
      // What fills up ublocks and kernels is padding.
      if (tap < 0 || i >= ifm_depth || o >= end_) continue;
      const ptrdiff_t at = op_.depthwise ? ptrdiff_t{tap} * op_.block_depth + channel
                                         : (channel * op_.taps() + tap) * ifm_depth + i;
      op_.weights[at] = weight;
    }
  }
}

/// sum(a * b) without overflow.
int64_t dot(const int16_t* a, const int16_t* b, int32_t count) {
  int64_t sum = 0;
  for (int32_t at = 0; at < count; at += kExactRun) {
    const int32_t end = smaller(count, at + kExactRun);
    int32_t part = 0;
    for (int32_t i = at; i < end; ++i) part += int32_t{a[i]} * int32_t{b[i]};
    sum += part;
  }
  return sum;
}

int64_t dot_wide(const int16_t* a, const int16_t* b, int32_t count) {
  int64_t sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t product = int32_t{a[i]} * int32_t{b[i]};
    sum += product;
  }
  return sum;
}

/// Gathers channels [first, first + depth) of a window, zero points taken off; padding is 0.
void gather(const Convolution& op, int32_t y, int32_t x, int32_t first, int32_t depth) {
  int16_t* to = op.patch;
  const FeatureMap& ifm = op.ifm;
  const int32_t zero = ifm.zero_point();
  for (int32_t j = 0; j < op.window.taps_y(); ++j) {
    const int32_t row = op.window.row(y, j);
    for (int32_t i = 0; i < op.window.taps_x(); ++i, to += depth) {
      const int32_t column = op.window.column(x, i);
      if (row < 0 || column < 0) {
        std::memset(to, 0, static_cast<size_t>(depth) * sizeof(*to));
        continue;
      }
      const uint8_t* pixel = ifm.pixel(row, column);
      for (int32_t c = first; c < first + depth;) {
        const int32_t end = smaller(ifm.run_end(c), first + depth);
        const uint8_t* from = pixel + ifm.channel(c);
        for (; c < end; ++c, from += ifm.element().bytes) {
          to[c - first] = static_cast<int16_t>(ifm.read(from) - zero);
        }
      }
    }
  }
}

int64_t accumulate(const Convolution& op, int32_t channel, int32_t block_channels) {
  if (!op.depthwise) {
    const int32_t count = op.taps() * op.ifm.size().depth;
    const int16_t* weights = op.weights + ptrdiff_t{channel} * count;
    return op.wide_ifm() ? dot_wide(weights, op.patch, count) : dot(weights, op.patch, count);
  }
  int64_t sum = 0;
  for (int32_t tap = 0; tap < op.taps(); ++tap) {
    sum += int64_t{op.weights[ptrdiff_t{tap} * op.block_depth + channel]} *
           op.patch[ptrdiff_t{tap} * block_channels + channel];
  }
  return sum;
}

/// Channels [first, end) of the OFM, whose weights were decoded.
void run_block(const Convolution& op, int32_t first, int32_t end) {
  const int32_t channels = end - first;
  const Size& ofm = op.output.size();
  for (int32_t y = 0; y < ofm.height; ++y) {
    for (int32_t x = 0; x < ofm.width; ++x) {
      gather(op, y, x, op.depthwise ? first : 0, op.depthwise ? channels : op.ifm.size().depth);
      uint8_t* pixel = op.output.map().pixel_to_write(y, x);
      for (int32_t c = 0; c < channels; ++c) {
        const int32_t channel = first + c;
        const uint8_t* entry = op.core[channel % op.cores].scales +
                               static_cast<size_t>(channel / op.cores) * kScaleSize;
        const uint64_t bias_bits = load<uint32_t>(entry) | uint64_t{entry[4]} << 32;
        const int64_t bias = static_cast<int64_t>(bias_bits << 24) >> 24;
        const Scale scale = {load<uint32_t>(entry + 5), entry[9] & 63u};
        const int64_t sum = accumulate(op, c, channels) + bias;
        op.output.put(pixel, channel, apply(scale, sum, op.output.rounding()));
      }
    }
  }
}

bool describe_core(Machine& machine, Convolution& op, int32_t k) {
  static constexpr Wide kFirst[] = {Wide::WEIGHT_BASE, Wide::WEIGHT_LENGTH, Wide::SCALE_BASE,
                                    Wide::SCALE_LENGTH};
  static constexpr Wide kSecond[] = {Wide::WEIGHT1_BASE, Wide::WEIGHT1_LENGTH, Wide::SCALE1_BASE,
                                     Wide::SCALE1_LENGTH};
  const Registers& registers = machine.registers();
  const auto extent = [&registers](Wide base, Wide length) {
    const uint64_t first = registers.address(base);
    return Extent{static_cast<int64_t>(first),
                  static_cast<int64_t>(first + registers.address(length))};
  };
  const int32_t channels = op.channels_of(k);
  if (channels == 0) return true;
  const Wide* names = k == 0 ? kFirst : kSecond;
  const Extent weights = extent(names[0], names[1]);
  const Extent scales = extent(names[2], names[3]);
  Core& core = op.core[k];
  if (!machine.readable("WEIGHT", registers.get(Narrow::WEIGHT_REGION), weights, core.weights) ||
      !machine.readable("SCALE", registers.get(Narrow::SCALE_REGION), scales, core.scales)) {
    return false;
  }
  if (static_cast<uint64_t>(channels) * kScaleSize > registers.address(names[3])) {
    return machine.invalid() << "SCALE_LENGTH " << registers.address(names[3])
                             << " is too small for " << channels << " channels";
  }
  if (machine.checking()) return true;
  core.weights += weights.first;
  core.weights_size = registers.address(names[1]);
  core.scales += scales.first;
  return true;
}

bool check_elements(Machine& machine, const Convolution& op) {
  const Element& element = op.ifm.element();
  if (element.bytes == 4 || (element.bytes == 2 && !element.is_signed)) {
    return machine.unsupported() << "a convolution of "
                                 << (element.bytes == 4 ? "32 bits" : "uint16")
                                 << " is not modelled";
  }
  const int32_t zero = op.ifm.zero_point();
  const int32_t low = element.is_signed ? -128 : 0;
  if (element.bytes == 2 ? zero != 0 : zero < low || zero > low + 255) {
    return machine.unsupported() << "IFM_ZERO_POINT " << zero << " is outside of the IFM's range";
  }
  if (op.output.global_scale()) {
    return machine.unsupported() << "a convolution with one scale for all channels is not modelled";
  }
  return true;
}

/// What the operation takes of memory and time.
bool describe_work(Machine& machine, Convolution& op, int32_t depth) {
  const auto wide = [](int64_t value) { return static_cast<uint64_t>(value); };
  const Size& ofm = op.output.size();
  const uint64_t taps = wide(op.window.taps_y()) * wide(op.window.taps_x());
  // 2^32 taps at most, by 2^16 channels.
  const uint64_t window = taps * wide(op.depthwise ? op.block_depth : depth);
  const uint64_t rows = op.depthwise ? 1 : wide(op.block_depth);
  constexpr uint64_t kMostWork = uint64_t{1} << 30;
  if (window > kMostWork / (rows + 1)) {
    return machine.unsupported() << "a block of " << window << " weights for each of " << rows
                                 << " channels is too large";
  }
  machine.need_work(window * (rows + 1));
  if (!machine.checking()) {
    op.weights = machine.memories().work.data();
    op.patch = op.weights + static_cast<size_t>(window * rows);
  }
  // The weights, with what fills up ublocks and kernels, are decoded once.
  const int32_t blocks = (ofm.depth + op.block_depth - 1) / op.block_depth;
  const uint64_t decoded =
      wide(blocks) * wide(op.cores) * wide(round_up(op.block_of(0), op.ublock_depth));
  const uint64_t parts = wide(op.window.taps_y() / 4 + 1) * wide(op.window.taps_x() / 4 + 1);
  const uint64_t inner = op.depthwise ? 1 : wide(depth);
  return machine.count(decoded, op.depthwise ? 1 : wide(round_up(depth, 32)), taps + 3 * parts) &&
         machine.count(wide(ofm.height) * wide(ofm.width), wide(ofm.depth), taps * inner);
}

bool describe(Machine& machine, Convolution& op) {
  const Registers& registers = machine.registers();
  if (!op.output.describe(machine) || !op.ifm.describe(machine, kIfm) ||
      !op.window.describe(machine, op.output.size()) || !check_elements(machine, op)) {
    return false;
  }
  const Size& ofm = op.output.size();
  const int32_t depth = op.depthwise ? ofm.depth : registers.plus_one(Narrow::IFM_DEPTH_M1);
  if (!op.ifm.place_input(machine, {op.window.ifm_height(), op.window.ifm_width(), depth})) {
    return false;
  }
  op.block_depth = smaller(registers.plus_one(Narrow::OFM_BLK_DEPTH_M1), ofm.depth);
  op.ublock_depth = machine.config().macs == 32 ? 4 : 8;
  op.cores = machine.config().two_cores && registers.get(Narrow::PARALLEL_MODE) != 0 ? 2 : 1;
  if (op.cores > 1 && op.block_depth % op.cores != 0 && op.block_depth != ofm.depth) {
    return machine.unsupported() << "OFM blocks of " << op.block_depth
                                 << " channels on two cores are not modelled";
  }
  for (int32_t k = 0; k < op.cores; ++k) {
    if (!describe_core(machine, op, k)) return false;
  }
  return describe_work(machine, op, depth);
}

}  // namespace

bool convolve(Machine& machine, bool depthwise) {
  Convolution op;
  op.depthwise = depthwise;
  if (!describe(machine, op)) return false;
  if (machine.checking()) return true;
  for (int32_t k = 0; k < op.cores; ++k) {
    const Core& core = op.core[k];
    machine.stream(k) = WeightStream({core.weights, static_cast<size_t>(core.weights_size)});
  }
  const int32_t depth = op.output.size().depth;
  for (int32_t block = 0; block * op.block_depth < depth; ++block) {
    const int32_t first = block * op.block_depth;
    for (int32_t k = 0; k < op.cores; ++k) {
      const int32_t core_first = block * op.block_of(k);
      const int32_t core_end = smaller(core_first + op.block_of(k), op.channels_of(k));
      if (core_first >= core_end) continue;
      BlockDecoder(op, k, core_first, core_end, first).decode(machine.stream(k));
      const char* const failed = machine.stream(k).failed();
      if (failed != nullptr) return machine.failed() << failed;
    }
    run_block(op, first, smaller(first + op.block_depth, depth));
  }
  return true;
}

}  // namespace bpte::ethosu
