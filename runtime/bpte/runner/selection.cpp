// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/selection.h>

namespace bpte {

bool selected(const TestSuite& suite, const RunOptions& options) {
  return options.method.size == 0 || suite.method_name() == options.method;
}

bool selected(uint32_t case_index, const RunOptions& options) {
  return options.test_case == kNoIndex || options.test_case == case_index;
}

namespace {

// How many times a case executes the method.
uint64_t executions([[maybe_unused]] const TestCase& test_case) {
#if BPTE_CORE_STEPS
  if (test_case.step_count() != 0) return test_case.step_count();
#endif
  return 1;
}

// Calls visit() with the case, and with each of its steps.
template <typename Visit>
void for_each_execution(const TestCase& test_case, const Visit& visit) {
  visit(test_case);
#if BPTE_CORE_STEPS
  for (uint32_t j = 0; j < test_case.step_count(); ++j) {
    const Result<TestCase> step = test_case.step(j);
    if (step.ok()) visit(*step);
  }
#endif
}

// The same for all cases.
template <typename Visit>
void for_each_execution(const Bundle& bundle, const Visit& visit) {
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle.suite(i);
    for (uint32_t k = 0; suite.ok() && k < suite->case_count(); ++k) {
      const Result<TestCase> test_case = suite->test_case(k);
      if (test_case.ok()) for_each_execution(*test_case, visit);
    }
  }
}

size_t to_size(uint64_t bytes) {
  return bytes < SIZE_MAX ? static_cast<size_t>(bytes) : SIZE_MAX;
}

}  // namespace

uint64_t count_selected(const Bundle& bundle, const RunOptions& options) {
  uint64_t count = 0;
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle.suite(i);
    if (!suite.ok() || !selected(*suite, options)) continue;
    for (uint32_t k = 0; k < suite->case_count(); ++k) {
      const Result<TestCase> test_case = suite->test_case(k);
      if (selected(k, options) && test_case.ok()) count += executions(*test_case);
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
  for_each_execution(bundle, [&largest](const TestCase& test_case) {
    const uint64_t size = test_case.payload().size;
    if (size > largest) largest = size;
  });
  return to_size(largest);
}

#if BPTE_RUNNER_TRACE
bool any_trace_selected(const Bundle& bundle, const RunOptions& options) {
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle.suite(i);
    if (!suite.ok() || !selected(*suite, options)) continue;
    for (uint32_t k = 0; k < suite->case_count(); ++k) {
      const Result<TestCase> test_case = suite->test_case(k);
      if (!test_case.ok() || !selected(k, options)) continue;
      bool any = false;
      for_each_execution(*test_case,
                         [&any](const TestCase& one) { any |= one.trace_count() != 0; });
      if (any) return true;
    }
  }
  return false;
}

size_t largest_trace_value(const Bundle& bundle) {
  uint64_t largest = 0;
  for_each_execution(bundle, [&](const TestCase& test_case) {
    for (uint32_t i = 0; i < test_case.trace_count(); ++i) {
      // Without a buffer nothing is read, and the refusal says what it would take.
      const Result<TraceValue> value = bundle.trace_value(test_case, i, {});
      const uint64_t size = value.ok() ? value->value.tensor.data.size() : value.fault().expected;
      if (size > largest) largest = size;
    }
  });
  return to_size(largest);
}
#endif

#if BPTE_CORE_STEPS
uint64_t carry_size(const Value& stated) {
  constexpr uint64_t kAlignment = 16;
  if (stated.kind != ValueKind::kTensor) return kAlignment;  // an integer, a double or a bool
  uint64_t bytes = element_size(stated.tensor.scalar_type);
  for (const int32_t size : stated.tensor.sizes) bytes *= static_cast<uint32_t>(size);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

size_t largest_carry(const Bundle& bundle) {
  uint64_t largest = 0;
  for_each_execution(bundle, [&](const TestCase& step) {
    uint64_t size = 0;
    // Without the payload, which is not read here, a value still has its shape.
    for (const Carry& carry : step.carries()) size += carry_size(*step.input(carry.input, {}));
    if (size > largest) largest = size;
  });
  return to_size(2 * largest);
}
#endif

}  // namespace bpte
