// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/log_capture.h>
#include <bpte/engine/executorch/stand_in.h>
#include <bpte/engine/executorch/values.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>

#include <cstring>
#include <new>

#ifndef BPTE_EXECUTORCH_VERSION
#define BPTE_EXECUTORCH_VERSION ""
#endif

namespace bpte {

namespace et = ::executorch::runtime;
namespace aten = ::executorch::aten;

namespace {

// The alignment of buffers. ExecuTorch plans offsets in multiples of 16; a whole cache line makes
// timings repeatable.
constexpr size_t kTensorAlignment = 64;

const char* kind_name(et::Tag tag) {
  switch (tag) {
    case et::Tag::None:
      return "none";
    case et::Tag::Tensor:
      return "tensor";
    case et::Tag::String:
      return "string";
    case et::Tag::Double:
      return "double";
    case et::Tag::Int:
      return "int";
    case et::Tag::Bool:
      return "bool";
    default:
      return "list";
  }
}

et::Tag tag_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::kTensor:
      return et::Tag::Tensor;
    case ValueKind::kInt:
      return et::Tag::Int;
    case ValueKind::kBool:
      return et::Tag::Bool;
    case ValueKind::kDouble:
      return et::Tag::Double;
    case ValueKind::kNone:
      break;
  }
  return et::Tag::None;
}

// Whether both orders lay out a tensor of these sizes alike. The place of a dimension of size 1
// does not matter.
bool same_layout(Span<const int32_t> sizes, const uint8_t* a, const uint8_t* b) {
  size_t j = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[a[i]] == 1) continue;
    while (j < sizes.size() && sizes[b[j]] == 1) ++j;
    if (j == sizes.size() || a[i] != b[j]) return false;
    ++j;
  }
  return true;
}

// The check of the method has found all backends, so what is not found now belongs to the program.
// Memory that is refused although no arena was short of it lies outside of the program's own plan.
EngineError meaning_of(et::Error error, EngineError otherwise) {
  switch (error) {
    case et::Error::OperatorMissing:
      return EngineError::kMissingOperator;
    case et::Error::InvalidProgram:
    case et::Error::InvalidExternalData:
    case et::Error::InvalidArgument:
    case et::Error::InvalidType:
    case et::Error::NotFound:
    case et::Error::MemoryAllocationFailed:
      return EngineError::kInvalidProgram;
    case et::Error::InvalidState:  // mostly: the program needs data from another file (.ptd)
    case et::Error::NotSupported:
    case et::Error::NotImplemented:
      return EngineError::kUnsupported;
    default:
      return otherwise;
  }
}

template <typename T>
T* allocate_array(Arena* arena, size_t count) {
  return static_cast<T*>(arena->allocate(count * sizeof(T), alignof(T)));
}

}  // namespace

// MemoryAllocator's own buffer stays empty, because every virtual function is overridden.
ExecutorchEngine::Allocator::Allocator(Arena* arena)
    : MemoryAllocator(0, nullptr), arena_(arena), start_(arena->mark()) {}

void* ExecutorchEngine::Allocator::allocate(size_t size, size_t alignment) {
  if (!isPowerOf2(alignment)) return nullptr;
  void* const memory = arena_->allocate(size, alignment);
  if (memory == nullptr) lacking_ = size;
  return memory;
}

uint32_t ExecutorchEngine::Allocator::size() const {
  const size_t left = arena_->available();
  const size_t used = used_size();
  return left > UINT32_MAX - used ? UINT32_MAX : static_cast<uint32_t>(left + used);
}

ExecutorchEngine::ExecutorchEngine(const ExecutorchMemory& memory, const ExecutorchOptions& options)
    : memory_(memory), options_(options) {
  program_mark_ = memory_.program == nullptr ? 0 : memory_.program->mark();
}

const char* ExecutorchEngine::version() const {
  return BPTE_EXECUTORCH_VERSION;
}

