// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// schema/bpte.fbs as numbers: each table's fields by their index, each struct by its bytes.
// tests/contract/test_schema_numbers.py holds the two against each other.

#include <bpte/core/internal/flatbuffer.h>

namespace bpte::schema {

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

enum : unsigned { kCaseInputs = 0, kCaseExpectedOutputs = 1, kCaseName = 2, kCaseTolerances = 3 };

enum : unsigned { kSuiteMethodName = 0, kSuiteTestCases = 1, kSuiteTolerances = 2 };

enum : unsigned { kNamedDataKey = 0, kNamedDataSegment = 1 };

enum : unsigned { kKeyValueKey = 0, kKeyValueValue = 1 };

enum : unsigned {
  kProgramVersion = 0,
  kProgramSuites = 1,
  kProgramProgram = 2,
  kProgramSegments = 3,
  kProgramProgramSegment = 4,
  kProgramNamedData = 5,
  kProgramMetadata = 6,
};

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

/// The alignment of a tensor's payload: in BP09 within its segment, in BP08 (force_align) within
/// the file.
enum : unsigned { kPayloadAlignment = 16 };
/// The least alignment of a program's segment, and of base_alignment.
enum : unsigned { kProgramAlignment = 128 };
/// The largest base_alignment. It bounds the padding that a reader must check.
enum : unsigned { kMaxBaseAlignment = 2u << 20 };
/// BundledProgram::version.
enum : unsigned { kSchemaVersion = 2 };

}  // namespace bpte::schema
