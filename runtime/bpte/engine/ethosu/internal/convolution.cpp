// SPDX-License-Identifier: BSD-3-Clause
#include "convolution.h"

#include <bpte/core/internal/aligned.h>

#include <cstring>

#include "fast_convolution.h"

namespace bpte::ethosu {
namespace {

/// Elements of a run without gaps, zero point taken off.
void take_run(const FeatureMap& ifm, int16_t* to, const uint8_t* from, int32_t count) {
  const Element& element = ifm.element();
  const int32_t zero = ifm.zero_point();
  if (element.bytes == 2) return subtract<int16_t>(to, from, count, zero);
  if (element.is_signed) return subtract<int8_t>(to, from, count, zero);
  subtract<uint8_t>(to, from, count, zero);
}

/// Gathers channels [first, first + depth) of a window, each tap's `stride` after the last one's;
/// zero points taken off; padding is 0.
void gather(const Convolution& op, int32_t y, int32_t x, int32_t first, int32_t depth,
            ptrdiff_t stride) {
  int16_t* to = op.patch;
  const FeatureMap& ifm = op.ifm;
  for (int32_t j = 0; j < op.window.taps_y(); ++j) {
    const int32_t row = op.window.row(y, j);
    for (int32_t i = 0; i < op.window.taps_x(); ++i, to += stride) {
      const int32_t column = op.window.column(x, i);
      if (row < 0 || column < 0) {
        std::memset(to, 0, static_cast<size_t>(depth) * sizeof(*to));
        continue;
      }
      const uint8_t* pixel = ifm.pixel(row, column);
      for (int32_t c = first; c < first + depth;) {
        const int32_t end = smaller(ifm.run_end(c), first + depth);
        take_run(ifm, to + (c - first), pixel + ifm.channel(c), end - c);
        c = end;
      }
    }
  }
}

/// The sums of a group of channels of the block, from `c` on.
void accumulate(const Convolution& op, int32_t c, int64_t* sums) {
  if (op.depthwise) return dot_taps(op.weights + c, op.patch + c, op.tap_stride(), op.taps(), sums);
  const ptrdiff_t before = ptrdiff_t{c} * op.pairs() * 2;
  dot_group(op.weights + before, op.patch, op.pairs(), op.wide_ifm(), sums);
}

/// A sum is complete: on into the OFM.
void put(const Convolution& op, const Output::Pixel& pixel, int32_t channel, int64_t sum) {
  sum += op.accumulators.first(pixel.y, pixel.x, channel);
  if (op.accumulators.only_kept()) {
    op.accumulators.keep(pixel.y, pixel.x, channel, sum);
    return;
  }
  int64_t bias = 0;
  Scale scale = op.output.scale();
  if (!op.output.global_scale()) op.scales.get(channel, bias, scale);
  op.output.put(pixel, channel, apply(scale, sum + bias, op.output.rounding()));
}

/// Channels [first, end) of the OFM, whose weights were decoded.
void run_block(const Convolution& op, int32_t first, int32_t end) {
  const int32_t channels = end - first;
  const Size& ofm = op.output.size();
  for (int32_t y = 0; y < ofm.height; ++y) {
    for (int32_t x = 0; x < ofm.width; ++x) {
      if (op.depthwise) {
        gather(op, y, x, first, channels, op.tap_stride());
      } else {
        gather(op, y, x, 0, op.depth(), op.depth());
      }
      const Output::Pixel pixel = op.output.pixel(y, x);
      for (int32_t c = 0; c < channels; c += kGroup) {
        int64_t sums[kGroup];
        accumulate(op, c, sums);
        const int32_t count = smaller(channels - c, kGroup);
        for (int32_t k = 0; k < count; ++k) put(op, pixel, first + c + k, sums[k]);
      }
    }
  }
}

/// Ethos-U85: IFM2 is [1, channel of the OFM, channel of the IFM].
void take_weights(const Convolution& op, int32_t first, int32_t end) {
  for (int32_t o = first; o < end; ++o) {
    const uint8_t* row = op.ifm2.pixel(0, o);
    for (int32_t c = 0; c < op.depth(); ++c) {
      const int32_t value = op.ifm2.read(row + op.ifm2.channel(c)) - op.ifm2.zero_point();
      op.channel_weights(o - first)[op.weight_at(0, c)] = static_cast<int16_t>(value);
    }
  }
}

bool describe_streams(Machine& machine, Convolution& op) {
  static constexpr Wide kU55[][2] = {{Wide::WEIGHT_BASE, Wide::WEIGHT_LENGTH},
                                     {Wide::WEIGHT1_BASE, Wide::WEIGHT1_LENGTH},
                                     {Wide::WEIGHT2_BASE, Wide::WEIGHT2_LENGTH},
                                     {Wide::WEIGHT3_BASE, Wide::WEIGHT3_LENGTH}};
  const Registers& registers = machine.registers();
  const int32_t streams = op.fast_weights ? 1 : op.cores;
  for (int32_t k = 0; k < streams && k < kMostCores; ++k) {
    const uint64_t first = registers.address(kU55[k][0]);
    const uint64_t length = registers.address(kU55[k][1]);
    if (length == 0) continue;  // a core without channels; its base may be anything
    const Extent extent = {static_cast<int64_t>(first), static_cast<int64_t>(first + length)};
    const uint8_t* base = nullptr;
    if (!machine.readable("WEIGHT", registers.get(Narrow::WEIGHT_REGION), extent, base)) {
      return false;
    }
    machine.operation().compressed_weights += length;
    machine.count_read(registers.get(Narrow::WEIGHT_REGION), length);
    if (machine.checking()) continue;
    op.streams[k] = {base + static_cast<size_t>(first), static_cast<size_t>(length)};
  }
  return true;
}

bool check_elements(Machine& machine, const FeatureMap& map, const char* name) {
  const Element& element = map.element();
  if (element.bytes == 4 || (element.bytes == 2 && !element.is_signed)) {
    return machine.unsupported() << "a convolution of "
                                 << (element.bytes == 4 ? "32 bits" : "uint16")
                                 << " is not modelled";
  }
  const int32_t zero = map.zero_point();
  const int32_t low = element.is_signed ? -128 : 0;
  if (element.bytes == 2 ? zero != 0 : zero < low || zero > low + 255) {
    return machine.unsupported() << name << "_ZERO_POINT " << zero << " is outside of the " << name
                                 << "'s range";
  }
  return true;
}

/// What the operation takes of memory and time.
bool describe_work(Machine& machine, Convolution& op) {
  const auto wide = [](int64_t value) { return static_cast<uint64_t>(value); };
  const Size& ofm = op.output.size();
  const int32_t depth = op.depth();
  const uint64_t taps = wide(op.window.taps_y()) * wide(op.window.taps_x());
  // 2^32 taps at most, by 2^16 channels.
  const uint64_t elements_of_tap = wide(op.depthwise ? round_up(op.block_depth, kTapStep) : depth);
  const uint64_t window = (taps * elements_of_tap + 1) / 2 * 2;
  const uint64_t rows = op.depthwise ? 1 : wide(round_up(op.block_depth, kGroup));
  constexpr uint64_t kMostWork = uint64_t{1} << 30;
  if (window > kMostWork / (rows + 1)) {
    return machine.unsupported() << "a block of " << window << " weights for each of " << rows
                                 << " channels is too large";
  }
  const uint64_t fast = wide(int64_t{round_up(op.block_depth, kGroup) / kGroup} * kFastWork);
  machine.need_work(fast + window * (rows + 1));
  if (!machine.checking()) {
    op.weights = machine.memories().work.data() + static_cast<size_t>(fast);
    if constexpr (kFastWork != 0) {
      uint8_t* const work = reinterpret_cast<uint8_t*>(machine.memories().work.data());
      op.fast = internal::as_aligned<GroupScales>(work);
    }
    op.patch = op.weights + static_cast<size_t>(window * rows);
    // What no weight fills adds nothing, as what a pair has too many of the window.
    std::memset(op.weights, 0, static_cast<size_t>(window * (rows + 1)) * sizeof(int16_t));
  }
  // The weights, with what fills up ublocks and kernels, are decoded once.
  const int32_t blocks = (ofm.depth + op.block_depth - 1) / op.block_depth;
  const uint64_t decoded = wide(blocks) * wide(op.cores) * wide(op.block_depth + op.ublock_depth);
  const uint64_t parts = wide(op.window.taps_y() / 4 + 1) * wide(op.window.taps_x() / 4 + 1);
  const uint64_t elements = 2 * taps + 16 * parts;
  machine.operation().weights = wide(ofm.depth) * taps * wide(depth);
  machine.operation().macs = machine.operation().weights * wide(ofm.height) * wide(ofm.width);
  return machine.count(decoded, op.depthwise ? 1 : wide(round_up(depth, 64)), elements) &&
         machine.count(wide(ofm.height) * wide(ofm.width), wide(ofm.depth), taps * wide(depth));
}

/// Blocks, ublocks and cores.
bool describe_blocks(Machine& machine, Convolution& op) {
  const Registers& registers = machine.registers();
  const Config& config = machine.config();
  const int32_t depth = op.output.size().depth;
  op.macs = config.macs;
  op.block_depth = smaller(registers.plus_one(Narrow::OFM_BLK_DEPTH_M1), depth);
  if (machine.u85()) {
    // The shape of the OFM's ublock, 1x1, 1x2, 1x4, 2x2, 2x4 or 4x4, in bits 8..10.
    static constexpr uint8_t kPixels[] = {1, 2, 4, 4, 8, 16};
    const uint32_t shape = registers.get(Narrow::ACC_FORMAT) >> 8 & 7;
    if (shape > 5) return machine.invalid() << "ACC_FORMAT has the unknown microblock " << shape;
    op.ublock_depth = static_cast<int32_t>(config.macs / 8 / kPixels[shape]);
    op.cores = config.cores;
    if (op.ublock_depth % (4 * op.cores) != 0) {
      return machine.invalid() << "ublocks of " << op.ublock_depth << " channels on " << op.cores
                               << " cores";
    }
    return true;
  }
  op.ublock_depth = config.macs == 32 ? 4 : 8;
  op.cores = registers.get(Narrow::PARALLEL_MODE) != 0 ? config.cores : 1;
  if (op.cores > 1 && op.block_depth % op.cores != 0 && op.block_depth != depth) {
    return machine.unsupported() << "OFM blocks of " << op.block_depth
                                 << " channels on two cores are not modelled";
  }
  return true;
}

bool describe_weights(Machine& machine, Convolution& op) {
  if (op.weights_in_ifm2) {
    if (op.depthwise || op.taps() != 1) return machine.invalid() << "IFM2 as weights of a window";
    return op.ifm2.describe(machine, kIfm2) && check_elements(machine, op.ifm2, "IFM2") &&
           op.ifm2.place_input(machine, {1, op.output.size().depth, op.depth()});
  }
  const uint32_t format = machine.registers().get(Narrow::WEIGHT_FORMAT);
  op.sparse = machine.u85() && (format >> 4 & 1) != 0;
  op.fast_weights = machine.u85() && (format & 1) != 0;
  return describe_streams(machine, op);
}

bool describe(Machine& machine, Convolution& op) {
  const Registers& registers = machine.registers();
  if (!op.output.describe(machine) || !op.ifm.describe(machine, kIfm) ||
      !op.window.describe(machine, op.output.size()) || !check_elements(machine, op.ifm, "IFM") ||
      !op.accumulators.describe(machine, op.output) || !describe_blocks(machine, op)) {
    return false;
  }
  const Size& ofm = op.output.size();
  const int32_t depth = op.depthwise ? ofm.depth : registers.plus_one(Narrow::IFM_DEPTH_M1);
  if (!op.ifm.place_input(machine, {op.window.ifm_height(), op.window.ifm_width(), depth}) ||
      !describe_weights(machine, op)) {
    return false;
  }
  if (op.output.global_scale() && !op.weights_in_ifm2 && !op.accumulators.only_kept()) {
    return machine.unsupported() << "a convolution with one scale for all channels is not modelled";
  }
  const int32_t tables = machine.u85() ? 1 : op.cores;
  if (!op.output.global_scale() && !op.accumulators.only_kept() &&
      !op.scales.describe(machine, ofm.depth, tables, op.accumulators.wide())) {
    return false;
  }
  return describe_work(machine, op);
}

/// Opens the streams, each core's own or one that all share.
void open_streams(Machine& machine, const Convolution& op) {
  for (int32_t k = 0; k < op.cores; ++k) {
    if (!kHasU85 || !op.fast_weights) {
      machine.stream(k) = WeightStream(op.streams[k]);
      continue;
    }
    // So many weights of one core stand between another's.
    const OrderU85 order(op);
    const int32_t run = op.ublock_depth * order.ifm_ublock * order.rounding / op.cores;
    machine.stream(k) =
        WeightStream::fast(op.streams[0], static_cast<uint32_t>(run),
                           static_cast<uint32_t>(op.cores), static_cast<uint32_t>(k));
  }
}

}  // namespace

void Convolution::take_weights(WeightStream& stream, int32_t channel, int32_t tap, int32_t c,
                               int32_t count) const {
  const int32_t end = channel < 0 ? c : smaller(c + count, depth());
  int16_t* const to = channel < 0 ? nullptr : channel_weights(channel);
  for (int32_t i = c; i < end; ++i) to[weight_at(tap, i)] = stream.next();
  for (int32_t i = c < end ? end : c; i < c + count; ++i) (void)stream.next();
}

bool convolve(Machine& machine, bool depthwise, uint16_t parameter) {
  Convolution op;
  op.depthwise = depthwise;
  op.weights_in_ifm2 = machine.u85() && (parameter & 1) != 0;
  if (!describe(machine, op)) return false;
  if (machine.checking()) return true;
  if (!op.weights_in_ifm2) open_streams(machine, op);
  const int32_t depth = op.output.size().depth;
  for (int32_t block = 0; block * op.block_depth < depth; ++block) {
    const int32_t first = block * op.block_depth;
    const int32_t end = smaller(first + op.block_depth, depth);
    if (op.weights_in_ifm2) take_weights(op, first, end);
    for (int32_t k = 0; k < op.cores && !op.weights_in_ifm2; ++k) {
      WeightStream& stream = machine.stream(k);
      if (machine.u85()) {
        decode_block_u85(op, k, block, stream);
      } else {
        decode_block_u55(op, k, block, stream);
      }
      if (stream.failed() != nullptr) return machine.failed() << stream.failed();
    }
    if (!run_block_fast(op, first, end)) run_block(op, first, end);
  }
  return true;
}

}  // namespace bpte::ethosu
