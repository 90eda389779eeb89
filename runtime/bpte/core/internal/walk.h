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
/// dim_orders: from loops[first], the outermost, up to the one before loops[end].
struct Walk {
  Loop loops[kMaxRank + 1];
  size_t first;
  size_t end;
  size_t numel;
};

/// Plans the walk over two tensors of elements of `element_bytes`; false when their shapes differ,
/// or when sizes, dim_order and data of one contradict each other. After true, no offset of a visit
/// lies outside the data.
bool plan(const TensorView& expected, const TensorView& actual, size_t element_bytes, Walk& walk);

/// Takes one step in the loops outside of loops[end], and moves the offsets of both tensors with
/// it. False after the last step: then all is as before the first one.
inline bool advance(Walk& walk, size_t end, size_t (&offsets)[2]) {
  while (end != walk.first) {
    Loop& loop = walk.loops[--end];
    offsets[0] += loop.strides[0];
    offsets[1] += loop.strides[1];
    if (++loop.index < loop.size) {
      return true;
    }
    offsets[0] -= loop.strides[0] * loop.size;
    offsets[1] -= loop.strides[1] * loop.size;
    loop.index = 0;
  }
  return false;
}

}  // namespace internal
}  // namespace bpte
