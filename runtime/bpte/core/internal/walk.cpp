// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/config.h>
#include <bpte/core/internal/walk.h>

namespace bpte {
namespace internal {

namespace {

// Fills in the loops' sizes and the strides of one side; false when the view contradicts itself or
// its data is shorter than it says.
bool measure(const TensorView& view, size_t element_bytes, size_t side, Walk& walk) {
  const size_t rank = view.sizes.size();
  if (rank > kMaxRank || view.dim_order.size() != rank) {
    return false;
  }
  const size_t limit = view.data.size() / element_bytes;
  bool empty = false;
  for (int32_t size : view.sizes) {
    if (size < 0) {
      return false;
    }
    empty |= size == 0;
  }
  uint32_t seen = 0;
  size_t count = 1;
  for (size_t k = rank; k-- > 0;) {
    const uint32_t dimension = view.dim_order[k];
    if (dimension >= rank || (seen >> dimension & 1u) != 0) {
      return false;
    }
    seen |= 1u << dimension;
    const size_t size = static_cast<size_t>(view.sizes[dimension]);
    walk.loops[dimension].size = size;
    walk.loops[dimension].strides[side] = count * element_bytes;
    walk.loops[dimension].index = 0;
    if (!empty) {
      if (size > limit / count) {
        return false;
      }
      count *= size;
    }
  }
  walk.numel = empty ? 0 : count;
  return walk.numel <= limit;
}

#if !BPTE_CORE_SMALL
// Joins neighbouring dimensions that lie alike on both sides into one loop, so that two contiguous
// tensors take a single loop. Works in place, from the innermost outwards.
void merge(size_t rank, size_t element_bytes, Walk& walk) {
  Loop* loop = &walk.loops[kMaxRank];
  *loop = {1, {element_bytes, element_bytes}, 0};
  for (size_t d = rank; d-- > 0;) {
    const Loop outer = walk.loops[d];
    if (outer.size == 1) {
      continue;
    }
    if (loop->size != 1) {
      if (outer.strides[0] == loop->strides[0] * loop->size &&
          outer.strides[1] == loop->strides[1] * loop->size) {
        loop->size *= outer.size;
        continue;
      }
      --loop;
    }
    *loop = outer;
  }
  walk.first = static_cast<size_t>(loop - walk.loops);
  walk.end = kMaxRank + 1;
}
#endif

}  // namespace

bool plan(const TensorView& expected, const TensorView& actual, size_t element_bytes, Walk& walk) {
  const size_t rank = expected.sizes.size();
  if (!measure(expected, element_bytes, 0, walk) || !measure(actual, element_bytes, 1, walk) ||
      actual.sizes.size() != rank) {
    return false;
  }
  for (size_t d = 0; d < rank; ++d) {
    if (expected.sizes[d] != actual.sizes[d]) {
      return false;
    }
  }
#if BPTE_CORE_SMALL
  walk.first = 0;
  walk.end = rank;
#else
  merge(rank, element_bytes, walk);
#endif
  return true;
}

}  // namespace internal
}  // namespace bpte
