// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte::ethosu {

/// How the NPU rounds.
enum class Rounding : uint8_t {
  kDouble,    ///< as TensorFlow Lite: twice, when the shift is above 31
  kTruncate,  ///< towards zero
  kNatural,   ///< to nearest, halves up
  kDown,      ///< to the next lower
  kUnknown,   ///< a number that stands for none of these
};

/// value * multiplier / 2^shift.
struct Scale {
  uint32_t multiplier = 1;
  uint32_t shift = 0;  ///< 0..63
  /// Ethos-U85: how many bits an operand was shifted left before, of which double rounding takes no
  /// account.
  uint32_t shifted_before = 0;

  /// From a register of 48 bits.
  static Scale of(uint64_t bits) {
    return {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32 & 63),
            static_cast<uint32_t>(bits >> 38 & 31)};
  }
};

/// Sums wrap at 64 bits; no program of Vela's comes near.
inline int64_t apply(const Scale& scale, int64_t value, Rounding rounding) {
  uint64_t product = static_cast<uint64_t>(value) * scale.multiplier;
  const uint32_t shift = scale.shift;
  if (shift == 0) return static_cast<int64_t>(product);
  if (rounding == Rounding::kTruncate) {
    if (static_cast<int64_t>(product) < 0) product += (uint64_t{1} << shift) - 1;
    return static_cast<int64_t>(product) >> shift;
  }
  if (rounding == Rounding::kDown) return static_cast<int64_t>(product) >> shift;
  product += uint64_t{1} << (shift - 1);
  if (rounding == Rounding::kDouble && shift + scale.shifted_before > 31) {
    const uint64_t first =
        scale.shifted_before > 30 ? 0 : uint64_t{1} << (30 - scale.shifted_before);
    product += value >= 0 ? first : -first;
  }
  return static_cast<int64_t>(product) >> shift;
}

}  // namespace bpte::ethosu
