// SPDX-License-Identifier: BSD-3-Clause
//
// bpte::runner with an engine and a data source of one's own, compiled with exceptions and RTTI as
// applications are. The engine refuses every program, which is what the run then reports.
#include <string>
#include <typeinfo>

#include "console.h"

namespace {

class FileSource final : public bpte::DataSource {
 public:
  explicit FileSource(bpte::Span<const uint8_t> bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  bool read(uint64_t offset, bpte::Span<uint8_t> buffer) override {
    if (offset > bytes_.size() || buffer.size() > bytes_.size() - offset) return false;
    for (size_t i = 0; i < buffer.size(); ++i) buffer[i] = bytes_[static_cast<size_t>(offset) + i];
    return true;
  }

 private:
  bpte::Span<const uint8_t> bytes_;
};

class Refusing final : public bpte::Engine {
 public:
  const char* name() const override { return "refusing"; }
  const char* version() const override { return "1"; }
  bpte::EngineError load(const bpte::ProgramLocation& program) override {
    message_ = std::to_string(program.size) + " bytes refused";
    return bpte::EngineError::kUnsupported;
  }
  bool has_method(const char*, size_t) const override { return false; }
  bpte::EngineError load_method(const char*, size_t) override { return refused(); }
  size_t input_count() const override { return 0; }
  size_t output_count() const override { return 0; }
  bpte::EngineError set_input(size_t, const bpte::Value&) override { return refused(); }
  bpte::EngineError execute() override { return refused(); }
  bpte::EngineError output(size_t, bpte::Value&) override { return refused(); }
  const char* message() const override { return message_.c_str(); }

 private:
  static bpte::EngineError refused() { return bpte::EngineError::kUnsupported; }
  std::string message_;
};

alignas(16) uint8_t metadata[1 << 20];
alignas(16) uint8_t cases[1 << 20];
alignas(16) uint8_t scratch[4096];

}  // namespace

int main(int, char** words) {
  FileSource source(consumer::map(words[1]));
  const auto bundle = bpte::Bundle::open(source, metadata);
  consumer::Stdout output;
  consumer::NoClock clock;
  bpte::RunOptions options;
  options.case_buffer = cases;
  options.scratch = scratch;
  if (!bundle.ok()) return static_cast<int>(bpte::report_fault(bundle.fault(), output, options));
  Refusing engine;
  const bpte::Engine& as_engine = engine;
  std::printf("%s\n", typeid(as_engine) == typeid(Refusing) ? "rtti" : "another type");
  return static_cast<int>(bpte::run_bundle(*bundle, engine, output, clock, options));
}
