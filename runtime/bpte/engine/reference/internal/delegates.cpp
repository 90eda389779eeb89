// SPDX-License-Identifier: BSD-3-Clause
#include "delegates.h"

#include <cstring>

#include "method.h"

// Empty without the model, so that a plain list of all sources builds.
#if BPTE_ETHOSU_MODEL

namespace bpte::reference {

bool Method::open_delegate(uint32_t index, Report& report) {
  const uint32_t delegate = fb().table_element(delegates_, index);
  const Text id = fb().string(delegate, schema::BackendDelegate::id);
  if (!check_malformed(report)) return false;
  if (!(id == kEthosUBackend)) {
    return report.fail(EngineError::kMissingBackend)
           << "the method needs the backend " << id
           << "; this engine runs operators, and EthosUBackend by a functional model";
  }
  Span<const uint8_t> data;
  return program_->delegate_data(delegate, data, report) && check_malformed(report) &&
         npu_.open(data, work_limit_, report);
}

bool Method::check_delegates(Vector delegates, Report& report) {
  delegates_ = delegates;
  for (uint32_t i = 0; i < delegates_.count; ++i) {
    if (!open_delegate(i, report)) return false;
    if (npu_.memory_bytes() > delegate_bytes_) delegate_bytes_ = npu_.memory_bytes();
  }
  return true;
}

bool Method::place_delegates(Span<uint8_t> planned, uint64_t& used, Report& report) {
  if (used <= planned.size()) {
    const size_t at = static_cast<size_t>(used);
    delegate_memory_ = planned.subspan(at, planned.size() - at);
  }
  used += delegate_bytes_;
  if (used <= INT64_MAX) return true;
  return report.invalid_program() << "the planned buffers' sizes overflow";
}

bool Method::delegate_tensor(uint32_t value, uint32_t index, bool writes, Tensor& tensor,
                             Report& report) const {
  if (!this->tensor(value, tensor, report)) return false;
  const bool fits = writes ? npu_.check_output(index, tensor.type, tensor.bytes(), report)
                           : npu_.check_input(index, tensor.type, tensor.bytes(), report);
  if (!fits) return false;
  if (tensor.bytes() != 0 && (tensor.data == nullptr || (writes && !tensor.writable))) {
    return report.invalid_program()
           << "value " << value << (writes ? " cannot be written" : " has no memory");
  }
  return true;
}

bool Method::call_delegate(uint32_t number, uint32_t delegate_call, bool checking, Report& report) {
  const int32_t index =
      fb().scalar<int32_t>(delegate_call, schema::DelegateCall::delegate_index, 0);
  const Vector arguments = fb().vector(delegate_call, schema::DelegateCall::args, sizeof(int32_t));
  if (!check_malformed(report)) return false;
  if (index < 0 || static_cast<uint32_t>(index) >= delegates_.count) {
    return report.invalid_program()
           << "instruction " << number << ": delegate " << index << " of " << delegates_.count;
  }
  if (!open_delegate(static_cast<uint32_t>(index), report) || !work(npu_.work() + 1, report)) {
    return false;
  }
  const uint32_t inputs = npu_.input_count();
  const uint32_t outputs = npu_.output_count();
  if (uint64_t{inputs} + outputs != arguments.count) {
    return report.invalid_program()
           << "instruction " << number << ": " << arguments.count << " arguments, the delegate has "
           << inputs << " inputs and " << outputs << " outputs";
  }
  if (!checking && !npu_.prepare(delegate_memory_, report)) return false;
  Tensor tensor;
  for (uint32_t i = 0; i < inputs; ++i) {
    const uint32_t value = argument(arguments, i);
    if (!delegate_tensor(value, i, false, tensor, report)) return false;
    if (checking || tensor.bytes() == 0) continue;
    std::memcpy(npu_.input(i).data(), tensor.data, tensor.bytes());
  }
  delegates_ran_ = !checking;
#if BPTE_ENGINE_STEPPING
  running_ = number;
  if (!checking && !npu_.run(report, watch_, watch_context_)) return false;
#else
  if (!checking && !npu_.run(report)) return false;
#endif
  for (uint32_t i = 0; i < outputs; ++i) {
    const uint32_t value = argument(arguments, inputs + i);
    if (!delegate_tensor(value, i, true, tensor, report)) return false;
    if (checking || tensor.bytes() == 0) continue;
    std::memcpy(tensor.data, npu_.output(i).data(), tensor.bytes());
  }
  return true;
}

}  // namespace bpte::reference

#endif
