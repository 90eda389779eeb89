// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/report.h>
#include <bpte/engine/stepping.h>

#include <cstddef>
#include <cstdint>

#include "delegates.h"
#include "program.h"
#include "tensor.h"

namespace bpte::reference {

class Call;
using Kernel = bool (*)(Call& call);

/// One operator that this build has: its full name ("aten::add.out") and what runs it.
struct RegisteredOperator {
  const char* name;
  Kernel kernel;
};
/// The operators of this build (operators.def, or the selection of BPTE_REFERENCE_OPERATORS), in no
/// order.
Span<const RegisteredOperator> registered_operators();

/// The memory that a method uses. The spans belong to the caller, who keeps them valid and
/// unchanged while the method is used. They may have any alignment.
struct MethodMemory {
  Span<uint8_t> planned;                          ///< the buffers of the program's memory plan
  Span<uint8_t> tables;                           ///< the rest
  void (*clear)(Span<uint8_t> memory) = nullptr;  ///< as ReferenceMemory::clear
  const char* planned_advice = "";                ///< as ReferenceOptions::planned_advice
  const char* no_delegates = nullptr;             ///< as ReferenceOptions::no_delegates
};

/// A loaded method. Its values are decoded from the program, fully checked, each time they are
/// used. So the tables hold only the kernels, and the state that the program itself cannot hold:
/// sizes of dynamic tensors, computed integers, addresses of unplanned inputs.
class Method {
 public:
  Method() = default;
  [[nodiscard]] bool load(const Program& program, uint32_t plan, const MethodMemory& memory,
                          uint64_t work_limit, Report& report);

  uint32_t input_count() const { return inputs_.count; }
  uint32_t output_count() const { return outputs_.count; }
  uint32_t input(uint32_t index) const { return value_index(inputs_, index); }
  uint32_t output(uint32_t index) const { return value_index(outputs_, index); }
  /// The value that a call's argument is.
  uint32_t argument(Vector arguments, uint32_t index) const {
    return value_index(arguments, index);
  }
  /// Bytes of the caller's arenas in use.
  size_t planned_bytes() const { return planned_bytes_; }
  size_t table_bytes() const { return table_bytes_; }

  /// Runs every instruction. With `checking` set, only checks that each can run: operators, kinds,
  /// dtypes, shapes, memory, work.
  [[nodiscard]] bool run(bool checking, Report& report);
#if BPTE_ETHOSU_MODEL
  /// Whether the last run executed a delegate.
  bool delegates_ran() const {
    return delegates_ran_;
  }
#endif
  /// Runs every instruction. Calls `before()` before each, and `after(number, delegated, call)`
  /// after it, until that is false: the instruction's number among all chains', and its KernelCall
  /// or DelegateCall.
  template <typename Before, typename After>
  [[nodiscard]] bool run_each(Before&& before, After&& after, Report& report);
#if BPTE_ENGINE_STEPPING
  /// What such an instruction is, and which values it gave.
  struct Executed {
    uint32_t chain = 0;
    uint32_t index = 0;
    Text name;
    Text overload;
    Vector outputs;             ///< indices of values, of which the outputs are
    uint32_t first_output = 0;  ///< the first of them
    uint32_t output_count() const { return outputs.count - first_output; }
  };
  Executed describe(uint32_t number, bool delegated, uint32_t call) const;
#endif
#if BPTE_ENGINE_STEPPING && BPTE_ETHOSU_MODEL
  /// Has run_each() tell `observer` of each operation inside of delegates; nullptr: of none. Where
  /// it stops one, `after` is still called for the delegate.
  void watch_operations(EthosUModel::Observer observer, void* context) {
    watch_ = observer;
    watch_context_ = context;
  }
  /// Where the delegate call is whose operation the observer is told of.
  Executed running_delegate() const;
  /// Memory beside what delegates use; empty when there is not so much.
  Span<uint8_t> beside_delegates(uint64_t size) const;
#endif

  // ---- Values, by index. Each call checks the index, the kind and the value's whole table.

  schema::KernelTypes kind(uint32_t value) const;
  [[nodiscard]] bool tensor(uint32_t value, Tensor& tensor, Report& report) const;
  /// The present value of an Int, Bool or Double.
  [[nodiscard]] bool integer(uint32_t value, int64_t& number, Report& report) const;
  [[nodiscard]] bool number(uint32_t value, double& number, Report& report) const;
  [[nodiscard]] bool text(uint32_t value, Text& text, Report& report) const;
  /// Items of an IntList, TensorList or OptionalTensorList: indices of values.
  [[nodiscard]] bool list_size(uint32_t value, uint32_t& size, Report& report) const;
  [[nodiscard]] bool list_item(uint32_t value, uint32_t index, uint32_t& item,
                               Report& report) const;
  /// Whether an item of an OptionalTensorList is None.
  bool list_item_is_none(uint32_t value, uint32_t index) const;

