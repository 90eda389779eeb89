// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/sums.h>
#include <bpte/core/scalar_type.h>

#include <cstddef>
#include <cstdint>

namespace bpte {
namespace internal {

/// What a block of pairs comes to.
struct BlockResult {
  double sums[kSums];
  double max_absolute;
  double max_relative;
  size_t mismatches;
  size_t relatives;  ///< pairs with a relative error
};

/// Room for the elements of one side of a block, as gather() leaves them.
inline constexpr size_t kBlockBytes = 4096;

/// The length of a block is padded to a multiple of this with pairs of zeros, which add nothing.
inline constexpr size_t kBlockStep = 32;

/// The fast way of judging elements of one type: a block at a time, several elements at once.
struct BlockKernels {
  /// Judges `count` pairs, a multiple of kBlockStep; false when they must be judged one by one: a
  /// NaN or an infinity is among them, or numbers too large to be judged so. rtol is finite, and
  /// neither is negative or NaN. The addresses need not be aligned. In `result`, max_relative is
  /// the largest so far, and smaller ones need not be told.
  using Judge = bool (*)(const uint8_t* expected, const uint8_t* actual, size_t count, double rtol,
                         double atol, BlockResult& result);

  /// Pairs of a full block.
  size_t count;
  /// Judges elements that lie side by side as they are stored; null where they must be gathered.
  Judge judge_in_place;
  /// Decodes `count` elements, `stride` bytes apart, exactly.
  void (*gather)(const uint8_t* from, size_t stride, size_t count, uint8_t* to);
  /// What gather() makes of the elements: doubles, unless they are integers of 64 bits, which
  /// doubles do not hold, or of 8 or 16 bits.
  ScalarType gathered;
  /// Judges gathered elements.
  Judge judge_gathered;
};

/// The best for this machine.
const BlockKernels& block_kernels(ScalarType type);

}  // namespace internal
}  // namespace bpte
