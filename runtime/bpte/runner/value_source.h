// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/engine.h>
#include <bpte/engine/stepping.h>

#include <cstdint>

namespace bpte {

/// Values that go with a record, read where they lie: a method's outputs, or one that an
/// instruction gave. What it refers to outlives it.
struct ValueSource {
  EngineError (*read)(void* from, uint32_t index, Value& value) = nullptr;
  void* from = nullptr;
  uint32_t first = 0;  ///< index of the first
  uint32_t count = 0;

  /// Value `index` of `count`.
  EngineError get(uint32_t index, Value& value) const { return read(from, first + index, value); }
};

/// The first `count` outputs of the loaded method.
inline ValueSource outputs_of(Engine& engine, uint32_t count) {
  const auto read = [](void* from, uint32_t index, Value& value) {
    return static_cast<Engine*>(from)->output(index, value);
  };
  return {read, &engine, 0, count};
}

/// One output of an instruction.
inline ValueSource output_of(ExecutedInstruction& instruction, uint32_t output) {
  const auto read = [](void* from, uint32_t index, Value& value) {
    return static_cast<ExecutedInstruction*>(from)->output(index, value);
  };
  return {read, &instruction, output, 1};
}

}  // namespace bpte
