// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstring>

namespace bpte {
namespace internal {

inline float float_from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float float_from_bfloat16(uint16_t bits) {
  return float_from_bits(uint32_t{bits} << 16);
}

/// Converts from IEEE 754 binary16; a binary32 holds every value of it. A subnormal (exponent 0)
/// gets the exponent of the smallest normal number, which is then subtracted. This is exact. No
/// subnormal enters the FPU, which may be set to flush them to zero.
inline float float_from_half(uint16_t bits) {
  constexpr uint32_t kRebias = (127u - 15u) << 23;
  constexpr uint32_t kSmallestNormal = kRebias + (1u << 23);  // 2^-14
  const uint32_t magnitude = (bits & 0x7FFFu) << 13;
  const float subnormal =
      float_from_bits(magnitude + kSmallestNormal) - float_from_bits(kSmallestNormal);
  const float normal = float_from_bits(magnitude + kRebias);
  const float nonfinite = float_from_bits(magnitude | 0x7F800000u);
  float value = subnormal;
  if (magnitude >= 0x0F800000u) {  // all exponent bits
    value = nonfinite;
  } else if (magnitude >= 0x00800000u) {
    value = normal;
  }
  return (bits & 0x8000u) != 0 ? -value : value;
}

}  // namespace internal
}  // namespace bpte
