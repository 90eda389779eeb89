// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/log_capture.h>
#include <bpte/engine/executorch/stand_in.h>
#include <bpte/engine/form.h>

#include <cstring>

// Empty without stepping, so that a plain list of all sources builds.
#if BPTE_ENGINE_STEPPING

namespace bpte {

namespace et = ::executorch::runtime;
namespace aten = ::executorch::aten;

namespace {

// ExecuTorch marks stepping as experimental by an attribute of deprecated functions.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
et::Error step(et::Method& method) {
  return method.step();
}
et::Error reset(et::Method& method) {
  return method.reset_execution();
}
#pragma GCC diagnostic pop

// Whether a jump's condition lets it pass: as ExecuTorch reads it, a tensor's when all elements do.
bool is_true(const et::EValue& condition) {
  if (condition.isBool()) return condition.toBool();
  if (!condition.isTensor()) return false;
  const aten::Tensor& tensor = condition.toTensor();
  const auto* const elements = static_cast<const uint8_t*>(tensor.const_data_ptr());
  const auto count = static_cast<size_t>(tensor.numel());
  for (size_t i = 0; i < count; ++i) {
    if (elements[i] == 0) return false;
  }
  return true;
}

bool contains(const et::Span<uint8_t>& span, const void* start, size_t size) {
  const auto from = reinterpret_cast<uintptr_t>(span.data());
  const auto at = reinterpret_cast<uintptr_t>(start);
  return at >= from && at - from <= span.size() && size <= span.size() - (at - from);
}

}  // namespace

class ExecutorchEngine::Executed final : public ExecutedInstruction {
 public:
  Executed(ExecutorchEngine& engine, et::EValue* values,
           const ProgramView::Instruction& instruction, uint32_t in_chain, uint32_t at)
      : engine_(engine), values_(values), instruction_(instruction) {
    chain = in_chain;
    index = at;
    kind = instruction.kind;
    name = instruction.name;
    overload = instruction.overload;
    output_count = engine.view_.output_count(instruction);
  }

  [[nodiscard]] EngineError output(uint32_t output, Value& value) override {
    value = Value();
    et::EValue* const found = find(output);
    return found == nullptr ? no_output(output) : engine_.read_output(*found, output, value);
  }
  [[nodiscard]] EngineError replace(uint32_t output, const Value& value) override {
    et::EValue* const found = find(output);
    return found == nullptr ? no_output(output) : engine_.overwrite(*found, output, value);
  }

 private:
  et::EValue* find(uint32_t output) {
    engine_.report_.clear();
    const uint32_t value = engine_.view_.output_of(instruction_, output);
    return value < engine_.view_.value_count() ? &values_[value] : nullptr;
  }
  EngineError no_output(uint32_t output) {
    return engine_.report_.fail(EngineError::kNoSuchOutput)
           << "the instruction has no output " << output;
  }

