// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/compare.h>
#include <bpte/core/internal/half.h>
#include <bpte/core/scalar_type.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace bpte {
namespace internal {

// How a stored element is read. The table of scalar types names one of these for each type. The
// type that value() returns (floating-point, signed or unsigned) decides how elements are compared
// and shown.
namespace encoding {

struct Plain {
  template <typename T>
  static T value(T stored) {
    return stored;
  }
};

struct Bool {
  static uint8_t value(uint8_t stored) { return stored != 0 ? 1 : 0; }
};

struct Half {
  static float value(uint16_t stored) { return float_from_half(stored); }
};

struct BFloat16 {
  static float value(uint16_t stored) { return float_from_bfloat16(stored); }
};

}  // namespace encoding

/// One element: its value as a double, and for an integer its exact value as 64 bits of two's
/// complement.
struct Element {
  double real;
  uint64_t bits;
};

template <typename Encoding, typename Stored>
Element load_as(const uint8_t* bytes) {
  Stored stored;
  std::memcpy(&stored, bytes, sizeof(stored));
  const auto value = Encoding::value(stored);
  if constexpr (std::is_floating_point_v<decltype(value)>) {
    return {value, 0};
  } else {
    return {static_cast<double>(value), static_cast<uint64_t>(value)};
  }
}

/// Loads an element of a type that a bundle carries; `bytes` need not be aligned.
inline Element load(ScalarType type, const uint8_t* bytes) {
  switch (type) {
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...) \
  case ScalarType::enumerator:                                   \
    return load_as<encoding::encoded, stored>(bytes);
    BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  }
  return {0, 0};
}

}  // namespace internal
}  // namespace bpte
