// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpte {

/// Element types, with ExecuTorch's numbers (executorch/schema/scalar_type.fbs).
enum class ScalarType : int8_t {
  kByte = 0,
  kChar = 1,
  kShort = 2,
  kInt = 3,
  kLong = 4,
  kHalf = 5,
  kFloat = 6,
  kDouble = 7,
  kBool = 11,
  kBFloat16 = 15,
  kUInt16 = 27,
  kUInt32 = 28,
  kUInt64 = 29,
};

/// Bytes of one element; 0 for a type that a bundle does not carry (quantised, bits, float8,
/// complex).
size_t element_size(ScalarType type);

/// numpy's name ("float32", "int8", "bool"; "bfloat16" for that), or "unknown". Never null; static
/// storage.
const char* to_string(ScalarType type);

}  // namespace bpte
