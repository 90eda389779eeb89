// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/sums.h>
#include <bpte/core/scalar_type.h>

#include <cstddef>
#include <cstdint>

namespace bpte {
namespace internal {

/// The evidence of a block of pairs.
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

/// Judges elements of one type a block at a time, several elements at once.
struct BlockKernels {
  /// Judges `count` pairs, a multiple of kBlockStep. False when they must be judged one by one: one
  /// is a NaN or an infinity, or too large for the kernel. rtol is finite, and neither is negative
  /// or NaN. The addresses need not be aligned. On entry, result.max_relative is the largest so
  /// far; a kernel need not find smaller ones.
  using Judge = bool (*)(const uint8_t* expected, const uint8_t* actual, size_t count, double rtol,
                         double atol, BlockResult& result);

  /// Pairs of a full block.
  size_t count;
  /// Judges elements that lie side by side as they are stored; null for types that must be
  /// gathered.
  Judge judge_in_place;
  /// Decodes `count` elements, `stride` bytes apart, exactly.
  void (*gather)(const uint8_t* from, size_t stride, size_t count, uint8_t* to);
  /// The type of gathered elements: doubles; but integers of 64 bits, which doubles do not hold,
  /// and of 8 or 16 bits keep their type.
  ScalarType gathered;
  /// Judges gathered elements.
  Judge judge_gathered;
};

/// The best kernels for this machine.
const BlockKernels& block_kernels(ScalarType type);

}  // namespace internal
}  // namespace bpte
