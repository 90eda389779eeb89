// SPDX-License-Identifier: BSD-3-Clause

// What a target links when it uses the core, feature by feature: tools/size.py compiles it with
// more and more of these defined.

#include <bpte/core/bundle.h>
#include <bpte/core/compare.h>

using namespace bpte;

extern "C" {

// Where results go, so that nothing is optimised away.
volatile uint32_t sink;

#if USE_DATA_SOURCE
DataSource* source;
alignas(16) uint8_t* metadata_memory;
volatile uint32_t metadata_size;
#endif

#if USE_WALK
inline __attribute__((always_inline)) void walk(const Bundle& bundle, const TestCase& test_case) {
  sink = static_cast<uint32_t>(test_case.name().size);
  const auto payload = bundle.case_payload(test_case, {}, USE_CHECKSUMS);
  for (uint32_t k = 0; k < test_case.input_count(); ++k) {
    sink = static_cast<uint32_t>(test_case.input(k, *payload)->tensor.data.size());
  }
  for (uint32_t k = 0; k < test_case.output_count(); ++k) {
    const auto expected = test_case.expected_output(k, *payload);
    const Tolerance tolerance = test_case.tolerance(k);
    sink = static_cast<uint32_t>(expected->kind) + (tolerance.not_compared ? 1u : 0u);
#if USE_COMPARE
    sink = static_cast<uint32_t>(compare(*expected, *expected, tolerance).verdict);
#endif
  }
#if USE_METRICS
  sink = static_cast<uint32_t>(test_case.labels().size());
#endif
#if USE_TRACE
  for (uint32_t k = 0; k < test_case.trace_count(); ++k) {
    sink = static_cast<uint32_t>(bundle.trace_value(test_case, k, {})->value.kind);
  }
#endif
}
#endif

void entry() {
#if USE_OPEN
  OpenOptions options;
#if USE_CHECKSUMS
  options.verify_checksums = true;
#endif
  // A bundle in DDR: the header tells its length.
  const auto* const file = reinterpret_cast<const uint8_t*>(uintptr_t{0x71000000});
  const volatile uint32_t* const size = reinterpret_cast<const volatile uint32_t*>(file + 16);
#if USE_DATA_SOURCE
  const auto bundle = sink != 0 ? Bundle::open({file, *size}, options)
                                : Bundle::open(*source, {metadata_memory, metadata_size}, options);
#else
  const auto bundle = Bundle::open({file, *size}, options);
#endif
  if (!bundle.ok()) {
    sink = static_cast<uint32_t>(bundle.fault().error);
#if USE_TEXT
    char text[128];
    sink = static_cast<uint32_t>(format_fault(bundle.fault(), text));
#endif
    return;
  }
#endif
#if USE_WALK
  sink = static_cast<uint32_t>(bundle->program().size());
  for (uint32_t i = 0; i < bundle->suite_count(); ++i) {
    const TestSuite suite = bundle->suite(i).get();
    sink = static_cast<uint32_t>(suite.method_name().size);
    for (uint32_t j = 0; j < suite.case_count(); ++j) {
      const TestCase test_case = suite.test_case(j).get();
      walk(*bundle, test_case);
#if USE_STEPS
      for (uint32_t k = 0; k < test_case.step_count(); ++k) {
        const TestCase step = test_case.step(k).get();
        sink = static_cast<uint32_t>(step.carries().size());
        walk(*bundle, step);
      }
#endif
    }
#if USE_METRICS
    for (uint32_t j = 0; j < suite.metric_count(); ++j) {
      sink = suite.metric(j)->k;
    }
#endif
#if USE_TRACE
    sink = static_cast<uint32_t>(suite.trace_origin());
    for (uint32_t j = 0; j < suite.instruction_count(); ++j) {
      sink = suite.instruction(j)->chain;
    }
#endif
  }
#if USE_BUDGETS
  for (uint32_t i = 0; i < bundle->budget_count(); ++i) {
    sink = bundle->budget(i)->suite;
  }
#endif
#endif
}

}  // extern "C"