  /// Gives a tensor sizes: the same, or, when it is dynamic, any up to its bounds. Updates
  /// `tensor`.
  [[nodiscard]] bool resize(Tensor& tensor, const int32_t* sizes, size_t rank, Report& report);
  /// Makes a tensor without memory of its own a view of another, in a shape with as many elements.
  [[nodiscard]] bool view(uint32_t value, const Tensor& source, const int32_t* sizes, size_t rank,
                          Report& report);
  /// Sets a scalar that an instruction computes.
  [[nodiscard]] bool set_integer(uint32_t value, int64_t number, Report& report);

  bool is_dynamic(uint32_t value) const {
    return fb().scalar<int8_t>(value_table(value), schema::Tensor::shape_dynamism, 0) != 0;
  }
  /// The sizes that the program states for a tensor, dynamic or not.
  Span<const int32_t> bounds(uint32_t value) const;
  /// The sizes of a tensor in memory that stays: in the program, or in the tables.
  Span<const int32_t> stable_sizes(uint32_t value) const;
  Span<const uint8_t> stable_dim_order(uint32_t value) const;

  /// Counts `amount` elementary operations against the limit.
  [[nodiscard]] bool work(uint64_t amount, Report& report);

 private:
  struct Buffer {
    uint8_t* data;
    size_t size;
  };
  /// What the program states of a tensor.
  struct TensorTable {
    Vector sizes, dim_order;
    int8_t dynamism = 0;
    int8_t type = 0;
    uint32_t buffer = 0;      ///< index of a constant or initial value; 0: none
    bool external = false;    ///< whether a data file holds it
    uint32_t allocation = 0;  ///< table of its place in the memory plan; 0: none
  };

  const FlatBuffer& fb() const {
    return program_->flatbuffer();
  }
#if BPTE_ENGINE_STEPPING
  /// In which chain the instruction with this number is, and where.
  Executed locate(uint32_t number) const;
#endif
  /// Refuses the backends that this build does not have, and finds what the others need.
  [[nodiscard]] bool check_delegates(Vector delegates, Report& report);
  /// Gives them memory after the first `used` bytes of `planned`, and counts it.
  [[nodiscard]] bool place_delegates(Span<uint8_t> planned, uint64_t& used, Report& report);
  [[nodiscard]] bool call_delegate(uint32_t number, uint32_t delegate_call, bool checking,
                                   Report& report);
#if BPTE_ETHOSU_MODEL
  [[nodiscard]] bool open_delegate(uint32_t index, Report& report);
  [[nodiscard]] bool delegate_tensor(uint32_t value, uint32_t index, bool writes, Tensor& tensor,
                                     Report& report) const;
#endif
  /// The items of an IntList, TensorList or OptionalTensorList.
  [[nodiscard]] bool list(uint32_t value, Vector& items, Report& report) const;
  uint32_t value_index(Vector indices, uint32_t index) const;
  uint32_t value_table(uint32_t value) const;
  [[nodiscard]] bool check_malformed(Report& report) const;
  /// Finds every operator's kernel, or names all operators that are missing.
  [[nodiscard]] bool resolve_operators(Report& report);
  [[nodiscard]] bool plan_memory(const MethodMemory& memory, Report& report);
  [[nodiscard]] bool make_tables(Span<uint8_t> tables, Report& report);
  /// Cells that all values and computed scalars need.
  [[nodiscard]] bool count_cells(uint64_t& count, Report& report) const;
  /// Gives each value its cells, and dynamic tensors their bounds as first sizes.
  [[nodiscard]] bool assign_cells(Report& report);
  /// Whether a call computes a scalar, and which value that is.
  bool computes_scalar(uint32_t kernel_call, uint32_t& value) const;
  /// Finds the tensors that data files hold.
  [[nodiscard]] bool place_external(Report& report);
  [[nodiscard]] bool check_values(Report& report);
  /// What runs an operator, or nullptr.
  Kernel find_kernel(Text name, Text overload) const;
  [[nodiscard]] bool planned_place(uint32_t value, uint32_t allocation, size_t size, uint8_t*& data,
                                   Report& report) const;
  /// Reads a tensor's table, and refuses what this engine does not support.
  [[nodiscard]] bool tensor_table(uint32_t value, TensorTable& tensor, Report& report) const;
  /// Two parts of tensor(): rank, sizes, dim_order and strides; then data.
  [[nodiscard]] bool set_shape(const TensorTable& table, Tensor& tensor, Report& report) const;
  [[nodiscard]] bool set_data(const TensorTable& table, Tensor& tensor, Report& report) const;
  /// Whether a tensor's data is in a data file.
  bool is_external(uint32_t tensor_table) const;
  /// Whether a tensor has no place in the memory plan, the constants or a data file.
  bool is_unplanned(uint32_t value) const;
  /// Cells that a value needs for itself (not counting computed scalars).
  uint32_t cells_of(uint32_t value) const;
  template <typename F>
  [[nodiscard]] bool for_each_instruction(F&& visit, Report& report) const;
  [[nodiscard]] bool call(uint32_t number, uint32_t kernel_call, bool checking, Report& report);

