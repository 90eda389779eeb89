// SPDX-License-Identifier: BSD-3-Clause
// Convolution in one and two dimensions, with groups, strides, padding and dilation.

#include "../internal/window.h"

namespace bpte::reference {
namespace {

/// Dimensions of an input [n, c, h, w] or [n, c, w], or of a weight; a missing h is 1.
struct Image {
  int32_t sizes[4];
  ptrdiff_t strides[4];
};

Image image(const Tensor& tensor) {
  Image result = {{1, 1, 1, 1}, {0, 0, 0, 0}};
  for (size_t d = 0; d < tensor.rank; ++d) {
    const size_t to = d < 2 ? d : d + 4 - tensor.rank;
    result.sizes[to] = tensor.sizes[d];
    result.strides[to] = tensor.strides[d];
  }
  return result;
}

}  // namespace

bool aten_convolution_out(Call& call) {
  Tensor in, weight, bias, out;
  bool has_bias = false;
  bool transposed = false;
  int64_t groups = 1;
  if (!call.floats(0, in) || !call.floats(1, weight) || !call.optional_floats(2, bias, has_bias) ||
      !call.boolean(6, transposed) || !call.integer(8, groups) || !call.out_floats(9, out)) {
    return false;
  }
  if (transposed) return call.unsupported("transposed convolution");
  if ((in.rank != 3 && in.rank != 4) || weight.rank != in.rank) {
    return in.rank == 5 ? call.unsupported("convolution in three dimensions")
                        : call.invalid("input and weight are not of rank 3 or 4");
  }
  const size_t spatial = in.rank - 2u;
  int64_t stride[2], padding[2], dilation[2];
  if (!per_dimension(call, 3, spatial, 1, nullptr, stride) ||
      !per_dimension(call, 4, spatial, 0, nullptr, padding) ||
      !per_dimension(call, 5, spatial, 1, nullptr, dilation)) {
    return false;
  }
  const Image input = image(in);
  const Image kernel = image(weight);
  if (groups < 1 || groups > kernel.sizes[0] || input.sizes[1] % groups != 0 ||
      kernel.sizes[0] % groups != 0 || kernel.sizes[1] != input.sizes[1] / groups) {
    return call.invalid("groups do not fit the channels of input and weight");
  }
  if (has_bias && (bias.rank != 1 || bias.sizes[0] != kernel.sizes[0])) {
    return call.invalid("the bias does not have one element per output channel");
  }
  Axis axes[2];  // h, w
  int32_t sizes[4] = {in.sizes[0], weight.sizes[0], 1, 1};
  for (size_t i = 0; i < spatial; ++i) {
    Axis& axis = axes[i + 2 - spatial];
    axis.in = in.sizes[2 + i];
    axis.kernel = weight.sizes[2 + i];
    axis.stride = stride[i];
    axis.padding = padding[i];
    axis.dilation = dilation[i];
    if (axis.kernel < 1) return call.invalid("the kernel is empty");
    if (!set_output_size(call, axis, false)) return false;
    sizes[2 + i] = static_cast<int32_t>(axis.out);
  }
  // No overflow: out fits memory now, and weight.numel is below 2^31 (it lies in memory as well).
  const uint64_t positions = static_cast<uint64_t>(axes[0].out * axes[1].out);
  if (!call.resize(out, sizes, in.rank) ||
      !call.work(uint64_t{out.numel} +
                 uint64_t{weight.numel} * positions * static_cast<uint64_t>(in.sizes[0]))) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;

  const Image output = image(out);
  const ptrdiff_t channels = kernel.sizes[1];
  const ptrdiff_t group_outputs = kernel.sizes[0] / static_cast<ptrdiff_t>(groups);
  const Axis& h = axes[0];
  const Axis& w = axes[1];
  for (ptrdiff_t n = 0; n < input.sizes[0]; ++n) {
    for (ptrdiff_t c = 0; c < kernel.sizes[0]; ++c) {
      const float* in_channels =
          in.floats() + n * input.strides[0] + c / group_outputs * channels * input.strides[1];
      const float* weights = weight.floats() + c * kernel.strides[0];
      float* to = out.floats() + n * output.strides[0] + c * output.strides[1];
      const float start = has_bias ? bias.floats()[c * bias.strides[0]] : 0.0f;
      for (int64_t oh = 0; oh < h.out; ++oh) {
        int64_t h_first, h_last;
        h.clip(oh, h_first, h_last);
        for (int64_t ow = 0; ow < w.out; ++ow) {
          int64_t w_first, w_last;
          w.clip(ow, w_first, w_last);
          float sum = start;
          const ptrdiff_t w_from = static_cast<ptrdiff_t>(w.position(ow, w_first));
          const ptrdiff_t w_step = static_cast<ptrdiff_t>(w.dilation) * input.strides[3];
          const ptrdiff_t w_count = static_cast<ptrdiff_t>(w_last - w_first);
          for (ptrdiff_t i = 0; w_count > 0 && i < channels; ++i) {
            for (int64_t kh = h_first; kh < h_last; ++kh) {
              const float* x = in_channels + i * input.strides[1] +
                               static_cast<ptrdiff_t>(h.position(oh, kh)) * input.strides[2] +
                               w_from * input.strides[3];
              const float* y = weights + i * kernel.strides[1] +
                               static_cast<ptrdiff_t>(kh) * kernel.strides[2] +
                               static_cast<ptrdiff_t>(w_first) * kernel.strides[3];
              for (ptrdiff_t k = 0; k < w_count; ++k) {
                sum += x[k * w_step] * y[k * kernel.strides[3]];
              }
            }
          }
          to[static_cast<ptrdiff_t>(oh) * output.strides[2] +
             static_cast<ptrdiff_t>(ow) * output.strides[3]] = sum;
        }
      }
    }
  }
  return true;
}

}  // namespace bpte::reference
