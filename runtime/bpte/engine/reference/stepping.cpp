// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/form.h>
#include <bpte/engine/reference/reference_engine.h>

#include <cstring>

// Empty without stepping, so that a plain list of all sources builds.
#if BPTE_ENGINE_STEPPING

namespace bpte {

namespace reference {

Method::Executed Method::locate(uint32_t number) const {
  Executed executed;
  executed.index = number;
  for (uint32_t c = 0; c < chains_.count; ++c) {
    const uint32_t count =
        fb().vector(fb().table_element(chains_, c), schema::Chain::instructions, sizeof(uint32_t))
            .count;
    if (executed.index < count) break;
    executed.index -= count;
    ++executed.chain;
  }
  return executed;
}

#if BPTE_ETHOSU_MODEL
Method::Executed Method::running_delegate() const {
  return locate(running_);
}

Span<uint8_t> Method::beside_delegates(uint64_t size) const {
  const size_t used = static_cast<size_t>(delegate_bytes_);  // of which there is as much
  const Span<uint8_t> rest = delegate_memory_.subspan(used, delegate_memory_.size() - used);
  return size <= rest.size() ? rest.subspan(0, static_cast<size_t>(size)) : Span<uint8_t>();
}
#endif

Method::Executed Method::describe(uint32_t number, bool delegated, uint32_t call) const {
  Executed executed = locate(number);
#if BPTE_ETHOSU_MODEL
  if (delegated) {
    const auto index = fb().scalar<int32_t>(call, schema::DelegateCall::delegate_index, 0);
    const uint32_t delegate = fb().table_element(delegates_, static_cast<uint32_t>(index));
    executed.name = fb().string(delegate, schema::BackendDelegate::id);
    executed.outputs = fb().vector(call, schema::DelegateCall::args, sizeof(int32_t));
    executed.first_output = npu_.input_count();  // it was opened last
    return executed;
  }
#else
  (void)delegated;
#endif
  const auto index = fb().scalar<int32_t>(call, schema::KernelCall::op_index, 0);
  const uint32_t op = fb().table_element(operators_, static_cast<uint32_t>(index));
  executed.name = fb().string(op, schema::Operator::name);
  executed.overload = fb().string(op, schema::Operator::overload);
  executed.outputs = fb().vector(call, schema::KernelCall::args, sizeof(int32_t));
  if (executed.outputs.count == 0) return executed;
  executed.first_output = executed.outputs.count - 1;
  const uint32_t last = argument(executed.outputs, executed.first_output);
  if (kind(last) == schema::KernelTypes::TensorList) {
    executed.outputs = fb().vector(value_table(last), schema::TensorList::items, sizeof(int32_t));
    executed.first_output = 0;
  }
  return executed;
}

}  // namespace reference

using reference::Tensor;
using reference::schema::KernelTypes;

#if BPTE_ETHOSU_MODEL
namespace {

/// The type of a feature map's elements. False: of accumulators, which no tensor has.
bool type_of(const EthosUFeatureMap& map, ScalarType& type) {
  switch (map.element_bytes) {
    case 1:
      type = map.is_signed ? ScalarType::kChar : ScalarType::kByte;
      return true;
    case 2:
      type = map.is_signed ? ScalarType::kShort : ScalarType::kUInt16;
      return true;
    case 4:
      type = map.is_signed ? ScalarType::kInt : ScalarType::kUInt32;
      return true;
    default:
      return false;
  }
}

/// An operation inside of a delegate.
class ExecutedOperation final : public ExecutedInstruction {
 public:
  ExecutedOperation(EthosUModel& npu, const EthosUOperation& done, const reference::Method& method,
                    Report& report)
      : npu_(npu), method_(method), report_(report), map_(done.ofm) {
    const reference::Method::Executed call = method.running_delegate();
    chain = call.chain;
    index = call.index;
    kind = InstructionKind::kOperation;
    operation = done.command;
    name = {done.name, std::strlen(done.name)};
    const bool held = map_.place != EthosUFeatureMap::Place::kNowhere;
    output_count = held && type_of(map_, type_) ? 1 : 0;
    sizes_[0] = map_.height;
    sizes_[1] = map_.width;
    sizes_[2] = map_.depth;
  }

  [[nodiscard]] EngineError output(uint32_t output, Value& value) override {
    report_.clear();
    value = Value();
    if (output >= output_count) {
      return report_.fail(EngineError::kNoSuchOutput) << "the operation has no output " << output;
    }
    const Span<uint8_t> room = method_.beside_delegates(map_.bytes());
    if (room.size() != map_.bytes()) {
      return report_.fail(EngineError::kOutOfMemory)
             << "planned memory: " << map_.bytes() << " bytes needed for an OFM";
    }
    if (!npu_.copy_ofm(room)) return report_.unsupported() << "the OFM cannot be read";
    value.kind = ValueKind::kTensor;
    value.tensor = form(room);
    return report_.error();
  }

  [[nodiscard]] EngineError replace(uint32_t output, const Value& value) override {
    report_.clear();
    if (output >= output_count) {
      return report_.fail(EngineError::kNoSuchOutput) << "the operation has no output " << output;
    }
    if (value.kind != ValueKind::kTensor || !same_form(form({}), value.tensor) ||
        value.tensor.data.size() != map_.bytes()) {
      return report_.fail(EngineError::kInvalidInput) << "the OFM has another dtype or shape";
    }
    if (!npu_.replace_ofm(value.tensor.data)) report_.unsupported() << "the OFM cannot be written";
    return report_.error();
  }

