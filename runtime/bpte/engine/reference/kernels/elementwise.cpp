// SPDX-License-Identifier: BSD-3-Clause
// Operators that work element by element, with broadcasting.

#include <cmath>

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {

bool broadcast_sizes(Call& call, const Tensor& a, const Tensor& b, int32_t* sizes, size_t& rank) {
  rank = a.rank > b.rank ? a.rank : b.rank;
  for (size_t d = 0; d < rank; ++d) {
    const size_t from_end = rank - d;
    const int32_t x = from_end > a.rank ? 1 : a.sizes[a.rank - from_end];
    const int32_t y = from_end > b.rank ? 1 : b.sizes[b.rank - from_end];
    if (x != y && x != 1 && y != 1) return call.invalid("the shapes do not broadcast");
    sizes[d] = x == 1 ? y : x;
  }
  return true;
}

bool broadcast_strides(Call& call, const Tensor& tensor, const int32_t* sizes, size_t rank,
                       ptrdiff_t* strides) {
  if (tensor.rank > rank) return call.invalid("a shape has too many dimensions");
  for (size_t d = 0; d < rank; ++d) {
    const size_t from_end = rank - d;
    strides[d] = 0;
    if (from_end > tensor.rank) continue;
    const size_t own = tensor.rank - from_end;
    if (tensor.sizes[own] == sizes[d]) {
      strides[d] = tensor.strides[own];
    } else if (tensor.sizes[own] != 1) {
      return call.invalid("the shapes do not broadcast");
    }
  }
  return true;
}

namespace {

using UnaryFunction = float (*)(float x, const float* constants);
using BinaryFunction = float (*)(float a, float b, float alpha);
using CompareFunction = bool (*)(float a, float b);

/// out = function(argument 0), for each element; `constants` is passed on to it.
bool unary(Call& call, size_t out_argument, UnaryFunction function,
           const float* constants = nullptr) {
  Tensor in, out;
  if (!call.floats(0, in) || !call.out_floats(out_argument, out) || !call.resize_like(out, in) ||
      !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    out.floats()[to] = function(in.floats()[from], constants);
  });
  return true;
}

/// out = function(a, b, alpha); shapes broadcast.
bool binary_tensors(Call& call, const Tensor& a, const Tensor& b, size_t out_argument,
                    BinaryFunction function, float alpha) {
  Tensor out;
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  ptrdiff_t a_strides[kRankLimit];
  ptrdiff_t b_strides[kRankLimit];
  if (!call.out_floats(out_argument, out) || !broadcast_sizes(call, a, b, sizes, rank) ||
      !call.resize(out, sizes, rank) || !broadcast_strides(call, a, sizes, rank, a_strides) ||
      !broadcast_strides(call, b, sizes, rank, b_strides) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  Rows rows(sizes, rank);
  rows.operand(0, out.strides);
  rows.operand(1, a_strides);
  rows.operand(2, b_strides);
  do {
    float* to = out.floats() + rows.offset[0];
    const float* x = a.floats() + rows.offset[1];
    const float* y = b.floats() + rows.offset[2];
    for (size_t i = 0; i < rows.length; ++i) {
      const ptrdiff_t k = static_cast<ptrdiff_t>(i);
      to[k * rows.step[0]] = function(x[k * rows.step[1]], y[k * rows.step[2]], alpha);
    }
  } while (rows.next());
  return true;
}

/// `scalar` stands for a tensor of rank 0.
Tensor scalar_tensor(float& scalar) {
  Tensor tensor;
  tensor.element_size = sizeof(float);
  tensor.numel = 1;
  tensor.data = reinterpret_cast<uint8_t*>(&scalar);
  return tensor;
}

bool binary(Call& call, size_t out_argument, BinaryFunction function, float alpha = 1.0f) {
  Tensor a, b;
  return call.floats(0, a) && call.floats(1, b) &&
         binary_tensors(call, a, b, out_argument, function, alpha);
}

bool binary_scalar(Call& call, size_t out_argument, BinaryFunction function, float alpha = 1.0f) {
  Tensor a;
  double number = 0;
  if (!call.floats(0, a) || !call.number(1, number)) return false;
  float scalar = static_cast<float>(number);
  return binary_tensors(call, a, scalar_tensor(scalar), out_argument, function, alpha);
}

bool get_alpha(Call& call, float& alpha) {
  double number = 0;
  if (!call.number(2, number)) return false;
  alpha = static_cast<float>(number);
  return true;
}

float add(float a, float b, float alpha) {
  return a + alpha * b;
}
float sub(float a, float b, float alpha) {
  return a - alpha * b;
}
float mul(float a, float b, float) {
  return a * b;
}
float div(float a, float b, float) {
  return a / b;
}
float maximum(float a, float b, float) {
  return a > b || std::isnan(a) ? a : b;
}
float minimum(float a, float b, float) {
  return a < b || std::isnan(a) ? a : b;
}
float power(float a, float b, float) {
  return b == 2.0f ? a * a : std::pow(a, b);
}

/// An output of dtype bool.
bool bool_out(Call& call, size_t argument, Tensor& out) {
  if (!call.out(argument, out)) return false;
  return out.type == ScalarType::kBool || call.unsupported("its output is not of dtype bool");
}

bool compare(Call& call, const Tensor& a, const Tensor& b, CompareFunction function) {
  Tensor out;
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  ptrdiff_t a_strides[kRankLimit];
  ptrdiff_t b_strides[kRankLimit];
  if (!bool_out(call, 2, out) || !broadcast_sizes(call, a, b, sizes, rank) ||
      !call.resize(out, sizes, rank) || !broadcast_strides(call, a, sizes, rank, a_strides) ||
      !broadcast_strides(call, b, sizes, rank, b_strides) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  Rows rows(sizes, rank);
  rows.operand(0, out.strides);
  rows.operand(1, a_strides);
  rows.operand(2, b_strides);
  do {
    uint8_t* to = out.data + rows.offset[0];
    const float* x = a.floats() + rows.offset[1];
    const float* y = b.floats() + rows.offset[2];
    for (size_t i = 0; i < rows.length; ++i) {
      const ptrdiff_t k = static_cast<ptrdiff_t>(i);
      to[k * rows.step[0]] = function(x[k * rows.step[1]], y[k * rows.step[2]]) ? 1 : 0;
    }
  } while (rows.next());
  return true;
}

bool compare_tensor(Call& call, CompareFunction function) {
  Tensor a, b;
  return call.floats(0, a) && call.floats(1, b) && compare(call, a, b, function);
}

bool compare_scalar(Call& call, CompareFunction function) {
  Tensor a;
  double number = 0;
  if (!call.floats(0, a) || !call.number(1, number)) return false;
  float scalar = static_cast<float>(number);
  return compare(call, a, scalar_tensor(scalar), function);
}

bool equal(float a, float b) {
  return a == b;
}
bool not_equal(float a, float b) {
  return a != b;
}
bool less(float a, float b) {
  return a < b;
}
bool less_equal(float a, float b) {
  return a <= b;
}
bool greater(float a, float b) {
  return a > b;
}
bool greater_equal(float a, float b) {
  return a >= b;
}

/// [0] and [1] bound x; a NaN stays a NaN.
float clamp_to(float x, const float* bounds) {
  if (x < bounds[0]) x = bounds[0];
  return x > bounds[1] ? bounds[1] : x;
}

}  // namespace

bool aten_add_out(Call& call) {
  float alpha = 1;
  return get_alpha(call, alpha) && binary(call, 3, add, alpha);
}
bool aten_add_Scalar_out(Call& call) {
  float alpha = 1;
  return get_alpha(call, alpha) && binary_scalar(call, 3, add, alpha);
}
bool aten_sub_out(Call& call) {
  float alpha = 1;
  return get_alpha(call, alpha) && binary(call, 3, sub, alpha);
}
bool aten_sub_Scalar_out(Call& call) {
  float alpha = 1;
  return get_alpha(call, alpha) && binary_scalar(call, 3, sub, alpha);
}
bool aten_mul_out(Call& call) {
  return binary(call, 2, mul);
}
bool aten_mul_Scalar_out(Call& call) {
  return binary_scalar(call, 2, mul);
}
bool aten_div_out(Call& call) {
  return binary(call, 2, div);
}
bool aten_div_Scalar_out(Call& call) {
  return binary_scalar(call, 2, div);
}
bool aten_maximum_out(Call& call) {
  return binary(call, 2, maximum);
}
bool aten_minimum_out(Call& call) {
  return binary(call, 2, minimum);
}
bool aten_pow_Tensor_Scalar_out(Call& call) {
  return binary_scalar(call, 2, power);
}
bool aten_pow_Tensor_Tensor_out(Call& call) {
  return binary(call, 2, power);
}

bool aten_eq_Scalar_out(Call& call) {
  return compare_scalar(call, equal);
}
bool aten_ne_Scalar_out(Call& call) {
  return compare_scalar(call, not_equal);
}
bool aten_lt_Scalar_out(Call& call) {
  return compare_scalar(call, less);
}
bool aten_le_Scalar_out(Call& call) {
  return compare_scalar(call, less_equal);
}
bool aten_gt_Scalar_out(Call& call) {
  return compare_scalar(call, greater);
}
bool aten_ge_Scalar_out(Call& call) {
  return compare_scalar(call, greater_equal);
}
bool aten_eq_Tensor_out(Call& call) {
  return compare_tensor(call, equal);
}
bool aten_ne_Tensor_out(Call& call) {
  return compare_tensor(call, not_equal);
}
bool aten_lt_Tensor_out(Call& call) {
  return compare_tensor(call, less);
}
bool aten_le_Tensor_out(Call& call) {
  return compare_tensor(call, less_equal);
}
bool aten_gt_Tensor_out(Call& call) {
  return compare_tensor(call, greater);
}
bool aten_ge_Tensor_out(Call& call) {
  return compare_tensor(call, greater_equal);
}

bool aten_relu_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return x < 0.0f ? 0.0f : x; });
}
bool aten_neg_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return -x; });
}
bool aten_abs_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::fabs(x); });
}
bool aten_exp_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::exp(x); });
}
bool aten_log_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::log(x); });
}
bool aten_sqrt_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::sqrt(x); });
}
bool aten_rsqrt_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return 1.0f / std::sqrt(x); });
}
bool aten_reciprocal_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return 1.0f / x; });
}
bool aten_sin_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::sin(x); });
}
bool aten_cos_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::cos(x); });
}
bool aten_tanh_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::tanh(x); });
}
bool aten_erf_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return std::erf(x); });
}
bool aten_sigmoid_out(Call& call) {
  return unary(call, 1, [](float x, const float*) { return 1.0f / (1.0f + std::exp(-x)); });
}

