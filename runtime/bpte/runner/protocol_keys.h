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
// offset table, which a linker script may have forgotten. The texts have names, so that
// a source has those of the keys that it uses and no others.
namespace key_text {
constexpr char kActual[] = "actual";
constexpr char kActualDtype[] = "actual_dtype";
constexpr char kActualKind[] = "actual_kind";
constexpr char kActualShape[] = "actual_shape";
constexpr char kAmount[] = "amount";
constexpr char kAtol[] = "atol";
constexpr char kBefore[] = "before";
constexpr char kBins[] = "bins";
constexpr char kBudget[] = "budget";
constexpr char kBuffers[] = "buffers";
constexpr char kBundleCases[] = "bundle_cases";
constexpr char kCase[] = "case";
constexpr char kCases[] = "cases";
constexpr char kChain[] = "chain";
constexpr char kClasses[] = "classes";
constexpr char kCompared[] = "compared";
constexpr char kCosine[] = "cosine";
constexpr char kCounts[] = "counts";
constexpr char kCrc32[] = "crc32";
constexpr char kDimOrder[] = "dim_order";
constexpr char kDtype[] = "dtype";
constexpr char kDump[] = "dump";
constexpr char kElements[] = "elements";
constexpr char kEngine[] = "engine";
constexpr char kEngineMemory[] = "engine_memory";
constexpr char kEngineVersion[] = "engine_version";
constexpr char kError[] = "error";
constexpr char kErrorBound[] = "error_bound";
constexpr char kErrors[] = "errors";
constexpr char kEvent[] = "event";
constexpr char kExecuted[] = "executed";
constexpr char kExpected[] = "expected";
constexpr char kFailed[] = "failed";
constexpr char kFileSize[] = "file_size";
constexpr char kFirst[] = "first";
constexpr char kFlash[] = "flash";
constexpr char kFormat[] = "format";
constexpr char kFound[] = "found";
constexpr char kHigh[] = "high";
constexpr char kHits[] = "hits";
constexpr char kIndex[] = "index";
constexpr char kInput[] = "input";
constexpr char kInstruction[] = "instruction";
constexpr char kIsolate[] = "isolate";
constexpr char kIsolated[] = "isolated";
constexpr char kK[] = "k";
constexpr char kKind[] = "kind";
constexpr char kLabel[] = "label";
constexpr char kLimit[] = "limit";
constexpr char kLow[] = "low";
constexpr char kMaxAbs[] = "max_abs";
constexpr char kMaxOutlierShare[] = "max_outlier_share";
constexpr char kMaxRel[] = "max_rel";
constexpr char kMaximum[] = "maximum";
constexpr char kMeanAbs[] = "mean_abs";
constexpr char kMeanRel[] = "mean_rel";
constexpr char kMeasured[] = "measured";
constexpr char kMessage[] = "message";
constexpr char kMetadataCrc32[] = "metadata_crc32";
constexpr char kMethod[] = "method";
constexpr char kMetric[] = "metric";
constexpr char kMinCosine[] = "min_cosine";
constexpr char kMinSqnrDb[] = "min_sqnr_db";
constexpr char kMinimum[] = "minimum";
constexpr char kMismatches[] = "mismatches";
constexpr char kMissed[] = "missed";
constexpr char kModule[] = "module";
constexpr char kName[] = "name";
constexpr char kNode[] = "node";
constexpr char kNonce[] = "nonce";
constexpr char kNonfinite[] = "nonfinite";
constexpr char kNumel[] = "numel";
constexpr char kOffset[] = "offset";
constexpr char kOperator[] = "operator";
constexpr char kOutcome[] = "outcome";
constexpr char kOutput[] = "output";
constexpr char kOutputs[] = "outputs";
constexpr char kPassed[] = "passed";
constexpr char kPlannedMemory[] = "planned_memory";
constexpr char kPositives[] = "positives";
constexpr char kProgramAddress[] = "program_address";
constexpr char kProgramCrc32[] = "program_crc32";
constexpr char kProgramOffset[] = "program_offset";
constexpr char kProgramSize[] = "program_size";
constexpr char kProtocol[] = "protocol";
constexpr char kReason[] = "reason";
constexpr char kResource[] = "resource";
constexpr char kResult[] = "result";
constexpr char kRetransmitted[] = "retransmitted";
constexpr char kRtol[] = "rtol";
constexpr char kSamples[] = "samples";
constexpr char kScore[] = "score";
constexpr char kSegment[] = "segment";
constexpr char kShape[] = "shape";
constexpr char kSize[] = "size";
constexpr char kSource[] = "source";
constexpr char kSqnrDb[] = "sqnr_db";
constexpr char kStack[] = "stack";
constexpr char kStackSize[] = "stack_size";
constexpr char kStandIn[] = "stand_in";
constexpr char kStaticMemory[] = "static_memory";
constexpr char kStep[] = "step";
constexpr char kStrict[] = "strict";
constexpr char kSuite[] = "suite";
constexpr char kSuites[] = "suites";
constexpr char kTarget[] = "target";
constexpr char kTeach[] = "teach";
constexpr char kTime[] = "time";
constexpr char kTrace[] = "trace";
constexpr char kTraceAtol[] = "trace_atol";
constexpr char kTraceRtol[] = "trace_rtol";
constexpr char kUnit[] = "unit";
constexpr char kUnjudged[] = "unjudged";
constexpr char kValue[] = "value";
constexpr char kValues[] = "values";
constexpr char kVerdict[] = "verdict";
constexpr char kVerified[] = "verified";
constexpr char kWire[] = "wire";
constexpr char kWrong[] = "wrong";
}  // namespace key_text

