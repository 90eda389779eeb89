// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules of traces, metrics and budgets. A part of check_metadata.cpp, which alone
// includes it: in one unit the compiler shares more code.

#include <bpte/core/internal/check_metadata.h>
#include <bpte/core/internal/ieee.h>

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
  const Vector instructions =
      list(method, schema::kTracedMethodInstructions, entry<&MetadataCheck::instruction>);
  instructions_ = instructions.count;
}

void MetadataCheck::instruction(Position at, uint32_t index) {
  const uint64_t chain = reader_.scalar<uint32_t>(at, schema::kInstructionChain);
  const uint64_t place = chain << 32 | reader_.scalar<uint32_t>(at, schema::kInstructionIndex);
  // An instruction, 0, comes before its operations, which count from 1.
  const Position stated = reader_.field(at, schema::kInstructionOperation, flatbuffer::kU32);
  const uint64_t operation = stated != 0 ? uint64_t{reader_.load<uint32_t>(stated)} + 1 : 0;
  if (index != 0 &&
      (place < last_place_ || (place == last_place_ && operation <= last_operation_))) {
    fail(Error::kInstructionOrder, at);
  }
  last_place_ = place;
  last_operation_ = operation;
  for (unsigned i = schema::kInstructionOperatorName; i <= schema::kInstructionSource; ++i) {
    text(at, i);
  }
}

void MetadataCheck::trace(Position test_case, bool has_steps) {
  const Vector entries = tables(test_case, schema::kCaseTrace);
  if (has_steps && entries.count != 0) {
    fail(Error::kStepValues, entries.at);
  }
  other_segment_ = case_segment_;
  case_segment_ = kNoIndex;
  each(entry<&MetadataCheck::trace_value>, entries, no_place_);
  other_segment_ = kNoIndex;
}

void MetadataCheck::trace_value(Position entry, uint32_t) {
  const auto instruction = reader_.scalar<uint32_t>(entry, schema::kTraceValueInstruction);
  (void)reader_.scalar<uint32_t>(entry, schema::kTraceValueOutput);  // any number
  if (instruction >= instructions_) {
    fail(Error::kTraceInstruction, entry, instruction, instructions_);
  }
  return value(reader_.table(entry, schema::kTraceValueValue), 0);
}
#endif

#if BPTE_CORE_METRICS
// Whether it is from 1 to the largest.
bool from_1(uint32_t count) {
  return count - 1 < schema::kMaxClasses;
}

void MetadataCheck::metric(Position at, uint32_t) {
  Metric metric;
  const bool valid = read_fields(reader_, at, kMetricFields, &metric);
  const bool matrix = metric.kind == MetricKind::kConfusionMatrix;
  const bool bounded = !is_nan(metric.minimum) || !is_nan(metric.maximum);
  if (!valid || metric.kind > MetricKind::kConfusionMatrix || !from_1(metric.k) ||
      !from_1(metric.bins) || !(metric.low < metric.high) ||
      !(from_1(metric.classes) || (metric.classes == 0 && !matrix)) || (matrix && bounded)) {
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
    fail(Error::kBudgetValue, at);
  }
  text(at, schema::kBudgetTarget);
}
#endif

}  // namespace
}  // namespace bpte::internal
// NOLINTEND(misc-definitions-in-headers)
