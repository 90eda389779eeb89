// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstring>

namespace bpte {
namespace internal {

/// log2 of a finite number of at least 2^-1000, within some 1e-15. Exponent and fraction come from
/// the bits, the fraction's logarithm from the series of atanh. Targets need not link libm's. It is
/// a call, because it is made several times in a row.
[[gnu::noinline]] inline double log2_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  // Brings the fraction into [sqrt(1/2), sqrt(2)), to the precision of the upper half of its bits.
  constexpr uint32_t kSqrtHalf = 0x3FE6A09Eu;
  const uint32_t steps =
      (static_cast<uint32_t>(bits >> 32) - kSqrtHalf + (uint32_t{1024} << 20)) >> 20;
  const double exponent = static_cast<double>(static_cast<int32_t>(steps) - 1024);
  bits -= uint64_t{(steps - 1024) << 20} << 32;
  double fraction;
  std::memcpy(&fraction, &bits, sizeof(fraction));
  const double t = (fraction - 1) / (fraction + 1);  // |t| < 0.172
  double series = 0;
  for (int k = 21; k > 0; k -= 2) {
    series = series * t * t + 1.0 / k;
  }
  constexpr double kTwoOverLn2 = 2.8853900817779268;
  return exponent + kTwoOverLn2 * t * series;
}

inline constexpr double kDecibelsPerOctave = 3.0102999566398120;  // 10 log10(2)

}  // namespace internal
}  // namespace bpte
