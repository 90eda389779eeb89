// SPDX-License-Identifier: BSD-3-Clause
//
// runner_tool FILE STEP [ERROR]: runs a bundle on an engine that computes nothing, to test how the
// runner handles an engine's answers (tests/runner/test_runner.py). Its one method, "echo", returns
// its inputs as its outputs. At STEP (load, load_method, set_input, execute, output) it answers
// with ERROR, the name of an EngineError; "count" adds to the integer output how often the method
// was executed since it was loaded, "count_without_reset" how often at all; "abandon" leaves the
// run from within execute(), "abandon_twice" also from the report; "none" for no failure at all;
// "once" for none, and with the actual outputs in frames.

#include <bpte/runner/budgets.h>
#include <bpte/runner/metrics.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/selection.h>
#include <bpte/runner/wire.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "aligned_file.h"

namespace {

// Its instructions, one for each input, give what they are given: those of the last three inputs
// are in a second chain, as a delegate and a move.
class Echo final : public bpte::SteppingEngine {
 public:
  Echo(const char* step, const char* error) : step_(step), error_(error) {}

  const char* name() const override { return "echo"; }
  const char* version() const override { return ""; }
  bpte::EngineError load(const bpte::ProgramLocation&) override { return at("load"); }
  bool has_method(const char* name, size_t size) const override {
    return size == 4 && std::memcmp(name, "echo", 4) == 0;
  }
  bpte::EngineError load_method(const char*, size_t) override {
    if (std::strcmp(step_, "count_without_reset") != 0) executed_ = 0;
    return at("load_method");
  }
  size_t input_count() const override { return kCount; }
  size_t output_count() const override { return kCount; }
  bpte::EngineError set_input(size_t index, const bpte::Value& value) override {
    values_[index] = value;
    return index == 1 ? at("set_input") : bpte::EngineError::kOk;
  }
  bpte::EngineError execute() override {
    if (std::strncmp(step_, "abandon", 7) == 0) {
      bpte::abandon_run("execution_failed", "left in the middle");
      if (std::strcmp(step_, "abandon_twice") == 0) bpte::abandon_run("crashed", "once more");
      std::fflush(stdout);
      std::_Exit(4);
    }
    ++executed_;
    return executed_ == 2 && std::strcmp(step_, "execute_2") == 0 ? at(step_) : at("execute");
  }
  bpte::EngineError output(size_t index, bpte::Value& value) override {
    value = values_[index];
    if (std::strncmp(step_, "count", 5) == 0) value.int_value += executed_;
    return index == kCount - 1 ? at("output") : bpte::EngineError::kOk;
  }
  const char* message() const override { return "as \xC3\xA4sked"; }

#if BPTE_ENGINE_STEPPING
  bpte::EngineError step_through(bpte::InstructionObserver& observer) override {
    const bpte::EngineError error = execute();
    for (size_t i = 0; i < kCount && error == bpte::EngineError::kOk; ++i) {
      if (i == 4 && observer.wants_operations() && !show_operations(observer)) break;
      Copy copy(values_[i]);
      copy.chain = i < 3 ? 0 : 1;
      copy.index = static_cast<uint32_t>(i % 3);
      copy.kind = i == 4   ? bpte::InstructionKind::kDelegate
                  : i == 5 ? bpte::InstructionKind::kMove
                           : bpte::InstructionKind::kKernel;
      if (i < 5) copy.name = {"echo", 4};
      if (i < 4) copy.overload = {"out", 3};
      copy.output_count = 1;
      observer.starts();
      observer.ends();
      if (!observer.executed(copy)) break;
    }
    return error;
  }
#endif

 private:
#if BPTE_ENGINE_STEPPING
  // Inside of the delegate, if asked for: operations 7 and 9, which give what it gives, and 8,
  // whose value there is no memory for.
  bool show_operations(bpte::InstructionObserver& observer) {
    if (std::getenv("OPERATIONS") == nullptr) return true;
    for (const uint32_t number : {7u, 8u, 9u}) {
      Copy copy(values_[4]);
      copy.chain = copy.index = 1;
      copy.kind = bpte::InstructionKind::kOperation;
      copy.operation = number;
      copy.name = {"NPU_OP_ECHO", 11};
      copy.output_count = 1;
      if (!observer.executed(copy)) return false;
    }
    return true;
  }

