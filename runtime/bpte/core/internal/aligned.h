// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte::internal {

/// Bytes that the caller has found to be aligned for T, as T's. One place for such casts, so that
/// -Wcast-align can tell of all others.
template <typename T>
T* as_aligned(uint8_t* bytes) {
  return static_cast<T*>(static_cast<void*>(bytes));
}
template <typename T>
const T* as_aligned(const uint8_t* bytes) {
  return static_cast<const T*>(static_cast<const void*>(bytes));
}

}  // namespace bpte::internal
