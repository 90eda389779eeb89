// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/engine/engine.h>

#include <cstdint>
#include <limits>

namespace bpte {

/// Takes the result protocol's characters: stdout, a UART, semihosting. Must not fail and must not
/// block for ever.
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
  virtual const char* unit() const = 0;  ///< "ns" or "cycles"

 protected:
  ~Clock() = default;
};

/// The outcomes of a run, which are exit codes as well (docs/result-protocol.md). kUsage is the
/// command line's: no run comes to it. python/bpte/run/outcome.py has the same numbers.
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
  /// Overrides whatever the bundle states, where not NaN.
  double rtol = std::numeric_limits<double>::quiet_NaN();
  double atol = std::numeric_limits<double>::quiet_NaN();
  Text nonce;  ///< the launcher's word for this run, given back in `begin`; empty: none
  bool verify_checksums =
      true;  ///< each case's segment before its use, and the program's before loading
  bool verified_at_opening = false;  ///< Bundle::open() has verified all checksums already
  Span<uint8_t> case_buffer;         ///< where a data source's cases are read to; unused in place
  Span<uint8_t> scratch;             ///< for checksums through a data source
  const char* target = "host";       ///< for the report: the board's name
};

/// Every suite, every case: runs, judges and writes the result protocol to `output`. First of all
/// it tries the machine's arithmetic, without which no verdict can be trusted (arithmetic.h). No
/// heap; what memory the program needs is the engine's. A run in which nothing was judged is
/// kInfrastructure, never kPassed. One run at a time.
Outcome run_bundle(const Bundle& bundle, Engine& engine, Output& output, Clock& clock,
                   const RunOptions& options);

/// For a bundle that could not even be opened: a whole protocol (begin, error, end) that says why.
/// Returns kMalformed; kInfrastructure for read_failed, source_changed, buffer_too_small,
/// misaligned_base and no_such_item, which are not the file's fault.
Outcome report_fault(const Fault& fault, Output& output, const RunOptions& options);

/// For a run that cannot return to run_bundle(), called from a fault handler or in place of
/// abort(): writes the records `error` (outcome kInfrastructure) and `end` to its output. Does
/// nothing when no run is under way, or when called again. The caller then stops the program.
void abandon_run(const char* error, const char* message);

}  // namespace bpte
