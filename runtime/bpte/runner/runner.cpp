// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/message.h>
#include <bpte/runner/arithmetic.h>
#include <bpte/runner/identity.h>
#include <bpte/runner/output_record.h>
#include <bpte/runner/record_writer.h>
#include <bpte/runner/records.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/selection.h>
#include <bpte/runner/value_record.h>
#include <bpte/runner/wire.h>

#include <cmath>

namespace bpte {

namespace {

// A bundle's bytes as a data source, for an engine that reads the program through one.
class BundleSource final : public DataSource {
 public:
  explicit BundleSource(const Bundle& bundle) : bundle_(bundle) {}
  uint64_t size() const override { return bundle_.header().file_size; }
  [[nodiscard]] bool read(uint64_t offset, Span<uint8_t> buffer) override {
    return bundle_.read(offset, buffer).ok();
  }

 private:
  const Bundle& bundle_;
};

// What the records are written to: the run's output, or the wire that stands before it.
Output& records_output(Output& output, [[maybe_unused]] const RunOptions& options) {
#if BPTE_RUNNER_WIRE
  if (options.wire != nullptr) return *options.wire;
#endif
  return output;
}

// Lets the other side take the record that was just written, and that many outputs. False when it
// fell silent.
bool settled([[maybe_unused]] const RunOptions& options, [[maybe_unused]] Engine* engine,
             [[maybe_unused]] uint32_t outputs) {
#if BPTE_RUNNER_WIRE
  if (options.wire != nullptr) return options.wire->settle(engine, outputs);
#endif
  return true;
}

class Run {
 public:
  Run(const Bundle& bundle, Engine& engine, Output& output, Clock& clock,
      const RunOptions& options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Outcome run();
  void abandon(const char* error, const char* message);

  static Run* current;

 private:
  bool begin();
  bool verify_program();
  bool load();
  bool check_suites();
  bool check_supported();
  void run_suite(uint32_t index, const TestSuite& suite);
  void run_case(uint32_t suite_index, const TestSuite& suite, uint32_t case_index);
  EngineError fit(const TestCase& test_case);
  EngineError set_inputs(const TestCase& test_case, Span<const uint8_t> payload);
  void judge(const TestCase& test_case, Span<const uint8_t> payload, uint64_t time);
  Verdict judge_output(const TestCase& test_case, uint32_t index, Span<const uint8_t> payload);
  void settle();
  Outcome finish();

  // Both end the run.
  void stop(const Fault& fault, uint32_t suite = kNoIndex, uint32_t test_case = kNoIndex);
  void stop(const char* error, const char* message, Outcome outcome, uint32_t suite = kNoIndex,
            uint32_t test_case = kNoIndex);
  // Ends the case, or, when the program is at fault, the run.
  void case_error(EngineError error, const char* message);
  void begin_case();
  void end_case(const char* verdict);

  const Bundle& bundle_;
  Engine& engine_;
  Clock& clock_;
  const RunOptions& options_;
  RecordWriter writer_;
  BundleSource source_;
  Tally tally_;
  bool stopped_ = false;
  Outcome reason_ = Outcome::kPassed;  // why the run was stopped

  // The current case.
  uint32_t suite_index_ = 0;
  uint32_t case_index_ = 0;
  Text method_;
  Text case_name_;
  Message message_;
#if BPTE_RUNNER_WIRE
  uint32_t sent_ = 0;  // outputs that go with the next record
#endif
};

Run* Run::current = nullptr;

Run::Run(const Bundle& bundle, Engine& engine, Output& output, Clock& clock,
         const RunOptions& options)
    : bundle_(bundle),
      engine_(engine),
      clock_(clock),
      options_(options),
      writer_(records_output(output, options)),
      source_(bundle) {
#if BPTE_RUNNER_WIRE
  tally_.wire = options.wire;
#endif
  current = this;
}

Run::~Run() {
  current = nullptr;
}

// Writes the record `begin`, and checks what must hold before anything is loaded.
bool Run::begin() {
  const bool verified =
      BPTE_CORE_CHECKSUMS && (options_.verify_checksums || options_.verified_at_opening);
  Result<Identity> identity;
  const bool known = bundle_.header().format != Format::kBP08 || verified;
  if (known) identity = identity_of(bundle_, options_.scratch);
  begin_protocol(writer_, options_);
  writer_.field(key::kEngine, engine_.name());
  writer_.field(key::kEngineVersion, engine_.version());
  write_bundle(writer_, bundle_, known && identity.ok() ? &*identity : nullptr, verified);
  writer_.field(key::kCases, count_selected(bundle_, options_));
  writer_.field(key::kUnit, clock_.unit());
  writer_.end_record();
#if BPTE_RUNNER_WIRE
  settle();
  if (stopped_) return false;
#endif
  if (!identity.ok()) {
    stop(identity.fault());
  } else if (const char* const fault = arithmetic_fault()) {
    message_.clear();
    message_ << "this program's arithmetic is not IEEE 754's: " << fault
             << "; build it without -ffast-math";
    stop("unsound_arithmetic", message_.c_str(), Outcome::kInfrastructure);
  }
  return !stopped_;
}

void Run::stop(const Fault& fault, uint32_t suite, uint32_t test_case) {
  Fault placed = fault;
  if (placed.suite == kNoIndex) placed.suite = suite;
  if (placed.test_case == kNoIndex) placed.test_case = test_case;
  reason_ = write_fault(writer_, placed);
  stopped_ = true;
  settle();
}

void Run::stop(const char* error, const char* message, Outcome outcome, uint32_t suite,
               uint32_t test_case) {
  Stop stop;
  stop.error = error;
  stop.message = message;
  stop.outcome = outcome;
  stop.where.suite = suite;
  stop.where.test_case = test_case;
  write_error(writer_, stop);
  reason_ = outcome;
  stopped_ = true;
  settle();
}

Outcome Run::finish() {
  const Outcome outcome = outcome_of(tally_, stopped_, reason_);
  write_end(writer_, tally_, outcome);
  (void)settled(options_, &engine_, 0);  // the outcome stays what it is
  return outcome;
}

// A record was written. The run ends when nobody takes it.
void Run::settle() {
#if BPTE_RUNNER_WIRE
  const uint32_t outputs = sent_;
  sent_ = 0;
  if (settled(options_, &engine_, outputs) || stopped_) return;
  stop("line_silent", "nobody asked for the last record or said to go on",
       Outcome::kInfrastructure);
#endif
}

void Run::abandon(const char* error, const char* message) {
  writer_.abandon_record();
#if BPTE_RUNNER_WIRE
  if (options_.wire != nullptr) options_.wire->abandon();
#endif
  stop(error, message, Outcome::kInfrastructure);
  finish();
}

bool Run::verify_program() {
#if BPTE_CORE_CHECKSUMS
  if (!options_.verify_checksums) return true;
  const SegmentInfo program = bundle_.program_info();
  for (uint32_t i = 0; i < bundle_.segment_count(); ++i) {
    const Result<SegmentInfo> segment = bundle_.segment(i);
    if (!segment.ok() || segment->file_offset != program.file_offset || segment->size == 0) {
      continue;
    }
    const Status status = bundle_.verify_segment(i, options_.scratch);
    if (!status.ok()) {
      stop(status.fault());
      return false;
    }
  }
#endif
  return true;
}

bool Run::load() {
  const SegmentInfo program = bundle_.program_info();
  ProgramLocation location;
  location.bytes = bundle_.program();
  if (location.bytes.empty()) {
    location.source = &source_;
    location.offset = program.file_offset;
    location.size = program.size;
  }
  const EngineError error = engine_.load(location);
  if (error == EngineError::kOk) return true;
  stop(to_string(error), engine_.message(), outcome_of(error));
  return false;
}

bool Run::check_suites() {
  for (uint32_t i = 0; i < bundle_.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle_.suite(i);
    if (!suite.ok()) {
      stop(suite.fault(), i);
      return false;
    }
    const Text name = suite->method_name();
    if (engine_.has_method(name.data, name.size)) continue;
    message_.clear();
    message_ << to_string(Error::kUnknownMethod) << ": suite " << i
             << ": the program has no method '" << Span<const char>(name.data, name.size) << "'";
    stop(to_string(Error::kUnknownMethod), message_.c_str(), Outcome::kMalformed, i);
    return false;
  }
  return true;
}

// What this runner cannot judge must not look judged.
bool Run::check_supported() {
  const auto unsupported = [this](const char* what, uint32_t suite) {
    message_.clear();
    message_ << what << " not supported by this runner";
    stop(to_string(EngineError::kUnsupported), message_.c_str(), Outcome::kInfrastructure, suite);
    return false;
  };
#if BPTE_CORE_BUDGETS
  if (bundle_.budget_count() != 0) return unsupported("the bundle states budgets:", kNoIndex);
#endif
#if BPTE_CORE_METRICS
  for (uint32_t i = 0; i < bundle_.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle_.suite(i);
    if (suite.ok() && selected(*suite, options_) && suite->metric_count() != 0) {
      return unsupported("the suite states metrics:", i);
    }
  }
#endif
  return true;
}

void Run::begin_case() {
  writer_.begin_record(event::kCase);
  writer_.field(key::kSuite, suite_index_);
  writer_.field(key::kMethod, method_);
  writer_.field(key::kCase, case_index_);
  if (case_name_.size > 0) writer_.field(key::kName, case_name_);
}

void Run::end_case(const char* verdict) {
  writer_.field(key::kVerdict, verdict);
  writer_.end_record();
  settle();
}

void Run::case_error(EngineError error, const char* message) {
  if (outcome_of(error) == Outcome::kMalformed) {
    stop(to_string(error), message, Outcome::kMalformed, suite_index_, case_index_);
    return;
  }
  ++tally_.errors;
  begin_case();
  writer_.field(key::kError, to_string(error));
  writer_.field(key::kMessage, message);
  end_case("error");
}

// Whether the case has as many inputs and outputs as the method.
EngineError Run::fit(const TestCase& test_case) {
  message_.clear();
  if (test_case.input_count() != engine_.input_count()) {
    message_ << "the method takes " << engine_.input_count() << " inputs, the case gives "
             << test_case.input_count();
    return EngineError::kInvalidInput;
  }
  if (test_case.output_count() != 0 && test_case.output_count() != engine_.output_count()) {
    message_ << "the method gives " << engine_.output_count() << " outputs, the case expects "
             << test_case.output_count();
    return EngineError::kNoSuchOutput;
  }
  return EngineError::kOk;
}

EngineError Run::set_inputs(const TestCase& test_case, Span<const uint8_t> payload) {
  for (uint32_t i = 0; i < test_case.input_count(); ++i) {
    const Result<Value> input = test_case.input(i, payload);
    if (!input.ok()) {
      stop(input.fault(), suite_index_, case_index_);
      return EngineError::kInvalidInput;
    }
    const EngineError error = engine_.set_input(i, *input);
    if (error != EngineError::kOk) {
      case_error(error, engine_.message());
      return error;
    }
  }
  return EngineError::kOk;
}

void Run::run_case(uint32_t suite_index, const TestSuite& suite, uint32_t case_index) {
  suite_index_ = suite_index;
  case_index_ = case_index;
  method_ = suite.method_name();
  case_name_ = Text();
  const Result<TestCase> test_case = suite.test_case(case_index);
  if (!test_case.ok()) return stop(test_case.fault(), suite_index, case_index);
  case_name_ = test_case->name();
#if BPTE_CORE_STEPS
  if (test_case->step_count() != 0) {
    return case_error(EngineError::kUnsupported, "steps are not supported by this runner");
  }
#endif

  // Done for every case, because what a method writes must not reach the next case.
  EngineError error = engine_.load_method(method_.data, method_.size);
  if (error != EngineError::kOk) return case_error(error, engine_.message());

  error = fit(*test_case);
  if (error != EngineError::kOk) return case_error(error, message_.c_str());

  const Result<Span<const uint8_t>> payload =
      bundle_.case_payload(*test_case, options_.case_buffer, options_.verify_checksums);
  if (!payload.ok()) return stop(payload.fault(), suite_index, case_index);
  if (set_inputs(*test_case, *payload) != EngineError::kOk) return;

  const uint64_t start = clock_.now();
  error = engine_.execute();
  const uint64_t time = clock_.now() - start;
  if (error != EngineError::kOk) return case_error(error, engine_.message());
  judge(*test_case, *payload, time);
}

// Compares one output and writes its evidence.
Verdict Run::judge_output(const TestCase& test_case, uint32_t index, Span<const uint8_t> payload) {
  const Result<Value> expected = test_case.expected_output(index, payload);
  Value actual;
  (void)engine_.output(index, actual);  // judge() has checked that this succeeds
  Tolerance tolerance = test_case.tolerance(index);
  if (!std::isnan(options_.rtol)) tolerance.rtol = options_.rtol;
  if (!std::isnan(options_.atol)) tolerance.atol = options_.atol;
  const Comparison result = compare(*expected, actual, tolerance);
  write_output(writer_, *expected, actual, result, tolerance);
  return result.verdict;
}

void Run::judge(const TestCase& test_case, Span<const uint8_t> payload, uint64_t time) {
  // First, before the record begins, checks that all outputs can be read.
  for (uint32_t i = 0; i < test_case.output_count(); ++i) {
    const Result<Value> expected = test_case.expected_output(i, payload);
    if (!expected.ok()) return stop(expected.fault(), suite_index_, case_index_);
    Value actual;
    const EngineError error = engine_.output(i, actual);
    if (error != EngineError::kOk) return case_error(error, engine_.message());
  }
#if BPTE_RUNNER_WIRE
  const auto sent = static_cast<uint32_t>(options_.wire != nullptr ? engine_.output_count() : 0);
  for (uint32_t i = test_case.output_count(); i < sent; ++i) {
    Value actual;
    const EngineError error = engine_.output(i, actual);
    if (error != EngineError::kOk) return case_error(error, engine_.message());
  }
#endif
  bool failed = false;
  bool passed = false;
  begin_case();
  writer_.field(key::kTime, time);
  writer_.key(key::kOutputs);
  writer_.begin_array();
  for (uint32_t i = 0; i < test_case.output_count(); ++i) {
    const Verdict verdict = judge_output(test_case, i, payload);
    failed |= verdict == Verdict::kFail;
    passed |= verdict == Verdict::kPass;
  }
  writer_.end_array();
#if BPTE_RUNNER_WIRE
  if (options_.wire != nullptr) write_values(writer_, engine_, sent);
  sent_ = sent;
#endif
  if (failed) {
    ++tally_.failed;
    end_case("fail");
  } else if (passed) {
    ++tally_.passed;
    end_case("pass");
  } else {
    ++tally_.unjudged;
    end_case("unjudged");
  }
}

void Run::run_suite(uint32_t index, const TestSuite& suite) {
  for (uint32_t i = 0; i < suite.case_count() && !stopped_; ++i) {
    if (selected(i, options_)) run_case(index, suite, i);
  }
}

Outcome Run::run() {
  if (begin() && check_supported() && verify_program() && load() && check_suites()) {
    for (uint32_t i = 0; i < bundle_.suite_count() && !stopped_; ++i) {
      const Result<TestSuite> suite = bundle_.suite(i);
      if (suite.ok() && selected(*suite, options_)) run_suite(i, *suite);
    }
  }
  return finish();
}

}  // namespace

Outcome run_bundle(const Bundle& bundle, Engine& engine, Output& output, Clock& clock,
                   const RunOptions& options) {
  Run run(bundle, engine, output, clock, options);
  return run.run();
}

Outcome report_fault(const Fault& fault, Output& output, const RunOptions& options) {
  RecordWriter writer(records_output(output, options));
  begin_protocol(writer, options);
  writer.field(key::kCases, 0u);
  writer.end_record();
  (void)settled(options, nullptr, 0);  // here and below: the outcome stays what it is
  const Outcome outcome = write_fault(writer, fault);
  (void)settled(options, nullptr, 0);
  Tally tally;
#if BPTE_RUNNER_WIRE
  tally.wire = options.wire;
#endif
  write_end(writer, tally, outcome);
  (void)settled(options, nullptr, 0);
  return outcome;
}

void abandon_run(const char* error, const char* message) {
  Run* const run = Run::current;
  Run::current = nullptr;  // only once: the handler that calls this may itself fault
  if (run != nullptr) run->abandon(error, message);
}

}  // namespace bpte
