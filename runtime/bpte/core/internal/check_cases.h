// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules of cases and their steps. A part of check_metadata.cpp, which alone
// includes it: in one unit the compiler shares more code.

#include <bpte/core/internal/check_metadata.h>

// NOLINTBEGIN(misc-definitions-in-headers)
namespace bpte::internal {
namespace {

void MetadataCheck::test_case(Position test_case, uint32_t) {
  const Vector steps = inputs_and_outputs(test_case, suite_tolerances_);
#if BPTE_CORE_STEPS
  case_tolerances_ = tolerances_;
  step_before_ = 0;
  each(entry<&MetadataCheck::step>, steps, at_.step);
#endif
  after_values(test_case, 0, steps.count != 0);
}

// A case or, when at_ names one, a step: up to its values. Keeps the tolerances that hold for it.
// Gives the steps of a case.
PackedVector MetadataCheck::inputs_and_outputs(Position test_case, PackedVector inherited) {
  case_segment_ = kNoIndex;
  const Vector inputs = needed(test_case, schema::kCaseInputs, Error::kInputsMissing);
  const Vector outputs = needed(test_case, schema::kCaseExpectedOutputs, Error::kOutputsMissing);
  text(test_case, schema::kCaseName);
  tolerances_ = tolerances(test_case, schema::kCaseTolerances);
  if (tolerances_.count == 0) {
    tolerances_ = inherited;
  }
  Vector steps;
  if (bp09()) {
#if BPTE_CORE_STEPS
    steps = tables(test_case, schema::kCaseSteps);
#else
    if (reader_.tables(test_case, schema::kCaseSteps).count != 0) {
      features_ |= schema::kFeatureSteps;
    }
#endif
  }
  if (steps.count != 0) {
    features_ |= schema::kFeatureSteps;
    if (at_.step != kNoIndex) {
      fail(Error::kNestedSteps, test_case);
    }
    if (inputs.count != 0 || outputs.count != 0) {
      fail(Error::kStepValues, test_case);
    }
    return steps;
  }
  if (tolerances_.count > 1 && tolerances_.count != outputs.count) {
    fail(Error::kToleranceCount, tolerances_.at, tolerances_.count, outputs.count);
  }
  if (outputs.count < fewest_outputs_) {
    fewest_outputs_ = outputs.count;
  }
  each(entry<&MetadataCheck::value>, inputs, at_.input);
  each(entry<&MetadataCheck::value>, outputs, at_.output);
  return steps;
}

// What follows a case's values and steps. `before` is the step before this one, or 0.
void MetadataCheck::after_values(Position test_case, [[maybe_unused]] Position before,
                                 [[maybe_unused]] bool has_steps) {
  if (!bp09()) {
    return absent(test_case, schema::kCaseSteps, schema::kCaseTrace);
  }
#if BPTE_CORE_STEPS
  carries(test_case, before);
#endif
#if BPTE_CORE_METRICS
  labels(test_case, has_steps);
#endif
#if BPTE_CORE_TRACE
  trace(test_case, has_steps);
#endif
}

PackedVector MetadataCheck::tolerances(Position table, unsigned field) {
  const Vector found = tables(table, field);
  each(entry<&MetadataCheck::tolerance>, found, at_.output);
  return found;
}

void MetadataCheck::tolerance(Position at, uint32_t) {
  bool valid;
  read_tolerance(reader_, at, valid);
  if (!valid) {
    fail(Error::kToleranceValue, at);
  }
}

#if BPTE_CORE_STEPS
// Called by the case, not by itself: a target bounds its stack.
void MetadataCheck::step(Position step, uint32_t) {
  inputs_and_outputs(step, case_tolerances_);
  after_values(step, step_before_, false);
  step_before_ = step;
}

void MetadataCheck::carries(Position step, Position before) {
  const Vector carries =
      reach(schema::kReachOfItem, reader_.vector(step, schema::kCaseCarries, schema::kCarry));
  const Vector inputs = reader_.tables(step, schema::kCaseInputs);
  const Vector outputs = reader_.tables(before, schema::kCaseExpectedOutputs);
  uint32_t last = 0;
  for (uint32_t i = 0; i < carries.count; ++i) {
    const Position at = carries.at + i * schema::kCarrySize;
    const uint32_t output = reader_.load<uint32_t>(at);
    const uint32_t input = reader_.load<uint32_t>(at + schema::kCarryAtInput);
    if (before == 0) {
      return fail(Error::kCarryFirstStep, at);
    }
    if (input >= inputs.count) {
      return fail(Error::kCarryIndex, at, input, inputs.count);
    }
    if (i != 0 && input <= last) {
      return fail(Error::kCarryOrder, at, input, last);
    }
    if (output >= outputs.count) {
      return fail(Error::kCarryIndex, at, output, outputs.count);
    }
    if (!alike(reader_.element(inputs, input), reader_.element(outputs, output))) {
      return fail(Error::kCarryMismatch, at);
    }
    last = input;
  }
}
#endif

#if BPTE_CORE_METRICS
void MetadataCheck::labels(Position test_case, bool has_steps) {
  const Vector labels =
      reach(schema::kReachOfItem, reader_.vector(test_case, schema::kCaseLabels, schema::kLabel));
  unlabelled_ |= labels.count == 0 && !has_steps;
  if (has_steps && labels.count != 0) {
    return fail(Error::kStepValues, labels.at);
  }
  if (labels.count > schema::kMaxLabels) {
    return fail(Error::kLabelCount, labels.at, labels.count, schema::kMaxLabels);
  }
  for (uint32_t i = 0; i < labels.count; ++i) {
    const Position at = labels.at + 4 * i;
    const int32_t label = reader_.load<int32_t>(at);
    if (static_cast<uint32_t>(label) > schema::kMaxLabel) {
      return fail(Error::kLabelValue, at, static_cast<uint64_t>(int64_t{label}), 0);
    }
  }
}
#endif

}  // namespace
}  // namespace bpte::internal
// NOLINTEND(misc-definitions-in-headers)
