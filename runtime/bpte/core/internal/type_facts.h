// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The table of scalar types as data, for what an element's type decides at run time: a switch at
// each such place would take more flash.

#include <bpte/core/compare.h>
#include <bpte/core/internal/element.h>
#include <bpte/core/scalar_type.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bpte {
namespace internal {

/// Of one type, in one byte. All zero: a type that a bundle does not carry.
struct TypeFacts {
  uint8_t size : 3;    ///< of an element: 1 + log2 of its bytes
  uint8_t kind : 2;    ///< Number::Kind: how its values are compared and shown
  uint8_t bounds : 3;  ///< of its default tolerance: index in TypeTable::bounds
};

/// The two parts of a tolerance for one element.
struct Bounds {
  double rtol;
  double atol;
};

struct TypeCounts {
  size_t numbers = 0;  ///< one more than the largest
  size_t bounds = 1;   ///< that differ from exact, and exact
};

constexpr TypeCounts count_types() {
  TypeCounts counts;
  const auto add = [&](size_t number, Bounds bounds) {
    counts.numbers = number < counts.numbers ? counts.numbers : number + 1;
    counts.bounds += bounds.rtol != 0 || bounds.atol != 0 ? 1 : 0;
  };
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...) add(number, {__VA_ARGS__});
  BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  return counts;
}
static_assert(count_types().bounds <= 8, "TypeFacts::bounds has three bits");

struct TypeTable {
  TypeFacts facts[count_types().numbers];  ///< by the type's number
  Bounds bounds[count_types().bounds];     ///< the first is exact
};

template <typename Value>
constexpr Number::Kind number_kind_of() {
  if (std::is_floating_point_v<Value>) {
    return Number::Kind::kDouble;
  }
  return std::is_signed_v<Value> ? Number::Kind::kInt : Number::Kind::kUInt;
}

constexpr TypeTable make_type_table() {
  TypeTable table{};
  uint8_t used = 0;  // the last of the bounds that a type has
  const auto add = [&](unsigned number, size_t size, Number::Kind kind, Bounds bounds) {
    const bool exact = bounds.rtol == 0 && bounds.atol == 0;
    if (!exact) {
      table.bounds[++used] = bounds;
    }
    TypeFacts& facts = table.facts[number];
    while (size_t{1} << facts.size <= size) {
      ++facts.size;
    }
    facts.kind = static_cast<uint8_t>(kind) & 3u;
    facts.bounds = exact ? 0u : used & 7u;
  };
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...)                              \
  add(number, sizeof(stored), number_kind_of<decltype(encoding::encoded::value(stored{}))>(), \
      {__VA_ARGS__});
  BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  return table;
}

inline constexpr TypeTable kTypeTable = make_type_table();

inline TypeFacts type_facts(ScalarType type) {
  const auto number = static_cast<uint8_t>(type);
  return number < sizeof(kTypeTable.facts) ? kTypeTable.facts[number] : TypeFacts{};
}

/// How the values of a type that a bundle carries are compared and shown.
inline Number::Kind number_kind(ScalarType type) {
  return static_cast<Number::Kind>(type_facts(type).kind);
}

}  // namespace internal
}  // namespace bpte
