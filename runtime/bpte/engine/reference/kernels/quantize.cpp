// SPDX-License-Identifier: BSD-3-Clause
// Per-tensor quantisation between float32 and int8 or uint8.

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

/// scale, zero point, quant_min, quant_max and dtype: arguments 1 to 5.
bool quantization(Call& call, const Tensor& quantized, Quantization& q) {
  double scale = 0;
  int64_t zero_point, lowest, highest, type;
  if (!call.number(1, scale) || !call.integer(2, zero_point) || !call.integer(3, lowest) ||
      !call.integer(4, highest) || !call.integer(5, type)) {
    return false;
  }
  const bool is_signed = quantized.type == ScalarType::kChar;
  if (!is_signed && quantized.type != ScalarType::kByte) {
    return call.unsupported("its quantised tensor is neither int8 nor uint8");
  }
  if (type != static_cast<int64_t>(quantized.type)) {
    return call.invalid("its dtype is not that of its quantised tensor");
  }
  if (lowest < (is_signed ? -128 : 0) || highest > (is_signed ? 127 : 255) || lowest > highest ||
      zero_point < -32768 || zero_point > 32767) {
    return call.invalid("its range or zero point does not fit its dtype");
  }
  q.scale = static_cast<float>(scale);
  q.zero_point = static_cast<int32_t>(zero_point);
  q.lowest = static_cast<int32_t>(lowest);
  q.highest = static_cast<int32_t>(highest);
  return true;
}

}  // namespace

bool quantized_decomposed_quantize_per_tensor_out(Call& call) {
  Tensor in, out;
  Quantization q;
  if (!call.floats(0, in) || !call.out(6, out) || !quantization(call, out, q) ||
      !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
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
  if (!call.tensor(0, in) || !call.out_floats(7, out) || !quantization(call, in, q) ||
      !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  const bool is_signed = in.type == ScalarType::kChar;
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    const uint8_t byte = in.data[from];
    const int32_t level = is_signed ? static_cast<int8_t>(byte) : byte;
    out.floats()[to] = static_cast<float>(level - q.zero_point) * q.scale;
  });
  return true;
}

}  // namespace bpte::reference
