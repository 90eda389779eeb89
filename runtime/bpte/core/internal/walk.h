// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/tensor_view.h>

#include <cstddef>

namespace bpte {
namespace internal {

/// One loop over elements: `size` steps, each `strides` bytes long.
struct Loop {
  size_t size;
  size_t strides[2];  ///< of the expected tensor and of the actual one
  size_t index;       ///< of the step that visit() is at
};

/// Nested loops that visit the elements of two tensors in logical order (row-major), whatever their
/// dim_orders: loops[first], the outermost, up to loops[last].
struct Walk {
  Loop loops[kMaxRank + 1];
  size_t first;
  size_t last;
  size_t numel;
};

/// Plans the walk over two tensors of elements of `element_bytes`; false when their shapes differ,
/// or when sizes, dim_order and data of one contradict each other. After true, no offset of a visit
/// lies outside the data.
bool plan(const TensorView& expected, const TensorView& actual, size_t element_bytes, Walk& walk);

/// Calls row(expected_offset, actual_offset, innermost loop) for every run of the innermost loop,
/// as long as it returns true. Offsets are in bytes. The tensors must have elements.
template <typename Row>
void visit(Walk& walk, Row&& row) {
  for (size_t d = walk.first; d < walk.last; ++d) {
    walk.loops[d].index = 0;
  }
  size_t offsets[2] = {0, 0};
  while (row(offsets[0], offsets[1], walk.loops[walk.last])) {
    size_t d = walk.last;
    for (;;) {
      if (d == walk.first) {
        return;
      }
      Loop& loop = walk.loops[--d];
      offsets[0] += loop.strides[0];
      offsets[1] += loop.strides[1];
      if (++loop.index < loop.size) {
        break;
      }
      offsets[0] -= loop.strides[0] * loop.size;
      offsets[1] -= loop.strides[1] * loop.size;
      loop.index = 0;
    }
  }
}

}  // namespace internal
}  // namespace bpte
