// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace bpte::internal {

/// How many strings an array holds, one after the other, each ended by a NUL.
template <size_t N>
constexpr unsigned count_strings(const char (&strings)[N]) {
  unsigned count = 0;
  for (const char c : strings) {
    count += c == '\0' ? 1 : 0;
  }
  return count;
}

/// String `index` of those, below their count.
inline const char* nth_string(const char* strings, unsigned index) {
  for (; index != 0; --index) {
    while (*strings++ != '\0') {
    }
  }
  return strings;
}

}  // namespace bpte::internal
