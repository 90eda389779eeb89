// SPDX-License-Identifier: BSD-3-Clause
//
// resources_tool FILE: tests the ExecuTorch engine with too little memory and with a source that
// fails (tests/engine/executorch/test_executorch_resources.py). Runs a bundle's cases in arenas of
// every size from nothing to enough, one arena at a time: one that is too small must end in
// out_of_memory, with the arena and the size in the message. Then runs them with a source whose
// n-th read fails, for every n: that must be reported as well. Prints the size that was enough for
// each arena.

#include <bpte/core/bundle.h>
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/heap_arena.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace {

std::vector<uint8_t> read_file(const char* path) {
  std::vector<uint8_t> bytes;
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) return bytes;
  uint8_t chunk[4096];
  for (size_t count; (count = std::fread(chunk, 1, sizeof chunk, file)) > 0;) {
    bytes.insert(bytes.end(), chunk, chunk + count);
  }
  std::fclose(file);
  return bytes;
}

// Succeeds for `reads` reads, and then fails.
class MemorySource final : public bpte::DataSource {
 public:
  explicit MemorySource(const std::vector<uint8_t>& bytes, size_t reads = SIZE_MAX)
      : bytes_(bytes), left_(reads) {}
  uint64_t size() const override { return bytes_.size(); }
  bool read(uint64_t offset, bpte::Span<uint8_t> buffer) override {
    if (offset > bytes_.size() || buffer.size() > bytes_.size() - offset) return false;
    if (left_ == 0) return false;
    --left_;
    std::memcpy(buffer.data(), bytes_.data() + offset, buffer.size());
    return true;
  }

 private:
  const std::vector<uint8_t>& bytes_;
  size_t left_;
};

// All calls that a run makes to an engine; stops at the first error.
bpte::EngineError run_all(const bpte::Bundle& bundle, bpte::Engine& engine,
                          const bpte::ProgramLocation& program, bpte::Span<uint8_t> payload) {
  bpte::EngineError error = engine.load(program);
  for (uint32_t i = 0; i < bundle.suite_count() && error == bpte::EngineError::kOk; ++i) {
    const auto suite = bundle.suite(i);
    const bpte::Text method = suite->method_name();
    for (uint32_t j = 0; j < suite->case_count() && error == bpte::EngineError::kOk; ++j) {
      const auto test_case = suite->test_case(j);
      const auto bytes = bundle.case_payload(*test_case, payload, false);
      error = engine.load_method(method.data, method.size);
      for (uint32_t k = 0; k < test_case->input_count() && error == bpte::EngineError::kOk; ++k) {
        error = engine.set_input(k, *test_case->input(k, *bytes));
      }
      if (error == bpte::EngineError::kOk) error = engine.execute();
      for (uint32_t k = 0; k < engine.output_count() && error == bpte::EngineError::kOk; ++k) {
        bpte::Value value;
        error = engine.output(k, value);
      }
    }
  }
  return error;
}

enum Need { kProgram, kMethod, kPlanned, kTemp, kAllInOne, kNeeds };
constexpr const char* kNames[] = {"program", "method", "planned", "temporary", "all"};
constexpr size_t kLimit = size_t{1} << 24;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::vector<uint8_t> file = read_file(argv[1]);
  MemorySource source(file);
  std::vector<uint64_t> metadata(8192);
  const auto bundle = bpte::Bundle::open(
      source,
      bpte::Span<uint8_t>(reinterpret_cast<uint8_t*>(metadata.data()), metadata.size() * 8));
  if (!bundle.ok()) return 3;
  const bpte::SegmentInfo info = bundle->program_info();
  bpte::ProgramLocation program;
  program.source = &source;
  program.offset = info.file_offset;
  program.size = info.size;
  std::vector<uint64_t> payload(1 << 16);

  for (int need = 0; need < kNeeds; ++need) {
    size_t size = 0;
    for (size_t step = 8;; size += step) {
      if (size > kLimit) return 4;
      // Exactly as large as stated, so that a sanitizer sees an access past its end.
      const std::unique_ptr<uint8_t[]> buffer(new uint8_t[size]);
      bpte::FixedArena fixed(bpte::Span<uint8_t>(buffer.get(), size));
      bpte::HeapArena heaps[4];
      bpte::Arena* arenas[4];
      for (int i = 0; i < 4; ++i) {
        const bool use_fixed = i == need || (need == kAllInOne && i != kTemp);
        arenas[i] = use_fixed ? static_cast<bpte::Arena*>(&fixed) : &heaps[i];
      }
      bpte::EngineError error;
      {
        bpte::ExecutorchEngine engine(
            {arenas[kProgram], arenas[kMethod], arenas[kPlanned], arenas[kTemp]});
        error = run_all(
            *bundle, engine, program,
            bpte::Span<uint8_t>(reinterpret_cast<uint8_t*>(payload.data()), payload.size() * 8));
        if (error == bpte::EngineError::kOk) break;
        const char* const message = engine.message();
        const bool named = need == kAllInOne || std::strstr(message, kNames[need]) == message;
        if (error != bpte::EngineError::kOutOfMemory || !named ||
            std::strstr(message, " bytes needed, ") == nullptr) {
          std::printf("%s memory of %zu bytes: %s: %s\n", kNames[need], size, to_string(error),
                      message);
          return 1;
        }
      }
      // All memory is released again.
      if (fixed.mark() > 0 && need != kProgram && need != kAllInOne && need != kTemp) {
        std::printf("%s memory of %zu bytes: %zu bytes not given back\n", kNames[need], size,
                    fixed.mark());
        return 1;
      }
      if (size >= 4096) step = size / 64 / 8 * 8;
    }
    std::printf("%s %zu\n", kNames[need], size);
  }

  for (size_t reads = 0;; ++reads) {
    if (reads > 1000) return 4;
    MemorySource failing(file, reads);
    program.source = &failing;
    bpte::HeapArena heaps[4];
    bpte::ExecutorchEngine engine({&heaps[0], &heaps[1], &heaps[2], &heaps[3]});
    const bpte::EngineError error = run_all(
        *bundle, engine, program,
        bpte::Span<uint8_t>(reinterpret_cast<uint8_t*>(payload.data()), payload.size() * 8));
    if (error == bpte::EngineError::kOk) {
      std::printf("reads %zu\n", reads);
      return 0;
    }
    if (error != bpte::EngineError::kExecutionFailed ||
        std::strstr(engine.message(), "cannot be read") == nullptr) {
      std::printf("read %zu fails: %s: %s\n", reads, to_string(error), engine.message());
      return 1;
    }
  }
}
