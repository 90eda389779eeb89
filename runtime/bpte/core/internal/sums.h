// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/ieee.h>

#include <cstddef>
#include <cstdint>

namespace bpte {
namespace internal {

/// The sums from which a comparison's statistics are made, over pairs of finite elements.
enum Sum : uint8_t {
  kAbsolute,   ///< |actual - expected|
  kRelative,   ///< |actual - expected| / |expected| where expected is not zero
  kError2,     ///< (actual - expected)^2
  kExpected2,  ///< expected^2
  kActual2,    ///< actual^2
  kDot,        ///< expected * actual
  kSums,
};

/// Compensated totals: what rounding loses of a total is kept beside it. Totals{} are all zero.
class Totals {
 public:
  /// Adds the sums of a block to the totals, and makes them zero.
  void add(double (&block)[kSums]) {
    for (size_t i = 0; i < kSums; ++i) {
      // Knuth's TwoSum: sum + lost is exactly total + block.
      const double sum = total_[i] + block[i];
      const double part = sum - total_[i];
      lost_[i] += (total_[i] - (sum - part)) + (block[i] - part);
      total_[i] = sum;
      block[i] = 0;
    }
  }

  /// Rounds the totals. Nothing may be added after it.
  void finish() {
    for (size_t i = 0; i < kSums; ++i) {
      if (is_finite(total_[i])) {
        total_[i] += lost_[i];
      }
    }
  }

  double operator[](size_t sum) const { return total_[sum]; }

 private:
  double total_[kSums];
  double lost_[kSums];
};

}  // namespace internal
}  // namespace bpte