EngineError ExecutorchEngine::out_of_memory(const char* arena, const Arena* where, uint64_t size) {
  report_.fail(EngineError::kOutOfMemory) << arena << " memory: " << size << " bytes needed, ";
  const size_t left = where == nullptr ? 0 : where->available();
  if (left == SIZE_MAX) {  // an arena that grows
    report_ << "which the system does not give";
  } else {
    report_ << left << " left";
  }
  return where == memory_.planned || where == memory_.temp ? report_ << options_.planned_advice
                                                           : report_;
}

EngineError ExecutorchEngine::explain(EngineError meaning, const char* what, et::Error error,
                                      const Message& log) {
  report_.fail(meaning) << what << ": ";
  if (!log.empty()) return report_ << log.c_str();
  return report_ << "ExecuTorch's error " << static_cast<uint32_t>(error);
}

EngineError ExecutorchEngine::loader_failure() {
  if (loader_.lacking() != 0) {
    return out_of_memory("program", memory_.program, loader_.lacking());
  }
  if (loader_.source_failed()) {
    return report_.fail(EngineError::kExecutionFailed)
           << "the program cannot be read from its source";
  }
  return EngineError::kOk;
}

EngineError ExecutorchEngine::load(const ProgramLocation& program) {
  drop_method();
  program_.reset();
  report_.clear();
  if (memory_.program != nullptr) memory_.program->rewind(program_mark_);
  loader_ = ProgramLoader(program, memory_.program);

  Message log;
  const LogCapture capture(log);
  et::Result<et::Program> loaded = et::Program::load(
      &loader_, options_.verify_program ? et::Program::Verification::InternalConsistency
                                        : et::Program::Verification::Minimal);
  if (!loaded.ok()) {
    const EngineError failure = loader_failure();
    if (failure != EngineError::kOk) return failure;
    // Only the program's bytes can be the reason, whatever error ExecuTorch returns.
    return explain(EngineError::kInvalidProgram, "the program cannot be loaded", loaded.error(),
                   log);
  }
  program_.emplace(std::move(loaded.get()));
  data_ = DataMap();
  if (program.data != nullptr && add_data(*program.data) != EngineError::kOk) program_.reset();
  return report_.error();
}

EngineError ExecutorchEngine::add_data(const DataFiles& files) {
  using Copy = Span<const uint8_t>;
  const bool copied = BPTE_ENGINE_DATA_FILES && !lie_in_place(files);
  const auto allocate = [this](uint64_t size, size_t alignment) -> void* {
    void* const memory = memory_.program == nullptr || size > SIZE_MAX
                             ? nullptr
                             : memory_.program->allocate(static_cast<size_t>(size), alignment);
    if (memory == nullptr) (void)out_of_memory("program", memory_.program, size);
    return memory;
  };
  Copy* copies = nullptr;
  if (copied) {
    copies = static_cast<Copy*>(allocate(files.count() * uint64_t{sizeof(Copy)}, alignof(Copy)));
    if (copies == nullptr) return report_;
  }
  for (uint32_t i = 0; copied && i < files.count(); ++i) {
    const ProgramLocation file = files.location(i);
    new (&copies[i]) Copy(file.bytes);
    if (file.source == nullptr) continue;
    auto* const bytes = static_cast<uint8_t*>(allocate(file.size, kTensorAlignment));
    if (bytes == nullptr) return report_;
    const Span<uint8_t> whole(bytes, static_cast<size_t>(file.size));
    if (!file.source->read(file.offset, whole)) {
      return report_.fail(EngineError::kExecutionFailed)
             << "the data file '" << files.name(i) << "' cannot be read from its source";
    }
    copies[i] = whole;
  }
  DataFileSet set(&files, {copies, copied ? files.count() : 0});
  if (set.check(report_)) data_ = DataMap(set);
  return report_;
}

