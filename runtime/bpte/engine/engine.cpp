// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/engine.h>
#include <bpte/engine/stepping.h>

namespace bpte {

const char* to_string(EngineError error) {
  switch (error) {
    case EngineError::kOk:
      return "ok";
    case EngineError::kInvalidProgram:
      return "invalid_program";
    case EngineError::kUnknownMethod:
      return "unknown_method";
    case EngineError::kMissingOperator:
      return "missing_operator";
    case EngineError::kMissingBackend:
      return "missing_backend";
    case EngineError::kMissingData:
      return "missing_data";
    case EngineError::kInvalidData:
      return "invalid_data";
    case EngineError::kUnsupported:
      return "unsupported";
    case EngineError::kOutOfMemory:
      return "out_of_memory";
    case EngineError::kInvalidInput:
      return "invalid_input";
    case EngineError::kExecutionFailed:
      return "execution_failed";
    case EngineError::kNoSuchOutput:
      return "no_such_output";
  }
  return "unknown";
}

#if BPTE_ENGINE_STEPPING
const char* to_string(InstructionKind kind) {
  switch (kind) {
    case InstructionKind::kKernel:
      return "kernel";
    case InstructionKind::kDelegate:
      return "delegate";
    case InstructionKind::kMove:
      return "move";
    case InstructionKind::kJump:
      return "jump";
    case InstructionKind::kFree:
      return "free";
    case InstructionKind::kOperation:
      return "operation";
  }
  return "unknown";
}
#endif

}  // namespace bpte
