// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The records `begin`, `error` and `end` (docs/result-protocol.md); a case's are the runner's.

#include <bpte/core/bundle.h>
#include <bpte/engine/engine.h>
#include <bpte/runner/identity.h>
#include <bpte/runner/judgement.h>
#include <bpte/runner/record_writer.h>

#include <cstdint>

namespace bpte {

/// How many cases have which verdict, and which verdicts metrics and budgets have.
struct Tally {
  uint64_t passed = 0;
  uint64_t failed = 0;
  uint64_t errors = 0;
  uint64_t unjudged = 0;
#if BPTE_RUNNER_METRICS || BPTE_RUNNER_BUDGETS
  // Whether any metric or budget has this verdict.
  bool other_passed = false;
  bool other_failed = false;
  bool other_error = false;

  void take(Judgement judgement) {
    other_passed |= judgement == Judgement::kPass;
    other_failed |= judgement == Judgement::kFail;
    other_error |= judgement == Judgement::kError;
  }
#endif
#if BPTE_RUNNER_WIRE
  const Wire* wire = nullptr;  ///< counts what it had to send again
#endif
};

/// The outcome of a run; `reason` is that of a run that was stopped.
Outcome outcome_of(const Tally& tally, bool stopped, Outcome reason);
/// The outcome of an error: kMalformed when the bundle is at fault, else kInfrastructure.
Outcome outcome_of(Error error);
Outcome outcome_of(EngineError error);

/// The content of the record `error`.
struct Stop {
  const char* error = "";
  const char* message = "";
  Outcome outcome = Outcome::kInfrastructure;
  Fault where;  ///< its places and values
};

void write_error(RecordWriter& writer, const Stop& stop);
/// Writes the record `error` for a broken rule. Returns its outcome.
Outcome write_fault(RecordWriter& writer, const Fault& fault);
void write_end(RecordWriter& writer, const Tally& tally, Outcome outcome);

/// Begins the record `begin`: the protocol's version and what was asked for.
void begin_protocol(RecordWriter& writer, const RunOptions& options);
/// Writes into the record `begin` which bundle is run, without checksums when `identity` is null.
void write_bundle(RecordWriter& writer, const Bundle& bundle, const Identity* identity,
                  bool verified);

}  // namespace bpte
