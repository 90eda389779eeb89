// SPDX-License-Identifier: BSD-3-Clause
#include "convolution.h"

namespace bpte::ethosu {
namespace {

constexpr int32_t kIfmUblock = 8;

/// Core k of n has the channels k, k + n, k + 2n, ... of the OFM.
class Decoder {
 public:
  Decoder(const Convolution& op, int32_t core, int32_t block, WeightStream& stream)
      : op_(op), stream_(stream), core_(core) {
    const int32_t of_core = (op.output.size().depth + op.cores - 1 - core) / op.cores;
    const int32_t of_block = (op.block_depth + op.cores - 1 - core) / op.cores;
    first_ = block * of_block;
    end_ = smaller(first_ + of_block, of_core);
    block_first_ = block * op.block_depth;
  }
  void decode();

 private:
  void decode_subkernel(int32_t y, int32_t x);
  void decode_ublock(int32_t tap, int32_t c);

  const Convolution& op_;
  WeightStream& stream_;
  int32_t core_;
  int32_t first_;  // among the core's channels
  int32_t end_;
  int32_t block_first_;    // among all channels
  int32_t ifm_first_ = 0;  // of the present IFM block
  int32_t ifm_depth_ = 0;
  int32_t ofm_first_ = 0;  // of the OFM ublock
};

void Decoder::decode() {
  if (first_ >= end_) return;
  const bool part_kernel = op_.part_kernel();
  const int32_t step = part_kernel || op_.wide_ifm() ? 16 : 32;
  const int32_t depth = op_.depth();
  // Of a kernel, at most 8 by 8 elements of the dilated one at a time.
  const int32_t rows = 8 / op_.window.dilation_y();
  const int32_t columns = 8 / op_.window.dilation_x();
  for (ifm_first_ = 0; ifm_first_ < depth; ifm_first_ += step) {
    ifm_depth_ = op_.depthwise ? kIfmUblock
                 : part_kernel ? smaller(step, depth - ifm_first_)
                               : step;
    for (int32_t y = 0; y < op_.window.taps_y(); y += rows) {
      for (int32_t x = 0; x < op_.window.taps_x(); x += columns) decode_subkernel(y, x);
    }
  }
}

void Decoder::decode_subkernel(int32_t y, int32_t x) {
  const bool part_kernel = op_.part_kernel();
  const int32_t height = smaller(op_.window.taps_y() - y, 8 / op_.window.dilation_y());
  const int32_t width = smaller(op_.window.taps_x() - x, 8 / op_.window.dilation_x());
  const int32_t rounding = op_.depthwise ? 4 : !part_kernel ? 1 : op_.wide_ifm() ? 2 : 4;
  const int32_t elements = round_up(height * width, rounding);
  const int32_t outer_depth = part_kernel ? ifm_depth_ : 1;
  const int32_t inner_depth = part_kernel ? 1 : ifm_depth_;
  for (int32_t outer = 0; outer < outer_depth; outer += kIfmUblock) {
    for (ofm_first_ = first_; ofm_first_ < end_; ofm_first_ += op_.ublock_depth) {
      for (int32_t element = 0; element < elements; ++element) {
        const int32_t row = element / width;
        const int32_t tap =
            row < height ? (y + row) * op_.window.taps_x() + x + element % width : -1;
        for (int32_t inner = 0; inner < inner_depth; inner += kIfmUblock) {
          decode_ublock(tap, ifm_first_ + outer + inner);
        }
      }
    }
  }
}

void Decoder::decode_ublock(int32_t tap, int32_t c) {
  const int32_t width = op_.depthwise ? 1 : kIfmUblock;
  for (int32_t o = ofm_first_; o < ofm_first_ + op_.ublock_depth; ++o) {
    const bool padding = tap < 0 || o >= end_;
    const int32_t channel = padding ? -1 : o * op_.cores + core_ - block_first_;
    op_.take_weights(stream_, channel, tap, c, width);
  }
}

}  // namespace

void decode_block_u55(const Convolution& op, int32_t core, int32_t block, WeightStream& stream) {
  Decoder(op, core, block, stream).decode();
}

}  // namespace bpte::ethosu
