// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The macros of check.h where there is no heap, no exceptions and no iostream. A test program has
// one main(), which returns bpte_test::run_all().

#include <cstdio>

namespace bpte_test {

struct Tally {
  int checks = 0;
  int failed = 0;
  int empty_cases = 0;
};

inline Tally& tally() {
  static Tally counts;
  return counts;
}

/// A named test. Its constructor appends it to the list that run_all() walks.
class TestCase {
 public:
  TestCase(const char* name, void (*body)()) : name_(name), body_(body) {
    *end() = this;
    end() = &next_;
  }

  static TestCase*& first() {
    static TestCase* head = nullptr;
    return head;
  }
  TestCase* next() const { return next_; }

  /// Prints the name and calls the body. A test that checks nothing has failed.
  void run() const {
    std::printf("test case: %s\n", name_);
    const int before = tally().checks;
    body_();
    if (tally().checks == before) {
      ++tally().empty_cases;
      std::printf("failed: this test case checks nothing\n");
    }
  }

 private:
  static TestCase**& end() {
    static TestCase** link = &first();
    return link;
  }

  const char* name_;
  void (*body_)();
  TestCase* next_ = nullptr;
};

inline void check(bool ok, const char* expression, const char* file, int line) {
  ++tally().checks;
  if (!ok) {
    ++tally().failed;
    std::printf("%s:%d: failed: %s\n", file, line, expression);
  }
}

/// Runs every test case in the order of the source, prints the tally and gives main()'s exit code.
inline int run_all() {
  int cases = 0;
  for (const TestCase* test = TestCase::first(); test != nullptr; test = test->next()) {
    ++cases;
    test->run();
  }
  const Tally& counts = tally();
  std::printf("%d test cases, %d checks, %d failed\n", cases, counts.checks,
              counts.failed + counts.empty_cases);
  return cases > 0 && counts.failed == 0 && counts.empty_cases == 0 ? 0 : 1;
}

}  // namespace bpte_test

#define BPTE_TEST_JOIN_(a, b) a##b
#define BPTE_TEST_JOIN(a, b) BPTE_TEST_JOIN_(a, b)
#define BPTE_TEST_CASE(name, body)                                       \
  static void body();                                                    \
  static ::bpte_test::TestCase BPTE_TEST_JOIN(body, _entry)(name, body); \
  static void body()

#define TEST_CASE(name) BPTE_TEST_CASE(name, BPTE_TEST_JOIN(bpte_test_case_, __LINE__))
#define CHECK(...) \
  ::bpte_test::check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
