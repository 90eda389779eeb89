// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules of cases and their steps. A part of check_metadata.cpp, which alone
// includes it: in one unit the compiler shares more code.

#include <bpte/core/internal/check_metadata.h>

// NOLINTBEGIN(misc-definitions-in-headers)
namespace bpte::internal {
namespace {

void MetadataCheck::cases(const Vector& cases, const Vector& inherited) {
  for (uint32_t i = 0; i < cases.count; ++i) {
    at_.test_case = i;
    const Position at = reader_.element(cases, i);
    Vector tolerances = inherited;
    const Vector steps = test_case(at, tolerances);
    this->steps(steps, tolerances);
    after_values(at, 0, steps.count != 0);
  }
  at_.test_case = kNoIndex;
}

// Not a recursion: a target bounds its stack.
void MetadataCheck::steps(const Vector& steps, const Vector& inherited) {
  Position before = 0;
  for (uint32_t i = 0; i < steps.count; ++i) {
    at_.step = i;
    const Position at = reader_.element(steps, i);
    Vector tolerances = inherited;
    test_case(at, tolerances);
    after_values(at, before, false);
    before = at;
  }
  at_.step = kNoIndex;
}

// A case or, when at_ names one, a step: up to its values. `tolerances` are the inherited ones;
// then those that hold. Gives the steps of a case.
Vector MetadataCheck::test_case(Position test_case, Vector& tolerances) {
  case_segment_ = kNoIndex;
  const Vector inputs = needed(test_case, schema::kCaseInputs, Error::kInputsMissing);
  const Vector outputs = needed(test_case, schema::kCaseExpectedOutputs, Error::kOutputsMissing);
  text(reader_.string(test_case, schema::kCaseName));
  const Vector own = this->tolerances(test_case, schema::kCaseTolerances);
  if (own.count != 0) {
    tolerances = own;
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
  if (tolerances.count > 1 && tolerances.count != outputs.count) {
    fail(Error::kToleranceCount, tolerances.at, tolerances.count, outputs.count);
  }
  if (outputs.count < fewest_outputs_) {
    fewest_outputs_ = outputs.count;
  }
  values(inputs, at_.input);
  values(outputs, at_.output);
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

Vector MetadataCheck::tolerances(Position table, unsigned field) {
  const Vector found = tables(table, field);
  for (uint32_t i = 0; i < found.count; ++i) {
    const Position tolerance = reader_.element(found, i);
    at_.output = i;
    bool valid;
    read_tolerance(reader_, tolerance, valid);
    if (!valid) {
      fail(Error::kToleranceValue, tolerance);
    }
    sound();
  }
  at_.output = kNoIndex;
  return found;
}

#if BPTE_CORE_STEPS
void MetadataCheck::carries(Position step, Position before) {
  const Vector carries = reader_.vector(step, schema::kCaseCarries, schema::kCarry);
  reach(schema::kReachOfItem * carries.count, carries.at);
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
  const Vector labels = reader_.vector(test_case, schema::kCaseLabels, schema::kLabel);
  reach(schema::kReachOfItem * labels.count, labels.at);
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
