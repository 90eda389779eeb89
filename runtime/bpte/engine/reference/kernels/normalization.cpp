// SPDX-License-Identifier: BSD-3-Clause
// Batch and layer normalisation, softmax.

#include <cmath>

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {

// out = (in - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]; the saved statistics are empty.
bool aten_native_batch_norm_legit_no_training_out(Call& call) {
  Tensor in, weight, bias, mean, variance, out, save_mean, save_scale;
  bool has_weight = false;
  bool has_bias = false;
  double eps = 0;
  if (!call.floats(0, in) || !call.optional_floats(1, weight, has_weight) ||
      !call.optional_floats(2, bias, has_bias) || !call.floats(3, mean) ||
      !call.floats(4, variance) || !call.number(6, eps) || !call.out_floats(7, out) ||
      !call.out_floats(8, save_mean) || !call.out_floats(9, save_scale)) {
    return false;
  }
  if (in.rank < 2) return call.invalid("its input has no channels");
  const auto per_channel = [&](const Tensor& tensor) {
    return tensor.rank == 1 && tensor.sizes[0] == in.sizes[1];
  };
  if ((has_weight && !per_channel(weight)) || (has_bias && !per_channel(bias)) ||
      !per_channel(mean) || !per_channel(variance)) {
    return call.invalid("weight, bias, mean and variance do not have one element per channel");
  }
  const int32_t none[1] = {0};
  if (!call.resize_like(out, in) || !call.resize(save_mean, none, 1) ||
      !call.resize(save_scale, none, 1) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  // One channel at a time, so that its scale is computed once.
  int32_t sizes[kRankLimit];
  for (size_t d = 0; d < in.rank; ++d) sizes[d] = d == 1 ? 1 : in.sizes[d];
  for (ptrdiff_t c = 0; c < in.sizes[1]; ++c) {
    const float center = mean.floats()[c];
    float scale = 1.0f / std::sqrt(variance.floats()[c] + static_cast<float>(eps));
    if (has_weight) scale *= weight.floats()[c];
    const float offset = has_bias ? bias.floats()[c] : 0.0f;
    Rows rows(sizes, in.rank);
    rows.operand(0, out.strides);
    rows.operand(1, in.strides);
    float* to = out.floats() + c * out.strides[1];
    const float* from = in.floats() + c * in.strides[1];
    rows.each(
        [&](ptrdiff_t i) { to[rows.at(0, i)] = (from[rows.at(1, i)] - center) * scale + offset; });
  }
  return true;
}

namespace {

float mean_of(const float* x, size_t count) {
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += x[i];
  return sum / static_cast<float>(count);
}

float variance_of(const float* x, size_t count, float mean) {
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += (x[i] - mean) * (x[i] - mean);
  return sum / static_cast<float>(count);
}

}  // namespace

bool aten_native_layer_norm_out(Call& call) {
  Tensor in, weight, bias, out, means, scales;
  Ints shape;
  bool has_weight = false;
  bool has_bias = false;
  double eps = 0;
  if (!call.floats(0, in) || !call.ints(1, shape) || !call.optional_floats(2, weight, has_weight) ||
      !call.optional_floats(3, bias, has_bias) || !call.number(4, eps) ||
      !call.out_floats(5, out) || !call.out_floats(6, means) || !call.out_floats(7, scales)) {
    return false;
  }
  if (shape.count == 0 || shape.count > in.rank) {
    return call.invalid("the normalised shape does not fit its input");
  }
  const size_t outer = in.rank - shape.count;
  size_t length = 1;
  int32_t statistics[kRankLimit];
  for (size_t d = 0; d < in.rank; ++d) {
    statistics[d] = d < outer ? in.sizes[d] : 1;
    if (d < outer) continue;
    const int64_t size = shape.items[d - outer];
    const auto fits = [&](const Tensor& tensor) {
      return tensor.rank == shape.count && tensor.sizes[d - outer] == size;
    };
    if (size != in.sizes[d] || (has_weight && !fits(weight)) || (has_bias && !fits(bias))) {
      return call.invalid("the normalised shape does not fit input, weight and bias");
    }
    length *= static_cast<size_t>(size);
  }
  if (!call.resize_like(out, in) || !call.resize(means, statistics, in.rank) ||
      !call.resize(scales, statistics, in.rank) ||
      !call.work(3 * uint64_t{out.numel} + means.numel)) {
    return false;
  }
  if (!in.contiguous() || !out.contiguous() || !means.contiguous() || !scales.contiguous() ||
      (has_weight && !weight.contiguous()) || (has_bias && !bias.contiguous())) {
    return call.unsupported("a tensor is not in row-major order");
  }
  if (call.checking() || in.numel == 0) return true;
  const size_t count = in.numel / length;
  for (size_t i = 0; i < count; ++i) {
    const float* from = in.floats() + i * length;
    float* to = out.floats() + i * length;
    const float mean = mean_of(from, length);
    const float scale = 1.0f / std::sqrt(variance_of(from, length, mean) + static_cast<float>(eps));
    for (size_t j = 0; j < length; ++j) {
      float x = (from[j] - mean) * scale;
      if (has_weight) x *= weight.floats()[j];
      if (has_bias) x += bias.floats()[j];
      to[j] = x;
    }
    means.floats()[i] = mean;
    scales.floats()[i] = scale;
  }
  return true;
}

namespace {

bool softmax(Call& call, bool logarithm) {
  Tensor in, out;
  size_t dimension = 0;
  bool half_to_float = false;
  if (!call.floats(0, in) || !call.dimension(1, in.rank, dimension) ||
      !call.boolean(2, half_to_float) || !call.out_floats(3, out) || !call.resize_like(out, in) ||
      !call.work(4 * uint64_t{out.numel})) {
    return false;
  }
  if (half_to_float) return call.unsupported("half_to_float");
  if (call.checking() || out.numel == 0) return true;
  // The grid with `dimension` last: each of its rows is one softmax.
  int32_t sizes[kRankLimit];
  ptrdiff_t from_strides[kRankLimit];
  ptrdiff_t to_strides[kRankLimit];
  for (size_t d = 0, e = 0; d < in.rank; ++d) {
    const size_t place = d == dimension ? in.rank - 1u : e++;
    sizes[place] = in.sizes[d];
    from_strides[place] = in.strides[d];
    to_strides[place] = out.strides[d];
  }
  Rows rows(sizes, in.rank);
  rows.operand(0, to_strides);
  rows.operand(1, from_strides);
  do {
    float* to = out.floats() + rows.offset[0];
    const float* from = in.floats() + rows.offset[1];
    const ptrdiff_t count = rows.length;
    float largest = from[0];
    for (ptrdiff_t i = 1; i < count; ++i) {
      const float x = from[i * rows.step[1]];
      if (x > largest || std::isnan(x)) largest = x;
    }
    float sum = 0;
    for (ptrdiff_t i = 0; i < count; ++i) {
      const float e = std::exp(from[i * rows.step[1]] - largest);
      sum += e;
      if (!logarithm) to[i * rows.step[0]] = e;
    }
    if (logarithm) {
      const float offset = largest + std::log(sum);
      for (ptrdiff_t i = 0; i < count; ++i) to[i * rows.step[0]] = from[i * rows.step[1]] - offset;
    } else {
      for (ptrdiff_t i = 0; i < count; ++i) to[i * rows.step[0]] /= sum;
    }
  } while (rows.next());
  return true;
}

}  // namespace

bool aten_softmax_out(Call& call) {
  return softmax(call, false);
}
bool aten_log_softmax_out(Call& call) {
  return softmax(call, true);
}

}  // namespace bpte::reference