 private:
  TensorView form(Span<const uint8_t> data) const {
    static constexpr uint8_t kOrder[] = {0, 1, 2};
    TensorView view;
    view.scalar_type = type_;
    view.sizes = {sizes_, 3};
    view.dim_order = {kOrder, 3};
    view.data = data;
    return view;
  }

  EthosUModel& npu_;
  const reference::Method& method_;
  Report& report_;
  const EthosUFeatureMap map_;
  ScalarType type_ = ScalarType::kChar;
  int32_t sizes_[3] = {};
};

/// Hands the operations inside of delegates to an observer.
struct OperationWatch {
  const reference::Method& method;
  InstructionObserver& observer;
  Report& report;
  bool stopped = false;

  static bool told(void* context, EthosUModel& npu, const EthosUOperation& operation) {
    auto& watch = *static_cast<OperationWatch*>(context);
    watch.observer.ends();
    ExecutedOperation executed(npu, operation, watch.method, watch.report);
    watch.stopped = !watch.observer.executed(executed);
    watch.report.clear();  // what the observer was refused is no failure of the run
    watch.observer.starts();
    return !watch.stopped;
  }
};

}  // namespace
#endif

class ReferenceEngine::Executed final : public ExecutedInstruction {
 public:
  Executed(ReferenceEngine& engine, uint32_t number, bool delegated, uint32_t call)
      : engine_(engine), executed_(engine.method_.describe(number, delegated, call)) {
    chain = executed_.chain;
    index = executed_.index;
    kind = delegated ? InstructionKind::kDelegate : InstructionKind::kKernel;
    name = executed_.name;
    overload = executed_.overload;
    output_count = executed_.output_count();
  }

  [[nodiscard]] EngineError output(uint32_t output, Value& value) override {
    return engine_.view_output(value_of(output), output, value);
  }
  [[nodiscard]] EngineError replace(uint32_t output, const Value& value) override {
    return engine_.overwrite(value_of(output), output, value);
  }

 private:
  // One that no program has, past the last.
  uint32_t value_of(uint32_t output) const {
    if (output >= output_count) return UINT32_MAX;
    return engine_.method_.argument(executed_.outputs, executed_.first_output + output);
  }

  ReferenceEngine& engine_;
  reference::Method::Executed executed_;
};

EngineError ReferenceEngine::step_through(InstructionObserver& observer) {
  report_.clear();
  if (!method_loaded_) {
    return report_.fail(EngineError::kExecutionFailed) << "no method is loaded";
  }
#if BPTE_ETHOSU_MODEL
  OperationWatch watch{method_, observer, report_};
  if (observer.wants_operations()) method_.watch_operations(OperationWatch::told, &watch);
#endif
  const auto after = [&](uint32_t number, bool delegated, uint32_t call) {
    observer.ends();
#if BPTE_ETHOSU_MODEL
    if (watch.stopped) return false;
#endif
    Executed executed(*this, number, delegated, call);
    const bool go_on = observer.executed(executed);
    report_.clear();  // what the observer was refused is no failure of the run
    return go_on;
  };
  (void)method_.run_each([&] { observer.starts(); }, after, report_);
#if BPTE_ETHOSU_MODEL
  method_.watch_operations(nullptr, nullptr);
#endif
  report_.rename(EngineError::kInvalidProgram, EngineError::kExecutionFailed);  // as execute()
  return report_.error();
}

EngineError ReferenceEngine::view_output(uint32_t source, uint32_t output, Value& value) {
  report_.clear();
  value = Value();
  if (method_.kind(source) == KernelTypes::NONE) {
    return report_.fail(EngineError::kNoSuchOutput) << "the instruction has no output " << output;
  }
  if (view(source, value) == EngineError::kOk && value.kind == ValueKind::kTensor &&
      value.tensor.data.data() == nullptr && !value.tensor.data.empty()) {
    report_.fail(EngineError::kExecutionFailed) << "output " << output << " has no data";
  }
  return report_.error();
}

EngineError ReferenceEngine::overwrite(uint32_t target, uint32_t output, const Value& value) {
  Value present;
  if (view_output(target, output, present) != EngineError::kOk) return report_.error();
  if (!same_form(present, value)) {
    return report_.fail(EngineError::kInvalidInput)
           << "output " << output << " has another kind, dtype, shape or dim_order";
  }
  if (value.kind == ValueKind::kInt) {
    (void)method_.set_integer(target, value.int_value, report_);
    report_.rename(EngineError::kInvalidProgram, EngineError::kUnsupported);
    return report_.error();
  }
  // A view of a constant lies in the program.
  const Span<uint8_t> planned = memory_.planned;
  const Span<const uint8_t> to = present.tensor.data;
  const auto at = reinterpret_cast<uintptr_t>(to.data());
  const auto start = reinterpret_cast<uintptr_t>(planned.data());
  if (value.kind != ValueKind::kTensor || at < start || at - start > planned.size() ||
      to.size() > planned.size() - (at - start)) {
    return report_.unsupported() << "output " << output << " cannot be written";
  }
  if (!to.empty()) {
    std::memcpy(planned.data() + (at - start), value.tensor.data.data(), to.size());
  }
  return report_.error();
}

}  // namespace bpte

#endif  // BPTE_ENGINE_STEPPING
