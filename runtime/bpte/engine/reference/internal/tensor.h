// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/aligned.h>
#include <bpte/core/scalar_type.h>

#include <cstddef>
#include <cstdint>

namespace bpte::reference {

/// The highest rank the engine runs: ExecuTorch's limit is 16, models in the field stay below 8.
inline constexpr size_t kRankLimit = 8;

/// A tensor as a kernel sees it. All of it is checked: `data` is aligned to an element's size, and
/// holds numel elements, which `strides` (in elements) reach.
struct Tensor {
  ScalarType type = ScalarType::kFloat;
  uint8_t rank = 0;
  bool writable = false;
  uint32_t value = 0;  ///< index among the method's values
  size_t element_size = 0;
  size_t numel = 0;
  int32_t sizes[kRankLimit] = {};
  ptrdiff_t strides[kRankLimit] = {};
  uint8_t dim_order[kRankLimit] = {};
  uint8_t* data = nullptr;

  size_t bytes() const { return numel * element_size; }
  /// The elements; `type` must be that of the C++ type T.
  template <typename T>
  const T* as() const {
    return internal::as_aligned<const T>(data);
  }
  template <typename T>
  T* as() {
    return internal::as_aligned<T>(data);
  }
  const float* floats() const { return as<float>(); }
  float* floats() { return as<float>(); }
  /// Whether memory order is logical (row-major) order.
  bool contiguous() const {
    for (uint8_t i = 0; i < rank; ++i) {
      if (dim_order[i] != i) return false;
    }
    return true;
  }
};

/// int8 to int64, and uint8.
bool is_integer(ScalarType type);
/// The element `at` (an offset in elements) of a tensor of integers, or of bool, as 0 or 1.
int64_t load_integer(const Tensor& in, ptrdiff_t at);
/// Sets the element `at` of a tensor of integers. What does not fit wraps around.
void store_integer(Tensor& out, ptrdiff_t at, int64_t value);

/// Walks the rows of a grid of elements. next() steps through all dimensions but the last; the
/// caller walks the last (`length` elements, `step` apart). Up to four operands share the grid.
struct Rows {
  static constexpr size_t kOperands = 4;

  /// No rows.
  Rows() = default;
  /// `sizes` of the grid, none of them 0. Operand k's strides are set by operand(k, ...) before the
  /// first use.
  Rows(const int32_t* sizes, size_t rank);
  void operand(size_t k, const ptrdiff_t* strides);
  /// False after the last row.
  bool next();
  /// The offset of element `i` of the row.
  ptrdiff_t at(size_t k, ptrdiff_t i) const { return offset[k] + i * step[k]; }
  /// Calls visit(i) for each element of each row, from the first row on.
  template <typename Visit>
  void each(Visit&& visit) {
    do {
      for (ptrdiff_t i = 0; i < length; ++i) visit(i);
    } while (next());
  }

  ptrdiff_t length = 0;
  ptrdiff_t offset[kOperands] = {};  ///< of the row's first element
  ptrdiff_t step[kOperands] = {};

 private:
  size_t outer_ = 0;
  int32_t sizes_[kRankLimit] = {};
  int32_t index_[kRankLimit] = {};
  ptrdiff_t strides_[kOperands][kRankLimit] = {};
};

/// Calls visit(out_offset, in_offset), in elements, for each element of two tensors of one shape,
/// which has elements.
template <typename Visit>
void for_each_pair(const Tensor& out, const Tensor& in, Visit&& visit) {
  Rows rows(out.sizes, out.rank);
  rows.operand(0, out.strides);
  rows.operand(1, in.strides);
  rows.each([&](ptrdiff_t i) { visit(rows.at(0, i), rows.at(1, i)); });
}

}  // namespace bpte::reference
