// SPDX-License-Identifier: BSD-3-Clause
// Quantisation between float32 and int8 or uint8; from int32 (biases) as well.

#include <cmath>

#include "../internal/call.h"

namespace bpte::reference {
namespace {

struct Quantization {
  float scale = 1;
  int32_t zero_point = 0;
  int32_t lowest = 0;
  int32_t highest = 0;
};

/// quant_min, quant_max and dtype, from argument `first` on, for a quantised tensor.
bool range(Call& call, size_t first, const Tensor& quantized, Quantization& q) {
  int64_t lowest, highest, type;
  if (!call.integer(first, lowest) || !call.integer(first + 1, highest) ||
      !call.integer(first + 2, type)) {
    return false;
  }
  if (type != static_cast<int64_t>(quantized.type)) {
    return call.invalid("its dtype is not that of its quantised tensor");
  }
  int64_t least = INT32_MIN, most = INT32_MAX;
  if (quantized.type == ScalarType::kChar) {
    least = INT8_MIN;
    most = INT8_MAX;
  } else if (quantized.type == ScalarType::kByte) {
    least = 0;
    most = UINT8_MAX;
  }
  if (lowest < least || highest > most || lowest > highest) {
    return call.invalid("its range does not fit its dtype");
  }
  q.lowest = static_cast<int32_t>(lowest);
  q.highest = static_cast<int32_t>(highest);
  return true;
}

bool set_zero_point(Call& call, int64_t zero_point, Quantization& q) {
  if (zero_point < -32768 || zero_point > 32767) {
    return call.invalid("its zero point does not fit its dtype");
  }
  q.zero_point = static_cast<int32_t>(zero_point);
  return true;
}

/// scale, zero point, quant_min, quant_max and dtype: arguments 1 to 5.
bool per_tensor(Call& call, const Tensor& quantized, Quantization& q) {
  double scale = 0;
  int64_t zero_point;
  if (!call.number(1, scale) || !call.integer(2, zero_point) ||
      !set_zero_point(call, zero_point, q) || !range(call, 3, quantized, q)) {
    return false;
  }
  q.scale = static_cast<float>(scale);
  return true;
}

bool is_byte(ScalarType type) {
  return type == ScalarType::kChar || type == ScalarType::kByte;
}

/// A quantised tensor that is read.
bool levels(Call& call, Tensor& in) {
  if (!call.tensor(0, in)) return false;
  if (is_byte(in.type) || in.type == ScalarType::kInt) return true;
  return call.unsupported("its quantised tensor is neither int8, uint8 nor int32");
}

void dequantize(Tensor& out, const Tensor& in, const Quantization& q) {
  float* const to_floats = out.floats();
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    int64_t level;
    if (in.type == ScalarType::kInt) {
      level = in.as<int32_t>()[from];
    } else {
      level = in.type == ScalarType::kChar ? static_cast<int8_t>(in.data[from]) : in.data[from];
    }
    to_floats[to] = static_cast<float>(level - q.zero_point) * q.scale;
  });
}

/// The part of a tensor with one index along `axis`.
Tensor channel(const Tensor& tensor, size_t axis, int32_t index) {
  Tensor part = tensor;
  part.sizes[axis] = 1;
  part.data += index * tensor.strides[axis] * static_cast<ptrdiff_t>(tensor.element_size);
  return part;
}

}  // namespace

bool quantized_decomposed_quantize_per_tensor_out(Call& call) {
  Tensor in, out;
  Quantization q;
  if (!call.floats(0, in) || !call.out(6, out) || !per_tensor(call, out, q) ||
      !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
  if (!is_byte(out.type)) return call.unsupported("its quantised tensor is neither int8 nor uint8");
  if (call.checking() || out.numel == 0) return true;
  const float inverse = 1.0f / q.scale;
  const float lowest = static_cast<float>(q.lowest);
  const float highest = static_cast<float>(q.highest);
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    const float x = in.floats()[from];
    // Bounds it before the conversion, which is undefined for what an integer cannot hold. A NaN
    // fails the comparison and becomes the lowest value.
    const float level = std::nearbyint(inverse * x) + static_cast<float>(q.zero_point);
    float bounded = level >= lowest ? level : lowest;
    if (bounded > highest) bounded = highest;
    out.data[to] = static_cast<uint8_t>(static_cast<int32_t>(bounded));
  });
  return true;
}

bool quantized_decomposed_dequantize_per_tensor_out(Call& call) {
  Tensor in, out;
  Quantization q;
  if (!levels(call, in) || !call.out_floats(7, out) || !per_tensor(call, in, q) ||
      !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  dequantize(out, in, q);
  return true;
}

// input, scales, zero points or None, axis, quant_min, quant_max, dtype, dtype of the output.
bool quantized_decomposed_dequantize_per_channel_out(Call& call) {
  Tensor in, out, scales, zero_points;
  Quantization q;
  size_t axis = 0;
  const bool shifted = !call.is_none(2);
  if (!levels(call, in) || !call.out_floats(8, out) || !call.floats(1, scales) ||
      (shifted && !call.tensor(2, zero_points)) || !call.dimension(3, in.rank, axis) ||
      !range(call, 4, in, q) || !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
  if (in.rank == 0) return call.invalid("a scalar has no channels");
  const size_t channels = static_cast<size_t>(in.sizes[axis]);
  if (scales.numel != channels || (shifted && zero_points.numel != channels)) {
    return call.invalid("there is not one scale and zero point for each channel");
  }
  const bool wide = zero_points.type == ScalarType::kLong;
  if (shifted && !wide && zero_points.type != ScalarType::kInt) {
    return call.unsupported("its zero points are neither int64 nor int32");
  }
  if (call.checking() || out.numel == 0) return true;
  for (int32_t c = 0; c < in.sizes[axis]; ++c) {
    q.scale = scales.floats()[c];
    if (shifted) {
      const int64_t zero_point = wide ? zero_points.as<int64_t>()[c] : zero_points.as<int32_t>()[c];
      if (!set_zero_point(call, zero_point, q)) return false;
    }
    Tensor part = channel(out, axis, c);
    dequantize(part, channel(in, axis, c), q);
  }
  return true;
}

}  // namespace bpte::reference
