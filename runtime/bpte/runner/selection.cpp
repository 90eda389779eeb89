// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/selection.h>

namespace bpte {

bool selected(const TestSuite& suite, const RunOptions& options) {
  return options.method.size == 0 || suite.method_name() == options.method;
}

bool selected(uint32_t case_index, const RunOptions& options) {
  return options.test_case == kNoIndex || options.test_case == case_index;
}

uint64_t count_selected(const Bundle& bundle, const RunOptions& options) {
  uint64_t count = 0;
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle.suite(i);
    if (!suite.ok() || !selected(*suite, options)) continue;
    if (options.test_case == kNoIndex) {
      count += suite->case_count();
    } else if (options.test_case < suite->case_count()) {
      ++count;
    }
  }
  return count;
}

bool anything_selected(const Bundle& bundle, const RunOptions& options, Message& why) {
  const Text method = options.method;
  why.clear();
  if (method.size != 0 && !bundle.suite_for(method).ok()) {
    why << "the bundle has no suite for method " << Span<const char>(method.data, method.size);
  } else if (options.test_case != kNoIndex && count_selected(bundle, options) == 0) {
    why << "no suite has a case of this index";
  }
  return why.empty();
}

size_t largest_payload(const Bundle& bundle) {
  uint64_t largest = 0;
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle.suite(i);
    for (uint32_t k = 0; suite.ok() && k < suite->case_count(); ++k) {
      const Result<TestCase> test_case = suite->test_case(k);
      if (test_case.ok() && test_case->payload().size > largest) {
        largest = test_case->payload().size;
      }
    }
  }
  return largest < SIZE_MAX ? static_cast<size_t>(largest) : SIZE_MAX;
}

}  // namespace bpte
