// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/log_capture.h>
#include <bpte/runner/runner.h>
#if BPTE_ETHOSU_MODEL
#include <bpte/engine/executorch/ethosu_backend.h>
#include <executorch/runtime/platform/log.h>
#endif

#include <new>

#include "board_engine.h"
#include "console.h"
#include "npu.h"
#include "tail_arena.h"
#ifdef BPTE_NPU_MODEL
#include "npu_model.h"
#endif

namespace bpte_board {
namespace {

#if BPTE_ETHOSU_MODEL || defined(BPTE_NPU_DELEGATE)
// The temporary memory holds the NPU's scratch memory, which may be large and which an NPU must
// reach: what the memory plan leaves over.
using TempArena = TailArena;
#else
// Scratch of a single operator: CMSIS-NN's convolutions keep their im2col buffers there.
constexpr size_t kTempSize = 64 * 1024;
using TempArena = bpte::FixedArena;
#endif

bpte::FixedArena planned_arena, program_arena, other_arena;
TempArena temp_arena;
alignas(bpte::ExecutorchEngine) uint8_t storage[sizeof(bpte::ExecutorchEngine)];
#if BPTE_ENGINE_STEPPING
bpte::ExecutorchEngine* engine = nullptr;
#endif

// When a check of ExecuTorch fails (ET_CHECK), reports that. Its own abort() would report nothing.
void give_up(const char* reason) {
  bpte::abandon_run("execution_failed", reason);
  stop(static_cast<int>(bpte::Outcome::kInfrastructure));
}

void make_arenas(const EngineSpans& spans) {
  planned_arena = bpte::FixedArena(spans.planned);
  program_arena = bpte::FixedArena(spans.program);
#if BPTE_ETHOSU_MODEL || defined(BPTE_NPU_DELEGATE)
  other_arena = bpte::FixedArena(spans.other);
  temp_arena = TailArena(spans.planned, planned_arena);
#else
  const size_t half = spans.other.size() / 2;
  const size_t temp_size = half < kTempSize ? half : kTempSize;
  temp_arena = bpte::FixedArena(spans.other.subspan(0, temp_size));
  other_arena = bpte::FixedArena(spans.other.subspan(temp_size, spans.other.size() - temp_size));
#endif
}

// Behind ExecuTorch's own delegate, if the firmware has that, else as a backend of ours, which can
// use no NPU and so leaves programs alone where one is.
void add_npu_model() {
#ifdef BPTE_NPU_MODEL
  start_npu_model(temp_arena, [](const char* why) { ET_LOG(Error, "%s", why); });
#elif BPTE_ETHOSU_MODEL
  if (!npu_answers()) (void)bpte::register_ethosu_backend();
#endif
}

}  // namespace

bpte::Engine& make_engine(const EngineSpans& spans) {
  bpte::set_executorch_abort_handler(give_up);
  make_arenas(spans);
  add_npu_model();
  bpte::ExecutorchMemory memory;
  memory.program = &program_arena;
  memory.planned = &planned_arena;
  memory.method = &other_arena;
  memory.temp = &temp_arena;
#if BPTE_ENGINE_STEPPING
  engine = new (storage) bpte::ExecutorchEngine(memory);
  return *engine;
#else
  return *new (storage) bpte::ExecutorchEngine(memory);
#endif
}

#if BPTE_ENGINE_STEPPING
bpte::Stepping& engine_stepping() {
  return *engine;
}
#endif

EngineMemory engine_memory() {
  return {planned_arena.peak(), other_arena.peak() + temp_arena.peak()};
}

}  // namespace bpte_board
