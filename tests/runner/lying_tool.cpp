// SPDX-License-Identifier: BSD-3-Clause
//
// lying_tool FILE ENGINE RUN...: traces a bundle as often as there are RUNs, each with an engine
// some of whose kernels lie by one element (tests/runner/test_lies.py). A RUN is how, a colon, and
// which of the executed instructions lie, counted from 0 over a case or step: "free:4" reports the
// first wrong instruction, "alone:4,7,9" all, each judged by its own error. Before the records of a
// run a line "lies CHAIN INDEX" stands for each lie that was told.

#include <bpte/core/bundle.h>
#include <bpte/engine/reference/reference_engine.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/selection.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "aligned_file.h"

#if BPTE_HAVE_EXECUTORCH
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/heap_arena.h>
#endif

namespace {

using bpte::EngineError;
using bpte::Value;

template <typename T>
void change(uint8_t* bytes, size_t count) {
  T largest = 0;
  T element;
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(&element, bytes + i * sizeof element, sizeof element);
    if (std::isfinite(element)) largest = std::max(largest, std::abs(element));
  }
  uint8_t* const at = bytes + count / 2 * sizeof element;
  std::memcpy(&element, at, sizeof element);
  // Within the values that the tensor has: an error that a look at them would not find.
  element = element > 0 ? element - largest / 2 - T(0.01) : element + largest / 2 + T(0.01);
  std::memcpy(at, &element, sizeof element);
}

// Stands between an engine and what looks at its instructions.
class Lies final : public bpte::Stepping, private bpte::InstructionObserver {
 public:
  explicit Lies(bpte::Stepping& engine) : engine_(engine) {}

  std::vector<unsigned long> liars;
  std::string told;

  EngineError step_through(bpte::InstructionObserver& observer) override {
    observer_ = &observer;
    number_ = 0;
    return engine_.step_through(*this);
  }

 private:
  void starts() override { observer_->starts(); }
  void ends() override { observer_->ends(); }
  bool executed(bpte::ExecutedInstruction& instruction) override {
    if (std::find(liars.begin(), liars.end(), number_++) != liars.end()) lie(instruction);
    return observer_->executed(instruction);
  }

  // Changes one element of the first output that has any.
  void lie(bpte::ExecutedInstruction& instruction) {
    for (uint32_t i = 0; i < instruction.output_count; ++i) {
      Value value;
      if (instruction.output(i, value) != EngineError::kOk) continue;
      if (value.kind != bpte::ValueKind::kTensor || value.tensor.data.empty()) continue;
      std::vector<uint8_t> bytes(value.tensor.data.begin(), value.tensor.data.end());
      switch (value.tensor.scalar_type) {
        case bpte::ScalarType::kFloat:
          change<float>(bytes.data(), bytes.size() / sizeof(float));
          break;
        case bpte::ScalarType::kDouble:
          change<double>(bytes.data(), bytes.size() / sizeof(double));
          break;
        default:
          bytes[bytes.size() / 2] ^= 1;
      }
      value.tensor.data = {bytes.data(), bytes.size()};
      if (instruction.replace(i, value) != EngineError::kOk) continue;
      told += "lies " + std::to_string(instruction.chain) + " " +
              std::to_string(instruction.index) + "\n";
      return;
    }
  }

  bpte::Stepping& engine_;
  bpte::InstructionObserver* observer_ = nullptr;
  unsigned long number_ = 0;
};

class Kept final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override { text.append(data, size); }
  std::string text;
};

class Clock final : public bpte::Clock {
 public:
  uint64_t now() override { return ++now_; }
  const char* unit() const override { return "cycles"; }

 private:
  uint64_t now_ = 0;
};

bool run_on(bpte::SteppingEngine& engine, const bpte::Bundle& bundle, const char* words) {
  Lies lies(engine);
  bpte::RunOptions options;
  options.target = "host";
  options.trace.stepping = &lies;
  options.trace.isolate = std::strncmp(words, "alone:", 6) == 0;
  options.trace.mode = options.trace.isolate ? bpte::TraceMode::kAll : bpte::TraceMode::kFirst;
  if (!options.trace.isolate && std::strncmp(words, "free:", 5) != 0) return false;
  char* rest = const_cast<char*>(std::strchr(words, ':'));
  for (; *rest != '\0';) lies.liars.push_back(std::strtoul(rest + 1, &rest, 10));
  alignas(16) static uint8_t carried[1 << 16];
  if (bpte::largest_carry(bundle) > sizeof carried) return false;
  options.carry_buffer = carried;
  Kept output;
  Clock clock;
  (void)bpte::run_bundle(bundle, engine, output, clock, options);
  std::printf("%s%s", lies.told.c_str(), output.text.c_str());
  return true;
}

bool run(const bpte::Bundle& bundle, const char* engine, const char* words) {
#if BPTE_HAVE_EXECUTORCH
  if (std::strcmp(engine, "executorch") == 0) {
    bpte::HeapArena program, method, planned, temp;
    bpte::ExecutorchMemory memory;
    memory.program = &program;
    memory.method = &method;
    memory.planned = &planned;
    memory.temp = &temp;
    bpte::ExecutorchEngine executorch(memory, {});
    return run_on(executorch, bundle, words);
  }
#endif
  if (std::strcmp(engine, "reference") != 0) return false;
  static uint8_t planned[16 << 20], tables[1 << 20], program[1];
  bpte::ReferenceEngine reference({planned, tables, program});
  return run_on(reference, bundle, words);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const bpte_test::AlignedFile file(argv[1]);
  if (!file.ok()) return 2;
  const bpte::Result<bpte::Bundle> bundle = bpte::Bundle::open(file.bytes());
  if (!bundle.ok()) return 3;
  for (int i = 3; i < argc; ++i) {
    if (!run(*bundle, argv[2], argv[i])) return 2;
  }
  return 0;
}
