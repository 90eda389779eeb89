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

/// A tensor of float32, or, if `integers`, one of integers or bool.
bool operand(Call& call, size_t argument, bool integers, Tensor& tensor) {
  if (!integers) return call.floats(argument, tensor);
  if (!call.tensor(argument, tensor)) return false;
  return is_integer(tensor.type) || tensor.type == ScalarType::kBool ||
         call.unsupported("its output is of integers, an operand is not");
}

/// Whether an output is of integers, for an operator that has a function for them.
bool computes_integers(IntegerFunction whole, const Tensor& out) {
  return whole != nullptr && is_integer(out.type);
}

/// out = function(argument 0), for each element; `constants` is passed on to it. An output of
/// integers is computed by `whole` (of the element, 0 and 0), if the operator has that.
bool unary(Call& call, size_t out_argument, UnaryFunction function,
           const float* constants = nullptr, IntegerFunction whole = nullptr) {
  Tensor in, out;
  if (!call.out(out_argument, out)) return false;
  const bool integers = computes_integers(whole, out);
  if (!operand(call, 0, integers, in) || (!integers && !call.out_floats(out_argument, out)) ||
      !call.resize_like(out, in) || !call.work(out.numel)) {
    return false;
  }
  if (call.checking() || out.numel == 0) return true;
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    if (integers) {
      const uint64_t element = static_cast<uint64_t>(load_integer(in, from));
      store_integer(out, to, static_cast<int64_t>(whole(element, 0, 0)));
    } else {
      out.floats()[to] = function(in.floats()[from], constants);
    }
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

/// What a number among the operands is read from, in the place of a tensor's element.
struct Number {
  float real = 0;
  int64_t integer = 0;
};

/// Arguments 0 and 1. A number, which `number` holds, stands for a tensor of rank 0.
bool operands(Call& call, Second second, bool integers, Tensor& a, Tensor& b, Number& number) {
  if (!operand(call, 0, integers, a)) return false;
  if (second == Second::kTensor) return operand(call, 1, integers, b);
  b.numel = 1;
  if (integers) {
    b.type = ScalarType::kLong;
    b.element_size = sizeof(number.integer);
    b.data = reinterpret_cast<uint8_t*>(&number.integer);
    return call.integer(1, number.integer);
  }
  double value = 0;
  if (!call.number(1, value)) return false;
  number.real = static_cast<float>(value);
  b.element_size = sizeof(number.real);
  b.data = reinterpret_cast<uint8_t*>(&number.real);
  return true;
}

/// out = function(a, b, alpha); alpha is argument 2 of an operator whose output is argument 3. An
/// output of integers is computed by `whole`, from operands of any integers, if the operator has
/// that.
bool binary(Call& call, Second second, size_t out_argument, BinaryFunction function,
            IntegerFunction whole = nullptr) {
  Tensor a, b, out;
  if (!call.out(out_argument, out)) return false;
  const bool integers = computes_integers(whole, out);
  Number number;
  double alpha = 1;
  int64_t whole_alpha = 1;
  if (out_argument == 3 && !(integers ? call.integer(2, whole_alpha) : call.number(2, alpha))) {
    return false;
  }
  if (!operands(call, second, integers, a, b, number) ||
      (!integers && !call.out_floats(out_argument, out))) {
    return false;
  }
  const Tensor* const inputs[] = {&a, &b};
  Rows rows;
  if (!broadcast(call, out, inputs, 2, rows)) return false;
  const float real_alpha = static_cast<float>(alpha);
  rows.each([&](ptrdiff_t i) {
    const ptrdiff_t to = rows.at(0, i), x = rows.at(1, i), y = rows.at(2, i);
    if (integers) {
      store_integer(out, to,
                    static_cast<int64_t>(whole(static_cast<uint64_t>(load_integer(a, x)),
                                               static_cast<uint64_t>(load_integer(b, y)),
                                               static_cast<uint64_t>(whole_alpha))));
    } else {
      out.floats()[to] = function(a.floats()[x], b.floats()[y], real_alpha);
    }
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
  Number number;
  const Tensor* const inputs[] = {&a, &b};
  Rows rows;
  if (!operands(call, second, false, a, b, number) || !bool_out(call, 2, out) ||
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

// The least value of a type has no positive: it stays what it is, as in PyTorch.
bool aten_abs_out(Call& call) {
  return unary(
      call, 1, [](float x, const float*) -> float { return std::fabs(x); }, nullptr,
      [](uint64_t x, uint64_t, uint64_t) { return x >> 63 != 0 ? 0 - x : x; });
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
