// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/engine/engine.h>
#include <bpte/runner/config.h>
#include <bpte/runner/trace_options.h>

#include <cstdint>
#include <limits>

namespace bpte {

class Meter;
class Wire;

/// Where the result protocol is written to: stdout, a UART, semihosting. It must not fail, and must
/// not block for ever.
class Output {
 public:
  virtual void write(const char* data, size_t size) = 0;

 protected:
  ~Output() = default;
};

/// A free-running counter, for the time of a case.
class Clock {
 public:
  virtual uint64_t now() = 0;
  virtual const char* unit() const = 0;  ///< "ns", "cycles" or "instructions"

 protected:
  ~Clock() = default;
};

/// The outcomes of a run, which are exit codes as well (docs/result-protocol.md). kUsage is for the
/// command line: no run ends in it. python/bpte/run/outcome.py has the same numbers.
enum class Outcome : uint8_t {
  kPassed = 0,
  kMismatch = 1,
  kUsage = 2,
  kMalformed = 3,
  kInfrastructure = 4,
};

struct RunOptions {
  Text method;                    ///< run only this suite; empty: all
  uint32_t test_case = kNoIndex;  ///< run only this case of each suite run; kNoIndex: all
  /// Replaces what the bundle states, unless NaN.
  double rtol = std::numeric_limits<double>::quiet_NaN();
  double atol = std::numeric_limits<double>::quiet_NaN();
#if BPTE_CORE_STEPS
  /// Gives every step the inputs that the bundle states, also those that are carried: each step is
  /// judged alone.
  bool teach = false;
  /// For the values that go from one step to the next, see largest_carry(). Not used with `teach`.
  Span<uint8_t> carry_buffer;
#endif
#if BPTE_RUNNER_METRICS
  Span<uint8_t> metric_buffer;  ///< for what is measured, see largest_metrics() (metrics.h)
#endif
  Text nonce;  ///< the launcher's word for this run, repeated in `begin`; empty: none
  bool verify_checksums =
      true;  ///< each case's segment before its use, and the program's before loading
  bool verified_at_opening = false;  ///< Bundle::open() has verified all checksums already
  Span<uint8_t> case_buffer;         ///< for the payloads of a data source; not used in place
  Span<uint8_t> scratch;             ///< for checksums through a data source
  const char* target = "host";       ///< for the report: the board's name
  /// Tells what the target takes, for the record `resources` and for budgets. Null: it cannot tell.
  Meter* meter = nullptr;
#if BPTE_RUNNER_TRACE
  TraceOptions trace;
#endif
#if BPTE_RUNNER_WIRE
  /// Writes to the run's output, and sends the actual outputs as well (wire.h). Null: they stay
  /// here.
  Wire* wire = nullptr;
#endif
};

/// Runs and judges every suite and case that `options` select, and writes the result protocol to
/// `output`. First it tests the machine's arithmetic, without which no verdict can be trusted
/// (arithmetic.h). Uses no heap; the program's memory comes from the engine. A run in which nothing
/// was judged, neither a case nor a metric, is kInfrastructure, never kPassed. Only one run at a
/// time.
Outcome run_bundle(const Bundle& bundle, Engine& engine, Output& output, Clock& clock,
                   const RunOptions& options);

/// For a bundle that could not be opened: writes a whole protocol (begin, error, end) that says
/// why. Returns kMalformed; kInfrastructure for read_failed, source_changed, buffer_too_small,
/// misaligned_base and no_such_item, which are not the file's fault.
Outcome report_fault(const Fault& fault, Output& output, const RunOptions& options);

/// For a run that cannot return to run_bundle(): a fault handler calls it, or a replacement of
/// abort(). Writes the records `error` (outcome kInfrastructure) and `end` to the run's output.
/// Does nothing without a run, or when called again. The caller then stops the program.
void abandon_run(const char* error, const char* message);

}  // namespace bpte