  class Copy final : public bpte::ExecutedInstruction {
   public:
    explicit Copy(bpte::Value& value) : value_(value) {}
    bpte::EngineError output(uint32_t output, bpte::Value& value) override {
      if (output > 0) return bpte::EngineError::kNoSuchOutput;
      if (operation == 8) return bpte::EngineError::kOutOfMemory;
      value = value_;
      return bpte::EngineError::kOk;
    }
    bpte::EngineError replace(uint32_t, const bpte::Value& value) override {
      value_ = value;
      return bpte::EngineError::kOk;
    }

   private:
    bpte::Value& value_;
  };
#endif

  // More outputs than the runner keeps results for.
  static constexpr size_t kCount = 6;

  bpte::EngineError at(const char* step) const {
    if (std::strcmp(step_, step) != 0) return bpte::EngineError::kOk;
    for (int i = 1; i < 256; ++i) {
      const auto error = static_cast<bpte::EngineError>(i);
      if (std::strcmp(to_string(error), error_) == 0) return error;
    }
    std::fprintf(stderr, "no such error: %s\n", error_);
    std::exit(2);
  }

  const char* step_;
  const char* error_;
  bpte::Value values_[kCount];
  int executed_ = 0;
};

class Stdout final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override { std::fwrite(data, 1, size, stdout); }
};

class Meter final : public bpte::Meter {
 public:
  bpte::Resources measure() override {
    bpte::Resources resources;
    resources.planned_memory = 1001;
    resources.engine_memory = 1002;
    resources.buffers = 1003;
    resources.static_memory = 1004;
    resources.stack_size = 1005;
    resources.stack = 1006;
    resources.flash = 1007;
    return resources;
  }
};

// Wraps once: the time of a case must be right all the same.
class Clock final : public bpte::Clock {
 public:
  uint64_t now() override { return now_ += 7; }
  const char* unit() const override { return "cycles"; }

 private:
  uint64_t now_ = UINT64_MAX - 10;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const bpte_test::AlignedFile file(argv[1]);
  if (!file.ok()) return 2;

  Stdout output;
  Clock clock;
  bpte::RunOptions options;
  options.target = "nowhere";
  const bpte::Result<bpte::Bundle> bundle = bpte::Bundle::open(file.bytes());
  if (!bundle.ok()) return static_cast<int>(bpte::report_fault(bundle.fault(), output, options));
  std::vector<uint8_t> carried(bpte::largest_carry(*bundle));
  options.carry_buffer = {carried.data(), carried.size()};
  if (const char* const room = std::getenv("CARRY_BYTES")) {
    options.carry_buffer = {carried.data(), static_cast<size_t>(std::atoi(room))};
  }
#if BPTE_RUNNER_METRICS
  std::vector<uint8_t> measured(bpte::largest_metrics(*bundle));
  const char* const most = std::getenv("METRIC_BYTES");
  const size_t room_for_metrics =
      most != nullptr ? static_cast<size_t>(std::atoi(most)) : measured.size();
  options.metric_buffer = {measured.data(), room_for_metrics};
#endif
  options.teach = std::getenv("TEACH") != nullptr;
  Meter meter;
  if (std::getenv("NO_METER") == nullptr) options.meter = &meter;
  Echo engine(argv[2], argc > 3 ? argv[3] : "");
#if BPTE_RUNNER_TRACE
  // TRACE: how; ISOLATE, NO_STEPPING: whether; DUMP: which instruction; PROFILE: how often.
  if (const char* const how = std::getenv("TRACE")) {
    if (!bpte::trace_mode_of({how, std::strlen(how)}, options.trace.mode)) return 2;
  }
  options.trace.isolate = std::getenv("ISOLATE") != nullptr;
  if (std::getenv("NO_STEPPING") == nullptr) options.trace.stepping = &engine;
  if (const char* const dump = std::getenv("DUMP")) {
    options.trace.dump = static_cast<uint32_t>(std::atoi(dump));
  }
  if (const char* const profile = std::getenv("PROFILE")) {
    options.trace.profile = static_cast<uint32_t>(std::atoi(profile));
  }
#endif
#if BPTE_RUNNER_WIRE
  uint8_t record[4096];
  bpte::Wire wire(output, nullptr, options.nonce, record);
  if (std::strcmp(argv[2], "once") == 0) options.wire = &wire;
#endif
  return static_cast<int>(bpte::run_bundle(*bundle, engine, output, clock, options));
}