namespace key {
constexpr Key kActual{key_text::kActual};
constexpr Key kActualDtype{key_text::kActualDtype};
constexpr Key kActualKind{key_text::kActualKind};
constexpr Key kActualShape{key_text::kActualShape};
constexpr Key kAmount{key_text::kAmount};
constexpr Key kAtol{key_text::kAtol};
constexpr Key kBefore{key_text::kBefore};
constexpr Key kBins{key_text::kBins};
constexpr Key kBudget{key_text::kBudget};
constexpr Key kBuffers{key_text::kBuffers};
constexpr Key kBundleCases{key_text::kBundleCases};
constexpr Key kCase{key_text::kCase};
constexpr Key kCases{key_text::kCases};
constexpr Key kChain{key_text::kChain};
constexpr Key kClasses{key_text::kClasses};
constexpr Key kCompared{key_text::kCompared};
constexpr Key kCosine{key_text::kCosine};
constexpr Key kCounts{key_text::kCounts};
constexpr Key kCrc32{key_text::kCrc32};
constexpr Key kDimOrder{key_text::kDimOrder};
constexpr Key kDtype{key_text::kDtype};
constexpr Key kDump{key_text::kDump};
constexpr Key kElements{key_text::kElements};
constexpr Key kEngine{key_text::kEngine};
constexpr Key kEngineMemory{key_text::kEngineMemory};
constexpr Key kEngineVersion{key_text::kEngineVersion};
constexpr Key kError{key_text::kError};
constexpr Key kErrorBound{key_text::kErrorBound};
constexpr Key kErrors{key_text::kErrors};
constexpr Key kEvent{key_text::kEvent};
constexpr Key kExecuted{key_text::kExecuted};
constexpr Key kExpected{key_text::kExpected};
constexpr Key kFailed{key_text::kFailed};
constexpr Key kFileSize{key_text::kFileSize};
constexpr Key kFirst{key_text::kFirst};
constexpr Key kFlash{key_text::kFlash};
constexpr Key kFormat{key_text::kFormat};
constexpr Key kFound{key_text::kFound};
constexpr Key kHigh{key_text::kHigh};
constexpr Key kHits{key_text::kHits};
constexpr Key kIndex{key_text::kIndex};
constexpr Key kInput{key_text::kInput};
constexpr Key kInstruction{key_text::kInstruction};
constexpr Key kIsolate{key_text::kIsolate};
constexpr Key kIsolated{key_text::kIsolated};
constexpr Key kK{key_text::kK};
constexpr Key kKind{key_text::kKind};
constexpr Key kLabel{key_text::kLabel};
constexpr Key kLimit{key_text::kLimit};
constexpr Key kLow{key_text::kLow};
constexpr Key kMaxAbs{key_text::kMaxAbs};
constexpr Key kMaxOutlierShare{key_text::kMaxOutlierShare};
constexpr Key kMaxRel{key_text::kMaxRel};
constexpr Key kMaximum{key_text::kMaximum};
constexpr Key kMeanAbs{key_text::kMeanAbs};
constexpr Key kMeanRel{key_text::kMeanRel};
constexpr Key kMeasured{key_text::kMeasured};
constexpr Key kMessage{key_text::kMessage};
constexpr Key kMetadataCrc32{key_text::kMetadataCrc32};
constexpr Key kMethod{key_text::kMethod};
constexpr Key kMetric{key_text::kMetric};
constexpr Key kMinCosine{key_text::kMinCosine};
constexpr Key kMinSqnrDb{key_text::kMinSqnrDb};
constexpr Key kMinimum{key_text::kMinimum};
constexpr Key kMismatches{key_text::kMismatches};
constexpr Key kMissed{key_text::kMissed};
constexpr Key kModule{key_text::kModule};
constexpr Key kName{key_text::kName};
constexpr Key kNode{key_text::kNode};
constexpr Key kNonce{key_text::kNonce};
constexpr Key kNonfinite{key_text::kNonfinite};
constexpr Key kNumel{key_text::kNumel};
constexpr Key kOffset{key_text::kOffset};
constexpr Key kOperator{key_text::kOperator};
constexpr Key kOutcome{key_text::kOutcome};
constexpr Key kOutput{key_text::kOutput};
constexpr Key kOutputs{key_text::kOutputs};
constexpr Key kPassed{key_text::kPassed};
constexpr Key kPlannedMemory{key_text::kPlannedMemory};
constexpr Key kPositives{key_text::kPositives};
constexpr Key kProgramAddress{key_text::kProgramAddress};
constexpr Key kProgramCrc32{key_text::kProgramCrc32};
constexpr Key kProgramOffset{key_text::kProgramOffset};
constexpr Key kProgramSize{key_text::kProgramSize};
constexpr Key kProtocol{key_text::kProtocol};
constexpr Key kReason{key_text::kReason};
constexpr Key kResource{key_text::kResource};
constexpr Key kResult{key_text::kResult};
constexpr Key kRetransmitted{key_text::kRetransmitted};
constexpr Key kRtol{key_text::kRtol};
constexpr Key kSamples{key_text::kSamples};
constexpr Key kScore{key_text::kScore};
constexpr Key kSegment{key_text::kSegment};
constexpr Key kShape{key_text::kShape};
constexpr Key kSize{key_text::kSize};
constexpr Key kSource{key_text::kSource};
constexpr Key kSqnrDb{key_text::kSqnrDb};
constexpr Key kStack{key_text::kStack};
constexpr Key kStackSize{key_text::kStackSize};
constexpr Key kStandIn{key_text::kStandIn};
constexpr Key kStaticMemory{key_text::kStaticMemory};
constexpr Key kStep{key_text::kStep};
constexpr Key kStrict{key_text::kStrict};
constexpr Key kSuite{key_text::kSuite};
constexpr Key kSuites{key_text::kSuites};
constexpr Key kTarget{key_text::kTarget};
constexpr Key kTeach{key_text::kTeach};
constexpr Key kTime{key_text::kTime};
constexpr Key kTrace{key_text::kTrace};
constexpr Key kTraceAtol{key_text::kTraceAtol};
constexpr Key kTraceRtol{key_text::kTraceRtol};
constexpr Key kUnit{key_text::kUnit};
constexpr Key kUnjudged{key_text::kUnjudged};
constexpr Key kValue{key_text::kValue};
constexpr Key kValues{key_text::kValues};
constexpr Key kVerdict{key_text::kVerdict};
constexpr Key kVerified{key_text::kVerified};
constexpr Key kWire{key_text::kWire};
constexpr Key kWrong{key_text::kWrong};
}  // namespace key

/// The names of the records.
namespace event {
constexpr char kBegin[] = "begin";
constexpr char kCase[] = "case";
constexpr char kTrace[] = "trace";
constexpr char kConfusion[] = "confusion";
constexpr char kMetric[] = "metric";
constexpr char kResources[] = "resources";
constexpr char kBudget[] = "budget";
constexpr char kError[] = "error";
constexpr char kEnd[] = "end";
}  // namespace event

}  // namespace bpte
