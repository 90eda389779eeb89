// SPDX-License-Identifier: BSD-3-Clause
#include "convolution.h"

namespace bpte::ethosu {
namespace {

constexpr int32_t kInterleave = 4;  // channels of the OFM that stand together

/// Within an OFM ublock, four channels are the first core's, the next four the second's, and so on.
class Decoder {
 public:
  Decoder(const Convolution& op, int32_t core, int32_t block, WeightStream& stream);
  void decode();

 private:
  /// A part of the kernel, at most 8 by 8 elements of the dilated one.
  struct Part {
    int32_t y;
    int32_t x;
    int32_t height;
    int32_t width;
  };

  void decode_part(const Part& part);
  void decode_kernel(const Part& part);
  void decode_phase(const Part& part, int32_t stride_y, int32_t stride_x);
  void decode_element(int32_t tap);
  void skip(int32_t elements);

  const Convolution& op_;
  const OrderU85 order_;
  WeightStream& stream_;
  int32_t core_;
  int32_t block_;
  int32_t first_;
  int32_t end_;
  int32_t stride_y_;
  int32_t stride_x_;
  int32_t dw_padding_;  // elements behind each run of order_.rounding, depthwise
  int32_t ifm_first_ = 0;
  int32_t ofm_first_ = 0;
  int32_t left_ = 0;  // elements of the present part of the kernel
};

constexpr int32_t kPartKernelBlock = 16;

}  // namespace

OrderU85::OrderU85(const Convolution& op) {
  const bool wide = op.wide_ifm();
  ifm_step = op.depthwise ? 1 : op.sparse ? 16 : 8;
  if (op.depthwise) {
    ifm_ublock = 1;
    rounding = 10;
  } else if (op.part_kernel()) {
    ifm_block = kPartKernelBlock;
    ifm_ublock = wide && !op.sparse ? ifm_step : kPartKernelBlock;
    rounding = wide || op.sparse ? 10 : 5;
  } else if (op.sparse) {
    ifm_block = ifm_ublock = wide ? 64 : 128;
  } else {
    ifm_block = ifm_ublock = op.macs <= 256 && op.ublock_depth == 16 ? 32 : 64;
  }
}

namespace {

Decoder::Decoder(const Convolution& op, int32_t core, int32_t block, WeightStream& stream)
    : op_(op), order_(op), stream_(stream), core_(core), block_(block) {
  first_ = block * op.block_depth;
  end_ = smaller(first_ + op.block_depth, op.output.size().depth);
  const bool by_stride = op.depthwise || op.part_kernel();
  stride_y_ = by_stride ? op.window.stride_y() : 1;
  stride_x_ = by_stride ? op.window.stride_x() : 1;
  const bool padded = op.depthwise && (op.wide_ifm() || op.macs > 256);
  dw_padding_ = !padded ? 0 : op.macs <= 512 ? 2 : 6;
}

/// The IFM's blocks forwards for one OFM block, backwards for the next.
void Decoder::decode() {
  const int32_t blocks =
      op_.depthwise ? 1 : (op_.depth() + order_.ifm_block - 1) / order_.ifm_block;
  const int32_t rows = 8 / op_.window.dilation_y();
  const int32_t columns = 8 / op_.window.dilation_x();
  for (int32_t k = 0; k < blocks; ++k) {
    ifm_first_ = (block_ % 2 == 0 ? k : blocks - 1 - k) * order_.ifm_block;
    for (int32_t x = 0; x < op_.window.taps_x(); x += columns) {
      for (int32_t y = 0; y < op_.window.taps_y(); y += rows) {
        decode_part({y, x, smaller(op_.window.taps_y() - y, rows),
                     smaller(op_.window.taps_x() - x, columns)});
      }
    }
  }
}

void Decoder::decode_part(const Part& part) {
  const int32_t block_first = ifm_first_;
  const int32_t depth = op_.depthwise ? 1 : smaller(order_.ifm_block, op_.depth() - block_first);
  for (int32_t outer = 0; outer < depth; outer += order_.ifm_ublock) {
    ifm_first_ = block_first + outer;
    for (ofm_first_ = first_; ofm_first_ < end_; ofm_first_ += op_.ublock_depth) {
      decode_kernel(part);
    }
  }
  ifm_first_ = block_first;
}

/// The kernel's elements, those of one phase of the stride after another.
void Decoder::decode_kernel(const Part& part) {
  left_ = round_up(part.height * part.width, order_.rounding);
  for (int32_t y = 0; y < stride_y_; ++y) {
    for (int32_t x = 0; x < stride_x_; ++x) decode_phase(part, y, x);
  }
  if (left_ > 0) skip(left_ + dw_padding_);
}

/// Rows forwards and backwards in turn.
void Decoder::decode_phase(const Part& part, int32_t stride_y, int32_t stride_x) {
  const int32_t height = (part.height + stride_y_ - 1 - stride_y) / stride_y_;
  const int32_t width = (part.width + stride_x_ - 1 - stride_x) / stride_x_;
  for (int32_t row = 0; row < height; ++row) {
    for (int32_t k = 0; k < width; ++k) {
      const int32_t column = row % 2 == 0 ? k : width - 1 - k;
      const int32_t y = part.y + stride_y + row * stride_y_;
      const int32_t x = part.x + stride_x + column * stride_x_;
      decode_element(y * op_.window.taps_x() + x);
      if (--left_ % order_.rounding == 0) skip(dw_padding_);
    }
  }
}

void Decoder::decode_element(int32_t tap) {
  const int32_t width = order_.ifm_step;
  for (int32_t inner = 0; inner < order_.ifm_ublock; inner += width) {
    for (int32_t group = core_ * kInterleave; group < op_.ublock_depth;
         group += kInterleave * op_.cores) {
      for (int32_t o = ofm_first_ + group; o < ofm_first_ + group + kInterleave; ++o) {
        const int32_t channel = o < end_ ? o - first_ : -1;
        op_.take_weights(stream_, channel, tap, ifm_first_ + inner, width);
      }
    }
  }
}

void Decoder::skip(int32_t elements) {
  int64_t count = int64_t{elements} * order_.ifm_ublock * op_.ublock_depth / op_.cores;
  for (; count > 0 && stream_.failed() == nullptr; --count) (void)stream_.next();
}

}  // namespace

void decode_block_u85(const Convolution& op, int32_t core, int32_t block, WeightStream& stream) {
  Decoder(op, core, block, stream).decode();
}

}  // namespace bpte::ethosu
