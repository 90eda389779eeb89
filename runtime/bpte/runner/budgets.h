// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a run takes of its target, and whether that keeps the bundle's budgets (schema/README.md,
// "Budgets").

#include <bpte/core/bundle.h>
#include <bpte/runner/config.h>
#include <bpte/runner/judgement.h>

#include <cstdint>

namespace bpte {

class RecordWriter;

/// A figure that the target does not know.
inline constexpr uint64_t kNotMeasured = UINT64_MAX;

/// What was taken so far, in bytes; each may be kNotMeasured.
struct Resources {
  uint64_t planned_memory = kNotMeasured;  ///< what the loaded method's memory plan asks for
  uint64_t engine_memory = kNotMeasured;   ///< the engine's own structures and scratch
  uint64_t buffers = kNotMeasured;         ///< the runner's: bundles from a file, carries, metrics
  uint64_t static_memory = kNotMeasured;   ///< .data and .bss
  uint64_t stack_size = kNotMeasured;
  uint64_t stack = kNotMeasured;  ///< the most that was in use
  uint64_t flash = kNotMeasured;  ///< of the program, without a bundle
};

/// Tells what the target takes. The platform's.
class Meter {
 public:
  virtual Resources measure() = 0;

 protected:
  ~Meter() = default;
};

/// Writes the record `resources`.
void write_resources(RecordWriter& writer, const Resources& resources);

#if BPTE_RUNNER_BUDGETS
#if !BPTE_CORE_BUDGETS
#error "BPTE_RUNNER_BUDGETS needs a core that reads budgets (BPTE_CORE_BUDGETS)"
#endif

/// The longest time of any execution, and whose it was.
struct Longest {
  uint64_t time = 0;
  uint32_t suite = kNoIndex;  ///< none was executed
  uint32_t test_case = 0;
  uint32_t step = kNoIndex;

  void take(uint64_t other, uint32_t suite_index, uint32_t case_index, uint32_t step_index) {
    if (suite != kNoIndex && other <= time) return;
    *this = {other, suite_index, case_index, step_index};
  }
};

/// What a budget is judged by.
struct Use {
  Longest longest;
  const char* unit = "";  ///< of times
  Resources resources;
};

/// Whether a budget holds for this target.
bool holds_for(const Budget& budget, const char* target);
/// The amount that a budget is held against; kNotMeasured when the target cannot tell.
uint64_t amount_of(const Budget& budget, const Use& use);
/// kPass, kFail, or kError when the amount was not measured.
Judgement verdict_of(const Budget& budget, const Use& use);

/// Writes the record `budget`; `index` is the budget's in the bundle, `method` its suite's, or
/// empty, `verdict` that of verdict_of().
void write_budget(RecordWriter& writer, uint32_t index, const Budget& budget, Text method,
                  const Use& use, Judgement verdict);
#endif

}  // namespace bpte