bool aten_gelu_out(Call& call) {
  Text approximate;
  if (!call.text(1, approximate)) return false;
  if (approximate == "none") {
    return unary(call, 2, [](float x, const float*) {
      return 0.5f * x * (1.0f + std::erf(x * 0.70710678f));
    });
  }
  if (approximate == "tanh") {
    return unary(call, 2, [](float x, const float*) {
      return 0.5f * x * (1.0f + std::tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    });
  }
  return call.unsupported("the approximation is neither none nor tanh");
}

bool aten_hardtanh_out(Call& call) {
  double low = 0;
  double high = 0;
  if (!call.number(1, low) || !call.number(2, high)) return false;
  const float bounds[2] = {static_cast<float>(low), static_cast<float>(high)};
  return unary(call, 3, clamp_to, bounds);
}

bool aten_clamp_out(Call& call) {
  double low = -static_cast<double>(INFINITY);
  double high = static_cast<double>(INFINITY);
  if ((!call.is_none(1) && !call.number(1, low)) || (!call.is_none(2) && !call.number(2, high))) {
    return false;
  }
  const float bounds[2] = {static_cast<float>(low), static_cast<float>(high)};
  return unary(call, 3, clamp_to, bounds);
}

bool aten_leaky_relu_out(Call& call) {
  double slope = 0;
  if (!call.number(1, slope)) return false;
  const float constants[1] = {static_cast<float>(slope)};
  return unary(
      call, 2, [](float x, const float* c) { return x > 0.0f ? x : x * c[0]; }, constants);
}

bool aten_elu_out(Call& call) {
  double alpha = 0;
  double scale = 0;
  double input_scale = 0;
  if (!call.number(1, alpha) || !call.number(2, scale) || !call.number(3, input_scale)) {
    return false;
  }
  const float constants[3] = {static_cast<float>(alpha * scale), static_cast<float>(scale),
                              static_cast<float>(input_scale)};
  return unary(
      call, 4,
      [](float x, const float* c) { return x > 0.0f ? c[1] * x : c[0] * std::expm1(x * c[2]); },
      constants);
}

bool aten_logical_not_out(Call& call) {
  Tensor in, out;
  if (!call.tensor(0, in) || !bool_out(call, 1, out) || !call.resize_like(out, in) ||
      !call.work(out.numel)) {
    return false;
  }
  if (in.type != ScalarType::kBool) return call.unsupported("its input is not of dtype bool");
  if (call.checking() || out.numel == 0) return true;
  for_each_pair(out, in,
                [&](ptrdiff_t to, ptrdiff_t from) { out.data[to] = in.data[from] == 0 ? 1 : 0; });
  return true;
}

bool aten_where_self_out(Call& call) {
  Tensor condition, a, b, out;
  int32_t pair[kRankLimit];
  size_t rank = 0;
  ptrdiff_t strides[3][kRankLimit];
  if (!call.tensor(0, condition) || !call.floats(1, a) || !call.floats(2, b) ||
      !call.out_floats(3, out) || !broadcast_sizes(call, a, b, pair, rank)) {
    return false;
  }
  if (condition.type != ScalarType::kBool) {
    return call.unsupported("its condition is not of dtype bool");
  }
  Tensor both = a;  // only its sizes are used
  both.rank = static_cast<uint8_t>(rank);
  for (size_t d = 0; d < rank; ++d) both.sizes[d] = pair[d];
  int32_t sizes[kRankLimit];
  if (!broadcast_sizes(call, both, condition, sizes, rank) || !call.resize(out, sizes, rank) ||
      !broadcast_strides(call, condition, sizes, rank, strides[0]) ||
      !broadcast_strides(call, a, sizes, rank, strides[1]) ||
      !broadcast_strides(call, b, sizes, rank, strides[2]) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  Rows rows(sizes, rank);
  Rows out_rows(sizes, rank);
  for (size_t k = 0; k < 3; ++k) rows.operand(k, strides[k]);
  out_rows.operand(0, out.strides);
  do {
    for (size_t i = 0; i < rows.length; ++i) {
      const ptrdiff_t k = static_cast<ptrdiff_t>(i);
      const bool first = condition.data[rows.offset[0] + k * rows.step[0]] != 0;
      out.floats()[out_rows.offset[0] + k * out_rows.step[0]] =
          first ? a.floats()[rows.offset[1] + k * rows.step[1]]
                : b.floats()[rows.offset[2] + k * rows.step[2]];
    }
    (void)out_rows.next();
  } while (rows.next());
  return true;
}

}  // namespace bpte::reference
