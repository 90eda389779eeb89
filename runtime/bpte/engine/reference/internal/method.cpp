// SPDX-License-Identifier: BSD-3-Clause
#include "method.h"

#include <bpte/core/internal/aligned.h>

#include <cstring>
#include <initializer_list>
#include <new>

#include "call.h"

namespace bpte::reference {
namespace {

using schema::KernelTypes;

// The alignment of the plan's buffers, as in ExecuTorch, whose memory planning aligns tensors
// within them to 16.
constexpr size_t kBufferAlignment = 16;

// The largest sum of the plan's buffers: it can be computed without an overflow.
constexpr uint64_t kMostPlanned = INT64_MAX;

// A bit of a cell that holds an address: the memory is the value's own, not a view of another's. No
// address of a program's memory has this bit.
constexpr uint64_t kOwnMemory = uint64_t{1} << 63;

size_t round_up(size_t value, size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

/// Row-major strides in the memory order that `dim_order` states, and the number of elements. False
/// when the sizes overflow or one is negative. A size of 0 counts as 1 in strides.
bool lay_out(Tensor& tensor) {
  size_t span = tensor.element_size;
  bool empty = false;
  for (size_t k = tensor.rank; k-- > 0;) {
    const uint8_t d = tensor.dim_order[k];
    const int32_t size = tensor.sizes[d];
    if (size < 0) return false;
    tensor.strides[d] = static_cast<ptrdiff_t>(span / tensor.element_size);
    if (size == 0) empty = true;
    const size_t factor = size == 0 ? 1 : static_cast<size_t>(size);
    if (span > static_cast<size_t>(PTRDIFF_MAX) / factor) return false;
    span *= factor;
  }
  tensor.numel = empty ? 0 : span / tensor.element_size;
  return true;
}

}  // namespace

bool Method::load(const Program& program, uint32_t plan, const MethodMemory& memory,
                  uint64_t work_limit, Report& report) {
  // In place: with the model of the Ethos-U, a temporary takes 4 KB of a small target's stack.
  this->~Method();
  new (this) Method();
  program_ = &program;
  work_limit_ = work_limit;
  constexpr size_t kOffset = sizeof(uint32_t);
  values_ = fb().vector(plan, schema::ExecutionPlan::values, kOffset);
  inputs_ = fb().vector(plan, schema::ExecutionPlan::inputs, sizeof(int32_t));
  outputs_ = fb().vector(plan, schema::ExecutionPlan::outputs, sizeof(int32_t));
  chains_ = fb().vector(plan, schema::ExecutionPlan::chains, kOffset);
  operators_ = fb().vector(plan, schema::ExecutionPlan::operators, kOffset);
  buffer_sizes_ = fb().vector(plan, schema::ExecutionPlan::non_const_buffer_sizes, sizeof(int64_t));
  if (!check_malformed(report)) return false;

  const Vector delegates = fb().vector(plan, schema::ExecutionPlan::delegates, kOffset);
  if (kHasDelegates && delegates.count != 0 && memory.no_delegates != nullptr) {
    return report.fail(EngineError::kMissingBackend)
           << "the method has delegates: " << memory.no_delegates;
  }
  if (!check_delegates(delegates, report)) return false;
  const Vector devices = fb().vector(plan, schema::ExecutionPlan::non_const_buffer_device, kOffset);
  for (uint32_t i = 0; i < devices.count; ++i) {
    const int8_t type = fb().scalar<int8_t>(fb().table_element(devices, i),
                                            schema::NonConstBufferDevice::device_type, 0);
    if (type != static_cast<int8_t>(schema::DeviceType::CPU)) {
      return report.unsupported() << "memory planned on device type " << type;
    }
  }
  return make_tables(memory.tables, report) && resolve_operators(report) &&
         plan_memory(memory, report) && place_external(report) && check_values(report) &&
         run(true, report);
}

bool Method::check_malformed(Report& report) const {
  if (!fb().malformed()) return true;
  return report.invalid_program() << "the program's FlatBuffer is malformed";
}

uint32_t Method::value_index(Vector indices, uint32_t index) const {
  if (index >= indices.count) return UINT32_MAX;
  return static_cast<uint32_t>(fb().element<int32_t>(indices, index));
}

uint32_t Method::value_table(uint32_t value) const {
  if (value >= values_.count) return 0;
  return fb().table(fb().table_element(values_, value), schema::EValue::val);
}

KernelTypes Method::kind(uint32_t value) const {
  if (value >= values_.count) return KernelTypes::NONE;
  return static_cast<KernelTypes>(
      fb().scalar<uint8_t>(fb().table_element(values_, value), schema::EValue::val_type, 0));
}

bool Method::is_unplanned(uint32_t value) const {
  const uint32_t table = value_table(value);
  return kind(value) == KernelTypes::Tensor &&
         fb().table(table, schema::Tensor::allocation_info) == 0 &&
         fb().scalar<uint32_t>(table, schema::Tensor::data_buffer_idx, 0) == 0 &&
         !is_external(table);
}

bool Method::is_external(uint32_t tensor_table) const {
  const uint32_t extra = fb().table(tensor_table, schema::Tensor::extra_tensor_info);
  return fb().scalar<int8_t>(extra, schema::ExtraTensorInfo::location, 0) ==
         static_cast<int8_t>(schema::TensorDataLocation::EXTERNAL);
}

uint32_t Method::cells_of(uint32_t value) const {
  if (kind(value) != KernelTypes::Tensor) return 0;
  const uint32_t table = value_table(value);
  uint32_t cells = 0;
  const bool external =
      is_external(table) && fb().table(table, schema::Tensor::allocation_info) == 0;
  if (external || is_unplanned(value)) ++cells;
  if (is_dynamic(value)) {
    const uint32_t rank = fb().vector(table, schema::Tensor::sizes, sizeof(int32_t)).count;
    cells += (rank + 1) / 2;
  }
  return cells;
}

bool Method::computes_scalar(uint32_t kernel_call, uint32_t& value) const {
  const Vector arguments = fb().vector(kernel_call, schema::KernelCall::args, sizeof(int32_t));
  value = value_index(arguments, arguments.count - 1);
  const KernelTypes type = kind(value);
  return type == KernelTypes::Int || type == KernelTypes::Bool || type == KernelTypes::Double;
}

bool Method::count_cells(uint64_t& count, Report& report) const {
  count = 0;
  for (uint32_t i = 0; i < values_.count; ++i) count += cells_of(i);
  const auto count_scalar = [&](uint32_t, bool delegated, uint32_t kernel_call) {
    uint32_t value = 0;
    if (!delegated && computes_scalar(kernel_call, value)) ++count;
    return true;
  };
  if (!for_each_instruction(count_scalar, report)) return false;
  if (count >= UINT16_MAX) {
    return report.unsupported()
           << "the method has more dynamic values than the engine's tables can index";
  }
  return true;
}

bool Method::make_tables(Span<uint8_t> tables, Report& report) {
  // Counts first, so that a refusal can say how much is needed.
  const size_t buffer_count = buffer_sizes_.count == 0 ? 0 : buffer_sizes_.count - 1;
  uint64_t cell_count = 0;
  if (!count_cells(cell_count, report)) return false;

  size_t used = 0;  // from an aligned start
  const size_t start = round_up(reinterpret_cast<uintptr_t>(tables.data()), 8) -
                       reinterpret_cast<uintptr_t>(tables.data());
  const auto take = [&used](uint64_t size) {
    const size_t at = used;
    used += round_up(static_cast<size_t>(size), 8);
    return at;
  };
  // Each count is bounded by the file's size, itself below 2 GiB / 4: no overflow.
  const size_t cells_at = take(cell_count * sizeof(uint64_t));
  const size_t buffers_at = take(uint64_t{buffer_count} * sizeof(Buffer));
  const size_t kernels_at = take(uint64_t{operators_.count} * sizeof(Kernel));
  const size_t index_at = take(uint64_t{values_.count} * sizeof(uint16_t));
  if (tables.size() < start || used > tables.size() - start) {
    return report.fail(EngineError::kOutOfMemory)
           << "table arena: " << uint64_t{used + start} << " bytes needed, "
           << uint64_t{tables.size()} << " given";
  }
  uint8_t* base = tables.data() + start;
  if (used != 0) std::memset(base, 0, used);
  cells_ = {internal::as_aligned<uint64_t>(base + cells_at), static_cast<size_t>(cell_count)};
  buffers_ = {internal::as_aligned<Buffer>(base + buffers_at), buffer_count};
  kernels_ = {internal::as_aligned<Kernel>(base + kernels_at), operators_.count};
  cell_index_ = {internal::as_aligned<uint16_t>(base + index_at), values_.count};
  table_bytes_ = used + start;

  return assign_cells(report);
}

bool Method::assign_cells(Report& report) {
  uint16_t next = 0;
  for (uint32_t i = 0; i < values_.count; ++i) {
    const uint32_t cells = cells_of(i);
    if (cells == 0) continue;
    cell_index_[i] = static_cast<uint16_t>(1 + next);
    next = static_cast<uint16_t>(next + cells);
    const Span<const int32_t> bounds = this->bounds(i);
    if (is_dynamic(i) && !bounds.empty()) {
      std::memcpy(const_cast<int32_t*>(stable_sizes(i).data()), bounds.data(),
                  bounds.size() * sizeof(int32_t));
    }
  }
  const auto place_scalar = [&](uint32_t, bool delegated, uint32_t kernel_call) {
    uint32_t value = 0;
    if (!delegated && computes_scalar(kernel_call, value) && cell_index_[value] == 0) {
      cell_index_[value] = static_cast<uint16_t>(1 + next++);
    }
    return true;
  };
  return for_each_instruction(place_scalar, report);
}

Kernel Method::find_kernel(Text name, Text overload) const {
  for (const RegisteredOperator& candidate : registered_operators()) {
    const size_t size = std::strlen(candidate.name);
    const size_t wanted = name.size + (overload.size == 0 ? 0 : 1 + overload.size);
    if (size != wanted || name.size == 0 ||
        std::memcmp(candidate.name, name.data, name.size) != 0) {
      continue;
    }
    if (overload.size != 0 &&
        (candidate.name[name.size] != '.' ||
         std::memcmp(candidate.name + name.size + 1, overload.data, overload.size) != 0)) {
      continue;
    }
    return candidate.kernel;
  }
  return nullptr;
}

bool Method::resolve_operators(Report& report) {
  // All that are missing, so that one look says what the engine lacks.
  uint32_t missing = 0;
  for (uint32_t i = 0; i < operators_.count; ++i) {
    const uint32_t op = fb().table_element(operators_, i);
    const Text name = fb().string(op, schema::Operator::name);
    const Text overload = fb().string(op, schema::Operator::overload);
    if (!check_malformed(report)) return false;
    kernels_[i] = find_kernel(name, overload);
    if (kernels_[i] != nullptr) continue;
    if (missing++ == 0) {
      report.fail(EngineError::kMissingOperator) << "not in this engine: ";
    } else {
      report << ", ";
    }
    report << name;
    if (overload.size != 0) report << "." << overload;
  }
  return missing == 0;
}

bool Method::plan_memory(const MethodMemory& memory, Report& report) {
  const Span<uint8_t> planned = memory.planned;
  const uintptr_t address = reinterpret_cast<uintptr_t>(planned.data());
  uint64_t used = round_up(address, kBufferAlignment) - address;
  for (uint32_t i = 1; i < buffer_sizes_.count; ++i) {
    const int64_t size = fb().element<int64_t>(buffer_sizes_, i);
    if (size < 0) {
      return report.invalid_program() << "planned buffer " << i << " has the size " << size;
    }
    // A size that no memory can hold is valid, only too large for this machine: it stays 64 bits
    // wide here.
    constexpr uint64_t kMask = kBufferAlignment - 1;
    const uint64_t aligned = (static_cast<uint64_t>(size) + kMask) & ~kMask;
    if (aligned > kMostPlanned - used) {
      return report.invalid_program() << "the planned buffers' sizes overflow";
    }
    if (used <= planned.size()) {
      buffers_[i - 1] = {planned.data() + static_cast<size_t>(used), static_cast<size_t>(size)};
    }
    used += aligned;
  }
  // Inputs and outputs that the plan does not place: their memory comes after its buffers.
  const Vector interface[] = {inputs_, outputs_};
  for (const Vector& indices : interface) {
    for (uint32_t i = 0; i < indices.count; ++i) {
      const uint32_t value = value_index(indices, i);
      if (!is_unplanned(value) || cells_[cell_index_[value] - 1u] != 0) continue;
      Tensor tensor;
      if (!this->tensor(value, tensor, report)) return false;
      if (used <= planned.size()) {
        cells_[cell_index_[value] - 1u] =
            kOwnMemory | reinterpret_cast<uintptr_t>(planned.data() + static_cast<size_t>(used));
      }
      used += round_up(tensor.bytes(), kBufferAlignment);  // bytes() is below 2^63, and so is used
      if (used > kMostPlanned) {
        return report.invalid_program() << "the planned buffers' sizes overflow";
      }
    }
  }
  if (!place_delegates(planned, used, report)) return false;
  if (used > planned.size()) {
    return report.fail(EngineError::kOutOfMemory)
           << "planned memory: " << used << " bytes needed, " << uint64_t{planned.size()}
           << " given" << memory.planned_advice;
  }
  planned_bytes_ = static_cast<size_t>(used);
  // A buffer without an initial state begins as zeros. In ExecuTorch its content is undefined.
  if (memory.clear != nullptr) {
    memory.clear(planned.subspan(0, planned_bytes_));
  } else if (planned_bytes_ != 0) {
    std::memset(planned.data(), 0, planned_bytes_);
  }
  return true;
}

bool Method::planned_place(uint32_t value, uint32_t allocation, size_t size, uint8_t*& data,
                           Report& report) const {
  const uint32_t memory =
      fb().scalar<uint32_t>(allocation, schema::AllocationDetails::memory_id, 0);
  const uint64_t offset =
      fb().scalar<uint32_t>(allocation, schema::AllocationDetails::memory_offset_low, 0) |
      uint64_t{fb().scalar<uint32_t>(allocation, schema::AllocationDetails::memory_offset_high, 0)}
          << 32;
  if (memory == 0 || memory > buffers_.size()) {
    return report.invalid_program()
           << "value " << value << ": planned buffer " << memory << " does not exist";
  }
  const Buffer& buffer = buffers_[memory - 1];
  if (offset > buffer.size || size > buffer.size - offset) {
    return report.invalid_program()
           << "value " << value << ": offset " << offset << ", size " << uint64_t{size}
           << " ends past planned buffer " << memory << ", size " << uint64_t{buffer.size};
  }
  data = buffer.data + static_cast<size_t>(offset);
  return true;
}

bool Method::place_external(Report& report) {
  for (uint32_t i = 0; i < values_.count; ++i) {
    const uint32_t table = value_table(i);
    if (kind(i) != KernelTypes::Tensor || !is_external(table)) continue;
    Tensor tensor;
    if (!this->tensor(i, tensor, report) || !work(program_->data().key_count(), report)) {
      return false;
    }
    TensorView wanted;
    wanted.scalar_type = tensor.type;
    wanted.sizes = bounds(i);
    wanted.dim_order = stable_dim_order(i);
    const uint32_t extra = fb().table(table, schema::Tensor::extra_tensor_info);
    const Text key = fb().string(extra, schema::ExtraTensorInfo::fully_qualified_name);
    DataEntry entry;
    if (!program_->data().find_tensor(key, wanted, entry, report)) return false;
    const Span<const uint8_t> data = entry.tensor.data;
    if (tensor.data != nullptr) {  // the first value of a state that the plan places
      if (!data.empty()) std::memcpy(tensor.data, data.data(), data.size());
    } else if (cell_index_[i] != 0) {
      cells_[cell_index_[i] - 1u] = reinterpret_cast<uintptr_t>(data.data());
    }
  }
  return check_malformed(report);
}

bool Method::check_values(Report& report) {
  for (uint32_t i = 0; i < values_.count; ++i) {
    const KernelTypes type = kind(i);
    if (type == KernelTypes::NONE || type > KernelTypes::OptionalTensorList) {
      return report.invalid_program()
             << "value " << i << " is of the unknown kind " << static_cast<uint32_t>(type);
    }
    if (type != KernelTypes::Tensor) continue;
    const uint32_t table = value_table(i);
    Tensor tensor;
    if (!this->tensor(i, tensor, report)) return false;
    const uint32_t buffer = fb().scalar<uint32_t>(table, schema::Tensor::data_buffer_idx, 0);
    if (buffer != 0 && fb().table(table, schema::Tensor::allocation_info) != 0) {
      const uint32_t extra = fb().table(table, schema::Tensor::extra_tensor_info);
      const uint64_t segments =
          fb().scalar<uint64_t>(extra, schema::ExtraTensorInfo::mutable_data_segments_idx, 0);
      Span<const uint8_t> state;
      if (!program_->initial_state(segments, buffer, tensor.bytes(), state, report)) return false;
      if (state.empty()) continue;
      if (tensor.data == nullptr) {
        return report.invalid_program() << "value " << i << " has a state but no memory";
      }
      std::memcpy(tensor.data, state.data(), state.size());
    }
  }
  for (const bool is_input : {true, false}) {
    const Vector& indices = is_input ? inputs_ : outputs_;
    for (uint32_t i = 0; i < indices.count; ++i) {
      const uint32_t value = value_index(indices, i);
      if (value >= values_.count) {
        return report.invalid_program() << (is_input ? "input " : "output ") << i << " is value "
                                        << value << " of " << values_.count;
      }
    }
  }
  return check_malformed(report);
}

Span<const int32_t> Method::bounds(uint32_t value) const {
  const Vector bounds = fb().vector(value_table(value), schema::Tensor::sizes, sizeof(int32_t));
  return {internal::as_aligned<int32_t>(fb().pointer(bounds.at)), bounds.count};
}

Span<const int32_t> Method::stable_sizes(uint32_t value) const {
  const Span<const int32_t> bounds = this->bounds(value);
  if (!is_dynamic(value) || bounds.empty()) return bounds;
  // The sizes are the last of the value's cells.
  const size_t last = size_t{cell_index_[value]} - 1 + cells_of(value);
  return {reinterpret_cast<const int32_t*>(&cells_[last - (bounds.size() + 1) / 2]), bounds.size()};
}

Span<const uint8_t> Method::stable_dim_order(uint32_t value) const {
  const Vector order = fb().vector(value_table(value), schema::Tensor::dim_order, 1);
  return {fb().pointer(order.at), order.count};
}

namespace {

Report& refuse_value(uint32_t value, EngineError error, Report& report) {
  return report.fail(error) << "value " << value << ": ";
}

}  // namespace

bool Method::tensor_table(uint32_t value, TensorTable& tensor, Report& report) const {
  if (kind(value) != KernelTypes::Tensor) {
    return refuse_value(value, EngineError::kInvalidProgram, report) << "not a tensor";
  }
  const uint32_t table = value_table(value);
  tensor.sizes = fb().vector(table, schema::Tensor::sizes, sizeof(int32_t));
  tensor.dim_order = fb().vector(table, schema::Tensor::dim_order, 1);
  tensor.dynamism = fb().scalar<int8_t>(table, schema::Tensor::shape_dynamism, 0);
  tensor.type = fb().scalar<int8_t>(table, schema::Tensor::scalar_type, 0);
  tensor.buffer = fb().scalar<uint32_t>(table, schema::Tensor::data_buffer_idx, 0);
  tensor.allocation = fb().table(table, schema::Tensor::allocation_info);
  tensor.external = is_external(table);
  const int32_t storage_offset = fb().scalar<int32_t>(table, schema::Tensor::storage_offset, 0);
  const uint32_t extra = fb().table(table, schema::Tensor::extra_tensor_info);
  if (!check_malformed(report)) return false;
  if (table == 0 || !tensor.sizes || !tensor.dim_order ||
      tensor.dim_order.count != tensor.sizes.count ||
      reinterpret_cast<uintptr_t>(fb().pointer(tensor.sizes.at)) % alignof(int32_t) != 0) {
    return refuse_value(value, EngineError::kInvalidProgram, report)
           << "sizes or dim_order are malformed";
  }
  const auto unsupported = [&]() -> Report& {
    return refuse_value(value, EngineError::kUnsupported, report);
  };
  if (tensor.sizes.count > kRankLimit) {
    return unsupported() << "rank " << tensor.sizes.count << ", at most " << uint64_t{kRankLimit}
                         << " is supported";
  }
  if (tensor.dynamism < 0 ||
      tensor.dynamism > static_cast<int8_t>(schema::TensorShapeDynamism::DYNAMIC_BOUND)) {
    return unsupported() << "shape without an upper bound";
  }
  if (storage_offset != 0) return unsupported() << "storage offset " << storage_offset;
  if (fb().scalar<int8_t>(extra, schema::ExtraTensorInfo::device_type, 0) != 0) {
    return unsupported() << "it lies on another device";
  }
  if (element_size(static_cast<ScalarType>(tensor.type)) == 0) {
    return unsupported() << "scalar type " << tensor.type << " is not supported";
  }
  return true;
}

bool Method::set_shape(const TensorTable& table, Tensor& tensor, Report& report) const {
  const uint32_t rank = table.sizes.count;
  tensor.rank = static_cast<uint8_t>(rank);
  uint32_t seen = 0;
  for (uint32_t d = 0; d < rank; ++d) {
    tensor.sizes[d] = fb().element<int32_t>(table.sizes, d);
    const uint8_t place = fb().element<uint8_t>(table.dim_order, d);
    tensor.dim_order[d] = place;
    if (place < rank) seen |= 1u << place;
  }
  if (seen != (1u << rank) - 1) {
    return refuse_value(tensor.value, EngineError::kInvalidProgram, report)
           << "dim_order is not a permutation";
  }
  if (!lay_out(tensor)) {
    return refuse_value(tensor.value, EngineError::kInvalidProgram, report)
           << "its sizes are negative or overflow";
  }
  return true;
}

bool Method::set_data(const TensorTable& table, Tensor& tensor, Report& report) const {
  const uint32_t value = tensor.value;
  if (table.allocation != 0) {
    uint8_t* place = nullptr;
    if (!planned_place(value, table.allocation, tensor.bytes(), place, report)) return false;
    tensor.data = place;
    tensor.writable = true;
  } else if (table.buffer != 0 && !table.external) {
    Span<const uint8_t> constant;
    if (!program_->constant(table.buffer, tensor.bytes(), constant, report)) return false;
    tensor.data = const_cast<uint8_t*>(constant.data());  // read only: `writable` is not set
  } else if (cell_index_[value] != 0) {
    const uint64_t address = cells_[cell_index_[value] - 1u];
    tensor.data = reinterpret_cast<uint8_t*>(static_cast<uintptr_t>(address & ~kOwnMemory));
    tensor.writable = (address & kOwnMemory) != 0;
  }
  if (!check_malformed(report)) return false;
  if (reinterpret_cast<uintptr_t>(tensor.data) % tensor.element_size != 0) {
    return refuse_value(value, EngineError::kInvalidProgram, report)
           << "its data is not aligned to its elements";
  }
  return true;
}

bool Method::tensor(uint32_t value, Tensor& tensor, Report& report) const {
  TensorTable table;
  if (!tensor_table(value, table, report)) return false;
  tensor = Tensor();
  tensor.value = value;
  tensor.type = static_cast<ScalarType>(table.type);
  tensor.element_size = element_size(tensor.type);
  if (!set_shape(table, tensor, report) || !set_data(table, tensor, report)) return false;
  if (table.dynamism != 0) {
    const Span<const int32_t> sizes = stable_sizes(value);
    for (size_t d = 0; d < sizes.size(); ++d) tensor.sizes[d] = sizes[d];
    (void)lay_out(tensor);  // cannot fail: below the bounds
  }
  return true;
}

bool Method::integer(uint32_t value, int64_t& number, Report& report) const {
  const KernelTypes type = kind(value);
  const uint32_t table = value_table(value);
  if (type == KernelTypes::Int) {
    number = fb().scalar<int64_t>(table, schema::Int::int_val, 0);
  } else if (type == KernelTypes::Bool) {
    number = fb().scalar<uint8_t>(table, schema::Bool::bool_val, 0) != 0;
  } else {
    return report.invalid_program() << "value " << value << ": not an integer";
  }
  if (!check_malformed(report)) return false;
  if (cell_index_[value] != 0) number = static_cast<int64_t>(cells_[cell_index_[value] - 1u]);
  return true;
}

bool Method::number(uint32_t value, double& number, Report& report) const {
  if (kind(value) == KernelTypes::Double) {
    number = fb().scalar<double>(value_table(value), schema::Double::double_val, 0);
    return check_malformed(report);
  }
  int64_t as_integer = 0;
  if (!integer(value, as_integer, report)) return false;
  number = static_cast<double>(as_integer);
  return true;
}

bool Method::text(uint32_t value, Text& text, Report& report) const {
  if (kind(value) != KernelTypes::String) {
    return report.invalid_program() << "value " << value << ": not a string";
  }
  text = fb().string(value_table(value), schema::String::string_val);
  return check_malformed(report);
}

bool Method::list(uint32_t value, Vector& items, Report& report) const {
  const KernelTypes type = kind(value);
  if (type == KernelTypes::IntList) {
    items = fb().vector(value_table(value), schema::IntList::items, sizeof(int64_t));
  } else if (type == KernelTypes::TensorList || type == KernelTypes::OptionalTensorList) {
    items = fb().vector(value_table(value), schema::TensorList::items, sizeof(int32_t));
  } else {
    return report.invalid_program() << "value " << value << ": not a list of integers or tensors";
  }
  return check_malformed(report);
}

bool Method::list_size(uint32_t value, uint32_t& size, Report& report) const {
  Vector items;
  if (!list(value, items, report)) return false;
  size = items.count;
  return true;
}

bool Method::list_item(uint32_t value, uint32_t index, uint32_t& item, Report& report) const {
  Vector items;
  if (!list(value, items, report)) return false;
  int64_t found = -1;
  if (index < items.count) {
    found = kind(value) == KernelTypes::IntList ? fb().element<int64_t>(items, index)
                                                : fb().element<int32_t>(items, index);
  }
  if (found < 0 || found >= int64_t{values_.count}) {
    return report.invalid_program() << "value " << value << ": item " << index << " is value "
                                    << found << " of " << values_.count;
  }
  item = static_cast<uint32_t>(found);
  return true;
}

bool Method::list_item_is_none(uint32_t value, uint32_t index) const {
  if (kind(value) != KernelTypes::OptionalTensorList) return false;
  const Vector items = fb().vector(value_table(value), schema::TensorList::items, sizeof(int32_t));
  return index < items.count && fb().element<int32_t>(items, index) == -1;
}

bool Method::resize(Tensor& tensor, const int32_t* sizes, size_t rank, Report& report) {
  const uint32_t table = value_table(tensor.value);
  const Vector bounds = fb().vector(table, schema::Tensor::sizes, sizeof(int32_t));
  const bool dynamic = is_dynamic(tensor.value);
  bool fits = rank == tensor.rank;
  bool same = true;
  for (size_t d = 0; fits && d < rank; ++d) {
    same = same && sizes[d] == tensor.sizes[d];
    fits = sizes[d] >= 0 && sizes[d] <= fb().element<int32_t>(bounds, static_cast<uint32_t>(d));
  }
  if (!fits || (!same && !dynamic)) {
    report.invalid_program() << "value " << tensor.value << " has the shape ";
    report.list(tensor.sizes, tensor.rank) << ", needed is ";
    return report.list(sizes, rank);
  }
  if (same) return true;
  const Span<const int32_t> stable = stable_sizes(tensor.value);
  std::memcpy(const_cast<int32_t*>(stable.data()), sizes, rank * sizeof(int32_t));
  for (size_t d = 0; d < rank; ++d) tensor.sizes[d] = sizes[d];
  (void)lay_out(tensor);  // cannot fail: below the bounds
  return true;
}

bool Method::view(uint32_t value, const Tensor& source, const int32_t* sizes, size_t rank,
                  Report& report) {
  if (!is_unplanned(value) || (cells_[cell_index_[value] - 1u] & kOwnMemory) != 0) {
    return report.invalid_program() << "value " << value << " has memory of its own";
  }
  // Sizes and data change together, so the sizes never exceed the data.
  Tensor tensor;
  if (!this->tensor(value, tensor, report) || !resize(tensor, sizes, rank, report)) return false;
  if (tensor.type != source.type || tensor.numel != source.numel) {
    cells_[cell_index_[value] - 1u] = 0;
    return report.invalid_program()
           << "value " << value << " is a view of another dtype or number of elements";
  }
  cells_[cell_index_[value] - 1u] = reinterpret_cast<uintptr_t>(source.data);
  return true;
}

bool Method::set_integer(uint32_t value, int64_t number, Report& report) {
  if (kind(value) != KernelTypes::Int || cell_index_[value] == 0) {
    return report.invalid_program() << "value " << value << ": not an integer that can be written";
  }
  cells_[cell_index_[value] - 1u] = static_cast<uint64_t>(number);
  return true;
}

bool Method::work(uint64_t amount, Report& report) {
  if (work_limit_ == 0) return true;
  if (amount > work_limit_ - work_) {
    return report.unsupported() << "more work than the limit of " << work_limit_ << " operations";
  }
  work_ += amount;
  return true;
}

bool Method::call(uint32_t number, uint32_t kernel_call, bool checking, Report& report) {
  const int32_t op = fb().scalar<int32_t>(kernel_call, schema::KernelCall::op_index, 0);
  const Vector arguments = fb().vector(kernel_call, schema::KernelCall::args, sizeof(int32_t));
  if (!check_malformed(report)) return false;
  if (op < 0 || static_cast<size_t>(op) >= kernels_.size()) {
    return report.invalid_program() << "instruction " << number << ": operator " << op << " of "
                                    << uint64_t{kernels_.size()};
  }
  const uint32_t table = fb().table_element(operators_, static_cast<uint32_t>(op));
  Call call(*this, arguments, checking, number, fb().string(table, schema::Operator::name),
            fb().string(table, schema::Operator::overload), report);
  return work(1, report) && kernels_[static_cast<size_t>(op)](call) && check_malformed(report);
}

bool Method::run(bool checking, Report& report) {
  work_ = 0;
#if BPTE_ETHOSU_MODEL
  delegates_ran_ = false;
#endif
  const auto visit = [&](uint32_t number, bool delegated, uint32_t arguments) {
    return delegated ? call_delegate(number, arguments, checking, report)
                     : call(number, arguments, checking, report);
  };
  return for_each_instruction(visit, report);
}

}  // namespace bpte::reference
