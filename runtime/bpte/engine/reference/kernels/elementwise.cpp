// SPDX-License-Identifier: BSD-3-Clause
// Operators that work element by element, with broadcasting.

#include <cmath>

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {

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

bool broadcast_sizes(Call& call, const Tensor* const* inputs, size_t count, int32_t* sizes,
                     size_t& rank) {
  rank = 0;
  for (size_t k = 0; k < count; ++k) rank = inputs[k]->rank > rank ? inputs[k]->rank : rank;
  for (size_t d = 0; d < rank; ++d) {
    sizes[d] = 1;
    for (size_t k = 0; k < count; ++k) {
      const Tensor& input = *inputs[k];
      const size_t from_end = rank - d;
      const int32_t size = from_end > input.rank ? 1 : input.sizes[input.rank - from_end];
      if (size == 1) continue;
      if (sizes[d] != 1 && sizes[d] != size) return call.invalid("the shapes do not broadcast");
      sizes[d] = size;
    }
  }
  return true;
}

namespace {

using UnaryFunction = float (*)(float x, const float* constants);
using BinaryFunction = float (*)(float a, float b, float alpha);
/// Unsigned, so that what does not fit wraps around, as PyTorch's integers do.
using IntegerFunction = uint64_t (*)(uint64_t a, uint64_t b, uint64_t alpha);
using CompareFunction = bool (*)(float a, float b);

/// What argument 1 of an operator with two operands is.
enum class Second : bool { kTensor, kNumber };

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

/// Gives `out` the shape that `count` inputs' shapes broadcast to, and `rows` the way over all of
/// them: operand 0 is `out`, the inputs follow. Without anything to compute, or when checking,
/// `rows` stays empty.
bool broadcast(Call& call, Tensor& out, const Tensor* const* inputs, size_t count, Rows& rows) {
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  if (!broadcast_sizes(call, inputs, count, sizes, rank) || !call.resize(out, sizes, rank) ||
      !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  rows = Rows(sizes, rank);
  rows.operand(0, out.strides);
  for (size_t k = 0; k < count; ++k) {
    ptrdiff_t strides[kRankLimit];
    if (!broadcast_strides(call, *inputs[k], sizes, rank, strides)) return false;
    rows.operand(k + 1, strides);
  }
  return true;
}

/// Arguments 0 and 1. A number, which `scalar` holds, stands for a tensor of rank 0.
bool operands(Call& call, Second second, Tensor& a, Tensor& b, float& scalar) {
  if (!call.floats(0, a)) return false;
  if (second == Second::kTensor) return call.floats(1, b);
  double number = 0;
  if (!call.number(1, number)) return false;
  scalar = static_cast<float>(number);
  b.element_size = sizeof(float);
  b.numel = 1;
  b.data = reinterpret_cast<uint8_t*>(&scalar);
  return true;
}

/// A tensor of integers, or of bool.
bool integers(Call& call, size_t argument, Tensor& tensor) {
  if (!call.tensor(argument, tensor)) return false;
  return is_integer(tensor.type) || tensor.type == ScalarType::kBool ||
         call.unsupported("its output is of integers, and an operand is not");
}

/// out = function(a, b, alpha) of integers. The operands' dtypes may differ: each fits in 64 bits.
bool binary_integers(Call& call, Second second, size_t out_argument, IntegerFunction function,
                     Tensor& out) {
  Tensor a, b;
  int64_t scalar = 0;
  int64_t alpha = 1;
  if ((out_argument == 3 && !call.integer(2, alpha)) || !integers(call, 0, a) ||
      (second == Second::kTensor ? !integers(call, 1, b) : !call.integer(1, scalar))) {
    return false;
  }
  if (second == Second::kNumber) {
    b.type = ScalarType::kLong;
    b.element_size = sizeof(scalar);
    b.numel = 1;
    b.data = reinterpret_cast<uint8_t*>(&scalar);
  }
  const Tensor* const inputs[] = {&a, &b};
  Rows rows;
  if (!broadcast(call, out, inputs, 2, rows)) return false;
  rows.each([&](ptrdiff_t i) {
    const int64_t x = load_integer(a, rows.at(1, i));
    const int64_t y = load_integer(b, rows.at(2, i));
    store_integer(out, rows.at(0, i),
                  static_cast<int64_t>(function(static_cast<uint64_t>(x), static_cast<uint64_t>(y),
                                                static_cast<uint64_t>(alpha))));
  });
  return true;
}

/// out = function(a, b, alpha); alpha is argument 2 of an operator whose output is argument 3. An
/// output of integers is computed by `whole`, if the operator has that.
bool binary(Call& call, Second second, size_t out_argument, BinaryFunction function,
            IntegerFunction whole = nullptr) {
  Tensor a, b, out;
  if (!call.out(out_argument, out)) return false;
  if (whole != nullptr && is_integer(out.type)) {
    return binary_integers(call, second, out_argument, whole, out);
  }
  float scalar = 0;
  double number = 1;
  if ((out_argument == 3 && !call.number(2, number)) || !operands(call, second, a, b, scalar) ||
      !call.out_floats(out_argument, out)) {
    return false;
  }
  const float alpha = static_cast<float>(number);
  const Tensor* const inputs[] = {&a, &b};
  Rows rows;
  if (!broadcast(call, out, inputs, 2, rows)) return false;
  rows.each([&](ptrdiff_t i) {
    out.floats()[rows.at(0, i)] =
        function(a.floats()[rows.at(1, i)], b.floats()[rows.at(2, i)], alpha);
  });
  return true;
}

/// An output of dtype bool.
bool bool_out(Call& call, size_t argument, Tensor& out) {
  if (!call.out(argument, out)) return false;
  return out.type == ScalarType::kBool || call.unsupported("its output is not of dtype bool");
}

/// out = function(a, b)
bool compare(Call& call, Second second, CompareFunction function) {
  Tensor a, b, out;
  float scalar = 0;
  const Tensor* const inputs[] = {&a, &b};
  Rows rows;
  if (!operands(call, second, a, b, scalar) || !bool_out(call, 2, out) ||
      !broadcast(call, out, inputs, 2, rows)) {
    return false;
  }
  rows.each([&](ptrdiff_t i) {
    out.data[rows.at(0, i)] = function(a.floats()[rows.at(1, i)], b.floats()[rows.at(2, i)]);
  });
  return true;
}

/// Bounds by arguments 1 and 2, which may be None if they are `optional`; a NaN stays a NaN.
bool clamp(Call& call, bool optional) {
  double low = -static_cast<double>(INFINITY);
  double high = static_cast<double>(INFINITY);
  if ((!(optional && call.is_none(1)) && !call.number(1, low)) ||
      (!(optional && call.is_none(2)) && !call.number(2, high))) {
    return false;
  }
  const float bounds[2] = {static_cast<float>(low), static_cast<float>(high)};
  const auto bounded = [](float x, const float* limits) {
    if (x < limits[0]) x = limits[0];
    return x > limits[1] ? limits[1] : x;
  };
  return unary(call, 3, bounded, bounds);
}

}  // namespace

// Each row makes the functions that operators.def names out of an expression: of two tensors, and
// of a tensor and a number. BPTE_ARITHMETIC is for integers as well.

#define BPTE_BINARY(tensors, number, out_argument, expression)                            \
  static constexpr BinaryFunction tensors##_of =                                          \
      [](float a, float b, [[maybe_unused]] float alpha) -> float { return expression; }; \
  bool tensors(Call& call) {                                                              \
    return binary(call, Second::kTensor, out_argument, tensors##_of);                     \
  }                                                                                       \
  bool number(Call& call) {                                                               \
    return binary(call, Second::kNumber, out_argument, tensors##_of);                     \
  }
BPTE_BINARY(aten_div_out, aten_div_Scalar_out, 2, (a / b))
BPTE_BINARY(aten_pow_Tensor_Tensor_out, aten_pow_Tensor_Scalar_out, 2,
            (b == 2.0f ? a * a : std::pow(a, b)))
#undef BPTE_BINARY

#define BPTE_ARITHMETIC(tensors, number, out_argument, expression)                       \
  static constexpr auto tensors##_of = [](auto a, auto b, [[maybe_unused]] auto alpha) { \
    return expression;                                                                   \
  };                                                                                     \
  bool tensors(Call& call) {                                                             \
    return binary(call, Second::kTensor, out_argument, tensors##_of, tensors##_of);      \
  }                                                                                      \
  bool number(Call& call) {                                                              \
    return binary(call, Second::kNumber, out_argument, tensors##_of, tensors##_of);      \
  }
BPTE_ARITHMETIC(aten_add_out, aten_add_Scalar_out, 3, (a + alpha * b))
BPTE_ARITHMETIC(aten_sub_out, aten_sub_Scalar_out, 3, (a - alpha * b))
BPTE_ARITHMETIC(aten_mul_out, aten_mul_Scalar_out, 2, (a * b))
#undef BPTE_ARITHMETIC

#define BPTE_COMPARISON(tensors, number, expression)                                           \
  static constexpr CompareFunction tensors##_of = [](float a, float b) { return expression; }; \
  bool tensors(Call& call) {                                                                   \
    return compare(call, Second::kTensor, tensors##_of);                                       \
  }                                                                                            \
  bool number(Call& call) {                                                                    \
    return compare(call, Second::kNumber, tensors##_of);                                       \
  }
BPTE_COMPARISON(aten_eq_Tensor_out, aten_eq_Scalar_out, (a == b))
BPTE_COMPARISON(aten_ne_Tensor_out, aten_ne_Scalar_out, (a != b))
BPTE_COMPARISON(aten_lt_Tensor_out, aten_lt_Scalar_out, (a < b))
BPTE_COMPARISON(aten_le_Tensor_out, aten_le_Scalar_out, (a <= b))
BPTE_COMPARISON(aten_gt_Tensor_out, aten_gt_Scalar_out, (a > b))
BPTE_COMPARISON(aten_ge_Tensor_out, aten_ge_Scalar_out, (a >= b))
#undef BPTE_COMPARISON

bool aten_maximum_out(Call& call) {
  return binary(call, Second::kTensor, 2,
                [](float a, float b, float) { return a > b || std::isnan(a) ? a : b; });
}

bool aten_minimum_out(Call& call) {
  return binary(call, Second::kTensor, 2,
                [](float a, float b, float) { return a < b || std::isnan(a) ? a : b; });
}

#define BPTE_UNARY(function, expression)                                              \
  bool function(Call& call) {                                                         \
    return unary(call, 1, [](float x, const float*) -> float { return expression; }); \
  }
BPTE_UNARY(aten_relu_out, (x < 0.0f ? 0.0f : x))
BPTE_UNARY(aten_neg_out, (-x))
BPTE_UNARY(aten_exp_out, (std::exp(x)))
BPTE_UNARY(aten_log_out, (std::log(x)))
BPTE_UNARY(aten_sqrt_out, (std::sqrt(x)))
BPTE_UNARY(aten_rsqrt_out, (1.0f / std::sqrt(x)))
BPTE_UNARY(aten_reciprocal_out, (1.0f / x))
BPTE_UNARY(aten_sin_out, (std::sin(x)))
BPTE_UNARY(aten_cos_out, (std::cos(x)))
BPTE_UNARY(aten_tanh_out, (std::tanh(x)))
BPTE_UNARY(aten_erf_out, (std::erf(x)))
BPTE_UNARY(aten_sigmoid_out, (1.0f / (1.0f + std::exp(-x))))
#undef BPTE_UNARY

bool aten_abs_out(Call& call) {
  Tensor in, out;
  if (!call.tensor(0, in) || !call.out(1, out)) return false;
  if (!is_integer(in.type)) {
    return unary(call, 1, [](float x, const float*) -> float { return std::fabs(x); });
  }
  if (!same_type(call, in, out) || !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    // The least value of a type has no positive: it stays what it is, as in PyTorch.
    const int64_t value = load_integer(in, from);
    const uint64_t bits = static_cast<uint64_t>(value);
    store_integer(out, to, value < 0 ? static_cast<int64_t>(0 - bits) : value);
  });
  return true;
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
  return clamp(call, false);
}

bool aten_clamp_out(Call& call) {
  return clamp(call, true);
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
  if (!call.tensor(0, condition) || !call.floats(1, a) || !call.floats(2, b) ||
      !call.out_floats(3, out)) {
    return false;
  }
  if (condition.type != ScalarType::kBool) {
    return call.unsupported("its condition is not of dtype bool");
  }
  const Tensor* const inputs[] = {&condition, &a, &b};
  Rows rows;
  if (!broadcast(call, out, inputs, 3, rows)) return false;
  rows.each([&](ptrdiff_t i) {
    out.floats()[rows.at(0, i)] =
        condition.data[rows.at(1, i)] != 0 ? a.floats()[rows.at(2, i)] : b.floats()[rows.at(3, i)];
  });
  return true;
}

}  // namespace bpte::reference
