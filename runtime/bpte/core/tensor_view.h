// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/scalar_type.h>
#include <bpte/core/span.h>

namespace bpte {

/// ExecuTorch's kTensorDimensionLimit (runtime/core/exec_aten/util/tensor_dimension_limit.h).
inline constexpr size_t kMaxRank = 16;

/// A dense tensor: a view, valid as long as the memory that it refers to. `data` holds numel *
/// element_size bytes in the memory order that `dim_order` states (dim_order[0] is the outermost
/// dimension in memory). All are checked when the view comes from a bundle.
struct TensorView {
  ScalarType scalar_type = ScalarType::kFloat;
  Span<const int32_t> sizes;
  Span<const uint8_t> dim_order;
  Span<const uint8_t> data;
};

/// What an input or output is. The numbers are those of ValueUnion in schema/bpte.fbs.
enum class ValueKind : uint8_t { kNone = 0, kTensor = 1, kInt = 2, kBool = 3, kDouble = 4 };

/// "tensor", "int", "bool", "double" or "none". Never null; static storage.
const char* to_string(ValueKind kind);

/// One input or output: a tensor or a scalar. `kind` says which.
struct Value {
  ValueKind kind = ValueKind::kNone;
  TensorView tensor;
  int64_t int_value = 0;
  double double_value = 0;
  bool bool_value = false;
};

}  // namespace bpte
