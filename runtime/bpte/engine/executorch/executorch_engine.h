// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/engine.h>
#include <bpte/engine/executorch/arena.h>
#include <bpte/engine/executorch/program_check.h>
#include <bpte/engine/executorch/program_loader.h>
#include <bpte/engine/message.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include <optional>

namespace bpte {

/// Where an ExecutorchEngine's memory comes from. One arena may serve for several needs, except
/// that `temp` is its own. The arenas outlive the engine.
struct ExecutorchMemory {
  /// A program that comes through a data source: its FlatBuffer, constants and delegates' data.
  /// Unused for one in place; may be nullptr then.
  Arena* program = nullptr;
  /// ExecuTorch's own structures for the loaded method: the "method allocator".
  Arena* method = nullptr;
  /// The buffers of the program's memory plan, and inputs and outputs that the plan leaves to the
  /// caller.
  Arena* planned = nullptr;
  /// Scratch of a single operator or delegate call.
  Arena* temp = nullptr;
};

struct ExecutorchOptions {
  /// Has ExecuTorch verify the program's FlatBuffer and tensors before use (its
  /// Verification::InternalConsistency; where ExecuTorch was built without it, it does not).
  bool verify_program = true;
  /// What to do when a program plans more memory than there is: a few words for the message.
  const char* planned_advice = "";
};

/// The real runtime. The program runs where it lies. Bad programs and inputs are found out before
/// ExecuTorch would abort on them, as far as its interface and the program's FlatBuffer tell; for
/// the rest see set_executorch_abort_handler().
///
/// What a method writes starts afresh with load_method(): stored initial values are loaded again,
/// all other planned memory is zero. For the method that is loaded already this does not initialise
/// its delegates again, unless one might keep state of its own.
///
/// Inputs are copied, so that a program may write to them.
class ExecutorchEngine final : public Engine {
 public:
  explicit ExecutorchEngine(const ExecutorchMemory& memory, const ExecutorchOptions& options = {});
  ~ExecutorchEngine();
  ExecutorchEngine(const ExecutorchEngine&) = delete;
  ExecutorchEngine& operator=(const ExecutorchEngine&) = delete;

  const char* name() const override { return "executorch"; }
  /// Of the ExecuTorch that this was built against.
  const char* version() const override;

  [[nodiscard]] EngineError load(const ProgramLocation& program) override;
  bool has_method(const char* name, size_t name_size) const override;
  [[nodiscard]] EngineError load_method(const char* name, size_t name_size) override;

  size_t input_count() const override;
  size_t output_count() const override;
  [[nodiscard]] EngineError set_input(size_t index, const Value& value) override;
  [[nodiscard]] EngineError execute() override;
  [[nodiscard]] EngineError output(size_t index, Value& value) override;

  const char* message() const override { return message_.c_str(); }

 private:
  // ExecuTorch's allocator, on an arena of ours; remembers what it could not give.
  class Allocator final : public ::executorch::runtime::MemoryAllocator {
   public:
    explicit Allocator(Arena* arena);
    void* allocate(size_t size, size_t alignment) override;
    void reset() override;
    uint32_t size() const override;
    size_t used_size() const override;
    size_t free_size() const override;
    size_t lacking() const { return lacking_; }

   private:
    Arena* arena_;
    size_t start_;
    size_t lacking_ = 0;
  };

  const char* method_name(size_t index) const;
  EngineError start_method(const char* name, size_t name_size);
  EngineError restart_method();
  EngineError plan_memory(const ::executorch::runtime::MethodMeta& meta);
  EngineError provide_inputs_and_outputs(const ::executorch::runtime::MethodMeta& meta);
  EngineError check_tensor_input(size_t index, const TensorView& tensor,
                                 const ::executorch::runtime::TensorInfo& expected);
  EngineError set_tensor_input(size_t index, const TensorView& tensor);
  EngineError out_of_memory(const char* arena, const Arena* where, uint64_t size);
  // Whether the program's bytes could not be brought in, and if so why.
  EngineError loader_failure();
  EngineError explain(::executorch::runtime::Error error, EngineError otherwise, const char* what,
                      const Message& log);
  void drop_method();

  ExecutorchMemory memory_;
  ExecutorchOptions options_;
  Message message_;

  // What to rewind the arenas to: before a program is loaded ...
  size_t program_mark_ = 0;
  // ... and before a method is.
  size_t loaded_mark_ = 0;
  size_t method_mark_ = 0;
  size_t planned_mark_ = 0;

  ProgramLoader loader_;
  std::optional<::executorch::runtime::Program> program_;

  // Of the loaded method. In the order in which they depend on one another.
  std::optional<Allocator> method_allocator_;
  std::optional<Allocator> temp_allocator_;
  ::executorch::runtime::Span<::executorch::runtime::Span<uint8_t>> planned_;
  std::optional<::executorch::runtime::HierarchicalAllocator> planned_allocator_;
  std::optional<::executorch::runtime::MemoryManager> manager_;
  std::optional<::executorch::runtime::Method> method_;
  ProgramView view_;
  uint8_t** input_buffers_ = nullptr;  // for each input a buffer, or nullptr when it is planned
  const char* loaded_name_ = nullptr;
  bool needs_reload_ = false;  // a mere restart would not do
};

}  // namespace bpte
