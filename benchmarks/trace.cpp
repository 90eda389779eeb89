// SPDX-License-Identifier: BSD-3-Clause

// Runs the first case of a bundle that has a trace, in four ways over and over: for
// benchmarks/trace.py. Prints the least time of each in nanoseconds: at once; instruction by
// instruction; of comparing the trace's values with themselves; and traced.
//
//   trace_benchmark FILE ENGINE ROUNDS

#include <bpte/core/bundle.h>
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/heap_arena.h>
#include <bpte/engine/reference/reference_engine.h>
#include <bpte/platform/host/mapped_file.h>
#include <bpte/platform/host/reserved_arena.h>
#include <bpte/runner/tracer.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace {

constexpr size_t kReserved = size_t{1} << 30;

class NoOutput final : public bpte::Output {
 public:
  void write(const char*, size_t) override {}
};

class SteadyClock final : public bpte::Clock {
 public:
  uint64_t now() override {
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::nanoseconds(time).count());
  }
  const char* unit() const override { return "ns"; }
};

class NoRecords final : public bpte::InstructionRecords {
 public:
  void begin_record(const char*) override { die("an instruction was wrong"); }
  [[nodiscard]] bool end_record(const bpte::ValueSource&) override { return true; }

  [[noreturn]] static void die(const char* message) {
    std::fprintf(stderr, "trace_benchmark: %s\n", message);
    std::exit(1);
  }
};

class Passing final : public bpte::InstructionObserver {
 public:
  [[nodiscard]] bool executed(bpte::ExecutedInstruction&) override { return true; }
};

void check(bpte::EngineError error, const bpte::Engine& engine) {
  if (error != bpte::EngineError::kOk) NoRecords::die(engine.message());
}

// A copy of each value of a trace, as an engine would hold it.
class Values {
 public:
  Values(const bpte::Bundle& bundle, const bpte::TestCase& test_case)
      : bundle_(bundle), case_(test_case) {
    for (uint32_t i = 0; i < test_case.trace_count(); ++i) {
      const bpte::Value value = bundle.trace_value(test_case, i, {})->value;
      const bpte::Span<const uint8_t> data = value.tensor.data;
      values_.push_back(value);
      bytes_.emplace_back(data.begin(), data.end());
      values_.back().tensor.data = {bytes_.back().data(), bytes_.back().size()};
    }
  }
  void compare_all() const {
    for (uint32_t i = 0; i < case_.trace_count(); ++i) {
      const bpte::Value expected = bundle_.trace_value(case_, i, {})->value;
      const bpte::Tolerance tolerance = bpte::trace_tolerance(expected, {});
      if (bpte::compare(expected, values_[i], tolerance).verdict != bpte::Verdict::kPass) {
        NoRecords::die("a value is not equal to itself");
      }
    }
  }

 private:
  const bpte::Bundle& bundle_;
  const bpte::TestCase& case_;
  std::vector<bpte::Value> values_;
  std::vector<std::vector<uint8_t>> bytes_;
};

// The least time of `work`, each time after the inputs were set again.
uint64_t least(int rounds, const std::function<void()>& prepare,
               const std::function<void()>& work) {
  SteadyClock clock;
  uint64_t found = UINT64_MAX;
  for (int i = 0; i < rounds; ++i) {
    prepare();
    const uint64_t begun = clock.now();
    work();
    found = std::min(found, clock.now() - begun);
  }
  return found;
}

void measure(const bpte::Bundle& bundle, bpte::SteppingEngine& engine, int rounds) {
  bpte::ProgramLocation location;
  location.bytes = bundle.program();
  check(engine.load(location), engine);
  const auto suite = bundle.suite(0);
  const auto test_case = suite->test_case(0);
  if (test_case->trace_count() == 0) NoRecords::die("the first case has no trace");
  const auto payload = bundle.case_payload(*test_case, {}, false);
  const auto prepare = [&] {
    const bpte::Text method = suite->method_name();
    check(engine.load_method(method.data, method.size), engine);
    for (uint32_t i = 0; i < test_case->input_count(); ++i) {
      check(engine.set_input(i, *test_case->input(i, *payload)), engine);
    }
  };
  bpte::TraceOptions options;
  options.mode = bpte::TraceMode::kStrict;
  options.stepping = &engine;
  NoOutput output;
  bpte::RecordWriter writer(output);
  SteadyClock clock;
  NoRecords records;
  bpte::Tracer tracer(bundle, options, writer, clock, records);
  Passing passing;
  const Values values(bundle, *test_case);

  const uint64_t at_once = least(rounds, prepare, [&] { check(engine.execute(), engine); });
  const uint64_t stepped =
      least(rounds, prepare, [&] { check(engine.step_through(passing), engine); });
  const uint64_t compared = least(
      rounds, [] {}, [&] { values.compare_all(); });
  const uint64_t traced = least(rounds, prepare, [&] {
    tracer.begin_method();
    check(tracer.run(*suite, *test_case), engine);
    if (tracer.found_wrong()) NoRecords::die("an instruction was wrong or missed");
  });
  std::printf(
      "{\"values\": %u, \"at_once\": %llu, \"stepped\": %llu, \"compared\": %llu, \"traced\": "
      "%llu}\n",
      test_case->trace_count(), static_cast<unsigned long long>(at_once),
      static_cast<unsigned long long>(stepped), static_cast<unsigned long long>(compared),
      static_cast<unsigned long long>(traced));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: trace_benchmark FILE ENGINE ROUNDS\n");
    return 2;
  }
  bpte::host::File file;
  if (!file.open(argv[1])) NoRecords::die(file.error());
  const bpte::Span<const uint8_t> bytes = file.map(4096);
  const auto bundle = bpte::Bundle::open(bytes);
  if (!bundle.ok()) NoRecords::die("the bundle cannot be opened");
  const int rounds = std::atoi(argv[3]);
  if (std::strcmp(argv[2], "reference") == 0) {
    const bpte::host::Reservation planned(kReserved), tables(kReserved), program(kReserved);
    const bpte::ReferenceMemory memory = {planned.span(), tables.span(), program.span(),
                                          bpte::host::Reservation::clear};
    bpte::ReferenceEngine engine(memory, {});
    measure(*bundle, engine, rounds);
  } else {
    bpte::HeapArena program, method;
    bpte::host::ReservedArena planned(kReserved), temp(kReserved);
    bpte::ExecutorchEngine engine({&program, &method, &planned, &temp});
    measure(*bundle, engine, rounds);
  }
  return 0;
}
