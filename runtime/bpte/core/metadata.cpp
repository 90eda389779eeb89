// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/aligned.h>
#include <bpte/core/internal/ieee.h>
#include <bpte/core/internal/metadata.h>

#include <cstddef>
#include <cstring>

namespace bpte::internal {

const SegmentInfo& load_segment(const Reader& reader, const Vector& segments, uint32_t index) {
  static_assert(sizeof(SegmentInfo) == schema::kSegmentSize, "");
  static_assert(offsetof(SegmentInfo, size) == schema::kSegmentAtSize, "");
  static_assert(offsetof(SegmentInfo, alignment) == schema::kSegmentAtAlignment, "");
  static_assert(offsetof(SegmentInfo, crc32) == schema::kSegmentAtCrc32, "");
  return *as_aligned<SegmentInfo>(reader.pointer(segments.at + index * schema::kSegmentSize));
}

TensorFields read_tensor(Reader& reader, Position table) {
  TensorFields fields;
  fields.scalar_type =
      static_cast<ScalarType>(reader.scalar<uint8_t>(table, schema::kTensorScalarType));
  fields.sizes = reader.vector(table, schema::kTensorSizes, flatbuffer::shape(4, 4));
  fields.dim_order = reader.vector(table, schema::kTensorDimOrder, flatbuffer::kByte);
  fields.data =
      reader.vector(table, schema::kTensorData, flatbuffer::shape(1, schema::kPayloadAlignment));
  fields.payload = reader.field(table, schema::kTensorPayload, schema::kPayloadRef);
  return fields;
}

namespace {

bool keeps(unsigned kind, double x) {
  return !is_nan(x) && !((kind & kNotNegative) != 0 && x < 0) &&
         !((kind & kAtMostOne) != 0 && x > 1) && !((kind & kFinite) != 0 && !is_finite(x));
}

}  // namespace

bool read_fields(Reader& reader, Position table, const Fields& fields, void* into) {
  bool valid = true;
  for (uint32_t i = 0; i < fields.count; ++i) {
    const Field& field = fields.first[i];
    char* const member = static_cast<char*>(into) + field.member;
    const unsigned size = field.kind & kSizeMask;
    if (size == 0) {
      const Vector string = reader.string(table, field.number);
      const Text text = {reinterpret_cast<const char*>(reader.pointer(string.at)), string.count};
      std::memcpy(member, &text, sizeof text);
      continue;
    }
    const Position at = reader.field(table, field.number, flatbuffer::shape(size, size));
    if (at == 0) {
      continue;
    }
    std::memcpy(member, reader.pointer(at), size);
    if (field.kind > kSizeMask) {
      valid &= keeps(field.kind, reader.load<double>(at));
    }
  }
  return valid;
}

namespace {

template <size_t N>
constexpr Fields all(const Field (&fields)[N], unsigned list) {
  return {fields, N, static_cast<uint16_t>(list)};
}

constexpr Field kOfTolerance[] = {
    {schema::kToleranceRtol, kNumber | kNotNegative, offsetof(Tolerance, rtol)},
    {schema::kToleranceAtol, kNumber | kNotNegative, offsetof(Tolerance, atol)},
    {schema::kToleranceMaxOutlierShare, kNumber | kNotNegative | kAtMostOne,
     offsetof(Tolerance, max_outlier_share)},
    {schema::kToleranceMinSqnrDb, kNumber, offsetof(Tolerance, min_sqnr_db)},
    {schema::kToleranceMinCosine, kNumber, offsetof(Tolerance, min_cosine)},
    {schema::kToleranceNanPolicy, kU8, offsetof(Tolerance, nan_policy)},
};
constexpr Fields kToleranceFields = all(kOfTolerance, schema::kSuiteTolerances);

}  // namespace

Tolerance read_tolerance(Reader& reader, Position table, bool& valid) {
  Tolerance tolerance;
  valid = read_fields(reader, table, kToleranceFields, &tolerance);
  tolerance.not_compared = reader.scalar<uint8_t>(table, schema::kToleranceNotCompared) != 0;
  valid &= tolerance.nan_policy <= NanPolicy::kIgnore;
  return tolerance;
}

#if BPTE_CORE_METRICS
namespace {

constexpr Field kOfMetric[] = {
    {schema::kMetricKind, kU8, offsetof(Metric, kind)},
    {schema::kMetricOutput, kU32, offsetof(Metric, output)},
    {schema::kMetricMinimum, kNumber, offsetof(Metric, minimum)},
    {schema::kMetricMaximum, kNumber, offsetof(Metric, maximum)},
    {schema::kMetricK, kU32, offsetof(Metric, k)},
    {schema::kMetricClasses, kU32, offsetof(Metric, classes)},
    {schema::kMetricScore, kU32, offsetof(Metric, score)},
    {schema::kMetricBins, kU32, offsetof(Metric, bins)},
    {schema::kMetricLow, kNumber | kFinite, offsetof(Metric, low)},
    {schema::kMetricHigh, kNumber | kFinite, offsetof(Metric, high)},
};

}  // namespace

constexpr Fields kMetricFields = all(kOfMetric, schema::kSuiteMetrics);
#endif

#if BPTE_CORE_BUDGETS
namespace {

constexpr Field kOfBudget[] = {
    {schema::kBudgetResource, kU8, offsetof(Budget, resource)},
    {schema::kBudgetLimit, kU64, offsetof(Budget, limit)},
    {schema::kBudgetSuite, kU32, offsetof(Budget, suite)},
    {schema::kBudgetTarget, kString, offsetof(Budget, target)},
};

}  // namespace

constexpr Fields kBudgetFields = all(kOfBudget, schema::kProgramBudgets);
#endif

#if BPTE_CORE_TRACE
namespace {

constexpr Field kOfInstruction[] = {
    {schema::kInstructionChain, kU32, offsetof(Instruction, chain)},
    {schema::kInstructionIndex, kU32, offsetof(Instruction, index)},
    {schema::kInstructionOperation, kU32, offsetof(Instruction, operation)},
    {schema::kInstructionOperatorName, kString, offsetof(Instruction, operator_name)},
    {schema::kInstructionNode, kString, offsetof(Instruction, node)},
    {schema::kInstructionModulePath, kString, offsetof(Instruction, module_path)},
    {schema::kInstructionSource, kString, offsetof(Instruction, source)},
};

constexpr Field kOfTraceValue[] = {
    {schema::kTraceValueInstruction, kU32, offsetof(TraceValue, instruction)},
    {schema::kTraceValueOutput, kU32, offsetof(TraceValue, output)},
};

}  // namespace

constexpr Fields kInstructionFields = all(kOfInstruction, schema::kTracedMethodInstructions);
constexpr Fields kTraceValueFields = all(kOfTraceValue, schema::kCaseTrace);
#endif

}  // namespace bpte::internal
