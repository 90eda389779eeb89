// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/engine.h>
#include <bpte/engine/reference/internal/method.h>
#include <bpte/engine/reference/internal/program.h>
#include <bpte/engine/report.h>
#include <bpte/engine/stepping.h>

namespace bpte {

/// Where a ReferenceEngine's memory comes from. The spans outlive the engine and may have any
/// alignment. The sizes that kOutOfMemory reports include padding.
struct ReferenceMemory {
  /// The buffers of the program's memory plan: activations and mutable state. Inputs and outputs,
  /// too, even those that the plan does not place.
  Span<uint8_t> planned;
  /// The engine's own tables for the loaded method: 2 bytes for each value, a pointer for each
  /// operator, and what dynamic shapes need.
  Span<uint8_t> tables;
  /// For a whole program and whole data files from a data source. Not used for those in place.
  Span<uint8_t> program;
  /// Fills planned memory with zeros; nullptr: by writing them. For a system that can give zeroed
  /// pages instead.
  void (*clear)(Span<uint8_t> memory) = nullptr;
};

struct ReferenceOptions {
  /// A method that takes more elementary operations than this (multiply-adds, elements written) is
  /// refused; 0: no limit. For programs that are not trusted: a small file can state days of work.
  uint64_t work_limit = 0;
  /// A few words for the message, on what to do when a program plans more memory than there is.
  const char* planned_advice = "";
  /// Refuses programs with delegates for this reason: an NPU that is there, which the engine cannot
  /// use, must not be stood in for.
  const char* no_delegates = nullptr;
};

/// A small executor for bringing up a board. It runs real exported programs, float32 and int8
/// quantised, of the operators that it was built with (docs/reference-engine.md). It refuses a
/// program that needs others by their names, before anything runs. Constants are used where they
/// lie in the program. No heap, no exceptions. It is neither fast nor complete: ExecuTorch is.
///
/// Trusts no program: whatever its bytes are, nothing outside of the program and the given memory
/// is read or written.
class ReferenceEngine final : public SteppingEngine {
 public:
  explicit ReferenceEngine(const ReferenceMemory& memory, const ReferenceOptions& options = {})
      : memory_(memory), options_(options) {}
  ReferenceEngine(const ReferenceEngine&) = delete;
  ReferenceEngine& operator=(const ReferenceEngine&) = delete;

  const char* name() const override { return "reference"; }
  const char* version() const override;

  [[nodiscard]] EngineError load(const ProgramLocation& program) override;
  bool has_method(const char* name, size_t name_size) const override;
  /// Buffers without a stored initial value begin as zeros.
  [[nodiscard]] EngineError load_method(const char* name, size_t name_size) override;

  size_t input_count() const override { return method_loaded_ ? method_.input_count() : 0; }
  size_t output_count() const override { return method_loaded_ ? method_.output_count() : 0; }
  /// Copies. A scalar must have the value that the program was exported with, as with ExecuTorch.
  [[nodiscard]] EngineError set_input(size_t index, const Value& value) override;
  [[nodiscard]] EngineError execute() override;
  [[nodiscard]] EngineError output(size_t index, Value& value) override;
#if BPTE_ENGINE_STEPPING
  [[nodiscard]] EngineError step_through(InstructionObserver& observer) override;
#endif

  const char* message() const override {
    return report_.message();
  }
  const char* stand_in() const override;

  /// What an input is: its dtype, sizes (when dynamic: the last ones set, else the bounds),
  /// dim_order and, when the plan places it, its present data. kInvalidInput past the last.
  [[nodiscard]] EngineError input(size_t index, Value& value);

  /// Bytes that the loaded method uses of ReferenceMemory::planned and ReferenceMemory::tables.
  size_t planned_bytes() const {
    return method_loaded_ ? method_.planned_bytes() : 0;
  }
  size_t table_bytes() const {
    return method_loaded_ ? method_.table_bytes() : 0;
  }

 private:
  /// Bytes of a file in place, or read into the front of `room`, which becomes smaller.
  bool bytes_of(const ProgramLocation& file, const char* what, Span<uint8_t>& room,
                Span<const uint8_t>& bytes);
  bool add_data(const DataFiles& files, Span<uint8_t> room);
#if BPTE_ENGINE_STEPPING
  class Executed;
  // An output of an instruction: a look at it, and another value for it.
  EngineError view_output(uint32_t source, uint32_t output, Value& value);
  EngineError overwrite(uint32_t target, uint32_t output, const Value& value);
#endif
  EngineError view(uint32_t source, Value& value);
  bool set_tensor(size_t index, uint32_t value, const TensorView& view);
  bool set_scalar(size_t index, uint32_t value, const Value& given);

  ReferenceMemory memory_;
  ReferenceOptions options_;
  Report report_;
  reference::Program program_;
  reference::Method method_;
  bool program_loaded_ = false;
  bool method_loaded_ = false;
};

}  // namespace bpte
