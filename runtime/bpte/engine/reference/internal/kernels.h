// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "call.h"

// What several kernels share.

namespace bpte::reference {

/// The strides with which a tensor is read as if it had the shape `sizes`: 0 where it broadcasts.
[[nodiscard]] bool broadcast_strides(Call& call, const Tensor& tensor, const int32_t* sizes,
                                     size_t rank, ptrdiff_t* strides);

}  // namespace bpte::reference
