// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace bpte {

/// A string in the file: UTF-8, `size` bytes without a NUL at their end.
struct Text {
  const char* data = nullptr;
  size_t size = 0;
};

bool operator==(const Text& a, const Text& b);
bool operator==(const Text& a, const char* b);

/// Negative, 0 or positive: `a` comes before `b`, is `b`, or comes after `b` in the order of a
/// file's keys. That order compares bytes as unsigned numbers; a prefix comes before the longer
/// text.
int compare(const Text& a, const Text& b);

}  // namespace bpte
