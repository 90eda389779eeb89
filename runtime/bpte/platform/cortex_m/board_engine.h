// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/engine.h>
#include <bpte/engine/stepping.h>

#include <cstddef>
#include <cstdint>

namespace bpte_board {

/// The most memory that an engine has used, in bytes.
struct EngineMemory {
  size_t planned = 0;  ///< the program's own memory plan: what it needs wherever it runs
  size_t other = 0;    ///< the engine's structures and scratch
};

/// What an engine may use; it outlives the engine.
struct EngineSpans {
  bpte::Span<uint8_t> planned;  ///< for the programs' memory plans
  bpte::Span<uint8_t> program;  ///< for a program that is read from a file
  bpte::Span<uint8_t> other;    ///< for everything else
};

/// Makes the engine that the firmware was built with. Call it once.
bpte::Engine& make_engine(const EngineSpans& spans);

#if BPTE_ENGINE_STEPPING
/// The same engine, to be stepped.
bpte::Stepping& engine_stepping();
#endif

/// The use so far.
EngineMemory engine_memory();

}  // namespace bpte_board
