// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/scalar_type.h>

#include <cstddef>
#include <cstdint>

namespace bpte {
namespace internal {

/// The sums behind a comparison's statistics.
enum Sum : uint8_t {
  kAbsolute,   ///< |actual - expected|
  kRelative,   ///< |actual - expected| / |expected| where expected is not zero
  kError2,     ///< (actual - expected)^2
  kExpected2,  ///< expected^2
  kActual2,    ///< actual^2
  kDot,        ///< expected * actual
  kSums,
};

/// Elements that are summed plainly, before their sums go to a compensated total.
inline constexpr size_t kBlock = 256;

/// What a block of pairs comes to.
struct BlockResult {
  double sums[kSums];
  double max_absolute;
  double max_relative;
  size_t mismatches;
  size_t relatives;  ///< pairs with a relative error
};

/// The fast way of judging: a few hundred elements are brought into doubles and then taken several
/// at a time. Not for int64 and uint64, which doubles do not hold.
struct BlockKernels {
  /// Decodes `count` elements of `type`, `stride` bytes apart, exactly.
  void (*gather)(ScalarType type, const uint8_t* from, size_t stride, size_t count, double* to);
  /// Judges `count` pairs, a multiple of 4, none of them a NaN or an infinity; with such a pair, or
  /// squares that leave a double's range, the sums of squares come out not finite, and the result
  /// is void. Pairs of zeros add nothing. rtol and atol are not negative, rtol is finite.
  void (*judge)(const double* expected, const double* actual, size_t count, double rtol,
                double atol, BlockResult& result);
};

/// The best for this machine.
const BlockKernels& block_kernels();

}  // namespace internal
}  // namespace bpte
