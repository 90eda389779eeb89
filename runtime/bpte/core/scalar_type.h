// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

/// The element types that a bundle carries, and all that the core knows of each. Everything that
/// depends on the type is made from this table, so that no place can forget a row. The core does
/// not compile with an encoding that it cannot read.
///
/// ROW(enumerator, number, name, stored, encoding, rtol, atol)
///   number      ExecuTorch's (executorch/schema/scalar_type.fbs)
///   name        numpy's; "bfloat16" for that
///   stored      one element in memory, little-endian
///   encoding    how that is read: one of the structs in internal/element.h
///   rtol, atol  the default tolerance: torch.testing.assert_close's (torch 2.13)
#define BPTE_FOR_EACH_SCALAR_TYPE(ROW)                             \
  ROW(kByte, 0, "uint8", uint8_t, Plain, 0, 0)                     \
  ROW(kChar, 1, "int8", int8_t, Plain, 0, 0)                       \
  ROW(kShort, 2, "int16", int16_t, Plain, 0, 0)                    \
  ROW(kInt, 3, "int32", int32_t, Plain, 0, 0)                      \
  ROW(kLong, 4, "int64", int64_t, Plain, 0, 0)                     \
  ROW(kHalf, 5, "float16", uint16_t, Half, 1e-3, 1e-5)             \
  ROW(kFloat, 6, "float32", float, Plain, 1.3e-6, 1e-5)            \
  ROW(kDouble, 7, "float64", double, Plain, 1e-7, 1e-7)            \
  ROW(kBool, 11, "bool", uint8_t, Bool, 0, 0)                      \
  ROW(kBFloat16, 15, "bfloat16", uint16_t, BFloat16, 1.6e-2, 1e-5) \
  ROW(kUInt16, 27, "uint16", uint16_t, Plain, 0, 0)                \
  ROW(kUInt32, 28, "uint32", uint32_t, Plain, 0, 0)                \
  ROW(kUInt64, 29, "uint64", uint64_t, Plain, 0, 0)

namespace bpte {

/// kByte = 0, kChar = 1, ...: the table's enumerators and numbers.
enum class ScalarType : int8_t {
#define BPTE_ENUMERATOR(enumerator, number, ...) enumerator = number,
  BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ENUMERATOR)
#undef BPTE_ENUMERATOR
};

/// Bytes of one element; 0 for a type that a bundle cannot carry (quantised, bits, float8,
/// complex).
size_t element_size(ScalarType type);

/// Whether all values of a type are values of float32: float32 and narrower floating-point types.
bool fits_float32(ScalarType type);

/// numpy's name ("float32", "int8", "bool"; "bfloat16" for that), or "unknown". Never null; static
/// storage.
const char* to_string(ScalarType type);

}  // namespace bpte