const char* ExecutorchEngine::own_name(const char* name, size_t name_size) const {
  for (size_t i = 0; program_ && i < program_->num_methods(); ++i) {
    const et::Result<const char*> candidate = program_->get_method_name(i);
    if (candidate.ok() && std::strlen(*candidate) == name_size &&
        std::memcmp(*candidate, name, name_size) == 0) {
      return *candidate;
    }
  }
  return nullptr;
}

bool ExecutorchEngine::has_method(const char* name, size_t name_size) const {
  return own_name(name, name_size) != nullptr;
}

void ExecutorchEngine::drop_method() {
  if (loaded_name_ == nullptr && !method_allocator_) return;
  Message log;
  const LogCapture capture(log);
  method_.reset();
  manager_.reset();
  planned_allocator_.reset();
  planned_ = {};
  temp_allocator_.reset();
  method_allocator_.reset();
  input_buffers_ = nullptr;
#if BPTE_ENGINE_STEPPING
  output_buffers_ = {};
  delegate_outputs_ = nullptr;
#endif
  loaded_name_ = nullptr;
  needs_reload_ = false;
  // One arena may serve all needs, so this keeps the order in which the marks were taken.
  memory_.planned->rewind(planned_mark_);
  memory_.method->rewind(method_mark_);
  if (memory_.program != nullptr) memory_.program->rewind(loaded_mark_);
}

EngineError ExecutorchEngine::load_method(const char* name, size_t name_size) {
  report_.clear();
  const char* const found = own_name(name, name_size);
  if (found == nullptr) {
    return report_.fail(EngineError::kUnknownMethod)
           << "the program has no method '" << Text{name, name_size} << "'";
  }
  if (loaded_name_ == found && !needs_reload_ && view_.delegates_are_stateless() &&
      !view_.has_external_state()) {
    return restart_method();
  }
  drop_method();
  if (start_method(found) != EngineError::kOk) drop_method();
  return report_.error();
}

EngineError ExecutorchEngine::start_method(const char* name) {
  loader_.forget_failures();
  view_ = ProgramView(loader_.flatbuffer(), &data_.files());
  if (!view_.open_method(name, std::strlen(name), report_)) return report_;

  if (memory_.program != nullptr) loaded_mark_ = memory_.program->mark();
  method_mark_ = memory_.method->mark();
  planned_mark_ = memory_.planned->mark();
  method_allocator_.emplace(memory_.method);
  temp_allocator_.emplace(memory_.temp);

  Message log;
  const LogCapture capture(log);
  const et::Result<et::MethodMeta> meta = program_->method_meta(name);
  if (!meta.ok()) {
    return explain(meaning_of(meta.error(), EngineError::kInvalidProgram),
                   "the method's description", meta.error(), log);
  }
  if (plan_memory(*meta) != EngineError::kOk) return report_;

  if (memory_.method->available() < view_.value_memory()) {
    return out_of_memory("method", memory_.method, view_.value_memory());
  }
  manager_.emplace(&*method_allocator_, &*planned_allocator_, &*temp_allocator_);
  et::Result<et::Method> loaded = program_->load_method(
      name, &*manager_, /*event_tracer=*/nullptr, data_.files().count() != 0 ? &data_ : nullptr);
  if (!loaded.ok()) {
    if (method_allocator_->lacking() != 0) {
      return out_of_memory("method", memory_.method, method_allocator_->lacking());
    }
    if (loader_failure() != EngineError::kOk) return report_;
    return explain(meaning_of(loaded.error(), EngineError::kExecutionFailed),
                   "the method cannot be loaded", loaded.error(), log);
  }
  method_.emplace(std::move(loaded.get()));
  loaded_name_ = name;
  return provide_inputs_and_outputs(*meta);
}

