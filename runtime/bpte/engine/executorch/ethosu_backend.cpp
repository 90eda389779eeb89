// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/ethosu/model.h>
#include <bpte/engine/executorch/ethosu_backend.h>
#include <bpte/engine/executorch/stand_in.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/log.h>

#include <cstring>
#include <new>

namespace bpte {

namespace {

namespace et = ::executorch::runtime;

et::Error log(const Report& report) {
  ET_LOG(Error, "%s", report.message());
  switch (report.error()) {
    case EngineError::kOutOfMemory:
      return et::Error::MemoryAllocationFailed;
    case EngineError::kUnsupported:
      return et::Error::NotSupported;
    case EngineError::kExecutionFailed:
      return et::Error::Internal;
    default:
      return et::Error::InvalidProgram;
  }
}

/// What a delegate has in common with an NPU's: the program's tensors are copied into the scratch
/// memory and out of it, byte for byte, whatever their dim_order is.
class EthosUModelBackend final : public et::BackendInterface {
 public:
  bool is_available() const override { return true; }

  et::Result<et::DelegateHandle*> init(et::BackendInitContext& context,
                                       et::FreeableBuffer* processed,
                                       et::ArrayRef<et::CompileSpec>) const override {
    auto* const model = context.get_runtime_allocator()->allocateInstance<EthosUModel>();
    if (model == nullptr) return et::Error::MemoryAllocationFailed;
    new (model) EthosUModel();
    Report report;
    const Span<const uint8_t> delegate(static_cast<const uint8_t*>(processed->data()),
                                       processed->size());
    if (!model->open(delegate, 0, report)) return log(report);
    return model;
  }

  et::Error execute(et::BackendExecutionContext& context, et::DelegateHandle* handle,
                    et::Span<et::EValue*> arguments) const override {
    auto& model = *static_cast<EthosUModel*>(handle);
    Report report;
    if (!check(model, arguments, report) || !prepare(model, context, report)) return log(report);
    const uint32_t inputs = model.input_count();
    for (uint32_t i = 0; i < inputs; ++i) {
      const Span<uint8_t> to = model.input(i);
      if (!to.empty()) {
        std::memcpy(to.data(), arguments[i]->toTensor().const_data_ptr(), to.size());
      }
    }
    note_stand_in(kEthosUModelNote);
    if (!model.run(report)) return log(report);
    for (uint32_t i = 0; i < model.output_count(); ++i) {
      const Span<uint8_t> from = model.output(i);
      if (!from.empty()) {
        std::memcpy(arguments[inputs + i]->toTensor().mutable_data_ptr(), from.data(), from.size());
      }
    }
    return et::Error::Ok;
  }

 private:
  static bool check(const EthosUModel& model, et::Span<et::EValue*> arguments, Report& report) {
    const uint32_t inputs = model.input_count();
    const uint32_t outputs = model.output_count();
    if (arguments.size() != uint64_t{inputs} + outputs) {
      return report.invalid_program()
             << "Ethos-U delegate: " << uint64_t{arguments.size()} << " arguments, it has "
             << inputs << " inputs and " << outputs << " outputs";
    }
    for (uint32_t i = 0; i < inputs + outputs; ++i) {
      if (!arguments[i]->isTensor()) {
        return report.invalid_program() << "Ethos-U delegate: argument " << i << " is no tensor";
      }
      const ::executorch::aten::Tensor& tensor = arguments[i]->toTensor();
      const auto type = static_cast<ScalarType>(tensor.scalar_type());
      const bool fits = i < inputs ? model.check_input(i, type, tensor.nbytes(), report)
                                   : model.check_output(i - inputs, type, tensor.nbytes(), report);
      if (!fits) return false;
      if (tensor.nbytes() != 0 && tensor.const_data_ptr() == nullptr) {
        return report.invalid_program() << "Ethos-U delegate: argument " << i << " has no memory";
      }
    }
    return true;
  }

  static bool prepare(EthosUModel& model, et::BackendExecutionContext& context, Report& report) {
    const uint64_t size = model.memory_bytes();
    void* memory = nullptr;
    if (size <= SIZE_MAX && context.get_temp_allocator() != nullptr) {
      memory = context.allocate(static_cast<size_t>(size));
    }
    if (memory == nullptr) {
      return report.fail(EngineError::kOutOfMemory)
             << "Ethos-U model: no " << size << " bytes of temporary memory";
    }
    // What a stream reads before it has written it is the same in every run.
    std::memset(memory, 0, static_cast<size_t>(size));
    return model.prepare({static_cast<uint8_t*>(memory), static_cast<size_t>(size)}, report);
  }
};

}  // namespace

bool register_ethosu_backend() {
  static EthosUModelBackend backend;
  if (et::get_backend_class(kEthosUBackend) != nullptr) return true;
  return et::register_backend({kEthosUBackend, &backend}) == et::Error::Ok;
}

}  // namespace bpte
