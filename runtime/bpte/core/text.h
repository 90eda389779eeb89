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

/// Below, at or above 0 as `a` comes before, is or comes after `b` in the order of a file's keys:
/// byte by byte, as unsigned numbers; a text comes before what it begins.
int compare(const Text& a, const Text& b);

}  // namespace bpte
