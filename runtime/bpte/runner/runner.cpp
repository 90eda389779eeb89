// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/message.h>
#include <bpte/runner/record_writer.h>
#include <bpte/runner/runner.h>

#include <cmath>
#include <cstring>

namespace bpte {

namespace {

constexpr uint64_t kProtocol = 1;

struct Tally {
  uint64_t passed = 0;
  uint64_t failed = 0;
  uint64_t errors = 0;
  uint64_t unjudged = 0;
};

// What a run has come to. The order of these questions is docs/result-protocol.md's.
Outcome outcome_of(const Tally& tally, bool stopped, Outcome reason) {
  if (tally.failed > 0) return Outcome::kMismatch;
  if (stopped) return reason;
  if (tally.errors > 0 || tally.passed == 0) return Outcome::kInfrastructure;
  return Outcome::kPassed;
}

Outcome outcome_of(Error error) {
  return static_cast<Outcome>(exit_code(error));
}

Outcome outcome_of(EngineError error) {
  return error == EngineError::kInvalidProgram ? Outcome::kMalformed : Outcome::kInfrastructure;
}

void write_end(RecordWriter& writer, const Tally& tally, Outcome outcome) {
  writer.begin_record("end");
  writer.key("passed");
  writer.integer(tally.passed);
  writer.key("failed");
  writer.integer(tally.failed);
  writer.key("errors");
  writer.integer(tally.errors);
  writer.key("unjudged");
  writer.integer(tally.unjudged);
  writer.key("outcome");
  writer.integer(static_cast<uint64_t>(outcome));
  writer.end_last_record();
}

void write_fault(RecordWriter& writer, const Fault& fault) {
  char message[256];
  format_fault(fault, Span<char>(message));
  writer.begin_record("error");
  writer.key("error");
  writer.text(to_string(fault.error));
  writer.key("message");
  writer.text(message);
  writer.key("outcome");
  writer.integer(static_cast<uint64_t>(outcome_of(fault.error)));
  const struct {
    const char* key;
    uint32_t index;
  } places[] = {{"suite", fault.suite},
                {"case", fault.test_case},
                {"input", fault.input},
                {"output", fault.output},
                {"segment", fault.segment}};
  for (const auto& place : places) {
    if (place.index == kNoIndex) continue;
    writer.key(place.key);
    writer.integer(uint64_t{place.index});
  }
  const struct {
    const char* key;
    uint64_t value;
  } values[] = {{"offset", fault.offset}, {"value", fault.value}, {"expected", fault.expected}};
  for (const auto& value : values) {
    if (value.value == 0) continue;
    writer.key(value.key);
    writer.integer(value.value);
  }
  writer.end_record();
}

// Float32 and what fits into it is written as such: "0.1" rather than 0.10000000149011612.
bool fits_float32(ScalarType type) {
  return type == ScalarType::kFloat || type == ScalarType::kHalf || type == ScalarType::kBFloat16;
}

void write_number(RecordWriter& writer, const Number& number, ScalarType type) {
  switch (number.kind) {
    case Number::Kind::kDouble:
      if (fits_float32(type)) {
        writer.real32(static_cast<float>(number.as_double));
      } else {
        writer.real(number.as_double);
      }
      break;
    case Number::Kind::kInt:
      writer.integer(number.as_int);
      break;
    case Number::Kind::kUInt:
      if (type == ScalarType::kBool) {
        writer.boolean(number.as_uint != 0);
      } else {
        writer.integer(number.as_uint);
      }
      break;
  }
}

void write_sizes(RecordWriter& writer, Span<const int32_t> sizes) {
  writer.begin_array();
  for (const int32_t size : sizes) writer.integer(int64_t{size});
  writer.end_array();
}

// Row-major coordinates of a logical index.
void write_coordinates(RecordWriter& writer, uint64_t index, Span<const int32_t> sizes) {
  uint64_t coordinates[kMaxRank] = {};
  const size_t rank = sizes.size() < kMaxRank ? sizes.size() : kMaxRank;
  for (size_t i = rank; i-- > 0;) {
    const uint64_t size = sizes[i] > 0 ? static_cast<uint64_t>(sizes[i]) : 1;
    coordinates[i] = index % size;
    index /= size;
  }
  writer.begin_array();
  for (size_t i = 0; i < rank; ++i) writer.integer(coordinates[i]);
  writer.end_array();
}

// `tolerance`: what the result was judged with.
void write_output(RecordWriter& writer, const Value& expected, const Value& actual,
                  const Comparison& result, const Tolerance& tolerance) {
  const bool tensor = expected.kind == ValueKind::kTensor;
  const ScalarType type = tensor                                ? expected.tensor.scalar_type
                          : expected.kind == ValueKind::kBool   ? ScalarType::kBool
                          : expected.kind == ValueKind::kDouble ? ScalarType::kDouble
                                                                : ScalarType::kLong;
  writer.begin_object();
  writer.key("verdict");
  writer.text(to_string(result.verdict));
  if (result.reason != Reason::kNone) {
    writer.key("reason");
    writer.text(to_string(result.reason));
  }
  writer.key("kind");
  writer.text(to_string(expected.kind));
  if (tensor) {
    writer.key("dtype");
    writer.text(to_string(type));
    writer.key("shape");
    write_sizes(writer, expected.tensor.sizes);
  }
  if (actual.kind != expected.kind) {
    writer.key("actual_kind");
    writer.text(to_string(actual.kind));
  }
  if (actual.kind == ValueKind::kTensor) {
    if (!tensor || actual.tensor.scalar_type != type) {
      writer.key("actual_dtype");
      writer.text(to_string(actual.tensor.scalar_type));
    }
    const Span<const int32_t>& sizes = actual.tensor.sizes;
    if (!tensor || sizes.size() != expected.tensor.sizes.size() ||
        (!sizes.empty() && std::memcmp(sizes.data(), expected.tensor.sizes.data(),
                                       sizes.size() * sizeof(int32_t)) != 0)) {
      writer.key("actual_shape");
      write_sizes(writer, sizes);
    }
  }
  const bool compared = result.reason != Reason::kKind && result.reason != Reason::kDtype &&
                        result.reason != Reason::kShape;
  if (compared) {
    writer.key("numel");
    writer.integer(result.numel);
    writer.key("mismatches");
    writer.integer(result.mismatches);
    writer.key("nonfinite");
    writer.integer(result.nonfinite);
    if (result.mismatches > 0) {
      writer.key("first");
      writer.begin_object();
      writer.key("index");
      write_coordinates(writer, result.first_mismatch,
                        tensor ? expected.tensor.sizes : Span<const int32_t>());
      writer.key("expected");
      write_number(writer, result.first_expected, type);
      writer.key("actual");
      write_number(writer, result.first_actual, type);
      writer.end_object();
    }
    const struct {
      const char* key;
      double value;
    } statistics[] = {{"max_abs", result.max_abs_error},
                      {"mean_abs", result.mean_abs_error},
                      {"max_rel", result.max_rel_error},
                      {"mean_rel", result.mean_rel_error},
                      {"sqnr_db", result.sqnr_db},
                      {"cosine", result.cosine},
                      {"rtol", result.rtol},
                      {"atol", result.atol},
                      {"max_outlier_share", tolerance.max_outlier_share}};
    for (const auto& statistic : statistics) {
      writer.key(statistic.key);
      writer.real(statistic.value);
    }
    const struct {
      const char* key;
      double value;
    } floors[] = {{"min_sqnr_db", tolerance.min_sqnr_db}, {"min_cosine", tolerance.min_cosine}};
    for (const auto& floor : floors) {
      if (std::isnan(floor.value)) continue;
      writer.key(floor.key);
      writer.real(floor.value);
    }
  }
  writer.end_object();
}

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
  void write_begin();
  bool load();
  bool check_suites();
  void run_suite(uint32_t index, const TestSuite& suite);
  void run_case(uint32_t suite_index, const TestSuite& suite, uint32_t case_index);

