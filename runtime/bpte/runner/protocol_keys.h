// SPDX-License-Identifier: BSD-3-Clause
//
// Generated from schema/protocol.toml by tools/protocol_keys.py; do not edit.
#pragma once

#include <cstdint>

namespace bpte {

inline constexpr uint64_t kProtocolVersion = 2;

/// A key of the result protocol. A type of its own: no other text passes for one.
struct Key {
  const char* name;
};

// Not inline, here and below: position-independent code would look for them in a global
// offset table, which a linker script may have forgotten.
namespace key {
constexpr Key kActual{"actual"};
constexpr Key kActualDtype{"actual_dtype"};
constexpr Key kActualKind{"actual_kind"};
constexpr Key kActualShape{"actual_shape"};
constexpr Key kAtol{"atol"};
constexpr Key kBins{"bins"};
constexpr Key kBundleCases{"bundle_cases"};
constexpr Key kCase{"case"};
constexpr Key kCases{"cases"};
constexpr Key kClasses{"classes"};
constexpr Key kCosine{"cosine"};
constexpr Key kCounts{"counts"};
constexpr Key kCrc32{"crc32"};
constexpr Key kDimOrder{"dim_order"};
constexpr Key kDtype{"dtype"};
constexpr Key kElements{"elements"};
constexpr Key kEngine{"engine"};
constexpr Key kEngineVersion{"engine_version"};
constexpr Key kError{"error"};
constexpr Key kErrorBound{"error_bound"};
constexpr Key kErrors{"errors"};
constexpr Key kEvent{"event"};
constexpr Key kExpected{"expected"};
constexpr Key kFailed{"failed"};
constexpr Key kFileSize{"file_size"};
constexpr Key kFirst{"first"};
constexpr Key kFormat{"format"};
constexpr Key kFound{"found"};
constexpr Key kHigh{"high"};
constexpr Key kHits{"hits"};
constexpr Key kIndex{"index"};
constexpr Key kInput{"input"};
constexpr Key kK{"k"};
constexpr Key kKind{"kind"};
constexpr Key kLabel{"label"};
constexpr Key kLow{"low"};
constexpr Key kMaxAbs{"max_abs"};
constexpr Key kMaxOutlierShare{"max_outlier_share"};
constexpr Key kMaxRel{"max_rel"};
constexpr Key kMaximum{"maximum"};
constexpr Key kMeanAbs{"mean_abs"};
constexpr Key kMeanRel{"mean_rel"};
constexpr Key kMeasured{"measured"};
constexpr Key kMessage{"message"};
constexpr Key kMetadataCrc32{"metadata_crc32"};
constexpr Key kMethod{"method"};
constexpr Key kMetric{"metric"};
constexpr Key kMinCosine{"min_cosine"};
constexpr Key kMinSqnrDb{"min_sqnr_db"};
constexpr Key kMinimum{"minimum"};
constexpr Key kMismatches{"mismatches"};
constexpr Key kMissed{"missed"};
constexpr Key kName{"name"};
constexpr Key kNonce{"nonce"};
constexpr Key kNonfinite{"nonfinite"};
constexpr Key kNumel{"numel"};
constexpr Key kOffset{"offset"};
constexpr Key kOutcome{"outcome"};
constexpr Key kOutput{"output"};
constexpr Key kOutputs{"outputs"};
constexpr Key kPassed{"passed"};
constexpr Key kPositives{"positives"};
constexpr Key kProgramAddress{"program_address"};
constexpr Key kProgramCrc32{"program_crc32"};
constexpr Key kProgramOffset{"program_offset"};
constexpr Key kProgramSize{"program_size"};
constexpr Key kProtocol{"protocol"};
constexpr Key kReason{"reason"};
constexpr Key kRetransmitted{"retransmitted"};
constexpr Key kRtol{"rtol"};
constexpr Key kSamples{"samples"};
constexpr Key kScore{"score"};
constexpr Key kSegment{"segment"};
constexpr Key kShape{"shape"};
constexpr Key kSize{"size"};
constexpr Key kSqnrDb{"sqnr_db"};
constexpr Key kStandIn{"stand_in"};
constexpr Key kStep{"step"};
constexpr Key kSuite{"suite"};
constexpr Key kSuites{"suites"};
constexpr Key kTarget{"target"};
constexpr Key kTeach{"teach"};
constexpr Key kTime{"time"};
constexpr Key kUnit{"unit"};
constexpr Key kUnjudged{"unjudged"};
constexpr Key kValue{"value"};
constexpr Key kValues{"values"};
constexpr Key kVerdict{"verdict"};
constexpr Key kVerified{"verified"};
constexpr Key kWire{"wire"};
}  // namespace key

/// The names of the records.
namespace event {
constexpr char kBegin[] = "begin";
constexpr char kCase[] = "case";
constexpr char kConfusion[] = "confusion";
constexpr char kMetric[] = "metric";
constexpr char kError[] = "error";
constexpr char kEnd[] = "end";
}  // namespace event

}  // namespace bpte
