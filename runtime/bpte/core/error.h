// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/rules.h>
#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// The rule's name in schema/README.md, e.g. "payload_bounds". Never null; static storage.
const char* to_string(Error error);

/// An index of `Fault` that does not apply.
inline constexpr uint32_t kNoIndex = 0xFFFFFFFFu;

/// One violation: which rule, where, and the value found there. Plain data, cheap to copy.
struct Fault {
  /// No fault. Out of line: a copy of the initial values in each place that makes one would take
  /// hundreds of bytes of flash.
  Fault();

  Error error;
  /// Where: indices count from 0; kNoIndex where the level does not apply.
  uint32_t suite;
  uint32_t test_case;
  uint32_t step;    ///< of a case with steps
  uint32_t input;   ///< index among the case's (or step's) inputs ...
  uint32_t output;  ///< ... or among its expected outputs
  uint32_t segment;
  uint64_t offset;    ///< where in the file the broken item lies; 0 when there is none to name
  uint64_t value;     ///< the value found
  uint64_t expected;  ///< the value, limit or alignment that the rule wants; 0 when there is none
                      ///< to name
};

/// Writes a one-line message for people, NUL-terminated and cut to fit, such as
/// "payload_bounds: suite 0, case 1, input 0: the payload ends past its segment: it ends at 4096,
/// the segment has 1024 bytes (file offset 688)". Values that are not known (both 0) are left out.
/// Returns the number of characters written, without the NUL. Needs no heap and no printf.
size_t format_fault(const Fault& fault, Span<char> buffer);

}  // namespace bpte
