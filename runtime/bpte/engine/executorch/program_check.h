// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/flatbuffer.h>
#include <bpte/engine/data_file.h>
#include <bpte/engine/engine.h>
#include <bpte/engine/program_schema.h>
#include <bpte/engine/report.h>
#include <bpte/engine/stepping.h>

namespace bpte {

/// Reads a program's FlatBuffer (executorch/schema/program.fbs) for what ExecuTorch's own interface
/// does not give: the names of operators, and the facts that ExecuTorch does not check, although a
/// wrong one makes it abort or read out of bounds.
class ProgramView {
 public:
  ProgramView() = default;
  /// `bytes` are the FlatBuffer alone, without the segments after it; they and the data files
  /// outlive the view.
  ProgramView(Span<const uint8_t> bytes, const DataFileSet* data);

  /// Checks one method wholly. Errors: kUnknownMethod, kInvalidProgram, kMissingOperator,
  /// kMissingBackend (with all the names that are missing), kMissingData, kInvalidData and
  /// kUnsupported; `report` says why.
  bool open_method(const char* name, size_t name_size, Report& report);

  // The following are about the method that open_method() accepted.

  /// An upper bound of what Method::load() takes for values before it checks an allocation:
  /// ExecuTorch 1.5 builds lists in whatever allocate() returned, nullptr included.
  size_t value_memory() const { return value_memory_; }

  /// True when each dimension of the tensor that is input `index` may be smaller than stated.
  bool input_is_dynamic(size_t index);

  /// A scalar input's value: ExecuTorch accepts only the one that the program was exported with.
  /// kNone for anything but an int, a double or a bool.
  Value input_constant(size_t index);

  /// A tensor that is written by the method and begins with a stored value.
  struct InitialState {
    uint32_t memory_id = 0;  ///< index of the planned buffer
    uint64_t memory_offset = 0;
    size_t size = 0;
    uint64_t program_offset = 0;  ///< of the stored value, in the program
  };
  /// Calls `visit(const InitialState&)` for each. Stops and returns false when that returns false.
  template <typename Visit>
  bool for_each_initial_state(Visit visit) {
    for (uint32_t i = 0; i < values_.count; ++i) {
      InitialState state;
      if (initial_state(i, state) && !visit(state)) return false;
    }
    return true;
  }

  /// Whether a tensor that the method writes begins with a value of a data file.
  bool has_external_state() const { return has_external_state_; }

  /// Whether each of the method's delegates is known to keep no state between runs.
  bool delegates_are_stateless();

#if BPTE_ENGINE_STEPPING
  /// An instruction of the method. A position is one in the program's FlatBuffer.
  struct Instruction {
    InstructionKind kind = InstructionKind::kKernel;
    Text name;  ///< as in ExecutedInstruction
    Text overload;
    flatbuffer::Vector outputs;  ///< indices of values; of a kernel or delegate
    uint32_t moved_to = 0;       ///< of a move: a value
    uint32_t condition = 0;      ///< of a jump: the value that lets it pass
    uint32_t destination = 0;    ///< of a jump: the index of the next instruction otherwise
  };
  uint32_t chain_count();
  uint32_t instruction_count(uint32_t chain) {
    return instructions(chain).count;
  }
  /// How many outputs a delegate has takes a look at all other instructions to find.
  static constexpr uint16_t kNotFoundYet = UINT16_MAX;
  /// Of an instruction that is there. `outputs`: where a delegate's number of outputs is kept from
  /// one call to the next, at first kNotFoundYet; or nullptr.
  Instruction instruction(uint32_t chain, uint32_t index, uint16_t* outputs = nullptr);
  /// What it gives, as ExecutedInstruction says: indices of values, UINT32_MAX past the last.
  uint32_t output_count(const Instruction& instruction) const;
  uint32_t output_of(const Instruction& instruction, uint32_t index) const;
  /// The value that the method's output `index` is; UINT32_MAX past the last.
  uint32_t output_value(uint32_t index);
  uint32_t value_count() const {
    return values_.count;
  }
#endif

 private:
  using Position = flatbuffer::Position;

#if BPTE_ENGINE_STEPPING
  flatbuffer::Vector instructions(uint32_t chain);
  uint32_t item(const flatbuffer::Vector& values, uint32_t index) const;
  Text text_of(Position table, uint16_t field);
  bool is_given_by_delegate(uint32_t value, uint32_t chain, uint32_t index);
  bool touches(uint32_t chain, uint32_t index, uint32_t value, bool earlier);
#endif

  bool check_values(Report& report);
  bool check_tensor(uint32_t value, Position tensor, size_t& nbytes, Report& report);
  bool check_external(Position tensor, Report& report);
  bool check_list(uint32_t value, Position list, program_schema::KernelTypes type, Report& report);
  bool check_interface(Report& report);
  bool check_delegates(Report& report);
  bool check_instructions(Report& report);
  bool check_operators(Report& report);

  Position value_of(uint32_t index, program_schema::KernelTypes& type);
  /// The same of an input; NONE past the last.
  Position input_value(size_t index, program_schema::KernelTypes& type);
  Span<const char> text(const flatbuffer::Vector& string) const;
  bool initial_state(uint32_t value, InitialState& state);
  void add_memory(size_t size);
  /// Counts work against a bound that grows with the program; past it the program is bad.
  void charge(uint32_t steps);

  flatbuffer::Reader reader_;
  uint64_t steps_left_ = 0;
  uint64_t segment_base_ = 0;
  Position program_ = 0;
  Position plan_ = 0;
  flatbuffer::Vector values_;
  flatbuffer::Vector inputs_;
  size_t value_memory_ = 0;
  const DataFileSet* data_ = nullptr;
  bool has_external_state_ = false;
};

}  // namespace bpte