EngineError ExecutorchEngine::plan_memory(const et::MethodMeta& meta) {
  const size_t count = meta.num_memory_planned_buffers();
  auto* const spans = allocate_array<et::Span<uint8_t>>(memory_.method, count);
  if (spans == nullptr) {
    return out_of_memory("method", memory_.method, count * sizeof(et::Span<uint8_t>));
  }
  for (size_t i = 0; i < count; ++i) {
    const et::Result<int64_t> size = meta.memory_planned_buffer_size(i);
    const auto device = meta.memory_planned_buffer_device(i);
    if (!size.ok() || *size < 0) {
      return report_.invalid_program()
             << "the program is malformed: planned buffer " << i << " has an impossible size";
    }
    if (!device.ok() || !device->is_cpu()) {
      return report_.unsupported() << "planned buffer " << i << " lies on another device";
    }
    const uint64_t needed = static_cast<uint64_t>(*size);
    if (needed > SIZE_MAX) return out_of_memory("planned", memory_.planned, needed);
    const size_t bytes = static_cast<size_t>(needed);
    auto* const buffer = static_cast<uint8_t*>(memory_.planned->allocate(bytes, kTensorAlignment));
    if (buffer == nullptr) return out_of_memory("planned", memory_.planned, needed);
    memory_.planned->clear(buffer, bytes);
    new (&spans[i]) et::Span<uint8_t>(buffer, bytes);
  }
  planned_ = {spans, count};
  planned_allocator_.emplace(planned_);
  return EngineError::kOk;
}

EngineError ExecutorchEngine::provide_inputs_and_outputs(const et::MethodMeta& meta) {
  const size_t inputs = meta.num_inputs();
  input_buffers_ = allocate_array<uint8_t*>(memory_.method, inputs);
  if (input_buffers_ == nullptr) {
    return out_of_memory("method", memory_.method, inputs * sizeof(uint8_t*));
  }
  for (size_t i = 0; i < inputs; ++i) {
    input_buffers_[i] = nullptr;
    const auto info = meta.input_tensor_meta(i);  // an error for scalars
    if (!info.ok() || info->is_memory_planned()) continue;
    input_buffers_[i] =
        static_cast<uint8_t*>(memory_.planned->allocate(info->nbytes(), kTensorAlignment));
    if (input_buffers_[i] == nullptr) {
      return out_of_memory("planned", memory_.planned, info->nbytes());
    }
  }
#if BPTE_ENGINE_STEPPING
  const size_t outputs = meta.num_outputs();
  auto* const buffers = allocate_array<et::Span<uint8_t>>(memory_.method, outputs);
  if (buffers == nullptr) {
    return out_of_memory("method", memory_.method, outputs * sizeof(et::Span<uint8_t>));
  }
  for (size_t i = 0; i < outputs; ++i) new (&buffers[i]) et::Span<uint8_t>();
  output_buffers_ = {buffers, outputs};
#endif
  for (size_t i = 0; i < meta.num_outputs(); ++i) {
    const auto info = meta.output_tensor_meta(i);
    if (!info.ok() || info->is_memory_planned()) continue;
    void* const buffer = memory_.planned->allocate(info->nbytes(), kTensorAlignment);
    if (buffer == nullptr) return out_of_memory("planned", memory_.planned, info->nbytes());
#if BPTE_ENGINE_STEPPING
    buffers[i] = et::Span<uint8_t>(static_cast<uint8_t*>(buffer), info->nbytes());
#endif
    memory_.planned->clear(buffer, info->nbytes());
    const et::Error error = method_->set_output_data_ptr(buffer, info->nbytes(), i);
    if (error != et::Error::Ok) {
      return report_.unsupported() << "output " << i << " accepts no memory";
    }
  }
  return EngineError::kOk;
}

