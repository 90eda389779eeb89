// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/records.h>
#include <bpte/runner/selection.h>
#include <bpte/runner/wire.h>

#include <cmath>

namespace bpte {

namespace {

// What was asked for. The launcher compares it with its request.
void write_request(RecordWriter& writer, const RunOptions& options) {
  if (options.nonce.size > 0) writer.field(key::kNonce, options.nonce);
  writer.field(key::kTarget, options.target);
  if (options.method.size > 0) writer.field(key::kMethod, options.method);
  if (options.test_case != kNoIndex) writer.field(key::kCase, options.test_case);
#if BPTE_CORE_STEPS
  if (options.teach) writer.field(key::kTeach, true);
#endif
  if (!std::isnan(options.rtol)) writer.field(key::kRtol, options.rtol);
  if (!std::isnan(options.atol)) writer.field(key::kAtol, options.atol);
#if BPTE_RUNNER_TRACE
  const TraceOptions& trace = options.trace;
  if (trace.profile != 0) writer.field(key::kProfile, trace.profile);
  if (trace.mode != TraceMode::kOff) {
    writer.field(key::kTrace, to_string(trace.mode));
    if (trace.isolate) writer.field(key::kIsolate, true);
    if (!std::isnan(trace.rtol)) writer.field(key::kTraceRtol, trace.rtol);
    if (!std::isnan(trace.atol)) writer.field(key::kTraceAtol, trace.atol);
    if (trace.dump != kNoIndex) writer.field(key::kDump, trace.dump);
  }
#endif
#if BPTE_RUNNER_WIRE
  if (options.wire != nullptr) writer.field(key::kWire, options.wire->name());
#endif
}

}  // namespace

// The outcome of a run. docs/result-protocol.md states the order of these questions.
Outcome outcome_of(const Tally& tally, bool stopped, Outcome reason) {
#if BPTE_RUNNER_METRICS || BPTE_RUNNER_BUDGETS
  const bool failed = tally.failed > 0 || tally.other_failed;
  const bool errors = tally.errors > 0 || tally.other_error;
  const bool passed = tally.passed > 0 || tally.other_passed;
#else
  const bool failed = tally.failed > 0;
  const bool errors = tally.errors > 0;
  const bool passed = tally.passed > 0;
#endif
  if (failed) return Outcome::kMismatch;
  if (stopped) return reason;
  return errors || !passed ? Outcome::kInfrastructure : Outcome::kPassed;
}

Outcome outcome_of(Error error) {
  return static_cast<Outcome>(exit_code(error));
}

Outcome outcome_of(EngineError error) {
  switch (error) {
    case EngineError::kInvalidProgram:
    case EngineError::kMissingData:
    case EngineError::kInvalidData:
      return Outcome::kMalformed;
    default:
      return Outcome::kInfrastructure;
  }
}

void write_error(RecordWriter& writer, const Stop& stop) {
  writer.begin_record(event::kError);
  writer.field(key::kError, stop.error);
  writer.field(key::kMessage, stop.message);
  writer.field(key::kOutcome, static_cast<uint8_t>(stop.outcome));
  const Fault& where = stop.where;
  const struct {
    Key key;
    uint32_t index;
  } places[] = {{key::kSuite, where.suite},   {key::kCase, where.test_case},
                {key::kStep, where.step},     {key::kInput, where.input},
                {key::kOutput, where.output}, {key::kSegment, where.segment}};
  for (const auto& place : places) {
    if (place.index != kNoIndex) writer.field(place.key, place.index);
  }
  const struct {
    Key key;
    uint64_t value;
  } values[] = {
      {key::kOffset, where.offset}, {key::kValue, where.value}, {key::kExpected, where.expected}};
  for (const auto& value : values) {
    if (value.value != 0) writer.field(value.key, value.value);
  }
  writer.end_record();
}

Outcome write_fault(RecordWriter& writer, const Fault& fault) {
  char message[256];
  format_fault(fault, Span<char>(message));
  Stop stop;
  stop.error = to_string(fault.error);
  stop.message = message;
  stop.outcome = outcome_of(fault.error);
  stop.where = fault;
  write_error(writer, stop);
  return stop.outcome;
}

void write_end(RecordWriter& writer, const Tally& tally, Outcome outcome) {
  writer.begin_record(event::kEnd);
  writer.field(key::kPassed, tally.passed);
  writer.field(key::kFailed, tally.failed);
  writer.field(key::kErrors, tally.errors);
  writer.field(key::kUnjudged, tally.unjudged);
  writer.field(key::kOutcome, static_cast<uint8_t>(outcome));
#if BPTE_RUNNER_WIRE
  if (tally.wire != nullptr && tally.wire->has_way_back()) {
    writer.field(key::kRetransmitted, tally.wire->sent_again());
  }
#endif
  writer.end_last_record();
}

void begin_protocol(RecordWriter& writer, const RunOptions& options) {
  writer.begin_record(event::kBegin);
  writer.field(key::kProtocol, kProtocolVersion);
  write_request(writer, options);
}

void write_bundle(RecordWriter& writer, const Bundle& bundle, const Identity* identity,
                  bool verified) {
  const Header& header = bundle.header();
  const SegmentInfo program = bundle.program_info();
  writer.field(key::kFormat, header.format == Format::kBP08 ? "BP08" : "BP09");
  writer.field(key::kFileSize, header.file_size);
  if (identity != nullptr) {
    writer.key(key::kMetadataCrc32);
    writer.crc32(identity->metadata_crc32);
    writer.key(key::kProgramCrc32);
    writer.crc32(identity->program_crc32);
  }
  writer.field(key::kVerified, verified);
  writer.field(key::kProgramOffset, program.file_offset);
  writer.field(key::kProgramSize, program.size);
  if (!bundle.program().empty()) {
    writer.key(key::kProgramAddress);
    writer.hex(reinterpret_cast<uintptr_t>(bundle.program().data()), 8, "0x");
  }
  writer.field(key::kSuites, bundle.suite_count());
  writer.field(key::kBundleCases, count_selected(bundle, RunOptions()));
}

}  // namespace bpte
