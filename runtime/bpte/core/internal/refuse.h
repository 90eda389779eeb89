// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How errors travel in the core: a step gives Error::kOk, or the rule that it found broken, having
// told the caller's Fault where and which value. BPTE_TRY passes it on. Public functions are made
// of such steps by result_of(), which hands the Fault out. (Passing Result on by value from step to
// step would take a small target more flash than the rules themselves.)

#include <bpte/core/config.h>
#include <bpte/core/result.h>

/// Ends the function that it stands in when a step finds a rule broken.
#define BPTE_TRY(step)                                                         \
  do {                                                                         \
    if (const ::bpte::Error broken_ = (step); broken_ != ::bpte::Error::kOk) { \
      return broken_;                                                          \
    }                                                                          \
  } while (false)

namespace bpte::internal {

/// Fills in which rule is broken and the offset in the file, leaving indices and values as they
/// are. Gives the rule.
Error refuse(Fault& fault, Error rule, uint64_t offset);

/// The same with the value found and what the rule wants: for what a caller acts on.
Error refuse_with(Fault& fault, Error rule, uint64_t offset, uint64_t value, uint64_t expected);

/// Fills in the values for a person to read. A small target leaves them out, which saves 400 bytes.
inline void note([[maybe_unused]] Fault& fault, [[maybe_unused]] uint64_t value,
                 [[maybe_unused]] uint64_t expected) {
#if !BPTE_CORE_SMALL
  fault.value = value;
  fault.expected = expected;
#endif
}

/// refuse() and note() in one.
inline Error refuse(Fault& fault, Error rule, uint64_t offset, uint64_t value, uint64_t expected) {
  note(fault, value, expected);
  return refuse(fault, rule, offset);
}

/// What a step comes to that takes a T to fill in and a Fault.
template <typename T, typename Step>
Result<T> result_of(const Step& step) {
  Result<T> result;
  (void)step(*result, result.fault());  // it stands in the fault
  return result;
}

/// The same for a step that has nothing to fill in.
template <typename Step>
Status status_of(const Step& step) {
  Status status;
  (void)step(status.fault());
  return status;
}

}  // namespace bpte::internal
