// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/aligned.h>
#include <bpte/core/version.h>
#include <bpte/engine/reference/reference_engine.h>

#include <cstring>
#include <new>

namespace bpte {

using reference::Tensor;
using reference::schema::KernelTypes;

const char* ReferenceEngine::version() const {
  return kVersion;
}

const char* ReferenceEngine::stand_in() const {
#if BPTE_ETHOSU_MODEL
  if (method_loaded_ && method_.delegates_ran()) return kEthosUModelNote;
#endif
  return "";
}

EngineError ReferenceEngine::load(const ProgramLocation& program) {
  report_.clear();
  program_loaded_ = false;
  method_loaded_ = false;
  Span<uint8_t> room = memory_.program;
  Span<const uint8_t> bytes;
  program_loaded_ = bytes_of(program, "the program", room, bytes) &&
                    program_.open(bytes, report_) &&
                    (program.data == nullptr || add_data(*program.data, room));
  return report_.error();
}

bool ReferenceEngine::bytes_of(const ProgramLocation& file, const char* what, Span<uint8_t>& room,
                               Span<const uint8_t>& bytes) {
  bytes = file.bytes;
  if (file.source == nullptr) return true;
  const uintptr_t address = reinterpret_cast<uintptr_t>(room.data());
  const size_t padding = static_cast<size_t>(-address & 15u);
  if (padding > room.size() || file.size > room.size() - padding) {
    return report_.fail(EngineError::kOutOfMemory)
           << "program arena: " << file.size << " bytes needed for " << what << ", and " << padding
           << " for its alignment, " << room.size() << " left";
  }
  const Span<uint8_t> whole = room.subspan(padding, static_cast<size_t>(file.size));
  if (!file.source->read(file.offset, whole)) {
    return report_.invalid_program()
           << what << " could not be read: " << file.size << " bytes at " << file.offset;
  }
  bytes = whole;
  const size_t used = padding + whole.size();
  room = room.subspan(used, room.size() - used);
  return true;
}

bool ReferenceEngine::add_data(const DataFiles& files, Span<uint8_t> room) {
  using Copy = Span<const uint8_t>;
  if (!BPTE_ENGINE_DATA_FILES || lie_in_place(files)) {
    return program_.add_data(DataFileSet(&files), report_);
  }
  // The list of copies comes first.
  const uintptr_t address = reinterpret_cast<uintptr_t>(room.data());
  const size_t padding = static_cast<size_t>(-address & (alignof(Copy) - 1));
  const size_t used = padding + files.count() * sizeof(Copy);
  if (used > room.size()) {
    return report_.fail(EngineError::kOutOfMemory)
           << "program arena: " << used << " bytes needed for a list of data files, " << room.size()
           << " left";
  }
  Copy* const copies = internal::as_aligned<Copy>(room.data() + padding);
  room = room.subspan(used, room.size() - used);
  for (uint32_t i = 0; i < files.count(); ++i) {
    new (&copies[i]) Copy();
    if (!bytes_of(files.location(i), "a data file", room, copies[i])) return false;
  }
  return program_.add_data(DataFileSet(&files, {copies, files.count()}), report_);
}

bool ReferenceEngine::has_method(const char* name, size_t name_size) const {
  return program_loaded_ && program_.find_method({name, name_size}) != 0;
}

EngineError ReferenceEngine::load_method(const char* name, size_t name_size) {
  report_.clear();
  method_loaded_ = false;
  const uint32_t plan = program_loaded_ ? program_.find_method({name, name_size}) : 0;
  if (plan == 0) {
    return report_.fail(EngineError::kUnknownMethod)
           << "the program has no method " << Text{name, name_size};
  }
  reference::MethodMemory memory;
  memory.planned = memory_.planned;
  memory.tables = memory_.tables;
  memory.clear = memory_.clear;
  memory.planned_advice = options_.planned_advice;
  memory.no_delegates = options_.no_delegates;
  method_loaded_ = method_.load(program_, plan, memory, options_.work_limit, report_);
  return report_.error();
}

EngineError ReferenceEngine::set_input(size_t index, const Value& value) {
  report_.clear();
  if (index >= input_count()) {
    return report_.fail(EngineError::kInvalidInput)
           << "input " << index << " of a method with " << input_count();
  }
  const uint32_t target = method_.input(static_cast<uint32_t>(index));
  if (method_.kind(target) == KernelTypes::Tensor && value.kind == ValueKind::kTensor) {
    (void)set_tensor(index, target, value.tensor);
  } else {
    (void)set_scalar(index, target, value);
  }
  return report_.error();
}

bool ReferenceEngine::set_tensor(size_t index, uint32_t value, const TensorView& view) {
  Tensor tensor;
  if (!method_.tensor(value, tensor, report_)) return false;
  const auto refuse = [&]() -> Report& {
    return report_.fail(EngineError::kInvalidInput) << "input " << index << ": ";
  };
  if (view.scalar_type != tensor.type) {
    return refuse() << to_string(view.scalar_type) << " given, " << to_string(tensor.type)
                    << " wanted";
  }
  if (view.sizes.size() != tensor.rank || view.dim_order.size() != tensor.rank) {
    return refuse() << "rank " << view.sizes.size() << " given, " << tensor.rank << " wanted";
  }
  // A scalar's dim_order may be nowhere.
  if (tensor.rank != 0 && std::memcmp(view.dim_order.data(), tensor.dim_order, tensor.rank) != 0) {
    refuse() << "the dim_order ";
    report_.list(view.dim_order.data(), view.dim_order.size()) << " is given, wanted is ";
    return report_.list(tensor.dim_order, tensor.rank);
  }
  Report shape;
  if (!method_.resize(tensor, view.sizes.data(), view.sizes.size(), shape)) {
    refuse() << "the shape ";
    report_.list(view.sizes.data(), view.sizes.size()) << " is given, wanted is ";
    const Span<const int32_t> bounds = method_.bounds(value);
    report_.list(bounds.data(), bounds.size());
    return method_.is_dynamic(value) ? report_ << " at most" : report_;
  }
  if (view.data.size() != tensor.bytes()) {
    return refuse() << view.data.size() << " bytes given, " << tensor.bytes() << " wanted";
  }
  if (!tensor.writable) return refuse() << "it is a constant";
  if (tensor.bytes() != 0) std::memcpy(tensor.data, view.data.data(), tensor.bytes());
  return true;
}

bool ReferenceEngine::set_scalar(size_t index, uint32_t value, const Value& given) {
  const KernelTypes kind = method_.kind(value);
  double wanted = 0;
  int64_t wanted_integer = 0;
  bool same = false;
  bool same_kind = true;
  if (kind == KernelTypes::Int && given.kind == ValueKind::kInt) {
    if (!method_.integer(value, wanted_integer, report_)) return false;
    same = wanted_integer == given.int_value;
  } else if (kind == KernelTypes::Bool && given.kind == ValueKind::kBool) {
    if (!method_.integer(value, wanted_integer, report_)) return false;
    same = (wanted_integer != 0) == given.bool_value;
  } else if (kind == KernelTypes::Double && given.kind == ValueKind::kDouble) {
    if (!method_.number(value, wanted, report_)) return false;
    // Compares bits, so that a NaN equals itself.
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    same = std::memcmp(&wanted, &given.double_value, sizeof(wanted)) == 0;
  } else if (kind == KernelTypes::Null && given.kind == ValueKind::kNone) {
    same = true;
  } else {
    same_kind = false;
  }
  if (same) return true;
  report_.fail(EngineError::kInvalidInput) << "input " << index << ": ";
  if (!same_kind) return report_ << "not of the kind that the program wants";
  return report_ << "the program was exported for another value, and takes no other";
}

EngineError ReferenceEngine::execute() {
  report_.clear();
  if (!method_loaded_) {
    return report_.fail(EngineError::kExecutionFailed) << "no method is loaded";
  }
  if (!method_.run(false, report_)) {
    // The program passed its checks with the shapes that it states: the inputs' shapes are at
    // fault.
    report_.rename(EngineError::kInvalidProgram, EngineError::kExecutionFailed);
  }
  return report_.error();
}

EngineError ReferenceEngine::output(size_t index, Value& value) {
  report_.clear();
  if (index >= output_count()) {
    return report_.fail(EngineError::kNoSuchOutput)
           << "output " << index << " of a method with " << output_count();
  }
  if (view(method_.output(static_cast<uint32_t>(index)), value) == EngineError::kOk &&
      value.kind == ValueKind::kTensor && value.tensor.data.data() == nullptr &&
      !value.tensor.data.empty()) {
    report_.fail(EngineError::kExecutionFailed) << "output " << index << " has no data";
  }
  return report_.error();
}

EngineError ReferenceEngine::input(size_t index, Value& value) {
  report_.clear();
  if (index >= input_count()) {
    return report_.fail(EngineError::kInvalidInput)
           << "input " << index << " of a method with " << input_count();
  }
  return view(method_.input(static_cast<uint32_t>(index)), value);
}

EngineError ReferenceEngine::view(uint32_t source, Value& value) {
  const KernelTypes kind = method_.kind(source);
  value = Value();
  if (kind == KernelTypes::Tensor) {
    Tensor tensor;
    if (!method_.tensor(source, tensor, report_)) return report_.error();
    value.kind = ValueKind::kTensor;
    value.tensor.scalar_type = tensor.type;
    value.tensor.sizes = method_.stable_sizes(source);
    value.tensor.dim_order = method_.stable_dim_order(source);
    value.tensor.data = {tensor.data, tensor.bytes()};
  } else if (kind == KernelTypes::Int) {
    value.kind = ValueKind::kInt;
    (void)method_.integer(source, value.int_value, report_);
  } else if (kind == KernelTypes::Bool) {
    int64_t number = 0;
    value.kind = ValueKind::kBool;
    (void)method_.integer(source, number, report_);
    value.bool_value = number != 0;
  } else if (kind == KernelTypes::Double) {
    value.kind = ValueKind::kDouble;
    (void)method_.number(source, value.double_value, report_);
  } else if (kind != KernelTypes::Null) {
    report_.unsupported() << "value " << source << " is not a tensor or number";
  }
  return report_.error();
}

}  // namespace bpte
