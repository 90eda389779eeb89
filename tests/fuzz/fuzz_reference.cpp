// SPDX-License-Identifier: BSD-3-Clause
// The reference engine on programs that anything may have written: load, load a method, give it
// inputs, run it, read its outputs. Besides the sanitizers' checks, a failure must have a message
// and success none. Seeds: the programs of examples/reference_models.py, and one of each operator.

#include <bpte/engine/reference/reference_engine.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using bpte::EngineError;
using bpte::Value;
using bpte::ValueKind;

// Small, so that a run is quick: what needs more is refused.
constexpr size_t kPlannedBytes = 128 << 10;
constexpr size_t kTableBytes = 16 << 10;
constexpr uint64_t kWorkLimit = 300000;

bool failed(const bpte::Engine& engine, EngineError error) {
  const bool has_message = engine.message()[0] != '\0';
  if (has_message != (error != EngineError::kOk)) std::abort();
  return error != EngineError::kOk;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A buffer of the exact size (malloc aligns it), so that AddressSanitizer sees every step
  // outside.
  std::vector<uint8_t> program(data, data + size);
  std::vector<uint8_t> planned(kPlannedBytes);
  std::vector<uint8_t> tables(kTableBytes);

  bpte::ReferenceMemory memory;
  memory.planned = {planned.data(), planned.size()};
  memory.tables = {tables.data(), tables.size()};
  bpte::ReferenceOptions options;
  options.work_limit = kWorkLimit;
  bpte::ReferenceEngine engine(memory, options);
  bpte::ProgramLocation location;
  location.bytes = {program.data(), size};
  if (failed(engine, engine.load(location))) return 0;
  if (failed(engine, engine.load_method("forward", 7))) return 0;

  // What the inputs hold follows from the program's own bytes, so that a crash can be repeated.
  uint32_t state = static_cast<uint32_t>(size);
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < engine.input_count(); ++i) {
      Value value;
      if (failed(engine, engine.input(i, value))) return 0;
      std::vector<int32_t> sizes(value.tensor.sizes.begin(), value.tensor.sizes.end());
      std::vector<uint64_t> bytes(value.tensor.data.size() / 8 + 1);
      if (value.kind == ValueKind::kTensor) {
        size_t count = value.tensor.data.size();
        if (round == 1 && !sizes.empty() && sizes[0] > 1) {  // smaller, if it may be
          count = count / static_cast<size_t>(sizes[0]) * static_cast<size_t>(sizes[0] - 1);
          --sizes[0];
        }
        const size_t element = bpte::element_size(value.tensor.scalar_type);
        uint8_t* to = reinterpret_cast<uint8_t*>(bytes.data());
        for (size_t k = 0; k + element <= count; k += element) {
          state = state * 1664525u + 1013904223u;
          if (value.tensor.scalar_type == bpte::ScalarType::kFloat) {
            const float number = static_cast<float>(static_cast<int32_t>(state)) / 1e9f;
            std::memcpy(to + k, &number, sizeof(number));
          } else {
            to[k] = static_cast<uint8_t>(state >> 28);
          }
        }
        value.tensor.sizes = {sizes.data(), sizes.size()};
        value.tensor.data = {to, count};
      }
      if (failed(engine, engine.set_input(i, value)) && round == 0) return 0;
    }
    const bool ran = !failed(engine, engine.execute());
    for (size_t i = 0; ran && i < engine.output_count(); ++i) {
      Value value;
      if (failed(engine, engine.output(i, value))) continue;
      // A copy reads every byte.
      const std::vector<uint8_t> bytes(value.tensor.data.begin(), value.tensor.data.end());
      const std::vector<int32_t> sizes(value.tensor.sizes.begin(), value.tensor.sizes.end());
      if (value.kind == ValueKind::kTensor && sizes.size() != value.tensor.dim_order.size()) {
        std::abort();
      }
    }
  }
  return 0;
}
