// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/tracer.h>

#if BPTE_RUNNER_TRACE

#include <bpte/core/internal/element.h>
#include <bpte/runner/output_record.h>
#include <bpte/runner/value_record.h>

#include <cmath>
#include <cstring>

namespace bpte {

namespace {

constexpr const char* kModes[] = {"off", "first", "all", "strict", "record"};

template <typename Encoding, typename Stored>
double magnitude_of(Span<const uint8_t> data) {
  double largest = 0;
  for (size_t at = 0; at + sizeof(Stored) <= data.size(); at += sizeof(Stored)) {
    Stored stored;
    std::memcpy(&stored, data.data() + at, sizeof stored);
    const double magnitude = std::fabs(static_cast<double>(Encoding::value(stored)));
    // False for a NaN.
    if (magnitude > largest && magnitude <= std::numeric_limits<double>::max()) largest = magnitude;
  }
  return largest;
}

// The largest magnitude among finite elements.
double magnitude(const TensorView& tensor) {
  using namespace internal;  // the encodings that the table of types names
  switch (tensor.scalar_type) {
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...) \
  case ScalarType::enumerator:                                   \
    return magnitude_of<encoding::encoded, stored>(tensor.data);
    BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  }
  return 0;
}

// Below 0: `listed` comes first in a suite's instructions, an instruction before its operations.
// 0: they are the same.
int compare_places(const Instruction& listed, const ExecutedInstruction& executed) {
  const bool is_operation = executed.kind == InstructionKind::kOperation;
  const auto before = [](uint32_t a, uint32_t b) { return a < b ? -1 : a > b ? 1 : 0; };
  if (listed.chain != executed.chain) return before(listed.chain, executed.chain);
  if (listed.index != executed.index) return before(listed.index, executed.index);
  if (listed.is_operation != is_operation) return listed.is_operation ? 1 : -1;
  return is_operation ? before(listed.operation, executed.operation) : 0;
}

}  // namespace

const char* to_string(TraceMode mode) {
  return kModes[static_cast<size_t>(mode)];
}

bool trace_mode_of(Text name, TraceMode& mode) {
  for (size_t i = 0; i < sizeof kModes / sizeof *kModes; ++i) {
    if (!(name == kModes[i])) continue;
    mode = static_cast<TraceMode>(i);
    return true;
  }
  return false;
}

Tolerance trace_tolerance(const Value& expected, const TraceOptions& options) {
  ScalarType type = ScalarType::kLong;
  double scale = 0;
  if (expected.kind == ValueKind::kTensor) {
    type = expected.tensor.scalar_type;
  } else if (expected.kind == ValueKind::kDouble) {
    type = ScalarType::kDouble;
    scale = std::isfinite(expected.double_value) ? std::fabs(expected.double_value) : 0;
  }
  Tolerance tolerance = default_tolerance(type);
  // What was computed twice alike is right, a NaN too.
  tolerance.nan_policy = NanPolicy::kEqual;
  if (!std::isnan(options.atol)) {
    tolerance.atol = options.atol;
  } else if (tolerance.atol > 0) {
    if (expected.kind == ValueKind::kTensor) scale = magnitude(expected.tensor);
    tolerance.atol *= scale;
  }
  if (!std::isnan(options.rtol)) tolerance.rtol = options.rtol;
  return tolerance;
}

EngineError Tracer::run(const TestSuite& suite, const TestCase& test_case) {
  suite_ = suite;
  case_ = test_case;
  next_ = 0;
  count_ = options_.mode == TraceMode::kRecord ? 0 : test_case.trace_count();
  peeked_ = Entry();
  listed_ = kNoIndex;
  executed_ = compared_ = wrong_ = missed_ = unseen_ = time_ = 0;
  inside_ = Before::kRight;
  shows_operations_ = false;
  const EngineError error = options_.stepping->step_through(*this);
  if (error == EngineError::kOk && !stopped_) pass_over(count_);
  return error;
}

bool Tracer::executed(ExecutedInstruction& instruction) {
  if (is_operation(instruction)) {
    shows_operations_ = true;
  } else {
    ++executed_;
  }
  bool go_on = true;
  if (instruction.output_count != 0) {
    go_on = options_.mode == TraceMode::kRecord ? record(instruction) : hold(instruction);
  }
  if (!is_operation(instruction)) inside_ = Before::kRight;
  stopped_ = !go_on;
  return go_on;
}

Tracer::Before Tracer::before(const ExecutedInstruction& instruction) const {
  return is_operation(instruction) && inside_ > before_ ? inside_ : before_;
}

void Tracer::learn(const ExecutedInstruction& instruction, Before what) {
  Before& known = is_operation(instruction) ? inside_ : before_;
  if (what > known) known = what;
}

// Which of the suite's instructions this one is; kNoIndex when the trace does not know it. They are
// in ascending order, and mostly executed so: the one after the last is tried first.
uint32_t Tracer::find_listed(const ExecutedInstruction& instruction) {
  uint32_t first = 0;
  uint32_t last = suite_.instruction_count();
  uint32_t middle = listed_ + 1;  // 0 at first
  while (first < last) {
    if (middle < first || middle >= last) middle = first + (last - first) / 2;
    const int order = compare_places(*suite_.instruction(middle), instruction);
    if (order == 0) {
      listed_ = middle;
      return middle;
    }
    if (order < 0) {
      first = middle + 1;
    } else {
      last = middle;
    }
    middle = kNoIndex;
  }
  return kNoIndex;
}

