// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How errors travel in the core: a step returns Error::kOk or the broken rule, and fills the
// caller's Fault in with place and values. BPTE_TRY passes an error on. Public functions turn such
// steps into a Result by result_of(). (Returning a Result from each step would take more flash than
// the rules themselves.)

#include <bpte/core/config.h>
#include <bpte/core/result.h>

/// Returns from the enclosing function when a step finds a rule broken.
#define BPTE_TRY(step)                                                         \
  do {                                                                         \
    if (const ::bpte::Error broken_ = (step); broken_ != ::bpte::Error::kOk) { \
      return broken_;                                                          \
    }                                                                          \
  } while (false)

namespace bpte::internal {

/// Fills in the broken rule and the offset in the file; keeps indices and values. Returns the rule.
Error refuse(Fault& fault, Error rule, uint64_t offset);

/// The same with the values found and wanted, for rules whose values a caller acts on.
Error refuse_with(Fault& fault, Error rule, uint64_t offset, uint64_t value, uint64_t expected);

/// Fills in values that only people read. A small target leaves them out, which saves 400 bytes.
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

/// The Result of a step that takes a T to fill in and a Fault.
template <typename T, typename Step>
Result<T> result_of(const Step& step) {
  Result<T> result;
  (void)step(*result, result.fault());  // the fault has it, too
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
