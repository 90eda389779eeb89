// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a bundle may state besides inputs and expected outputs (schema/README.md has their meaning).
// The enumerators' numbers are those of schema/bpte.fbs.

#include <bpte/core/error.h>
#include <bpte/core/tensor_view.h>
#include <bpte/core/text.h>

#include <cstdint>
#include <limits>

namespace bpte {

/// Copies an output of the step before into an input of this step. Both are indices.
struct Carry {
  uint32_t output = 0;
  uint32_t input = 0;
};

enum class MetricKind : uint8_t {
  kTopKAccuracy = 0,
  kArgmaxAgreement = 1,
  kMeanAbsoluteError = 2,
  kMeanSquaredError = 3,
  kSqnrDb = 4,
  kCosine = 5,
  kRocAuc = 6,
  kConfusionMatrix = 7,
};

/// Whether a metric compares with the case's expected output; and whether with its labels.
constexpr bool needs_expected(MetricKind kind) {
  return kind >= MetricKind::kArgmaxAgreement && kind <= MetricKind::kCosine;
}
constexpr bool needs_labels(MetricKind kind) {
  return !needs_expected(kind);
}

/// What is measured over all cases of a suite.
struct Metric {
  MetricKind kind = MetricKind::kTopKAccuracy;
  uint32_t output = 0;  ///< index of the method's output
  /// The value must not lie below or above. NaN: not stated.
  double minimum = std::numeric_limits<double>::quiet_NaN();
  double maximum = std::numeric_limits<double>::quiet_NaN();
  uint32_t k = 1;        ///< of kTopKAccuracy: 1 to 1024
  uint32_t classes = 0;  ///< of kConfusionMatrix: 1 to 1024
  uint32_t score = 0;    ///< of kRocAuc: which element of a row is the score
  uint32_t bins = 1024;  ///< of kRocAuc's histogram: 1 to 1024, from `low` to `high`
  double low = 0;
  double high = 1;
};

enum class BudgetResource : uint8_t {
  kTimeInstructions = 0,
  kTimeCycles = 1,
  kTimeNs = 2,
  kPlannedMemory = 3,
  kStaticMemory = 4,
  kStack = 5,
  kFlash = 6,
};

/// How much of a resource a run may use.
struct Budget {
  BudgetResource resource = BudgetResource::kTimeInstructions;
  uint64_t limit = 0;         ///< the largest amount that keeps the budget: a time or bytes
  uint32_t suite = kNoIndex;  ///< the one that it holds for; kNoIndex: all
  Text target;                ///< the target that it holds for; empty: all
};

/// Who computed the expected results of the instructions.
enum class TraceOrigin : uint8_t { kExecuTorch = 0, kEager = 1, kReference = 2, kTosa = 3 };

/// One instruction of the program, or one operation inside of a delegate call. Texts are empty
/// where nothing is known.
struct Instruction {
  uint32_t chain = 0;
  uint32_t index = 0;  ///< in the chain
  bool is_operation = false;
  uint32_t operation = 0;  ///< its number in the delegate, if it is one
  Text operator_name;
  Text node;
  Text module_path;
  Text source;
};

/// What an instruction gave. The value's tensor is a view.
struct TraceValue {
  uint32_t instruction = 0;  ///< index, see TestSuite::instruction()
  uint32_t output = 0;       ///< which of the instruction's outputs
  Value value;
};

enum class NamedDataRole : uint8_t { kNone = 0, kPtd = 1, kGraph = 2 };

}  // namespace bpte