  bool selected(const TestSuite& suite) const;
  bool selected(uint32_t case_index) const;
  uint64_t count_cases() const;

  void stop(const Fault& fault, uint32_t suite = kNoIndex, uint32_t test_case = kNoIndex);
  void stop(const char* error, const char* message, Outcome outcome, uint32_t suite = kNoIndex,
            uint32_t test_case = kNoIndex);
  void begin_case(const char* verdict);
  void case_error(EngineError error, const char* message);
  EngineError set_inputs(const TestCase& test_case, Span<const uint8_t> payload);
  void judge(const TestCase& test_case, Span<const uint8_t> payload, uint64_t time);
  Tolerance tolerance_of(const TestCase& test_case, uint32_t output) const;
  Outcome finish();

  const Bundle& bundle_;
  Engine& engine_;
  Clock& clock_;
  const RunOptions& options_;
  RecordWriter writer_;
  BundleSource source_;
  Tally tally_;
  bool stopped_ = false;
  Outcome reason_ = Outcome::kPassed;  // of stopping

  // The case at hand.
  uint32_t suite_index_ = 0;
  uint32_t case_index_ = 0;
  Text method_;
  Text case_name_;
  Message message_;
  // A case's verdict stands in front of its outputs. The first outputs' results are kept until
  // then, those of the others are worked out again.
  static constexpr uint32_t kKept = 4;
  Comparison kept_[kKept];
};

Run* Run::current = nullptr;

Run::Run(const Bundle& bundle, Engine& engine, Output& output, Clock& clock,
         const RunOptions& options)
    : bundle_(bundle),
      engine_(engine),
      clock_(clock),
      options_(options),
      writer_(output),
      source_(bundle) {
  current = this;
}

Run::~Run() {
  current = nullptr;
}

bool Run::selected(const TestSuite& suite) const {
  return options_.method.size == 0 || suite.method_name() == options_.method;
}

bool Run::selected(uint32_t case_index) const {
  return options_.test_case == kNoIndex || options_.test_case == case_index;
}

uint64_t Run::count_cases() const {
  uint64_t count = 0;
  for (uint32_t i = 0; i < bundle_.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle_.suite(i);
    if (!suite.ok() || !selected(*suite)) continue;
    if (options_.test_case == kNoIndex) {
      count += suite->case_count();
    } else if (options_.test_case < suite->case_count()) {
      ++count;
    }
  }
  return count;
}

void Run::write_begin() {
  const Header& header = bundle_.header();
  const SegmentInfo program = bundle_.program_info();
  writer_.begin_record("begin");
  writer_.key("protocol");
  writer_.integer(kProtocol);
  writer_.key("target");
  writer_.text(options_.target);
  writer_.key("engine");
  writer_.text(engine_.name());
  writer_.key("engine_version");
  writer_.text(engine_.version());
  writer_.key("format");
  writer_.text(header.format == Format::kBP08 ? "BP08" : "BP09");
  writer_.key("file_size");
  writer_.integer(header.file_size);
  writer_.key("program_offset");
  writer_.integer(program.file_offset);
  writer_.key("program_size");
  writer_.integer(program.size);
  if (!bundle_.program().empty()) {
    writer_.key("program_address");
    writer_.hex(reinterpret_cast<uintptr_t>(bundle_.program().data()), 8, "0x");
  }
  writer_.key("cases");
  writer_.integer(count_cases());
  writer_.key("unit");
  writer_.text(clock_.unit());
  writer_.end_record();
}

void Run::stop(const Fault& fault, uint32_t suite, uint32_t test_case) {
  Fault placed = fault;
  if (placed.suite == kNoIndex) placed.suite = suite;
  if (placed.test_case == kNoIndex) placed.test_case = test_case;
  write_fault(writer_, placed);
  stopped_ = true;
  reason_ = outcome_of(fault.error);
}

void Run::stop(const char* error, const char* message, Outcome outcome, uint32_t suite,
               uint32_t test_case) {
  writer_.begin_record("error");
  writer_.key("error");
  writer_.text(error);
  writer_.key("message");
  writer_.text(message);
  writer_.key("outcome");
  writer_.integer(static_cast<uint64_t>(outcome));
  if (suite != kNoIndex) {
    writer_.key("suite");
    writer_.integer(uint64_t{suite});
  }
  if (test_case != kNoIndex) {
    writer_.key("case");
    writer_.integer(uint64_t{test_case});
  }
  writer_.end_record();
  stopped_ = true;
  reason_ = outcome;
}

Outcome Run::finish() {
  const Outcome outcome = outcome_of(tally_, stopped_, reason_);
  write_end(writer_, tally_, outcome);
  return outcome;
}

void Run::abandon(const char* error, const char* message) {
  writer_.abandon_record();
  stop(error, message, Outcome::kInfrastructure);
  finish();
}

bool Run::load() {
  const SegmentInfo program = bundle_.program_info();
#if BPTE_CORE_CHECKSUMS
  if (options_.verify_checksums) {
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
  }
#endif
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

void Run::begin_case(const char* verdict) {
  writer_.begin_record("case");
  writer_.key("suite");
  writer_.integer(uint64_t{suite_index_});
  writer_.key("method");
  writer_.text(method_);
  writer_.key("case");
  writer_.integer(uint64_t{case_index_});
  if (case_name_.size > 0) {
    writer_.key("name");
    writer_.text(case_name_);
  }
  writer_.key("verdict");
  writer_.text(verdict);
}

void Run::case_error(EngineError error, const char* message) {
  if (outcome_of(error) == Outcome::kMalformed) {
    stop(to_string(error), message, Outcome::kMalformed, suite_index_, case_index_);
    return;
  }
  ++tally_.errors;
  begin_case("error");
  writer_.key("error");
  writer_.text(to_string(error));
  writer_.key("message");
  writer_.text(message);
  writer_.end_record();
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

  // For every case: what the method writes must not reach the next one.
  EngineError error = engine_.load_method(method_.data, method_.size);
  if (error != EngineError::kOk) return case_error(error, engine_.message());

  message_.clear();
  if (test_case->input_count() != engine_.input_count()) {
    message_ << "the method takes " << engine_.input_count() << " inputs, the case gives "
             << test_case->input_count();
    return case_error(EngineError::kInvalidInput, message_.c_str());
  }
  if (test_case->output_count() != 0 && test_case->output_count() != engine_.output_count()) {
    message_ << "the method gives " << engine_.output_count() << " outputs, the case expects "
             << test_case->output_count();
    return case_error(EngineError::kNoSuchOutput, message_.c_str());
  }

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

Tolerance Run::tolerance_of(const TestCase& test_case, uint32_t output) const {
  Tolerance tolerance = test_case.tolerance(output);
  if (!std::isnan(options_.rtol)) tolerance.rtol = options_.rtol;
  if (!std::isnan(options_.atol)) tolerance.atol = options_.atol;
  return tolerance;
}

void Run::judge(const TestCase& test_case, Span<const uint8_t> payload, uint64_t time) {
  uint64_t* count = &tally_.unjudged;
  const char* verdict = "unjudged";
  for (uint32_t i = 0; i < test_case.output_count(); ++i) {
    const Result<Value> expected = test_case.expected_output(i, payload);
    if (!expected.ok()) return stop(expected.fault(), suite_index_, case_index_);
    Value actual;
    const EngineError error = engine_.output(i, actual);
    if (error != EngineError::kOk) return case_error(error, engine_.message());
    const Comparison result = compare(*expected, actual, tolerance_of(test_case, i));
    if (i < kKept) kept_[i] = result;
    if (result.verdict == Verdict::kFail) {
      verdict = "fail";
      count = &tally_.failed;
    } else if (result.verdict == Verdict::kPass && count == &tally_.unjudged) {
      verdict = "pass";
      count = &tally_.passed;
    }
  }
  begin_case(verdict);
  writer_.key("time");
  writer_.integer(time);
  writer_.key("outputs");
  writer_.begin_array();
  for (uint32_t i = 0; i < test_case.output_count(); ++i) {
    const Result<Value> expected = test_case.expected_output(i, payload);
    Value actual;
    (void)engine_.output(i, actual);  // as above
    const Tolerance tolerance = tolerance_of(test_case, i);
    write_output(writer_, *expected, actual,
                 i < kKept ? kept_[i] : compare(*expected, actual, tolerance), tolerance);
  }
  writer_.end_array();
  writer_.end_record();
  ++*count;
}

void Run::run_suite(uint32_t index, const TestSuite& suite) {
  for (uint32_t i = 0; i < suite.case_count() && !stopped_; ++i) {
    if (selected(i)) run_case(index, suite, i);
  }
}

Outcome Run::run() {
  write_begin();
  if (load() && check_suites()) {
    for (uint32_t i = 0; i < bundle_.suite_count() && !stopped_; ++i) {
      const Result<TestSuite> suite = bundle_.suite(i);
      if (suite.ok() && selected(*suite)) run_suite(i, *suite);
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
  RecordWriter writer(output);
  writer.begin_record("begin");
  writer.key("protocol");
  writer.integer(kProtocol);
  writer.key("target");
  writer.text(options.target);
  writer.key("cases");
  writer.integer(uint64_t{0});
  writer.end_record();
  write_fault(writer, fault);
  const Outcome outcome = outcome_of(fault.error);
  write_end(writer, Tally(), outcome);
  return outcome;
}

void abandon_run(const char* error, const char* message) {
  Run* const run = Run::current;
  Run::current = nullptr;  // once: the handler that calls this may itself fault
  if (run != nullptr) run->abandon(error, message);
}

}  // namespace bpte