  ExecutorchEngine& engine_;
  et::EValue* values_;
  const ProgramView::Instruction& instruction_;
};

// ExecuTorch keeps a method's values in one array, and an output is an element of it. From the
// program we know which.
et::EValue* ExecutorchEngine::table_of_values() {
  const uint32_t first = view_.output_value(0);
  if (output_count() == 0 || first >= view_.value_count()) {
    report_.unsupported() << "a method without outputs cannot be stepped through";
    return nullptr;
  }
  const et::EValue* const values = &method_->get_output(0) - first;
  for (uint32_t i = 0; i < output_count(); ++i) {
    if (&method_->get_output(i) != values + view_.output_value(i)) {
      report_.unsupported() << "this version of ExecuTorch keeps values as this engine does not "
                            << "know: it cannot be stepped through";
      return nullptr;
    }
  }
  return const_cast<et::EValue*>(values);
}

// With many delegates, finding their outputs at every execution would take longer than to execute
// them.
uint16_t* ExecutorchEngine::delegate_outputs() {
  if (delegate_outputs_ != nullptr) return delegate_outputs_;
  size_t count = 0;
  for (uint32_t chain = 0; chain < view_.chain_count(); ++chain) {
    count += view_.instruction_count(chain);
  }
  void* const memory = memory_.method->allocate(count * sizeof(uint16_t), alignof(uint16_t));
  delegate_outputs_ = static_cast<uint16_t*>(memory);
  for (size_t i = 0; memory != nullptr && i < count; ++i) {
    delegate_outputs_[i] = ProgramView::kNotFoundYet;
  }
  return delegate_outputs_;
}

EngineError ExecutorchEngine::step_through(InstructionObserver& observer) {
  report_.clear();
  stand_in_ = "";
  if (!method_) {
    return report_.fail(EngineError::kExecutionFailed) << "no method is loaded";
  }
  et::EValue* const values = table_of_values();
  if (values == nullptr) return report_.error();
  Message log;
  const LogCapture capture(log);
  (void)take_stand_in();  // of executions that were not this engine's
  const uint32_t chains = view_.chain_count();
  uint16_t* outputs = delegate_outputs();  // of the chain
  for (uint32_t chain = 0; chain < chains; ++chain) {
    const uint32_t count = view_.instruction_count(chain);
    uint32_t index = 0;
    do {
      ProgramView::Instruction instruction;
      if (index < count) {
        uint16_t* const known = outputs == nullptr ? nullptr : outputs + index;
        instruction = view_.instruction(chain, index, known);
      }
      uint32_t next = index + 1;
      if (instruction.kind == InstructionKind::kJump && !is_true(values[instruction.condition])) {
        next = instruction.destination;
      }
      observer.starts();
      const et::Error error = step(*method_);
      observer.ends();
      if (const char* const words = take_stand_in(); *words != '\0') stand_in_ = words;
      if (error != et::Error::Ok) return execution_failed(error, log);
      if (count == 0) break;  // the step has gone past an empty chain
      Executed executed(*this, values, instruction, chain, index);
      const bool go_on = observer.executed(executed);
      report_.clear();  // what the observer was refused is no failure of the run
      if (!go_on) {
        needs_reload_ = true;
        return EngineError::kOk;
      }
      index = next;
    } while (index < count);
    if (outputs != nullptr) outputs += count;
  }
  // Says whether this loop and ExecuTorch went the same way.
  et::Error error = step(*method_);
  if (error == et::Error::EndOfMethod) error = reset(*method_);
  return error == et::Error::Ok ? EngineError::kOk : execution_failed(error, log);
}

EngineError ExecutorchEngine::overwrite(et::EValue& target, size_t index, const Value& value) {
  Value present;
  if (read_output(target, index, present) != EngineError::kOk) return report_.error();
  if (!same_form(present, value)) {
    return report_.fail(EngineError::kInvalidInput)
           << "output " << index << " has another kind, dtype, shape or dim_order";
  }
  switch (value.kind) {
    case ValueKind::kInt:
      target = et::EValue(value.int_value);
      break;
    case ValueKind::kDouble:
      target = et::EValue(value.double_value);
      break;
    case ValueKind::kBool:
      target = et::EValue(value.bool_value);
      break;
    case ValueKind::kTensor: {
      const Span<const uint8_t> to = present.tensor.data;
      if (to.empty()) break;
      if (!is_own_memory(to.data(), to.size())) {
        return report_.unsupported() << "output " << index << " lies in the program: a constant";
      }
      std::memcpy(const_cast<uint8_t*>(to.data()), value.tensor.data.data(), to.size());
      break;
    }
    case ValueKind::kNone:
      break;
  }
  return EngineError::kOk;
}

bool ExecutorchEngine::is_own_memory(const void* start, size_t size) const {
  for (const et::Span<uint8_t>& buffer : planned_) {
    if (contains(buffer, start, size)) return true;
  }
  for (const et::Span<uint8_t>& buffer : output_buffers_) {
    if (contains(buffer, start, size)) return true;
  }
  const et::MethodMeta meta = method_->method_meta();
  for (size_t i = 0; i < input_count(); ++i) {
    const auto info = meta.input_tensor_meta(i);
    if (input_buffers_[i] == nullptr || !info.ok()) continue;
    if (contains({input_buffers_[i], info->nbytes()}, start, size)) return true;
  }
  return false;
}

}  // namespace bpte

#endif  // BPTE_ENGINE_STEPPING
