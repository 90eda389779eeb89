// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/reference/reference_engine.h>

#include <new>

#include "board_engine.h"
#include "npu.h"

namespace bpte_board {
namespace {

alignas(bpte::ReferenceEngine) uint8_t storage[sizeof(bpte::ReferenceEngine)];
bpte::ReferenceEngine* engine = nullptr;

}  // namespace

bpte::Engine& make_engine(const EngineSpans& spans) {
  bpte::ReferenceMemory memory;
  memory.planned = spans.planned;
  memory.tables = spans.other;
  memory.program = spans.program;
  bpte::ReferenceOptions options;
  if (npu_answers()) {
    options.no_delegates = "an Ethos-U is there, which only the executorch engine can use";
  }
  engine = new (storage) bpte::ReferenceEngine(memory, options);
  return *engine;
}

#if BPTE_ENGINE_STEPPING
bpte::Stepping& engine_stepping() {
  return *engine;
}
#endif

EngineMemory engine_memory() {
  if (engine == nullptr) return {};
  return {engine->planned_bytes(), engine->table_bytes()};
}

}  // namespace bpte_board
