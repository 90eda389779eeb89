// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/budgets.h>
#include <bpte/runner/record_writer.h>

#include <cstring>

namespace bpte {

void write_resources(RecordWriter& writer, const Resources& resources) {
  const struct {
    Key key;
    uint64_t bytes;
  } figures[] = {
      {key::kPlannedMemory, resources.planned_memory},
      {key::kEngineMemory, resources.engine_memory},
      {key::kBuffers, resources.buffers},
      {key::kStaticMemory, resources.static_memory},
      {key::kStackSize, resources.stack_size},
      {key::kStack, resources.stack},
      {key::kFlash, resources.flash},
  };
  writer.begin_record(event::kResources);
  for (const auto& figure : figures) {
    if (figure.bytes != kNotMeasured) writer.field(figure.key, figure.bytes);
  }
  writer.end_record();
}

#if BPTE_RUNNER_BUDGETS

namespace {

const char* to_string(BudgetResource resource) {
  switch (resource) {
    case BudgetResource::kTimeInstructions:
      return "time_instructions";
    case BudgetResource::kTimeCycles:
      return "time_cycles";
    case BudgetResource::kTimeNs:
      return "time_ns";
    case BudgetResource::kPlannedMemory:
      return "planned_memory";
    case BudgetResource::kStaticMemory:
      return "static_memory";
    case BudgetResource::kStack:
      return "stack";
    case BudgetResource::kFlash:
      return "flash";
  }
  return "unknown";
}

// The unit in which a time is measured that the budget limits; null when it limits no time.
const char* unit_of(BudgetResource resource) {
  switch (resource) {
    case BudgetResource::kTimeInstructions:
      return "instructions";
    case BudgetResource::kTimeCycles:
      return "cycles";
    case BudgetResource::kTimeNs:
      return "ns";
    default:
      return nullptr;
  }
}

}  // namespace

bool holds_for(const Budget& budget, const char* target) {
  return budget.target.size == 0 || budget.target == Text{target, std::strlen(target)};
}

uint64_t amount_of(const Budget& budget, const Use& use) {
  if (const char* const unit = unit_of(budget.resource)) {
    const bool measured = use.longest.suite != kNoIndex && std::strcmp(unit, use.unit) == 0;
    return measured ? use.longest.time : kNotMeasured;
  }
  switch (budget.resource) {
    case BudgetResource::kPlannedMemory:
      return use.resources.planned_memory;
    case BudgetResource::kStaticMemory:
      return use.resources.static_memory;
    case BudgetResource::kStack:
      return use.resources.stack;
    case BudgetResource::kFlash:
      return use.resources.flash;
    default:
      return kNotMeasured;
  }
}

Judgement verdict_of(const Budget& budget, const Use& use) {
  const uint64_t amount = amount_of(budget, use);
  if (amount == kNotMeasured) return Judgement::kError;
  return amount <= budget.limit ? Judgement::kPass : Judgement::kFail;
}

void write_budget(RecordWriter& writer, uint32_t index, const Budget& budget, Text method,
                  const Use& use, Judgement verdict) {
  writer.begin_record(event::kBudget);
  writer.field(key::kBudget, index);
  writer.field(key::kResource, to_string(budget.resource));
  writer.field(key::kLimit, budget.limit);
  if (method.size > 0) writer.field(key::kMethod, method);
  if (verdict != Judgement::kError) {
    writer.field(key::kAmount, amount_of(budget, use));
    if (unit_of(budget.resource) != nullptr) {
      writer.field(key::kSuite, use.longest.suite);
      writer.field(key::kCase, use.longest.test_case);
      if (use.longest.step != kNoIndex) writer.field(key::kStep, use.longest.step);
    }
  }
  writer.field(key::kVerdict, to_string(verdict));
  if (verdict == Judgement::kError) {
    writer.field(key::kError, "not_measured");
  }
  writer.end_record();
}

#endif

}  // namespace bpte
