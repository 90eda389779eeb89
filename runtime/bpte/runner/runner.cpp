// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/message.h>
#include <bpte/runner/arithmetic.h>
#include <bpte/runner/budgets.h>
#include <bpte/runner/data_files.h>
#include <bpte/runner/identity.h>
#include <bpte/runner/metrics.h>
#include <bpte/runner/output_record.h>
#include <bpte/runner/profiler.h>
#include <bpte/runner/record_writer.h>
#include <bpte/runner/records.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/selection.h>
#include <bpte/runner/tracer.h>
#include <bpte/runner/value_record.h>
#include <bpte/runner/wire.h>

#include <cmath>
#include <cstring>

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

// Lets the other side take the record that was just written, and the values that go with it. False
// when it fell silent.
bool settled([[maybe_unused]] const RunOptions& options,
             [[maybe_unused]] const ValueSource& values = {}) {
#if BPTE_RUNNER_WIRE
  if (options.wire != nullptr) return options.wire->settle(values);
#endif
  return true;
}

class Run
#if BPTE_RUNNER_TRACE
    final : private InstructionRecords
#endif
{
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
  bool is_loaded(uint64_t file_offset) const;
  bool verify_program();
  bool load();
  bool check_suites();
  bool check_supported();
#if BPTE_RUNNER_TRACE
  bool tracing() const {
    return options_.trace.mode != TraceMode::kOff;
  }
  bool check_trace();
  bool trace(const TestCase& test_case, Span<const uint8_t> payload);
  void profile(const TestCase& test_case);
  bool rehearse();
  void begin_record(const char* event) override;
  [[nodiscard]] bool end_record(const ValueSource& values) override;
  // Whether the case or step failed by its trace, and whether its outputs decide anything.
  bool fails_by_trace() const;
  bool outputs_decide() const {
    return !tracing() || !options_.trace.isolate;
  }
#endif
  void run_suite(uint32_t index, const TestSuite& suite);
  void run_case(uint32_t suite_index, const TestSuite& suite, uint32_t case_index);
  void run_once(const TestCase& test_case);
  bool load_method();
  bool execute(const TestCase& test_case);
  EngineError fit(const TestCase& test_case);
  EngineError set_inputs(const TestCase& test_case, Span<const uint8_t> payload);
  bool judge(const TestCase& test_case, Span<const uint8_t> payload, uint64_t time);
#if BPTE_CORE_STEPS
  void run_steps(const TestCase& test_case);
  EngineError take_carried(const TestCase& step);
  void replace_by_carried(Value& stated, size_t& used);
#endif
  Verdict judge_output(const TestCase& test_case, uint32_t index, Span<const uint8_t> payload);
#if BPTE_RUNNER_METRICS
  void judge_metrics();
#endif
#if BPTE_RUNNER_BUDGETS
  void judge_budgets(uint32_t suite, Text method, const Use& use);
#endif
  void settle();
  Resources measure();
  Outcome finish();

  // Both end the run.
  void stop(const Fault& fault, uint32_t suite = kNoIndex, uint32_t test_case = kNoIndex);
  void stop(const char* error, const char* message, Outcome outcome, uint32_t suite = kNoIndex,
            uint32_t test_case = kNoIndex);
  // Ends the case or step, or, when the program is at fault, the run. False.
  bool case_error(EngineError error, const char* message);
  void begin_case();
  void write_stand_in();
  void end_case(const char* verdict);

  const Bundle& bundle_;
  Engine& engine_;
  Clock& clock_;
  const RunOptions& options_;
  RecordWriter writer_;
  BundleSource source_;
  BundleDataFiles data_files_;
  Tally tally_;
  bool stopped_ = false;
  Outcome reason_ = Outcome::kPassed;  // why the run was stopped

  // The current case, and its step if it has any.
  uint32_t suite_index_ = 0;
  uint32_t case_index_ = 0;
  uint32_t step_index_ = kNoIndex;
  Text method_;
  Text case_name_;
  const char* stand_in_ = "";  // of its execution, until its record is written
  Message message_;
#if BPTE_RUNNER_WIRE
  ValueSource sent_;  // what goes with the next record
#endif
#if BPTE_RUNNER_TRACE
  TestSuite suite_;
  Tracer tracer_;
  Profiler profiler_;
  // An execution that is not judged: its times are taken.
  struct Rehearsal {
    bool running = false;
    bool stepped = false;
    bool failed = false;
    uint32_t run = 0;
  } rehearsal_;
#endif
#if BPTE_RUNNER_METRICS
  Metrics metrics_;  // of the current suite
#endif
#if BPTE_RUNNER_BUDGETS
  Longest longest_;           // of the run
  Longest longest_of_suite_;  // of the current suite
#endif
  Resources taken_;  // so far
#if BPTE_CORE_STEPS
  Span<uint8_t> carried_;  // the half of options_.carry_buffer that holds this step's
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
      source_(bundle),
      data_files_(bundle, source_)
#if BPTE_RUNNER_TRACE
      ,
      tracer_(bundle, options.trace, writer_, clock, *this),
      profiler_(options.trace, writer_, clock, *this)
#endif
{
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
  if (placed.step == kNoIndex) placed.step = step_index_;
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
  stop.where.step = step_index_;
  write_error(writer_, stop);
  reason_ = outcome;
  stopped_ = true;
  settle();
}

Outcome Run::finish() {
  const Outcome outcome = outcome_of(tally_, stopped_, reason_);
  write_end(writer_, tally_, outcome);
  (void)settled(options_);  // the outcome stays what it is
  return outcome;
}

// A record was written. The run ends when nobody takes it.
void Run::settle() {
#if BPTE_RUNNER_WIRE
  const ValueSource values = sent_;
  sent_ = {};
  if (settled(options_, values) || stopped_) return;
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

// Whether the program or a data file lies there.
bool Run::is_loaded(uint64_t file_offset) const {
  if (file_offset == bundle_.program_info().file_offset) return true;
  for (uint32_t i = 0; i < data_files_.count(); ++i) {
    if (file_offset == data_files_.segment(i).file_offset) return true;
  }
  return false;
}

bool Run::verify_program() {
#if BPTE_CORE_CHECKSUMS
  if (!options_.verify_checksums) return true;
#if BPTE_RUNNER_TRACE
  // The values of a trace are read one by one, their checksum is over all of them.
  if (tracing()) {
    const Status all = bundle_.verify_checksums(options_.scratch);
    if (!all.ok()) stop(all.fault());
    return all.ok();
  }
#endif
  for (uint32_t i = 0; i < bundle_.segment_count(); ++i) {
    const Result<SegmentInfo> segment = bundle_.segment(i);
    if (!segment.ok() || segment->size == 0 || !is_loaded(segment->file_offset)) continue;
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
  location.data = &data_files_;
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
  [[maybe_unused]] const auto unsupported = [this](const char* what, uint32_t suite) {
    message_.clear();
    message_ << what << " not supported by this runner";
    stop(to_string(EngineError::kUnsupported), message_.c_str(), Outcome::kInfrastructure, suite);
    return false;
  };
#if BPTE_CORE_BUDGETS && !BPTE_RUNNER_BUDGETS
  if (bundle_.budget_count() != 0) return unsupported("the bundle states budgets:", kNoIndex);
#endif
#if BPTE_CORE_METRICS && !BPTE_RUNNER_METRICS
  for (uint32_t i = 0; i < bundle_.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle_.suite(i);
    if (suite.ok() && selected(*suite, options_) && suite->metric_count() != 0) {
      return unsupported("the suite states metrics:", i);
    }
  }
#endif
#if BPTE_RUNNER_TRACE
  if (!check_trace()) return false;
#endif
  return true;
}

#if BPTE_RUNNER_TRACE
// What was asked for and cannot be traced must not look traced.
bool Run::check_trace() {
  const TraceOptions& trace = options_.trace;
  if (!tracing() && trace.profile == 0) return true;
  const bool sends = trace.mode == TraceMode::kRecord || trace.dump != kNoIndex;
  const char* error = to_string(EngineError::kUnsupported);
  message_.clear();
  if (trace.stepping == nullptr) {
    message_ << "the engine " << engine_.name() << " does not run instruction by instruction";
#if BPTE_RUNNER_WIRE
  } else if (sends && options_.wire == nullptr) {
    message_ << "the values of instructions are sent with the outputs, which nobody asked for";
#else
  } else if (sends) {
    message_ << "built without BPTE_RUNNER_WIRE: no values of instructions can be sent";
#endif
  } else if (tracing() && trace.mode != TraceMode::kRecord &&
             !any_trace_selected(bundle_, options_)) {
    error = "no_trace";
    message_ << "no case that was asked for has a trace";
  }
  if (message_.empty()) return true;
  stop(error, message_.c_str(), Outcome::kInfrastructure);
  return false;
}

void Run::begin_record(const char* event) {
  writer_.begin_record(event);
  writer_.field(key::kSuite, suite_index_);
  writer_.field(key::kCase, case_index_);
  if (step_index_ != kNoIndex) writer_.field(key::kStep, step_index_);
}

bool Run::end_record([[maybe_unused]] const ValueSource& values) {
  writer_.end_record();
#if BPTE_RUNNER_WIRE
  sent_ = values;
#endif
  settle();
  return !stopped_;
}

bool Run::fails_by_trace() const {
  const TraceOptions& trace = options_.trace;
  return tracing() && (trace.mode == TraceMode::kStrict || trace.isolate) && tracer_.found_wrong();
}
#endif

void Run::begin_case() {
  writer_.begin_record(event::kCase);
  writer_.field(key::kSuite, suite_index_);
  writer_.field(key::kMethod, method_);
  writer_.field(key::kCase, case_index_);
  if (step_index_ != kNoIndex) writer_.field(key::kStep, step_index_);
  if (case_name_.size > 0) writer_.field(key::kName, case_name_);
}

// A verdict is worth what executed it: no record of a stand-in can pass for one of the hardware.
void Run::write_stand_in() {
  if (*stand_in_ != '\0') writer_.field(key::kStandIn, stand_in_);
}

void Run::end_case(const char* verdict) {
  stand_in_ = "";
  writer_.field(key::kVerdict, verdict);
  writer_.end_record();
  settle();
}

bool Run::case_error(EngineError error, const char* message) {
  if (outcome_of(error) == Outcome::kMalformed) {
    stop(to_string(error), message, Outcome::kMalformed, suite_index_, case_index_);
    return false;
  }
#if BPTE_RUNNER_TRACE
  if (rehearsal_.running) {
    rehearsal_.failed = true;  // the execution that is judged will say why
    return false;
  }
#endif
  ++tally_.errors;
#if BPTE_RUNNER_METRICS
  metrics_.missing({case_index_, step_index_});
#endif
  begin_case();
  write_stand_in();
  writer_.field(key::kError, to_string(error));
  writer_.field(key::kMessage, message);
  end_case("error");
  return false;
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
#if BPTE_RUNNER_TRACE
  if (options_.trace.mode == TraceMode::kStrict && test_case.trace_count() == 0) {
    message_ << "it has no trace, and every case must have one (strict)";
    return EngineError::kUnsupported;
  }
#endif
  return EngineError::kOk;
}

#if BPTE_CORE_STEPS
namespace {

// Whether a value can take the place of a stated one: all but the elements is the same.
bool alike(const Value& stated, const Value& actual) {
  const TensorView& a = stated.tensor;
  const TensorView& b = actual.tensor;
  if (stated.kind != actual.kind || a.scalar_type != b.scalar_type ||
      a.sizes.size() != b.sizes.size() || b.dim_order.size() != b.sizes.size()) {
    return false;
  }
  for (size_t i = 0; i < a.sizes.size(); ++i) {
    if (a.sizes[i] != b.sizes[i] || a.dim_order[i] != b.dim_order[i]) return false;
  }
  return true;
}

// Where the elements of a value lie.
Span<const uint8_t> bytes_of(const Value& value) {
  const auto bytes = [](const auto& member) {
    return Span<const uint8_t>(reinterpret_cast<const uint8_t*>(&member), sizeof member);
  };
  switch (value.kind) {
    case ValueKind::kTensor:
      return value.tensor.data;
    case ValueKind::kInt:
      return bytes(value.int_value);
    case ValueKind::kDouble:
      return bytes(value.double_value);
    case ValueKind::kBool:
      return bytes(value.bool_value);
    case ValueKind::kNone:
      break;
  }
  return {};
}

}  // namespace

// Copies what the last step gave for the carried inputs of this one, before anything else is done:
// an output may lie in the engine's memory, or where an input of the last step lay (in the payload,
// or in the other half of this buffer).
EngineError Run::take_carried(const TestCase& step) {
  const size_t half = options_.carry_buffer.size() / 32 * 16;
  carried_ = options_.carry_buffer.subspan(
      carried_.data() == options_.carry_buffer.data() ? half : 0, half);
  size_t used = 0;
  for (const Carry& carry : step.carries()) {
    const Value stated = *step.input(carry.input, {});  // without its elements
    Value actual;
    const EngineError error = engine_.output(carry.output, actual);
    message_.clear();
    if (error != EngineError::kOk) {
      message_ << engine_.message();
      return error;
    }
    const Span<const uint8_t> bytes = bytes_of(actual);
    const uint64_t size = carry_size(stated);
    if (!alike(stated, actual) || bytes.size() > size) {
      message_ << "output " << carry.output << " of the step before has not the type, shape and "
               << "dim_order of input " << carry.input << ", into which it is carried";
      return EngineError::kInvalidInput;
    }
    if (size > carried_.size() - used) {
      message_ << "the carried values do not fit into half of " << options_.carry_buffer.size()
               << " bytes (RunOptions::carry_buffer)";
      return EngineError::kOutOfMemory;
    }
    if (!bytes.empty()) std::memcpy(carried_.data() + used, bytes.data(), bytes.size());
    used += static_cast<size_t>(size);
  }
  return EngineError::kOk;
}

// The value that was carried, in place of the stated one.
void Run::replace_by_carried(Value& stated, size_t& used) {
  const uint8_t* const carried = carried_.data() + used;
  used += static_cast<size_t>(carry_size(stated));
  switch (stated.kind) {
    case ValueKind::kTensor:
      stated.tensor.data = Span<const uint8_t>(carried, stated.tensor.data.size());
      break;
    case ValueKind::kInt:
      std::memcpy(&stated.int_value, carried, sizeof stated.int_value);
      break;
    case ValueKind::kDouble:
      std::memcpy(&stated.double_value, carried, sizeof stated.double_value);
      break;
    case ValueKind::kBool:
      stated.bool_value = *carried != 0;
      break;
    case ValueKind::kNone:
      break;
  }
}
#endif

EngineError Run::set_inputs(const TestCase& test_case, Span<const uint8_t> payload) {
#if BPTE_CORE_STEPS
  const Span<const Carry> carries = options_.teach ? Span<const Carry>() : test_case.carries();
  const Carry* carry = carries.begin();  // ascending by input
  size_t used = 0;
#endif
  for (uint32_t i = 0; i < test_case.input_count(); ++i) {
    Result<Value> input = test_case.input(i, payload);
    if (!input.ok()) {
      stop(input.fault(), suite_index_, case_index_);
      return EngineError::kInvalidInput;
    }
#if BPTE_CORE_STEPS
    if (carry != carries.end() && carry->input == i) {
      replace_by_carried(*input, used);
      ++carry;
    }
#endif
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
  step_index_ = kNoIndex;
  method_ = suite.method_name();
  case_name_ = Text();
#if BPTE_RUNNER_TRACE
  suite_ = suite;
#endif
  const Result<TestCase> test_case = suite.test_case(case_index);
  if (!test_case.ok()) return stop(test_case.fault(), suite_index, case_index);
#if BPTE_RUNNER_TRACE
  profile(*test_case);
  if (stopped_) return;
#endif
  run_once(*test_case);
}

void Run::run_once(const TestCase& test_case) {
#if BPTE_CORE_STEPS
  if (test_case.step_count() != 0) return run_steps(test_case);
#endif
  case_name_ = test_case.name();
  if (load_method()) (void)execute(test_case);
}

// Done for every case, because what a method writes must not reach the next case.
bool Run::load_method() {
#if BPTE_RUNNER_TRACE
  tracer_.begin_method();
#endif
  const EngineError error = engine_.load_method(method_.data, method_.size);
  return error == EngineError::kOk || case_error(error, engine_.message());
}

#if BPTE_CORE_STEPS
// The method is loaded once, so that its state goes on from step to step. After a step that did not
// run the others have nothing to go on from: each has its record all the same.
void Run::run_steps(const TestCase& test_case) {
  bool ran = false;
  for (uint32_t i = 0; i < test_case.step_count() && !stopped_; ++i) {
    step_index_ = i;
    const Result<TestCase> step = test_case.step(i);
    if (!step.ok()) return stop(step.fault(), suite_index_, case_index_);
    case_name_ = step->name();
    if (i != 0 && !ran) {
      case_error(EngineError::kExecutionFailed, "a step before this one did not run");
      continue;
    }
    ran = (i != 0 || load_method()) && execute(*step);
  }
  step_index_ = kNoIndex;
}
#endif

// Executes the method once and judges it. Whether it was executed and its outputs could be read.
bool Run::execute(const TestCase& test_case) {
  EngineError error = fit(test_case);
  if (error != EngineError::kOk) return case_error(error, message_.c_str());

#if BPTE_CORE_STEPS
  if (!options_.teach) {
    error = take_carried(test_case);
    if (error != EngineError::kOk) return case_error(error, message_.c_str());
  }
#endif
  const Result<Span<const uint8_t>> payload =
      bundle_.case_payload(test_case, options_.case_buffer, options_.verify_checksums);
  if (!payload.ok()) {
    stop(payload.fault(), suite_index_, case_index_);
    return false;
  }
  if (set_inputs(test_case, *payload) != EngineError::kOk) return false;

#if BPTE_RUNNER_TRACE
  if (rehearsal_.running) return rehearse();
  if (tracing()) return trace(test_case, *payload);
#endif
  const uint64_t start = clock_.now();
  error = engine_.execute();
  const uint64_t time = clock_.now() - start;
  stand_in_ = engine_.stand_in();
  if (error != EngineError::kOk) return case_error(error, engine_.message());
#if BPTE_RUNNER_BUDGETS
  longest_.take(time, suite_index_, case_index_, step_index_);
  longest_of_suite_.take(time, suite_index_, case_index_, step_index_);
#endif
  return judge(test_case, *payload, time);
}

#if BPTE_RUNNER_TRACE
// As execute(), once the inputs are set; instruction by instruction.
bool Run::trace(const TestCase& test_case, Span<const uint8_t> payload) {
  const EngineError error = tracer_.run(suite_, test_case);
  stand_in_ = engine_.stand_in();
  if (tracer_.fault().error != Error::kOk) stop(tracer_.fault(), suite_index_, case_index_);
  if (stopped_) return false;
  if (error != EngineError::kOk) return case_error(error, engine_.message());
  return judge(test_case, payload, tracer_.time());
}

// Executes the case as often as was asked for, at once and instruction by instruction in turn, for
// the times alone.
void Run::profile(const TestCase& test_case) {
  rehearsal_ = Rehearsal();
  for (uint32_t run = 0; run < options_.trace.profile; ++run) {
    for (int turn = 0; turn < 2 && !stopped_ && !rehearsal_.failed; ++turn) {
      rehearsal_.running = true;
      rehearsal_.stepped = turn == 1;
      rehearsal_.run = run;
      run_once(test_case);
    }
  }
  rehearsal_.running = false;
}

// As execute(), once the inputs are set.
bool Run::rehearse() {
  uint64_t time = 0;
  EngineError error = EngineError::kOk;
  if (rehearsal_.stepped) {
    error = profiler_.step_through(rehearsal_.run);
    time = profiler_.time();
  } else {
    const uint64_t start = clock_.now();
    error = engine_.execute();
    time = clock_.now() - start;
  }
  if (stopped_) return false;
  if (error != EngineError::kOk) return case_error(error, engine_.message());
  begin_record(event::kExecution);
  writer_.field(key::kRun, rehearsal_.run);
  if (rehearsal_.stepped) writer_.field(key::kStepped, true);
  writer_.field(key::kTime, time);
  return end_record({});
}
#endif

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

bool Run::judge(const TestCase& test_case, Span<const uint8_t> payload, uint64_t time) {
  // First, before the record begins, checks that all outputs can be read.
  for (uint32_t i = 0; i < test_case.output_count(); ++i) {
    const Result<Value> expected = test_case.expected_output(i, payload);
    if (!expected.ok()) {
      stop(expected.fault(), suite_index_, case_index_);
      return false;
    }
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
  write_stand_in();
  writer_.key(key::kOutputs);
  writer_.begin_array();
  for (uint32_t i = 0; i < test_case.output_count(); ++i) {
    const Verdict verdict = judge_output(test_case, i, payload);
    failed |= verdict == Verdict::kFail;
    passed |= verdict == Verdict::kPass;
  }
  writer_.end_array();
#if BPTE_RUNNER_METRICS
  metrics_.measure(test_case, {case_index_, step_index_}, payload, engine_, writer_);
#endif
#if BPTE_RUNNER_WIRE
  if (options_.wire != nullptr) {
    sent_ = outputs_of(engine_, sent);
    write_values(writer_, sent_);
  }
#endif
#if BPTE_RUNNER_TRACE
  if (tracing()) {
    tracer_.write_summary();
    failed |= fails_by_trace();
    passed &= outputs_decide();
  }
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
  return true;
}

#if BPTE_RUNNER_METRICS
// Once all cases of the suite were run: what its metrics came to. A row of a matrix is a record of
// its own, so that no record grows with the square of the classes.
void Run::judge_metrics() {
  for (uint32_t i = 0; i < metrics_.count() && !stopped_; ++i) {
    const MetricState& state = metrics_.state(i);
    const MetricName name = {suite_index_, method_, i};
    bool judged = options_.test_case == kNoIndex;
#if BPTE_RUNNER_TRACE
    judged &= outputs_decide();
#endif
    const Judgement verdict = verdict_of(state, judged);
    if (state.metric.kind == MetricKind::kConfusionMatrix && verdict != Judgement::kError) {
      for (uint32_t label = 0; label < state.metric.classes && !stopped_; ++label) {
        if (write_confusion(writer_, name, state, label)) settle();
      }
    }
    if (stopped_) return;
    tally_.take(verdict);
    write_metric(writer_, name, state, verdict, message_);
    settle();
  }
}
#endif

// What the target takes at present; and in taken_, what it has taken by now. A plan and the
// engine's memory are those of the method that was loaded last: there the largest counts.
Resources Run::measure() {
  const Resources now = options_.meter != nullptr ? options_.meter->measure() : Resources();
  const Resources before = taken_;
  taken_ = now;
  const auto keep = [](uint64_t& amount, uint64_t then) {
    if (then != kNotMeasured && (amount == kNotMeasured || amount < then)) amount = then;
  };
  keep(taken_.planned_memory, before.planned_memory);
  keep(taken_.engine_memory, before.engine_memory);
  return now;
}

#if BPTE_RUNNER_BUDGETS
// The budgets of one suite, or with kNoIndex those of all of them.
void Run::judge_budgets(uint32_t suite, Text method, const Use& use) {
  for (uint32_t i = 0; i < bundle_.budget_count() && !stopped_; ++i) {
    const Result<Budget> budget = bundle_.budget(i);
    if (!budget.ok() || budget->suite != suite || !holds_for(*budget, options_.target)) continue;
    const Judgement verdict = verdict_of(*budget, use);
    tally_.take(verdict);
    write_budget(writer_, i, *budget, method, use, verdict);
    settle();
  }
}
#endif

void Run::run_suite(uint32_t index, const TestSuite& suite) {
#if BPTE_RUNNER_BUDGETS
  longest_of_suite_ = Longest();
#endif
#if BPTE_RUNNER_METRICS
  suite_index_ = index;
  method_ = suite.method_name();
  if (!metrics_.begin(suite, options_.metric_buffer, message_)) {
    return stop(to_string(EngineError::kOutOfMemory), message_.c_str(), Outcome::kInfrastructure,
                index);
  }
#endif
  for (uint32_t i = 0; i < suite.case_count() && !stopped_; ++i) {
    if (selected(i, options_)) run_case(index, suite, i);
  }
#if BPTE_RUNNER_METRICS
  if (!stopped_) judge_metrics();
#endif
  [[maybe_unused]] const Resources now = measure();
#if BPTE_RUNNER_BUDGETS
  if (!stopped_) {
    judge_budgets(index, suite.method_name(), {longest_of_suite_, clock_.unit(), now});
  }
#endif
}

Outcome Run::run() {
  const bool ready = begin() && check_supported() && verify_program() && load() && check_suites();
  if (ready) {
    for (uint32_t i = 0; i < bundle_.suite_count() && !stopped_; ++i) {
      const Result<TestSuite> suite = bundle_.suite(i);
      if (suite.ok() && selected(*suite, options_)) run_suite(i, *suite);
    }
  }
  // Once for all that follows: the record of resources has what the budgets were judged by.
  (void)measure();
#if BPTE_RUNNER_BUDGETS
  if (ready && !stopped_) judge_budgets(kNoIndex, Text(), {longest_, clock_.unit(), taken_});
#endif
  if (options_.meter != nullptr) {
    write_resources(writer_, taken_);
    settle();
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
  (void)settled(options);  // here and below: the outcome stays what it is
  const Outcome outcome = write_fault(writer, fault);
  (void)settled(options);
  Tally tally;
#if BPTE_RUNNER_WIRE
  tally.wire = options.wire;
#endif
  write_end(writer, tally, outcome);
  (void)settled(options);
  return outcome;
}

void abandon_run(const char* error, const char* message) {
  Run* const run = Run::current;
  Run::current = nullptr;  // only once: the handler that calls this may itself fault
  if (run != nullptr) run->abandon(error, message);
}

}  // namespace bpte