EngineError ExecutorchEngine::restart_method() {
  for (const et::Span<uint8_t>& buffer : planned_) {
    memory_.planned->clear(buffer.data(), buffer.size());
  }
  const bool restored = view_.for_each_initial_state([this](
                                                         const ProgramView::InitialState& state) {
    if (state.memory_id >= planned_.size() || state.program_offset > SIZE_MAX) return false;
    const et::Span<uint8_t> buffer = planned_[state.memory_id];
    if (state.memory_offset > buffer.size() || state.size > buffer.size() - state.memory_offset) {
      return false;
    }
    return loader_.load_into(
               static_cast<size_t>(state.program_offset), state.size,
               et::DataLoader::SegmentInfo(et::DataLoader::SegmentInfo::Type::Mutable),
               buffer.data() + state.memory_offset) == et::Error::Ok;
  });
  if (!restored) {
    // Method::load() found them all, so the source has failed.
    needs_reload_ = true;
    return report_.fail(EngineError::kExecutionFailed)
           << "the initial values of the method's state cannot be read";
  }
  return EngineError::kOk;
}

EngineError ExecutorchEngine::set_input(size_t index, const Value& value) {
  report_.clear();
  if (index >= input_count()) {
    return report_.fail(EngineError::kInvalidInput)
           << "input " << index << ": the method has " << input_count() << " inputs";
  }
  Message log;
  const LogCapture capture(log);
  const et::MethodMeta meta = method_->method_meta();
  const et::Result<et::Tag> tag = meta.input_tag(index);
  if (!tag.ok()) {
    return report_.unsupported() << "input " << index << " is a list, which no bundle can hold";
  }
  if (*tag != tag_of(value.kind)) {
    return report_.fail(EngineError::kInvalidInput)
           << "input " << index << ": the method takes " << kind_name(*tag) << ", the case gives "
           << to_string(value.kind);
  }
  et::Error error = et::Error::Ok;
  switch (value.kind) {
    case ValueKind::kTensor: {
      const auto expected = meta.input_tensor_meta(index);
      if (!expected.ok()) {
        return explain(meaning_of(expected.error(), EngineError::kInvalidProgram), "an input",
                       expected.error(), log);
      }
      const EngineError mismatch = check_tensor_input(index, value.tensor, *expected);
      return mismatch != EngineError::kOk ? mismatch : set_tensor_input(index, value.tensor);
    }
    case ValueKind::kInt:
      error = method_->set_input(et::EValue(value.int_value), index);
      break;
    case ValueKind::kDouble:
      error = method_->set_input(et::EValue(value.double_value), index);
      break;
    case ValueKind::kBool:
      error = method_->set_input(et::EValue(value.bool_value), index);
      break;
    case ValueKind::kNone:
      return report_.unsupported() << "input " << index << " is none, which no bundle can hold";
  }
  if (error == et::Error::Ok) return EngineError::kOk;
  const Value exported = view_.input_constant(index);
  report_.fail(EngineError::kInvalidInput)
      << "input " << index << ": the program was exported for the ";
  switch (value.kind) {
    case ValueKind::kInt:
      return report_ << "int " << exported.int_value << ", the case gives " << value.int_value;
    case ValueKind::kDouble:
      return report_ << "double " << exported.double_value << ", the case gives "
                     << value.double_value;
    default:
      return report_ << "bool " << (exported.bool_value ? "true" : "false") << ", the case gives "
                     << (value.bool_value ? "true" : "false");
  }
}

