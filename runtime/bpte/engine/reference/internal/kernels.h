// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "call.h"

// What several kernels share.

namespace bpte::reference {

/// The strides with which a tensor is read as if it had the shape `sizes`: 0 where it broadcasts.
[[nodiscard]] bool broadcast_strides(Call& call, const Tensor& tensor, const int32_t* sizes,
                                     size_t rank, ptrdiff_t* strides);

/// The shape that `count` tensors' shapes broadcast to (PyTorch's rules): `sizes` has room for
/// kRankLimit.
[[nodiscard]] bool broadcast_sizes(Call& call, const Tensor* const* inputs, size_t count,
                                   int32_t* sizes, size_t& rank);

/// Copies the elements of a grid (`sizes`, none of them 0) from one strided place to another;
/// strides in elements, `element_size` in bytes.
void copy_strided(uint8_t* to, const ptrdiff_t* to_strides, const uint8_t* from,
                  const ptrdiff_t* from_strides, const int32_t* sizes, size_t rank,
                  size_t element_size);

/// Refuses two tensors of different dtypes.
[[nodiscard]] bool same_type(Call& call, const Tensor& a, const Tensor& b);

/// Whether a type is one that load_integer() and store_integer() know, other than bool.
inline bool is_integer(ScalarType type) {
  return type == ScalarType::kLong || type == ScalarType::kInt || type == ScalarType::kShort ||
         type == ScalarType::kChar || type == ScalarType::kByte;
}

/// The element `at` (an offset in elements) of a tensor of integers, or of bool, as 0 or 1.
inline int64_t load_integer(const Tensor& in, ptrdiff_t at) {
  if (in.type == ScalarType::kLong) return in.as<int64_t>()[at];
  if (in.type == ScalarType::kInt) return in.as<int32_t>()[at];
  if (in.type == ScalarType::kShort) return in.as<int16_t>()[at];
  if (in.type == ScalarType::kChar) return in.as<int8_t>()[at];
  if (in.type == ScalarType::kByte) return in.data[at];
  return in.data[at] != 0 ? 1 : 0;
}

/// Sets the element `at` of a tensor of integers. What does not fit wraps around.
inline void store_integer(Tensor& out, ptrdiff_t at, int64_t value) {
  if (out.type == ScalarType::kLong) {
    out.as<int64_t>()[at] = value;
  } else if (out.type == ScalarType::kInt) {
    out.as<int32_t>()[at] = static_cast<int32_t>(value);
  } else if (out.type == ScalarType::kShort) {
    out.as<int16_t>()[at] = static_cast<int16_t>(value);
  } else {
    out.data[at] = static_cast<uint8_t>(value);
  }
}

}  // namespace bpte::reference
