// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/aligned.h>
#include <bpte/core/tensor_view.h>
#include <bpte/engine/executorch/log_capture.h>
#include <bpte/engine/executorch/program_check.h>
#include <bpte/engine/program_header.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>
#include <executorch/runtime/kernel/operator_registry.h>

#include <cstring>

namespace bpte {

namespace {

namespace et = ::executorch::runtime;
using flatbuffer::Position;
using flatbuffer::shape;
using flatbuffer::Vector;

namespace schema = program_schema;
using schema::InstructionArguments;
using schema::KernelTypes;

// Tables may be shared, so a small program can take an endless walk. The walk is bounded: a number
// of steps for each byte of the program, and a cost for each table.
constexpr uint64_t kStepsPerByte = 64;
constexpr uint32_t kTableSteps = 8;

// ExecuTorch builds "name.overload" in a buffer of 100 characters (Method::resolve_operator).
constexpr size_t kMaxOperatorName = 99;

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

bool equal(Span<const char> a, const char* b, size_t b_size) {
  return a.size() == b_size && (b_size == 0 || std::memcmp(a.data(), b, b_size) == 0);
}

bool operator_is_registered(Span<const char> name) {
  for (const et::Kernel& kernel : et::get_registered_kernels()) {
    if (kernel.name_ != nullptr && equal(name, kernel.name_, std::strlen(kernel.name_)))
      return true;
  }
  return false;
}

// These keep no state between two runs of a method. A delegate that may keep some (Core ML's can
// own a model's buffers) is initialised again for each test case.
constexpr const char* kStatelessBackends[] = {"XnnpackBackend", "EthosUBackend"};

Report& invalid(Report& report) {
  return report.invalid_program() << "the program is malformed: ";
}

Report& invalid(Report& report, const char* item, uint64_t index) {
  return invalid(report) << item << " " << index << " ";
}

}  // namespace

ProgramView::ProgramView(Span<const uint8_t> bytes, const DataFileSet* data)
    : reader_(bytes), steps_left_(bytes.size() * kStepsPerByte), data_(data) {
  segment_base_ = ExtendedHeader::read(bytes).segment_base;
  program_ = reader_.root();
}

Span<const char> ProgramView::text(const Vector& string) const {
  return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
}

void ProgramView::charge(uint32_t steps) {
  if (steps > steps_left_) {
    reader_.fail(0);
    steps = 0;
  }
  steps_left_ -= steps;
}

void ProgramView::add_memory(size_t size) {
  // Rounds up for alignment. It cannot overflow, since no vector is longer than its file.
  constexpr size_t kAlign = alignof(std::max_align_t);
  value_memory_ += (size + kAlign - 1) / kAlign * kAlign;
}

Position ProgramView::value_of(uint32_t index, KernelTypes& type) {
  const Position value = reader_.element(values_, index);
  type = KernelTypes{reader_.scalar<uint8_t>(value, schema::EValue::val_type, 0)};
  return reader_.table(value, schema::EValue::val);
}

bool ProgramView::open_method(const char* name, size_t name_size, Report& report) {
  plan_ = 0;
  const Vector plans = reader_.vector(program_, schema::Program::execution_plan, shape(4, 4));
  if (!plans) return invalid(report) << "it has no methods";
  for (uint32_t i = 0; i < plans.count && plan_ == 0; ++i) {
    charge(kTableSteps);
    const Position plan = reader_.element(plans, i);
    const Vector found = reader_.string(plan, schema::ExecutionPlan::name);
    if (found && equal(text(found), name, name_size)) plan_ = plan;
  }
  if (plan_ == 0 && !reader_.bad()) {
    return report.fail(EngineError::kUnknownMethod)
           << "the program has no method '" << Text{name, name_size} << "'";
  }
  const bool ok = !reader_.bad() && check_values(report) && check_interface(report) &&
                  check_delegates(report) && check_instructions(report);
  if (reader_.bad()) {
    report.clear();  // what was found before may follow from this
    return invalid(report) << "not a valid FlatBuffer";
  }
  return ok && check_operators(report);
}

bool ProgramView::check_values(Report& report) {
  values_ = reader_.vector(plan_, schema::ExecutionPlan::values, shape(4, 4));
  inputs_ = reader_.vector(plan_, schema::ExecutionPlan::inputs, shape(4, 4));
  if (!values_ || !inputs_) return invalid(report) << "a method without values or inputs";
  value_memory_ = 0;
  add_memory(values_.count * sizeof(et::EValue));
  add_memory(inputs_.count);
  for (uint32_t i = 0; i < values_.count && !reader_.bad(); ++i) {
    charge(kTableSteps);
    KernelTypes type = KernelTypes::NONE;
    const Position value = value_of(i, type);
    if (value == 0 && type != KernelTypes::Null) return invalid(report, "value", i) << "is absent";
    switch (type) {
      case KernelTypes::Null:
      case KernelTypes::Int:
      case KernelTypes::Bool:
      case KernelTypes::Double:
        break;
      case KernelTypes::Tensor: {
        size_t nbytes = 0;
        if (!check_tensor(i, value, nbytes, report) || !check_external(value, report)) return false;
        break;
      }
      case KernelTypes::String:
        if (!reader_.string(value, schema::String::string_val)) {
          return invalid(report, "value", i) << "is not a text";
        }
        add_memory(2 * sizeof(void*));
        break;
      case KernelTypes::IntList:
      case KernelTypes::DoubleList:
      case KernelTypes::BoolList:
      case KernelTypes::TensorList:
      case KernelTypes::OptionalTensorList:
        if (!check_list(i, value, type, report)) return false;
        break;
      default:
        return invalid(report, "value", i) << "is of an unknown type";
    }
  }
  return true;
}

bool ProgramView::check_tensor(uint32_t value, Position tensor, size_t& nbytes, Report& report) {
  const int8_t type = reader_.scalar<int8_t>(tensor, schema::Tensor::scalar_type, 0);
  const auto scalar_type = static_cast<::executorch::aten::ScalarType>(type);
  if (!et::isValid(scalar_type)) return invalid(report, "value", value) << "has no valid dtype";
  const Vector sizes = reader_.vector(tensor, schema::Tensor::sizes, shape(4, 4));
  const Vector dim_order = reader_.vector(tensor, schema::Tensor::dim_order, shape(1, 1));
  if (reader_.bad()) return true;  // the caller checks bad()
  if (!sizes || !dim_order || sizes.count > kMaxRank || dim_order.count != sizes.count) {
    return invalid(report, "value", value) << "has no valid sizes and dim_order";
  }
  // Counts as ExecuTorch does: in ssize_t, over all dimensions, even when one is zero.
  constexpr size_t kLimit = SIZE_MAX / 2;
  nbytes = et::elementSize(scalar_type);
  uint32_t seen = 0;
  for (uint32_t i = 0; i < sizes.count; ++i) {
    const int32_t size = reader_.load<int32_t>(sizes.at + 4 * i);
    const uint8_t dimension = reader_.load<uint8_t>(dim_order.at + i);
    if (size < 0) return invalid(report, "value", value) << "has a negative size";
    if (dimension >= sizes.count || (seen >> dimension & 1) != 0) {
      return invalid(report, "value", value) << "has a dim_order that is not a permutation";
    }
    seen |= uint32_t{1} << dimension;
    if (size != 0 && nbytes > kLimit / static_cast<size_t>(size)) {
      return invalid(report, "value", value) << "has more bytes than this target can address";
    }
    nbytes *= static_cast<size_t>(size);
  }
  add_memory(sizeof(::executorch::aten::TensorImpl));
  add_memory(sizes.count * sizeof(int32_t));  // strides
  if (reader_.scalar<int8_t>(tensor, schema::Tensor::shape_dynamism, 0) != 0) {
    add_memory(sizes.count * sizeof(int32_t));
    add_memory(sizes.count);
  }
  return true;
}

// The tensor is one that check_tensor() accepted.
bool ProgramView::check_external(Position tensor, Report& report) {
  const Position extra = reader_.table(tensor, schema::Tensor::extra_tensor_info);
  if (reader_.scalar<int8_t>(extra, schema::ExtraTensorInfo::location, 0) !=
      static_cast<int8_t>(schema::TensorDataLocation::EXTERNAL)) {
    return true;
  }
  if (reader_.table(tensor, schema::Tensor::allocation_info) != 0) has_external_state_ = true;
  const Vector sizes = reader_.vector(tensor, schema::Tensor::sizes, shape(4, 4));
  const Vector dim_order = reader_.vector(tensor, schema::Tensor::dim_order, shape(1, 1));
  const Vector name = reader_.string(extra, schema::ExtraTensorInfo::fully_qualified_name);
  if (reader_.bad()) return true;  // the caller checks bad()
  TensorView wanted;
  wanted.scalar_type = ScalarType{reader_.scalar<int8_t>(tensor, schema::Tensor::scalar_type, 0)};
  wanted.sizes = {internal::as_aligned<int32_t>(reader_.pointer(sizes.at)), sizes.count};
  wanted.dim_order = {reader_.pointer(dim_order.at), dim_order.count};
  const Span<const char> key = text(name);
  DataEntry entry;
  return data_->find_tensor({key.data(), key.size()}, wanted, entry, report);
}

bool ProgramView::check_list(uint32_t value, Position list, KernelTypes type, Report& report) {
  uint32_t item_size = 4;  // the index of a value
  if (type == KernelTypes::BoolList) {
    item_size = 1;
  } else if (type == KernelTypes::IntList || type == KernelTypes::DoubleList) {
    item_size = 8;
  }
  // Every kind of list has its items in the same field.
  const Vector items = reader_.vector(list, schema::IntList::items, shape(item_size, item_size));
  if (!items) return invalid(report, "value", value) << "is a list without items";
  charge(items.count);
  // The value's list object, and for boxed lists an array of pointers and one of elements.
  add_memory(4 * sizeof(void*));
  if (type == KernelTypes::DoubleList || type == KernelTypes::BoolList) return true;
  add_memory(items.count * sizeof(void*));
  add_memory(items.count * (type == KernelTypes::IntList
                                ? sizeof(int64_t)
                                : sizeof(std::optional<::executorch::aten::Tensor>)));
  for (uint32_t i = 0; i < items.count && !reader_.bad(); ++i) {
    const int64_t index = type == KernelTypes::IntList ? reader_.load<int64_t>(items.at + 8 * i)
                                                       : reader_.load<int32_t>(items.at + 4 * i);
    if (type == KernelTypes::OptionalTensorList && index == -1) continue;
    // A list of tensors may only hold values before it.
    const uint32_t limit = type == KernelTypes::IntList ? values_.count : value;
    if (index < 0 || index >= limit) {
      return invalid(report, "value", value) << "is a list with an index out of range";
    }
    KernelTypes item_type = KernelTypes::NONE;
    (void)value_of(static_cast<uint32_t>(index), item_type);
    const KernelTypes wanted =
        type == KernelTypes::IntList ? KernelTypes::Int : KernelTypes::Tensor;
    if (item_type != wanted &&
        !(type == KernelTypes::OptionalTensorList && item_type == KernelTypes::Null)) {
      return invalid(report, "value", value) << "is a list with an item of another type";
    }
  }
  return true;
}

bool ProgramView::check_interface(Report& report) {
  const Vector outputs = reader_.vector(plan_, schema::ExecutionPlan::outputs, shape(4, 4));
  if (!outputs) return invalid(report) << "a method without outputs";
  for (const bool input : {true, false}) {
    const Vector& indices = input ? inputs_ : outputs;
    const char* const item = input ? "input" : "output";
    for (uint32_t i = 0; i < indices.count; ++i) {
      const int32_t index = reader_.load<int32_t>(indices.at + 4 * i);
      if (index < 0 || static_cast<uint32_t>(index) >= values_.count) {
        return invalid(report, item, i) << "is a value out of range";
      }
      KernelTypes type = KernelTypes::NONE;
      const Position value = value_of(static_cast<uint32_t>(index), type);
      if (type != KernelTypes::Tensor || !input) continue;
      // ExecuTorch would overwrite the constant, which lies in a file, with the input.
      const Position extra = reader_.table(value, schema::Tensor::extra_tensor_info);
      const bool stored =
          reader_.scalar<uint32_t>(value, schema::Tensor::data_buffer_idx, 0) != 0 ||
          reader_.scalar<int8_t>(extra, schema::ExtraTensorInfo::location, 0) != 0;
      if (stored && reader_.table(value, schema::Tensor::allocation_info) == 0) {
        return invalid(report, item, i) << "is a constant";
      }
    }
  }
  return true;
}

bool ProgramView::check_delegates(Report& report) {
  const Vector delegates = reader_.vector(plan_, schema::ExecutionPlan::delegates, shape(4, 4));
  if (!delegates) return invalid(report) << "a method without a list of delegates";
  const Vector inline_data =
      reader_.vector(program_, schema::Program::backend_delegate_data, shape(4, 4));
  Message missing;
  const char* named = nullptr;
  for (uint32_t i = 0; i < delegates.count && !reader_.bad(); ++i) {
    charge(kTableSteps);
    const Position delegate = reader_.element(delegates, i);
    const Vector id = reader_.string(delegate, schema::BackendDelegate::id);
    const Position processed = reader_.table(delegate, schema::BackendDelegate::processed);
    if (!id || processed == 0) return invalid(report, "delegate", i) << "has no name or no data";
    namespace reference = schema::BackendDelegateDataReference;
    const auto location =
        schema::DataLocation{reader_.scalar<int8_t>(processed, reference::location, 0)};
    if (location == schema::DataLocation::INLINE) {
      const uint32_t index = reader_.scalar<uint32_t>(processed, reference::index, 0);
      if (index >= inline_data.count ||
          !reader_.vector(reader_.element(inline_data, index),
                          schema::BackendDelegateInlineData::data, shape(1, 1))) {
        return invalid(report, "delegate", i) << "has no data";
      }
    }
    const Vector specs =
        reader_.vector(delegate, schema::BackendDelegate::compile_specs, shape(4, 4));
    for (uint32_t j = 0; j < specs.count && !reader_.bad(); ++j) {
      charge(kTableSteps);
      const Position spec = reader_.element(specs, j);
      if (!reader_.string(spec, schema::CompileSpec::key) ||
          !reader_.vector(spec, schema::CompileSpec::value, shape(1, 1))) {
        return invalid(report, "delegate", i) << "has a compile spec without key or value";
      }
    }
    if (reader_.bad()) break;
    const char* const name = reinterpret_cast<const char*>(reader_.pointer(id.at));
    const et::BackendInterface* const backend = et::get_backend_class(name);
    Message reason;  // the backend's own log, for instance that its NPU does not answer
    bool available = false;
    if (backend != nullptr) {
      const LogCapture capture(reason);
      available = backend->is_available();
    }
    // Names a backend once, even if many parts delegate to it.
    if (!available && (named == nullptr || std::strcmp(named, name) != 0)) {
      named = name;
      missing << (missing.empty() ? "" : ", ") << name;
      if (backend != nullptr && reason.empty()) reason << "registered, but its device is absent";
      if (!reason.empty()) missing << " (" << reason.c_str() << ")";
    }
  }
  if (!missing.empty()) {
    return report.fail(EngineError::kMissingBackend)
           << "backend not available: " << missing.c_str();
  }
  return true;
}

bool ProgramView::check_instructions(Report& report) {
  const Vector chains = reader_.vector(plan_, schema::ExecutionPlan::chains, shape(4, 4));
  const Vector operators = reader_.vector(plan_, schema::ExecutionPlan::operators, shape(4, 4));
  const uint32_t delegates =
      reader_.vector(plan_, schema::ExecutionPlan::delegates, shape(4, 4)).count;
  if (!chains || !operators) return invalid(report) << "a method without instructions";
  for (uint32_t i = 0; i < chains.count && !reader_.bad(); ++i) {
    const Vector instructions =
        reader_.vector(reader_.element(chains, i), schema::Chain::instructions, shape(4, 4));
    if (!instructions) return invalid(report, "chain", i) << "has no instructions";
    for (uint32_t j = 0; j < instructions.count && !reader_.bad(); ++j) {
      charge(2 * kTableSteps);
      const Position instruction = reader_.element(instructions, j);
      const auto type = InstructionArguments{
          reader_.scalar<uint8_t>(instruction, schema::Instruction::instr_args_type, 0)};
      const Position arguments = reader_.table(instruction, schema::Instruction::instr_args);
      if (arguments == 0) return invalid(report, "instruction", j) << "is empty";
      switch (type) {
        case InstructionArguments::KernelCall:
        case InstructionArguments::DelegateCall: {
          // Both kinds have the callee's index and the arguments in the same fields.
          const int32_t callee =
              reader_.scalar<int32_t>(arguments, schema::KernelCall::op_index, 0);
          const uint32_t callees =
              type == InstructionArguments::KernelCall ? operators.count : delegates;
          if (callee < 0 || static_cast<uint32_t>(callee) >= callees) {
            return invalid(report, "instruction", j) << "calls what is not there";
          }
          const Vector values = reader_.vector(arguments, schema::KernelCall::args, shape(4, 4));
          if (!values) return invalid(report, "instruction", j) << "has no arguments";
          charge(values.count);
          for (uint32_t k = 0; k < values.count; ++k) {
            if (reader_.load<uint32_t>(values.at + 4 * k) >= values_.count) {
              return invalid(report, "instruction", j) << "has an argument out of range";
            }
          }
          break;
        }
        case InstructionArguments::MoveCall:
        case InstructionArguments::JumpFalseCall:
        case InstructionArguments::FreeCall: {
          // The first field of each is a value; the second of a move as well.
          if (reader_.scalar<uint32_t>(arguments, schema::MoveCall::move_from, 0) >=
                  values_.count ||
              (type == InstructionArguments::MoveCall &&
               reader_.scalar<uint32_t>(arguments, schema::MoveCall::move_to, 0) >=
                   values_.count)) {
            return invalid(report, "instruction", j) << "has an argument out of range";
          }
          break;
        }
        default:
          return invalid(report, "instruction", j) << "is of an unknown type";
      }
    }
  }
  return true;
}

bool ProgramView::check_operators(Report& report) {
  const Vector operators = reader_.vector(plan_, schema::ExecutionPlan::operators, shape(4, 4));
  Message missing;
  for (uint32_t i = 0; i < operators.count; ++i) {
    charge(kTableSteps);
    const Position entry = reader_.element(operators, i);
    const Vector name = reader_.string(entry, schema::Operator::name);
    const Vector overload = reader_.string(entry, schema::Operator::overload);
    if (reader_.bad()) return invalid(report) << "not a valid FlatBuffer";
    if (!name || name.count + 1 + overload.count > kMaxOperatorName) {
      return invalid(report, "operator", i) << "has no name, or one that is too long";
    }
    char full[kMaxOperatorName];
    size_t size = name.count;
    std::memcpy(full, reader_.pointer(name.at), size);
    if (overload.count > 0) {
      full[size++] = '.';
      std::memcpy(full + size, reader_.pointer(overload.at), overload.count);
      size += overload.count;
    }
    if (!operator_is_registered({full, size})) {
      missing << (missing.empty() ? "" : ", ") << Span<const char>(full, size);
    }
  }
  if (!missing.empty()) {
    return report.fail(EngineError::kMissingOperator)
           << "operator not registered: " << missing.c_str();
  }
  return true;
}

Position ProgramView::input_value(size_t index, KernelTypes& type) {
  type = KernelTypes::NONE;
  if (index >= inputs_.count) return 0;
  return value_of(reader_.load<uint32_t>(inputs_.at + 4 * static_cast<uint32_t>(index)), type);
}

bool ProgramView::input_is_dynamic(size_t index) {
  KernelTypes type;
  const Position value = input_value(index, type);
  return type == KernelTypes::Tensor &&
         reader_.scalar<int8_t>(value, schema::Tensor::shape_dynamism, 0) != 0;
}

Value ProgramView::input_constant(size_t index) {
  Value constant;
  KernelTypes type;
  const Position value = input_value(index, type);
  if (type == KernelTypes::Int) {
    constant.kind = ValueKind::kInt;
    constant.int_value = reader_.scalar<int64_t>(value, schema::Int::int_val, 0);
  } else if (type == KernelTypes::Double) {
    constant.kind = ValueKind::kDouble;
    constant.double_value = reader_.scalar<double>(value, schema::Double::double_val, 0);
  } else if (type == KernelTypes::Bool) {
    constant.kind = ValueKind::kBool;
    constant.bool_value = reader_.scalar<uint8_t>(value, schema::Bool::bool_val, 0) != 0;
  }
  return constant;
}

bool ProgramView::initial_state(uint32_t value, InitialState& state) {
  KernelTypes type = KernelTypes::NONE;
  const Position tensor = value_of(value, type);
  if (type != KernelTypes::Tensor) return false;
  const uint32_t buffer = reader_.scalar<uint32_t>(tensor, schema::Tensor::data_buffer_idx, 0);
  const Position allocation = reader_.table(tensor, schema::Tensor::allocation_info);
  if (buffer == 0 || allocation == 0) return false;
  // Method::load() takes the first of mutable_data_segments, too.
  const Vector mutable_segments =
      reader_.vector(program_, schema::Program::mutable_data_segments, shape(4, 4));
  const Vector segments = reader_.vector(program_, schema::Program::segments, shape(4, 4));
  if (mutable_segments.count == 0) return false;
  const Position offsets_table = reader_.element(mutable_segments, 0);
  const uint32_t segment =
      reader_.scalar<uint32_t>(offsets_table, schema::SubsegmentOffsets::segment_index, 0);
  const Vector offsets =
      reader_.vector(offsets_table, schema::SubsegmentOffsets::offsets, shape(8, 8));
  Report ignored;
  if (segment >= segments.count || buffer >= offsets.count ||
      !check_tensor(value, tensor, state.size, ignored)) {
    return false;
  }
  namespace details = schema::AllocationDetails;
  state.memory_id = reader_.scalar<uint32_t>(allocation, details::memory_id, 0) - 1;
  state.memory_offset =
      reader_.scalar<uint32_t>(allocation, details::memory_offset_low, 0) |
      uint64_t{reader_.scalar<uint32_t>(allocation, details::memory_offset_high, 0)} << 32;
  state.program_offset =
      segment_base_ +
      reader_.scalar<uint64_t>(reader_.element(segments, segment), schema::DataSegment::offset, 0) +
      reader_.load<uint64_t>(offsets.at + 8 * buffer);
  return !reader_.bad();
}

bool ProgramView::delegates_are_stateless() {
  const Vector delegates = reader_.vector(plan_, schema::ExecutionPlan::delegates, shape(4, 4));
  for (uint32_t i = 0; i < delegates.count; ++i) {
    const Vector id = reader_.string(reader_.element(delegates, i), schema::BackendDelegate::id);
    bool known = false;
    for (const char* name : kStatelessBackends) {
      known = known || equal(text(id), name, std::strlen(name));
    }
    if (!known) return false;
  }
  return true;
}

}  // namespace bpte
