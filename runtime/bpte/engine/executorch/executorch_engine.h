// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/engine.h>
#include <bpte/engine/executorch/arena.h>
#include <bpte/engine/executorch/data_map.h>
#include <bpte/engine/executorch/program_check.h>
#include <bpte/engine/executorch/program_loader.h>
#include <bpte/engine/report.h>
#include <bpte/engine/stepping.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include <optional>

namespace bpte {

/// Where an ExecutorchEngine's memory comes from. One arena may serve for several needs, except
/// that `temp` is its own. The arenas outlive the engine.
struct ExecutorchMemory {
  /// For a program from a data source: its FlatBuffer, constants and delegates' data, and whole
  /// data files. Not used for what is in place, and may then be nullptr.
  Arena* program = nullptr;
  /// ExecuTorch's own structures for the loaded method: the "method allocator".
  Arena* method = nullptr;
  /// The buffers of the program's memory plan, and inputs and outputs that the plan does not place.
  Arena* planned = nullptr;
  /// Scratch of a single operator or delegate call.
  Arena* temp = nullptr;
};

struct ExecutorchOptions {
  /// Lets ExecuTorch verify the program's FlatBuffer and tensors before use (its
  /// Verification::InternalConsistency). No effect when ExecuTorch was built without that.
  bool verify_program = true;
  /// A few words for the message, on what to do when a program plans more memory than there is.
  const char* planned_advice = "";
};

/// ExecuTorch's own runtime. The program runs where it lies. Where ExecuTorch would abort on a bad
/// program or input, the engine refuses it first, if ExecuTorch's interface or the program's
/// FlatBuffer shows the defect. For the rest see set_executorch_abort_handler().
///
/// load_method() resets what a method writes: it loads stored initial values again, and makes all
/// other planned memory zero. If the method is already loaded, it initialises the delegates again
/// only when one of them might keep state.
///
/// Inputs are copied, so that a program may write to them.
class ExecutorchEngine final : public SteppingEngine {
 public:
  explicit ExecutorchEngine(const ExecutorchMemory& memory, const ExecutorchOptions& options = {});
  ~ExecutorchEngine() { drop_method(); }
  ExecutorchEngine(const ExecutorchEngine&) = delete;
  ExecutorchEngine& operator=(const ExecutorchEngine&) = delete;

  const char* name() const override { return "executorch"; }
  /// The version of the ExecuTorch that this was built with.
  const char* version() const override;

  [[nodiscard]] EngineError load(const ProgramLocation& program) override;
  bool has_method(const char* name, size_t name_size) const override;
  [[nodiscard]] EngineError load_method(const char* name, size_t name_size) override;

  size_t input_count() const override { return method_ ? method_->inputs_size() : 0; }
  size_t output_count() const override { return method_ ? method_->outputs_size() : 0; }
  [[nodiscard]] EngineError set_input(size_t index, const Value& value) override;
  [[nodiscard]] EngineError execute() override;
  [[nodiscard]] EngineError output(size_t index, Value& value) override;
#if BPTE_ENGINE_STEPPING
  /// By Method::step(), which ExecuTorch calls experimental. The values are found by public
  /// functions alone, but the way relies on how ExecuTorch keeps them: where that is not found as
  /// expected, the answer is kUnsupported. After an error the method must be loaded again.
  [[nodiscard]] EngineError step_through(InstructionObserver& observer) override;
#endif

  const char* message() const override {
    return report_.message();
  }
  const char* stand_in() const override {
    return stand_in_;
  }

 private:
  // ExecuTorch's allocator, on an arena of ours; remembers what it could not give.
  class Allocator final : public ::executorch::runtime::MemoryAllocator {
   public:
    explicit Allocator(Arena* arena);
    void* allocate(size_t size, size_t alignment) override;
    void reset() override { arena_->rewind(start_); }
    uint32_t size() const override;
    size_t used_size() const override { return arena_->mark() - start_; }
    size_t free_size() const override { return arena_->available(); }
    size_t lacking() const { return lacking_; }

   private:
    Arena* arena_;
    size_t start_;
    size_t lacking_ = 0;
  };

  // The program's own copy of a method's name; nullptr without such a method.
  const char* own_name(const char* name, size_t name_size) const;
  // The program's data files, those from a data source read into memory.
  EngineError add_data(const DataFiles& files);
  EngineError start_method(const char* name);
  EngineError restart_method();
  EngineError plan_memory(const ::executorch::runtime::MethodMeta& meta);
  EngineError provide_inputs_and_outputs(const ::executorch::runtime::MethodMeta& meta);
  EngineError check_tensor_input(size_t index, const TensorView& tensor,
                                 const ::executorch::runtime::TensorInfo& expected);
  EngineError set_tensor_input(size_t index, const TensorView& tensor);
  EngineError out_of_memory(const char* arena, const Arena* where, uint64_t size);
  // Whether reading the program's bytes failed; if so, the reason is in report_.
  EngineError loader_failure();
  EngineError explain(EngineError meaning, const char* what, ::executorch::runtime::Error error,
                      const Message& log);
  void drop_method();
  EngineError execution_failed(::executorch::runtime::Error error, const Message& log);
  // What a value is; `index` is its number among the outputs of the method or an instruction.
  EngineError read_output(const ::executorch::runtime::EValue& actual, size_t index, Value& value);
#if BPTE_ENGINE_STEPPING
  class Executed;
  ::executorch::runtime::EValue* table_of_values();
  EngineError overwrite(::executorch::runtime::EValue& target, size_t index, const Value& value);
  bool is_own_memory(const void* start, size_t size) const;
  uint16_t* delegate_outputs();
#endif

  ExecutorchMemory memory_;
  ExecutorchOptions options_;
  Report report_;
  const char* stand_in_ = "";

  // Where to rewind the arenas to, for another program ...
  size_t program_mark_ = 0;
  // ... and for another method.
  size_t loaded_mark_ = 0;
  size_t method_mark_ = 0;
  size_t planned_mark_ = 0;

  ProgramLoader loader_;
  std::optional<::executorch::runtime::Program> program_;
  DataMap data_;

  // The loaded method's parts, in the order in which they depend on one another.
  std::optional<Allocator> method_allocator_;
  std::optional<Allocator> temp_allocator_;
  ::executorch::runtime::Span<::executorch::runtime::Span<uint8_t>> planned_;
  std::optional<::executorch::runtime::HierarchicalAllocator> planned_allocator_;
  std::optional<::executorch::runtime::MemoryManager> manager_;
  std::optional<::executorch::runtime::Method> method_;
  ProgramView view_;
  uint8_t** input_buffers_ = nullptr;  // for each input a buffer, or nullptr when it is planned
#if BPTE_ENGINE_STEPPING
  ::executorch::runtime::Span<::executorch::runtime::Span<uint8_t>> output_buffers_;  // likewise
  // For each instruction of all chains, see ProgramView::instruction(); nullptr until the method is
  // stepped through, and where there is no memory for it.
  uint16_t* delegate_outputs_ = nullptr;
#endif
  const char* loaded_name_ = nullptr;
  bool needs_reload_ = false;  // a restart is not enough
};

}  // namespace bpte
