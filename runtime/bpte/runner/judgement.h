// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte {

/// What a metric or a budget came to.
enum class Judgement : uint8_t { kPass, kFail, kError, kUnjudged };

/// As its record has it: "pass", "fail", "error" or "unjudged". Never null; static storage.
inline const char* to_string(Judgement judgement) {
  switch (judgement) {
    case Judgement::kPass:
      return "pass";
    case Judgement::kFail:
      return "fail";
    case Judgement::kError:
      return "error";
    case Judgement::kUnjudged:
      return "unjudged";
  }
  return "unknown";
}

}  // namespace bpte
