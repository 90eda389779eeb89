// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/text.h>

#include <cstring>

namespace bpte {

int compare(const Text& a, const Text& b) {
  const size_t both = a.size < b.size ? a.size : b.size;
  const int order = both != 0 ? std::memcmp(a.data, b.data, both) : 0;
  return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool operator==(const Text& a, const Text& b) {
  return a.size == b.size && compare(a, b) == 0;
}

bool operator==(const Text& a, const char* b) {
  return a == Text{b, std::strlen(b)};
}

}  // namespace bpte
