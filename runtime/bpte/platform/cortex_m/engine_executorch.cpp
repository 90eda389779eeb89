// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/log_capture.h>
#include <bpte/runner/runner.h>

#include <new>

#include "board_engine.h"
#include "console.h"

namespace bpte_board {
namespace {

// Scratch of a single operator: CMSIS-NN's convolutions keep their im2col buffers there.
constexpr size_t kTempSize = 64 * 1024;

bpte::FixedArena planned_arena, program_arena, other_arena, temp_arena;
alignas(bpte::ExecutorchEngine) uint8_t storage[sizeof(bpte::ExecutorchEngine)];

// When a check of ExecuTorch fails (ET_CHECK), reports that. Its own abort() would report nothing.
void give_up(const char* reason) {
  bpte::abandon_run("execution_failed", reason);
  stop(static_cast<int>(bpte::Outcome::kInfrastructure));
}

}  // namespace

bpte::Engine& make_engine(const EngineSpans& spans) {
  bpte::set_executorch_abort_handler(give_up);
  const size_t half = spans.other.size() / 2;
  const size_t temp_size = half < kTempSize ? half : kTempSize;
  planned_arena = bpte::FixedArena(spans.planned);
  program_arena = bpte::FixedArena(spans.program);
  temp_arena = bpte::FixedArena(spans.other.subspan(0, temp_size));
  other_arena = bpte::FixedArena(spans.other.subspan(temp_size, spans.other.size() - temp_size));
  bpte::ExecutorchMemory memory;
  memory.program = &program_arena;
  memory.planned = &planned_arena;
  memory.method = &other_arena;
  memory.temp = &temp_arena;
  return *new (storage) bpte::ExecutorchEngine(memory);
}

EngineMemory engine_memory() {
  return {planned_arena.peak(), other_arena.peak() + temp_arena.peak()};
}

}  // namespace bpte_board
