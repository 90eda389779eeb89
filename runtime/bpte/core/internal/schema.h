// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// schema/bpte.fbs as numbers: each table's fields by their index, each struct by its bytes.
// tests/contract/test_schema_numbers.py holds the two against each other.

#include <bpte/core/internal/flatbuffer.h>

namespace bpte::schema {

/// Of every table that is an entry of a sorted list, the key is the first field.
enum : unsigned { kKey = 0 };

enum : unsigned { kIntVal = 0 };
enum : unsigned { kBoolVal = 0 };
enum : unsigned { kDoubleVal = 0 };

enum : unsigned {
  kTensorScalarType = 0,
  kTensorSizes = 1,
  kTensorData = 2,
  kTensorDimOrder = 3,
  kTensorPayload = 4,
};

// The union's type comes first, then its table.
enum : unsigned { kValueType = 0, kValueTable = 1 };

enum : unsigned {
  kToleranceRtol = 0,
  kToleranceAtol = 1,
  kToleranceMaxOutlierShare = 2,
  kToleranceMinSqnrDb = 3,
  kToleranceMinCosine = 4,
  kToleranceNanPolicy = 5,
  kToleranceNotCompared = 6,
};

enum : unsigned { kTraceValueInstruction = 0, kTraceValueOutput = 1, kTraceValueValue = 2 };

enum : unsigned {
  kCaseInputs = 0,
  kCaseExpectedOutputs = 1,
  kCaseName = 2,
  kCaseTolerances = 3,
  kCaseSteps = 4,
  kCaseCarries = 5,
  kCaseLabels = 6,
  kCaseTrace = 7,
};

enum : unsigned {
  kInstructionChain = 0,
  kInstructionIndex = 1,
  kInstructionOperation = 2,
  kInstructionOperatorName = 3,
  kInstructionNode = 4,
  kInstructionModulePath = 5,
  kInstructionSource = 6,
};

enum : unsigned {
  kTracedMethodProgramCrc32 = 0,
  kTracedMethodOrigin = 1,
  kTracedMethodInstructions = 2,
};

enum : unsigned {
  kMetricKind = 0,
  kMetricOutput = 1,
  kMetricMinimum = 2,
  kMetricMaximum = 3,
  kMetricK = 4,
  kMetricClasses = 5,
  kMetricScore = 6,
  kMetricBins = 7,
  kMetricLow = 8,
  kMetricHigh = 9,
};

enum : unsigned {
  kSuiteMethodName = 0,
  kSuiteTestCases = 1,
  kSuiteTolerances = 2,
  kSuiteMetrics = 3,
  kSuiteTracedMethod = 4,
};

enum : unsigned {
  kNamedDataKey = 0,
  kNamedDataSegment = 1,
  kNamedDataRole = 2,
  kNamedDataFileName = 3,
};

enum : unsigned {
  kBudgetResource = 0,
  kBudgetLimit = 1,
  kBudgetSuite = 2,
  kBudgetTarget = 3,
};

enum : unsigned { kKeyValueKey = 0, kKeyValueValue = 1 };

enum : unsigned {
  kProgramVersion = 0,
  kProgramSuites = 1,
  kProgramProgram = 2,
  kProgramSegments = 3,
  kProgramProgramSegment = 4,
  kProgramNamedData = 5,
  kProgramMetadata = 6,
  kProgramBudgets = 7,
};

/// Bits of the header's required_features (enum Feature).
enum : uint32_t { kFeatureSteps = 1, kFeatureMetrics = 2, kFeatureBudgets = 4 };

// struct PayloadRef: offset u64, size u64, segment u32, padding.
inline constexpr flatbuffer::Shape kPayloadRef = flatbuffer::shape(24, 8);
enum : unsigned {
  kPayloadRefAtSize = 8,
  kPayloadRefAtSegment = 16,
};

// struct Segment: offset u64, size u64, alignment u32, crc32 u32.
enum : unsigned { kSegmentSize = 24 };
inline constexpr flatbuffer::Shape kSegment = flatbuffer::shape(kSegmentSize, 8);
enum : unsigned {
  kSegmentAtSize = 8,
  kSegmentAtAlignment = 16,
  kSegmentAtCrc32 = 20,
};

// struct Carry: output u32, input u32. The core gives it as bpte::Carry, in place.
enum : unsigned { kCarrySize = 8, kCarryAtInput = 4 };
inline constexpr flatbuffer::Shape kCarry = flatbuffer::shape(kCarrySize, 4);
/// Of a vector of labels.
inline constexpr flatbuffer::Shape kLabel = flatbuffer::shape(4, 4);

/// How many labels a case may have, and the largest class that a label may name.
enum : unsigned { kMaxLabels = 256, kMaxLabel = 1023 };
/// The largest `k`, `classes` and `bins` of a metric.
enum : unsigned { kMaxClasses = 1024 };

/// The alignment of a tensor's payload: in BP09 within its segment, in BP08 (force_align) within
/// the file.
enum : unsigned { kPayloadAlignment = 16 };
/// The least alignment of a program's segment, and of base_alignment.
enum : unsigned { kProgramAlignment = 128 };
/// The largest base_alignment. It bounds the padding that a reader must check.
enum : unsigned { kMaxBaseAlignment = 2u << 20 };
/// BundledProgram::version.
enum : unsigned { kSchemaVersion = 2 };

/// "Work at opening": how many bytes a walk may visit for each byte of metadata; for how many an
/// entry of a vector of tables counts, and one of structs or numbers.
inline constexpr uint64_t kReachPerByte = 8;
inline constexpr uint32_t kReachOfEntry = 32;
inline constexpr uint32_t kReachOfItem = 8;

}  // namespace bpte::schema
