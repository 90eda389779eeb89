// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/tensor_view.h>

#include <cstring>

namespace bpte {

template <typename T>
bool same_elements(Span<const T> a, Span<const T> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Whether two tensors have the same dtype, sizes and dim_order.
inline bool same_form(const TensorView& a, const TensorView& b) {
  return a.scalar_type == b.scalar_type && same_elements(a.sizes, b.sizes) &&
         same_elements(a.dim_order, b.dim_order);
}

/// Whether two values are of one kind and, if they are tensors, of one form and as many bytes.
inline bool same_form(const Value& a, const Value& b) {
  return a.kind == b.kind &&
         (a.kind != ValueKind::kTensor ||
          (same_form(a.tensor, b.tensor) && a.tensor.data.size() == b.tensor.data.size()));
}

}  // namespace bpte
