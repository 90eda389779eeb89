// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules of traces, metrics and budgets. A part of check_metadata.cpp, which alone
// includes it: in one unit the compiler shares more code.

#include <bpte/core/internal/check_metadata.h>

// NOLINTBEGIN(misc-definitions-in-headers)
namespace bpte::internal {
namespace {

#if BPTE_CORE_TRACE
void MetadataCheck::traced_method(Position suite) {
  const Position method = reader_.table(suite, schema::kSuiteTracedMethod);
  instructions_ = 0;
  if (method == 0) {
    return;
  }
  const auto crc32 = reader_.scalar<uint32_t>(method, schema::kTracedMethodProgramCrc32);
  if (crc32 != program_crc32_) {
    return fail(Error::kTraceProgram, method, crc32, program_crc32_);
  }
  const auto origin = reader_.scalar<uint8_t>(method, schema::kTracedMethodOrigin);
  if (origin > static_cast<uint8_t>(TraceOrigin::kTosa)) {
    const int64_t number = static_cast<int8_t>(origin);
    return fail(Error::kTraceOrigin, method, static_cast<uint64_t>(number), 0);
  }
  const Vector instructions = tables(method, schema::kTracedMethodInstructions);
  instructions_ = instructions.count;
  return each(instructions, entry<&MetadataCheck::instruction>);
}

void MetadataCheck::instruction(Position at, uint32_t index) {
  Instruction found;
  read_fields(reader_, at, kInstructionFields, &found);
  // An instruction comes before its operations.
  const Position operation = reader_.field(at, schema::kInstructionOperation, flatbuffer::kU32);
  found.is_operation = operation != 0;
  const uint32_t place[] = {found.chain, found.index, found.is_operation, found.operation};
  bool after = index == 0;
  for (unsigned i = 0; i < 4; ++i) {
    if (place[i] != last_place_[i]) {
      after |= place[i] > last_place_[i];
      break;
    }
  }
  std::memcpy(last_place_, place, sizeof place);
  if (!after) {
    return fail(Error::kInstructionOrder, at);
  }
  for (unsigned i = schema::kInstructionOperatorName; i <= schema::kInstructionSource; ++i) {
    text(reader_.string(at, i));
  }
}

void MetadataCheck::trace(Position test_case, bool has_steps) {
  const Vector entries = tables(test_case, schema::kCaseTrace);
  if (has_steps && entries.count != 0) {
    return fail(Error::kStepValues, entries.at);
  }
  other_segment_ = case_segment_;
  case_segment_ = kNoIndex;
  each(entries, entry<&MetadataCheck::trace_value>);
  other_segment_ = kNoIndex;
}

void MetadataCheck::trace_value(Position entry, uint32_t) {
  TraceValue found;
  read_fields(reader_, entry, kTraceValueFields, &found);
  if (found.instruction >= instructions_) {
    return fail(Error::kTraceInstruction, entry, found.instruction, instructions_);
  }
  return value(reader_.table(entry, schema::kTraceValueValue));
}
#endif

#if BPTE_CORE_METRICS
void MetadataCheck::metric(Position at, uint32_t) {
  Metric metric;
  const bool numbers = read_fields(reader_, at, kMetricFields, &metric);
  if (!valid_metric(metric, numbers)) {
    return fail(Error::kMetricValue, at);
  }
  if (needs_expected(metric.kind)) {
    if (metric.output >= fewest_outputs_) {
      return fail(Error::kMetricOutput, at, metric.output, fewest_outputs_);
    }
  } else if (unlabelled_) {
    return fail(Error::kLabelsMissing, at);
  }
}
#endif

#if BPTE_CORE_BUDGETS
void MetadataCheck::budget(Position at, uint32_t) {
  Budget budget;
  read_fields(reader_, at, kBudgetFields, &budget);
  const Position suite = reader_.field(at, schema::kBudgetSuite, flatbuffer::kU32);
  if (budget.resource > BudgetResource::kFlash || budget.limit == 0 ||
      (suite != 0 && budget.suite >= suites_.count)) {
    return fail(Error::kBudgetValue, at);
  }
  return text(reader_.string(at, schema::kBudgetTarget));
}
#endif

}  // namespace
}  // namespace bpte::internal
// NOLINTEND(misc-definitions-in-headers)
