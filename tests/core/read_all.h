// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__SANITIZE_ADDRESS__)
#define BPTE_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BPTE_TEST_ASAN 1
#endif
#endif
#ifdef BPTE_TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace bpte_test {

/// A sum over all of the bytes. A fuzzer asks AddressSanitizer once for all of them, and the loop
/// is kept free of its counters and checks: else reading takes most of the time that there is.
#ifdef __clang__
__attribute__((no_sanitize("address", "undefined", "coverage")))
#endif
inline uint64_t
sum_of_bytes(const void* data, size_t size) {
#ifdef BPTE_TEST_ASAN
  if (size != 0 && __asan_region_is_poisoned(const_cast<void*>(data), size) != nullptr) {
    std::abort();
  }
#endif
  const uint8_t* const bytes = static_cast<const uint8_t*>(data);
  uint64_t sum = 0;
  for (size_t i = 0; i < size; ++i) {
    sum = sum * 31 + bytes[i];
  }
  return sum;
}

/// Reads every byte that an opened bundle gives, so that a view outside the file is a crash, and
/// gives a sum over them. `buffer` takes the payloads of a bundle from a data source.
inline uint64_t read_all(const bpte::Bundle& bundle, bpte::Span<uint8_t> buffer) {
  uint64_t sum = 0;
  const auto add = [&sum](const void* data, size_t size) {
    sum = sum * 31 + sum_of_bytes(data, size);
  };
  const auto add_text = [&add](const bpte::Text& text) { add(text.data, text.size); };
  const auto add_value = [&add, &sum](const bpte::Result<bpte::Value>& value) {
    if (!value.ok()) {
      sum += 1;
      return;
    }
    const bpte::TensorView& tensor = value->tensor;
    for (const int32_t& size : tensor.sizes) {
      sum = sum * 31 + static_cast<uint32_t>(size);
    }
    add(tensor.dim_order.data(), tensor.dim_order.size());
    add(tensor.data.data(), tensor.data.size());
    sum += static_cast<uint64_t>(value->int_value) + (value->bool_value ? 1 : 0);
    add(&value->double_value, sizeof value->double_value);
  };

  const auto add_case = [&](const bpte::TestCase& test_case) {
    add_text(test_case.name());
    sum += test_case.payload().size;
    const auto payload = bundle.case_payload(test_case, buffer, true);
    const bpte::Span<const uint8_t> bytes = payload.get();
    for (uint32_t k = 0; k <= test_case.input_count(); ++k) {
      add_value(test_case.input(k, bytes));
    }
    for (uint32_t k = 0; k <= test_case.output_count(); ++k) {
      add_value(test_case.expected_output(k, bytes));
      const bpte::Tolerance tolerance = test_case.tolerance(k);
      add(&tolerance.rtol, sizeof tolerance.rtol);
      sum += static_cast<uint64_t>(tolerance.nan_policy);
    }
    for (const bpte::Carry& carry : test_case.carries()) {
      sum = sum * 31 + carry.input + carry.output;
    }
    add(test_case.labels().data(), test_case.labels().size() * sizeof(int32_t));
    for (uint32_t k = 0; k <= test_case.trace_count(); ++k) {
      const bpte::Result<bpte::TraceValue> found = bundle.trace_value(test_case, k, buffer);
      sum = sum * 31 + found->instruction + found->output;
      add_value(found.ok() ? bpte::Result<bpte::Value>(found->value) : found.fault());
    }
  };

  const bpte::Span<const uint8_t> program = bundle.program();
  add(program.data(), program.size());
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const bpte::TestSuite suite = bundle.suite(i).get();
    add_text(suite.method_name());
    sum += bundle.suite_for(suite.method_name()).ok() ? 1 : 0;
    for (uint32_t j = 0; j < suite.case_count(); ++j) {
      const bpte::TestCase test_case = suite.test_case(j).get();
      add_case(test_case);
      for (uint32_t k = 0; k <= test_case.step_count(); ++k) {
        const auto step = test_case.step(k);
        if (step.ok()) {
          add_case(step.get());
        }
      }
    }
    for (uint32_t j = 0; j <= suite.metric_count(); ++j) {
      const bpte::Metric metric = suite.metric(j).get();
      sum = sum * 31 + static_cast<uint32_t>(metric.kind) + metric.output + metric.k +
            metric.classes + metric.score + metric.bins;
      const double numbers[] = {metric.minimum, metric.maximum, metric.low, metric.high};
      add(numbers, sizeof numbers);
    }
    sum += static_cast<uint64_t>(suite.trace_origin());
    for (uint32_t j = 0; j <= suite.instruction_count(); ++j) {
      const bpte::Instruction instruction = suite.instruction(j).get();
      sum = sum * 31 + instruction.chain + instruction.index + instruction.operation;
      for (const bpte::Text& text : {instruction.operator_name, instruction.node,
                                     instruction.module_path, instruction.source}) {
        add_text(text);
      }
    }
  }
  for (uint32_t i = 0; i <= bundle.budget_count(); ++i) {
    const bpte::Budget budget = bundle.budget(i).get();
    sum = sum * 31 + static_cast<uint64_t>(budget.resource) + budget.limit + budget.suite;
    add_text(budget.target);
  }
  for (uint32_t i = 0; i <= bundle.segment_count(); ++i) {
    sum += bundle.segment(i).get().size;
  }
  for (uint32_t i = 0; i <= bundle.named_data_count(); ++i) {
    add_text(bundle.named_data_key(i).get());
    sum += bundle.named_data_segment(i).get().size;
    sum += static_cast<uint64_t>(bundle.named_data_role(i).get());
    add_text(bundle.named_data_file_name(i).get());
    sum += bundle.named_data_for(bundle.named_data_key(i).get()).ok() ? 1 : 0;
  }
  for (uint32_t i = 0; i <= bundle.metadata_count(); ++i) {
    add_text(bundle.metadata_key(i).get());
    add_text(bundle.metadata_value(i).get());
    sum += bundle.metadata_for(bundle.metadata_key(i).get()).ok() ? 1 : 0;
  }
  uint8_t scratch[40];
  sum += bundle.verify_checksums(scratch).ok() ? 1 : 0;
  uint8_t last = 0;
  sum += bundle.read(bundle.header().file_size - 1, {&last, 1}).ok() ? last : 0;
  return sum;
}

}  // namespace bpte_test