const Tracer::Entry& Tracer::peek(uint32_t entry) {
  if (peeked_.number != entry) {
    const TraceValue value = *bundle_.trace_value(case_, entry, {});  // its payload is not read
    peeked_ = {entry, value.instruction, value.output};
  }
  return peeked_;
}

// The next entry of the trace for this instruction; the trace's end when there is none.
uint32_t Tracer::find_entry(uint32_t listed) {
  if (listed == kNoIndex) return count_;
  uint32_t entry = next_;
  while (entry < count_ && peek(entry).instruction != listed) ++entry;
  return entry;
}

// Goes on to an entry. Those before it were not executed, but for operations inside of delegates
// where the engine shows none.
void Tracer::pass_over(uint32_t end) {
  for (; next_ < end; ++next_) {
    if (!shows_operations_ && suite_.instruction(peek(next_).instruction)->is_operation) {
      ++unseen_;
      continue;
    }
    ++missed_;
    before_ = Before::kWrong;
  }
}

bool Tracer::hold(ExecutedInstruction& instruction) {
  const uint32_t listed = find_listed(instruction);
  const uint32_t entry = find_entry(listed);
  const Before before = this->before(instruction);
  if (entry == count_) {
    learn(instruction, inside_ == Before::kWrong ? Before::kWrong : Before::kUnknown);
    if (options_.dump == instruction.index) return record(instruction);
    return true;
  }
  pass_over(entry);
  uint32_t held = 0;
  for (bool first = true; next_ < count_; ++next_, first = false) {
    const Entry& next = peek(next_);
    // Entries of a later run of this instruction, in a loop, begin with its first output again.
    if (next.instruction != listed || (!first && next.output <= held)) break;
    held = next.output;
    const Result<TraceValue> expected = bundle_.trace_value(case_, next_, options_.buffer);
    if (!expected.ok()) {
      fault_ = expected.fault();
      return false;
    }
    if (!compare_output(instruction, listed, *expected, before)) return false;
  }
  return true;
}

bool Tracer::compare_output(ExecutedInstruction& instruction, uint32_t listed,
                            const TraceValue& expected, Before before) {
  Value actual;
  const EngineError error = instruction.output(expected.output, actual);
  if (error == EngineError::kOutOfMemory && is_operation(instruction)) {  // nothing is known of it
    ++unseen_;
    learn(instruction, Before::kUnknown);
    return true;
  }
  // What the engine cannot show is of no kind, which fails.
  const bool shown = error == EngineError::kOk;
  if (!shown) actual = Value();
  const Tolerance tolerance = trace_tolerance(expected.value, options_);
  const Comparison result = compare(expected.value, actual, tolerance);
  const bool wrong = result.verdict != Verdict::kPass;
  ++compared_;
  if (wrong) ++wrong_;
  const bool dumped = shown && options_.dump == instruction.index;
  if (options_.mode == TraceMode::kAll || (wrong && wrong_ == 1) || dumped) {
    begin_record(instruction, expected.output, listed);
    writer_.field(key::kBefore, before == Before::kRight     ? "right"
                                : before == Before::kUnknown ? "unknown"
                                                             : "wrong");
    writer_.key(key::kResult);
    write_output(writer_, expected.value, actual, result, tolerance);
    ValueSource values;
#if BPTE_RUNNER_WIRE
    if (dumped) {
      values = output_of(instruction, expected.output);
      write_values(writer_, values);
    }
#endif
    if (!records_.end_record(values)) return false;
  }
  if (options_.isolate) {
    put_right(instruction, expected, wrong);
  } else if (wrong) {
    learn(instruction, Before::kWrong);
  }
  return true;
}

void Tracer::put_right(ExecutedInstruction& instruction, const TraceValue& expected, bool wrong) {
  const EngineError error = instruction.replace(expected.output, expected.value);
  if (error != EngineError::kOk && wrong) learn(instruction, Before::kWrong);
}

bool Tracer::record(ExecutedInstruction& instruction) {
#if BPTE_RUNNER_WIRE
  for (uint32_t i = 0; i < instruction.output_count; ++i) {
    const ValueSource values = output_of(instruction, i);
    Value value;
    // A bundle cannot hold what the engine cannot show.
    if (values.get(0, value) != EngineError::kOk || value.kind == ValueKind::kNone) continue;
    begin_record(instruction, i, kNoIndex);
    write_values(writer_, values);
    if (!records_.end_record(values)) return false;
  }
#else
  (void)instruction;
#endif
  return true;
}

// `listed` is its index among the suite's instructions.
void Tracer::begin_record(const ExecutedInstruction& instruction, uint32_t output,
                          uint32_t listed) {
  records_.begin_record(event::kTrace);
  write_instruction(writer_, instruction);
  writer_.field(key::kOutput, output);
  if (listed == kNoIndex) return;
  const Instruction known = *suite_.instruction(listed);
  if (known.node.size > 0) writer_.field(key::kNode, known.node);
  if (known.module_path.size > 0) writer_.field(key::kModule, known.module_path);
  if (known.source.size > 0) writer_.field(key::kSource, known.source);
}

void Tracer::write_summary() {
  writer_.key(key::kTrace);
  writer_.begin_object();
  writer_.field(key::kExecuted, executed_);
  writer_.field(key::kCompared, compared_);
  writer_.field(key::kWrong, wrong_);
  writer_.field(key::kMissed, missed_);
  if (unseen_ != 0) writer_.field(key::kUnseen, unseen_);
  if (options_.mode == TraceMode::kStrict) writer_.field(key::kStrict, true);
  if (options_.isolate) writer_.field(key::kIsolated, true);
  writer_.end_object();
}

}  // namespace bpte

#endif  // BPTE_RUNNER_TRACE