  const Program* program_ = nullptr;
  Vector values_, inputs_, outputs_, chains_, operators_, buffer_sizes_;
  Span<Buffer> buffers_;  // of the memory plan; [i] is memory_id i + 1
  Span<Kernel> kernels_;  // by operator index
  // By value: 1 + index of its first cell, or 0. A cell is 8 bytes: a computed scalar, the address
  // of an unplanned or external tensor's data, or two sizes of a dynamic tensor (after its address
  // if both).
  Span<uint16_t> cell_index_;
  Span<uint64_t> cells_;
#if BPTE_ETHOSU_MODEL
  Vector delegates_;
  EthosUModel npu_;                // the delegate that was opened last
  Span<uint8_t> delegate_memory_;  // of every delegate, one after the other; after the buffers
  uint64_t delegate_bytes_ = 0;
  bool delegates_ran_ = false;
#endif
#if BPTE_ENGINE_STEPPING && BPTE_ETHOSU_MODEL
  EthosUModel::Observer watch_ = nullptr;
  void* watch_context_ = nullptr;
  uint32_t running_ = 0;  // the number of the delegate call
#endif
  size_t planned_bytes_ = 0;
  size_t table_bytes_ = 0;
  uint64_t work_limit_ = 0;
  uint64_t work_ = 0;
};

#if !BPTE_ETHOSU_MODEL
inline bool Method::check_delegates(Vector delegates, Report& report) {
  if (delegates.count == 0) return true;
  const Text id = fb().string(fb().table_element(delegates, 0), schema::BackendDelegate::id);
  if (!check_malformed(report)) return false;
  return report.fail(EngineError::kMissingBackend)
         << "the method needs the backend " << id << "; this engine runs operators only";
}
inline bool Method::place_delegates(Span<uint8_t>, uint64_t&, Report&) {
  return true;
}
inline bool Method::call_delegate(uint32_t, uint32_t, bool, Report&) {
  return false;
}
#endif

template <typename F>
bool Method::for_each_instruction(F&& visit, Report& report) const {
  uint32_t number = 0;
  for (uint32_t c = 0; c < chains_.count; ++c) {
    const Vector instructions =
        fb().vector(fb().table_element(chains_, c), schema::Chain::instructions, sizeof(uint32_t));
    for (uint32_t i = 0; i < instructions.count; ++i, ++number) {
      // Chains may share their tables: without this bound, a small file could state endless work.
      if (number >= fb().size() / sizeof(uint32_t)) {
        return report.invalid_program() << "more instructions than the program has room for";
      }
      const uint32_t instruction = fb().table_element(instructions, i);
      const uint8_t type =
          fb().scalar<uint8_t>(instruction, schema::Instruction::instr_args_type, 0);
      const uint32_t arguments = fb().table(instruction, schema::Instruction::instr_args);
      if (!check_malformed(report)) return false;
      const bool delegated =
          kHasDelegates && type == static_cast<uint8_t>(schema::InstructionArguments::DelegateCall);
      if (!delegated && type != static_cast<uint8_t>(schema::InstructionArguments::KernelCall)) {
        static const char* const kNames[] = {"an empty instruction", "KernelCall",
                                             "DelegateCall",         "MoveCall",
                                             "JumpFalseCall",        "FreeCall"};
        return report.unsupported()
               << "instruction " << number << ": "
               << (type < sizeof(kNames) / sizeof(kNames[0]) ? kNames[type] : "an unknown kind")
               << " is not supported";
      }
      if (!visit(number, delegated, arguments)) return false;
    }
  }
  return check_malformed(report);
}

template <typename Before, typename After>
bool Method::run_each(Before&& before, After&& after, Report& report) {
  work_ = 0;
#if BPTE_ETHOSU_MODEL
  delegates_ran_ = false;
#endif
  const auto visit = [&](uint32_t number, bool delegated, uint32_t arguments) {
    before();
    return (delegated ? call_delegate(number, arguments, false, report)
                      : call(number, arguments, false, report)) &&
           after(number, delegated, arguments);
  };
  return for_each_instruction(visit, report);
}

}  // namespace bpte::reference
