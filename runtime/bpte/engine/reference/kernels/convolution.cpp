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

struct Convolution {
  Tensor in, weight, bias, out;
  bool has_bias = false;
  int64_t groups = 1;
  Axis h, w;
};

/// Reads and checks the tensors and the groups.
bool read_tensors(Call& call, Convolution& c) {
  bool transposed = false;
  if (!call.floats(0, c.in) || !call.floats(1, c.weight) ||
      !call.optional_floats(2, c.bias, c.has_bias) || !call.boolean(6, transposed) ||
      !call.integer(8, c.groups) || !call.out_floats(9, c.out)) {
    return false;
  }
  if (transposed) return call.unsupported("transposed convolution");
  if ((c.in.rank != 3 && c.in.rank != 4) || c.weight.rank != c.in.rank) {
    return c.in.rank == 5 ? call.unsupported("convolution in three dimensions")
                          : call.invalid("input and weight are not of rank 3 or 4");
  }
  const int32_t outputs = c.weight.sizes[0];
  if (c.groups < 1 || c.groups > outputs || c.in.sizes[1] % c.groups != 0 ||
      outputs % c.groups != 0 || c.weight.sizes[1] != c.in.sizes[1] / c.groups) {
    return call.invalid("groups do not fit the channels of input and weight");
  }
  if (c.has_bias && (c.bias.rank != 1 || c.bias.sizes[0] != outputs)) {
    return call.invalid("the bias does not have one element per output channel");
  }
  return true;
}

/// Reads stride, padding and dilation, and gives the output its sizes.
bool set_axes(Call& call, Convolution& c) {
  const size_t spatial = c.in.rank - 2u;
  int64_t stride[2], padding[2], dilation[2];
  if (!per_dimension(call, 3, spatial, 1, nullptr, stride) ||
      !per_dimension(call, 4, spatial, 0, nullptr, padding) ||
      !per_dimension(call, 5, spatial, 1, nullptr, dilation)) {
    return false;
  }
  int32_t sizes[4] = {c.in.sizes[0], c.weight.sizes[0], 1, 1};
  for (size_t i = 0; i < spatial; ++i) {
    Axis& axis = i + 1 == spatial ? c.w : c.h;
    axis.in = c.in.sizes[2 + i];
    axis.kernel = c.weight.sizes[2 + i];
    axis.stride = stride[i];
    axis.padding = padding[i];
    axis.dilation = dilation[i];
    if (axis.kernel < 1) return call.invalid("the kernel is empty");
    if (!set_output_size(call, axis, false)) return false;
    sizes[2 + i] = static_cast<int32_t>(axis.out);
  }
  return call.resize(c.out, sizes, c.in.rank);
}

/// One output plane: `in` is the first of the input channels that `weights` read.
void convolve(const Convolution& c, const Image& input, const Image& kernel, const Image& output,
              const float* in, const float* weights, float start, float* to) {
  const ptrdiff_t channels = kernel.sizes[1];
  const ptrdiff_t w_step = static_cast<ptrdiff_t>(c.w.dilation) * input.strides[3];
  for (int64_t oh = 0; oh < c.h.out; ++oh) {
    int64_t h_first, h_last;
    c.h.clip(oh, h_first, h_last);
    for (int64_t ow = 0; ow < c.w.out; ++ow) {
      int64_t w_first, w_last;
      c.w.clip(ow, w_first, w_last);
      float sum = start;
      const ptrdiff_t w_from = static_cast<ptrdiff_t>(c.w.position(ow, w_first));
      const ptrdiff_t w_count = static_cast<ptrdiff_t>(w_last - w_first);
      for (ptrdiff_t i = 0; w_count > 0 && i < channels; ++i) {
        for (int64_t kh = h_first; kh < h_last; ++kh) {
          const float* x = in + i * input.strides[1] +
                           static_cast<ptrdiff_t>(c.h.position(oh, kh)) * input.strides[2] +
                           w_from * input.strides[3];
          const float* y = weights + i * kernel.strides[1] +
                           static_cast<ptrdiff_t>(kh) * kernel.strides[2] +
                           static_cast<ptrdiff_t>(w_first) * kernel.strides[3];
          for (ptrdiff_t k = 0; k < w_count; ++k) sum += x[k * w_step] * y[k * kernel.strides[3]];
        }
      }
      to[static_cast<ptrdiff_t>(oh) * output.strides[2] +
         static_cast<ptrdiff_t>(ow) * output.strides[3]] = sum;
    }
  }
}

}  // namespace

bool aten_convolution_out(Call& call) {
  Convolution c;
  if (!read_tensors(call, c) || !set_axes(call, c)) return false;
  // No overflow: out fits memory now, and weight.numel is below 2^31 (it lies in memory as well).
  const uint64_t positions = static_cast<uint64_t>(c.h.out * c.w.out);
  if (!call.work(uint64_t{c.out.numel} +
                 uint64_t{c.weight.numel} * positions * static_cast<uint64_t>(c.in.sizes[0]))) {
    return false;
  }
  if (call.checking() || c.out.numel == 0) return true;

  const Image input = image(c.in);
  const Image kernel = image(c.weight);
  const Image output = image(c.out);
  const ptrdiff_t group_outputs = kernel.sizes[0] / static_cast<ptrdiff_t>(c.groups);
  for (ptrdiff_t n = 0; n < input.sizes[0]; ++n) {
    for (ptrdiff_t o = 0; o < kernel.sizes[0]; ++o) {
      const ptrdiff_t first_channel = o / group_outputs * kernel.sizes[1];
      convolve(c, input, kernel, output,
               c.in.floats() + n * input.strides[0] + first_channel * input.strides[1],
               c.weight.floats() + o * kernel.strides[0],
               c.has_bias ? c.bias.floats()[o * c.bias.strides[0]] : 0.0f,
               c.out.floats() + n * output.strides[0] + o * output.strides[1]);
    }
  }
  return true;
}

}  // namespace bpte::reference
