// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The smallest test harness that serves: no heap, no exceptions, no registration, so that the same
// tests run on bare metal. A test program calls its test functions from main() and returns
// bpte_test::finish().

#include <cstdio>

namespace bpte_test {

inline int& failures() {
  static int count = 0;
  return count;
}

inline int& checks() {
  static int count = 0;
  return count;
}

inline bool check(bool ok, const char* expression, const char* file, int line) {
  ++checks();
  if (!ok) {
    ++failures();
    std::printf("%s:%d: failed: %s\n", file, line, expression);
  }
  return ok;
}

/// Prints the tally and gives main()'s exit code. A program that checked nothing has failed.
inline int finish() {
  std::printf("%d checks, %d failed\n", checks(), failures());
  return failures() == 0 && checks() > 0 ? 0 : 1;
}

}  // namespace bpte_test

/// Evaluates to whether `expression` holds; a failure is printed and counted, and the test goes on.
#define CHECK(expression) ::bpte_test::check((expression), #expression, __FILE__, __LINE__)
