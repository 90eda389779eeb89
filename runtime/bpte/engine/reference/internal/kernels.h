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

}  // namespace bpte::reference
