// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/error.h>
#include <bpte/core/span.h>
#include <bpte/core/text.h>
#include <bpte/engine/stepping.h>

#include <cstdint>
#include <limits>

namespace bpte {

/// Which instructions a run reports.
enum class TraceMode : uint8_t {
  kOff = 0,
  kFirst,   ///< the first of each case that is wrong
  kAll,     ///< every one that the case's trace has a value for
  kStrict,  ///< as kFirst; and a case fails when one is wrong, or has no trace
  kRecord,  ///< every one, with its values and nothing to hold them against: to make a trace of
};

/// "off", "first", "all", "strict", "record". Never null; static storage.
const char* to_string(TraceMode mode);
/// The mode of this name. False, and `mode` stays, when there is none.
[[nodiscard]] bool trace_mode_of(Text name, TraceMode& mode);

/// How cases are traced.
struct TraceOptions {
  TraceMode mode = TraceMode::kOff;
  /// How often each case is executed for the times of its instructions, before it is judged.
  uint32_t profile = 0;
  /// The run's engine; null when it cannot be stepped.
  Stepping* stepping = nullptr;
  /// Overwrites each output with the expected value once it is compared, so that every instruction
  /// has right inputs and is judged by its own error alone. The outputs of a case are then put
  /// right, too: such a case never passes.
  bool isolate = false;
  /// In place of the dtype's default (`atol` times the expected tensor's largest magnitude); NaN:
  /// the default.
  double rtol = std::numeric_limits<double>::quiet_NaN();
  double atol = std::numeric_limits<double>::quiet_NaN();
  /// Reports the instruction with this index, in every chain, with its values, whatever they are.
  uint32_t dump = kNoIndex;
  /// For one expected value of a data source (aligned to 16), see largest_trace_value(); not used
  /// in place.
  Span<uint8_t> buffer;
};

}  // namespace bpte
