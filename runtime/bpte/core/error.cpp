// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/error.h>
#include <bpte/core/internal/refuse.h>
#include <bpte/core/internal/rule_texts.h>
#include <bpte/core/internal/strings.h>

namespace bpte {

static_assert(internal::count_strings(internal::kRuleNames) ==
                  static_cast<unsigned>(Error::kCount_) + 1,
              "one name for each rule, and the last for none of them");

Fault::Fault()
    : error(Error::kOk),
      suite(kNoIndex),
      test_case(kNoIndex),
      step(kNoIndex),
      input(kNoIndex),
      output(kNoIndex),
      segment(kNoIndex),
      offset(0),
      value(0),
      expected(0) {}

Error internal::refuse(Fault& fault, Error rule, uint64_t offset) {
  fault.error = rule;
  fault.offset = offset;
  return rule;
}

Error internal::refuse_with(Fault& fault, Error rule, uint64_t offset, uint64_t value,
                            uint64_t expected) {
  fault.value = value;
  fault.expected = expected;
  return refuse(fault, rule, offset);
}

const char* to_string(Error error) {
  const Error known = error < Error::kCount_ ? error : Error::kCount_;
  return internal::nth_string(internal::kRuleNames, static_cast<unsigned>(known));
}

}  // namespace bpte
