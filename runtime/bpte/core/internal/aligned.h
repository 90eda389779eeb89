// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte::internal {

/// Bytes as objects of type T. The caller has checked that they are aligned for T. All such casts
/// are here, so that -Wcast-align warns of any other.
template <typename T>
T* as_aligned(uint8_t* bytes) {
  return static_cast<T*>(static_cast<void*>(bytes));
}
template <typename T>
const T* as_aligned(const uint8_t* bytes) {
  return static_cast<const T*>(static_cast<const void*>(bytes));
}

}  // namespace bpte::internal
