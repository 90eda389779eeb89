// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Running a method instruction by instruction, with a look at what each one gave. An interface of
// its own beside Engine: an engine need not have it.

#include <bpte/core/tensor_view.h>
#include <bpte/core/text.h>
#include <bpte/engine/engine.h>

#include <cstdint>

/// Whether this project's engines can be stepped. The CMake option of the same name sets this
/// macro, the same in every file of a program. Without it nothing of it is compiled.
#ifndef BPTE_ENGINE_STEPPING
#define BPTE_ENGINE_STEPPING 0
#endif

namespace bpte {

/// What an instruction does: the members of InstructionArguments in ExecuTorch's program.fbs; and
/// one operation inside of a delegate call, where an engine shows these.
enum class InstructionKind : uint8_t { kKernel, kDelegate, kMove, kJump, kFree, kOperation };

#if BPTE_ENGINE_STEPPING
/// "kernel", "delegate", "move", "jump", "free", "operation". Never null; static storage.
const char* to_string(InstructionKind kind);
#endif

/// An instruction that was just executed, and what it gave. Its outputs are
///   - of a kernel: its last argument; the items of it, if it is a list of tensors;
///     of executorch_prim::et_copy_index the first one,
///   - of a delegate: those last arguments that are tensors, which no other instruction wrote, and
///     which are neither inputs nor constants of the method,
///   - of a move: the value that was moved to,
///   - of an operation of an Ethos-U: its OFM, a tensor [height, width, depth], where a memory
///     holds one,
///   - of the others: none.
/// All of this is valid until the observer returns.
class ExecutedInstruction {
 public:
  uint32_t chain = 0;
  uint32_t index = 0;  ///< in the chain; of an operation that of its delegate call
  InstructionKind kind = InstructionKind::kKernel;
  uint32_t operation = 0;  ///< of an operation: the number of its command in the delegate
  Text name;  ///< of a kernel the operator's, "aten::add"; of a delegate its backend's id; of an
              ///< operation "NPU_OP_CONV"
  Text overload;  ///< of a kernel the operator's, "out"; may be empty
  uint32_t output_count = 0;

  /// A view into the engine's memory, in place; of an operation a copy in the order NHWC. That
  /// takes the place of an OFM beside the engine's own: kOutOfMemory without it. kNoSuchOutput past
  /// the last; kUnsupported for a kind or dtype that Value cannot hold.
  [[nodiscard]] virtual EngineError output(uint32_t output, Value& value) = 0;
  /// Copies `value` over an output: what follows computes with it. It must have the output's kind,
  /// dtype, sizes and dim_order (kInvalidInput). kUnsupported when the output cannot be written: a
  /// view of a constant, or a scalar of a kind that the engine does not compute.
  [[nodiscard]] virtual EngineError replace(uint32_t output, const Value& value) = 0;

 protected:
  ~ExecutedInstruction() = default;
};

class InstructionObserver {
 public:
  /// Called right before and right after an instruction executes, for an observer that takes its
  /// time. Nothing else of the engine's work lies between the two. They also enclose what lies
  /// between a delegate's operations, where these are shown.
  virtual void starts() {}
  virtual void ends() {}
  /// Whether executed() is to be called for operations inside of delegates, too.
  virtual bool wants_operations() const { return false; }
  /// Called after each instruction, after ends(), and before that of a delegate after each of its
  /// operations. False stops: the method is then in the middle of a run, and must be loaded again.
  [[nodiscard]] virtual bool executed(ExecutedInstruction& instruction) = 0;

 protected:
  ~InstructionObserver() = default;
};

/// What an engine offers that can run a method instruction by instruction.
class Stepping {
 public:
  /// As Engine::execute() of the same engine, with the same outputs; `observer` is called for
  /// each instruction. kOk also when the observer stopped it.
  [[nodiscard]] virtual EngineError step_through(InstructionObserver& observer) = 0;

 protected:
  ~Stepping() = default;
};

/// What this project's engines are.
#if BPTE_ENGINE_STEPPING
class SteppingEngine : public Engine, public Stepping {
 protected:
  ~SteppingEngine() = default;
};
#else
using SteppingEngine = Engine;
#endif

}  // namespace bpte