EngineError ExecutorchEngine::check_tensor_input(size_t index, const TensorView& tensor,
                                                 const et::TensorInfo& expected) {
  const auto refuse = [&]() -> Report& {
    return report_.fail(EngineError::kInvalidInput) << "input " << index << ": ";
  };
  if (static_cast<int>(expected.scalar_type()) != static_cast<int>(tensor.scalar_type)) {
    return refuse() << "dtype " << to_string(static_cast<ScalarType>(expected.scalar_type()))
                    << " expected, the case gives " << to_string(tensor.scalar_type);
  }
  const et::Span<const int32_t> sizes = expected.sizes();
  const size_t rank = sizes.size();
  if (rank != tensor.sizes.size()) {
    return refuse() << "rank " << rank << " expected, the case gives " << tensor.sizes.size();
  }
  const bool dynamic = view_.input_is_dynamic(index);
  size_t nbytes = element_size(tensor.scalar_type);
  for (size_t i = 0; i < rank; ++i) {
    const int32_t size = tensor.sizes[i];
    if (dynamic ? size < 0 || size > sizes[i] : size != sizes[i]) {
      (refuse() << "shape ").list(sizes.data(), rank)
          << (dynamic ? " at most, the case gives " : " expected, the case gives ");
      return report_.list(tensor.sizes.data(), rank);
    }
    nbytes *= static_cast<size_t>(size);  // at most the expected tensor's, which was checked
  }
  if (tensor.dim_order.size() != rank || expected.dim_order().size() != rank ||
      !same_layout(tensor.sizes, expected.dim_order().data(), tensor.dim_order.data())) {
    (refuse() << "dim_order ").list(expected.dim_order().data(), expected.dim_order().size())
        << " expected, the case gives ";
    return report_.list(tensor.dim_order.data(), tensor.dim_order.size());
  }
  if (tensor.data.size() != nbytes) {
    return refuse() << nbytes << " bytes expected, the case gives " << tensor.data.size();
  }
  return EngineError::kOk;
}

EngineError ExecutorchEngine::set_tensor_input(size_t index, const TensorView& tensor) {
  // ExecuTorch only reads this: an input whose pointer it would keep has a buffer of its own.
  void* data = const_cast<uint8_t*>(tensor.data.data());
  if (input_buffers_[index] != nullptr) {
    if (!tensor.data.empty()) std::memcpy(input_buffers_[index], data, tensor.data.size());
    data = input_buffers_[index];
  }
  TensorArgument argument(tensor, data);
  Message log;
  const LogCapture capture(log);
  const et::Error error = method_->set_input(et::EValue(argument.tensor()), index);
  if (error == et::Error::Ok) return EngineError::kOk;
  return explain(EngineError::kInvalidInput, "an input is refused", error, log);
}

EngineError ExecutorchEngine::execute() {
  report_.clear();
  stand_in_ = "";
  if (!method_) {
    return report_.fail(EngineError::kExecutionFailed) << "no method is loaded";
  }
  Message log;
  const LogCapture capture(log);
  (void)take_stand_in();  // of executions that were not this engine's
  const et::Error error = method_->execute();
  stand_in_ = take_stand_in();
  return error == et::Error::Ok ? EngineError::kOk : execution_failed(error, log);
}

EngineError ExecutorchEngine::execution_failed(et::Error error, const Message& log) {
  needs_reload_ = true;
  if (temp_allocator_->lacking() != 0) {
    return out_of_memory("temporary", memory_.temp, temp_allocator_->lacking());
  }
  return explain(EngineError::kExecutionFailed, "execution failed", error, log);
}

EngineError ExecutorchEngine::output(size_t index, Value& value) {
  report_.clear();
  value = Value();
  if (index >= output_count()) {
    return report_.fail(EngineError::kNoSuchOutput)
           << "output " << index << ": the method has " << output_count() << " outputs";
  }
  return read_output(method_->get_output(index), index, value);
}

EngineError ExecutorchEngine::read_output(const et::EValue& actual, size_t index, Value& value) {
  const Value read = value_of(actual);
  if (read.kind == ValueKind::kNone) {
    return report_.unsupported() << "output " << index << " is a " << kind_name(actual.tag)
                                 << ", which no bundle can hold";
  }
  if (read.kind == ValueKind::kTensor) {
    const TensorView& tensor = read.tensor;
    if (element_size(tensor.scalar_type) == 0) {
      return report_.unsupported()
             << "output " << index
             << " has a dtype that no bundle can hold: " << static_cast<int>(tensor.scalar_type);
    }
    if (tensor.data.data() == nullptr && !tensor.data.empty()) {
      return report_.fail(EngineError::kExecutionFailed)
             << "output " << index << " was given no memory";
    }
  }
  value = read;
  return EngineError::kOk;
}

}  // namespace bpte
