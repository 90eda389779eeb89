// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/aligned.h>
#include <bpte/core/internal/metadata.h>

#include <cstddef>
#include <cstring>
#include <limits>

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

bool read_fields(Reader& reader, Position table, const Fields& fields, void* into) {
  bool numbers = true;
  for (uint32_t i = 0; i < fields.count; ++i) {
    const Field& field = fields.first[i];
    char* const member = static_cast<char*>(into) + field.member;
    if (field.size == 0) {
      const Vector string = reader.string(table, field.number);
      const Text text = {reinterpret_cast<const char*>(reader.pointer(string.at)), string.count};
      std::memcpy(member, &text, sizeof text);
      continue;
    }
    const Position at =
        reader.field(table, field.number, flatbuffer::shape(field.size, field.size));
    if (at == 0) {
      continue;
    }
    std::memcpy(member, reader.pointer(at), field.size);
    if (field.size == 8) {
      const double number = reader.load<double>(at);
      numbers &= number == number;
    }
  }
  return numbers;
}

namespace {

template <size_t N>
constexpr Fields all(const Field (&fields)[N]) {
  return {fields, N};
}

constexpr Field kOfTolerance[] = {
    {schema::kToleranceRtol, 8, offsetof(Tolerance, rtol)},
    {schema::kToleranceAtol, 8, offsetof(Tolerance, atol)},
    {schema::kToleranceMaxOutlierShare, 8, offsetof(Tolerance, max_outlier_share)},
    {schema::kToleranceMinSqnrDb, 8, offsetof(Tolerance, min_sqnr_db)},
    {schema::kToleranceMinCosine, 8, offsetof(Tolerance, min_cosine)},
    {schema::kToleranceNanPolicy, 1, offsetof(Tolerance, nan_policy)},
};

}  // namespace

Tolerance read_tolerance(Reader& reader, Position table, bool& valid) {
  Tolerance tolerance;
  valid = read_fields(reader, table, all(kOfTolerance), &tolerance);
  tolerance.not_compared = reader.scalar<uint8_t>(table, schema::kToleranceNotCompared) != 0;
  if (tolerance.rtol < 0 || tolerance.atol < 0 || tolerance.max_outlier_share < 0 ||
      tolerance.max_outlier_share > 1 || tolerance.nan_policy > NanPolicy::kIgnore) {
    valid = false;
  }
  return tolerance;
}

#if BPTE_CORE_METRICS
namespace {

constexpr Field kOfMetric[] = {
    {schema::kMetricKind, 1, offsetof(Metric, kind)},
    {schema::kMetricOutput, 4, offsetof(Metric, output)},
    {schema::kMetricMinimum, 8, offsetof(Metric, minimum)},
    {schema::kMetricMaximum, 8, offsetof(Metric, maximum)},
    {schema::kMetricK, 4, offsetof(Metric, k)},
    {schema::kMetricClasses, 4, offsetof(Metric, classes)},
    {schema::kMetricScore, 4, offsetof(Metric, score)},
    {schema::kMetricBins, 4, offsetof(Metric, bins)},
    {schema::kMetricLow, 8, offsetof(Metric, low)},
    {schema::kMetricHigh, 8, offsetof(Metric, high)},
};

bool from_1(uint32_t count) {
  return count - 1 < schema::kMaxClasses;
}

}  // namespace

constexpr Fields kMetricFields = all(kOfMetric);

bool valid_metric(const Metric& metric, bool numbers) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (!numbers || !from_1(metric.k) || !from_1(metric.bins) || !(metric.low >= -kLargest) ||
      !(metric.low < metric.high) || !(metric.high <= kLargest)) {
    return false;
  }
  if (metric.kind < MetricKind::kConfusionMatrix) {
    return metric.classes <= schema::kMaxClasses;
  }
  const bool bounded = metric.minimum == metric.minimum || metric.maximum == metric.maximum;
  return metric.kind == MetricKind::kConfusionMatrix && from_1(metric.classes) && !bounded;
}
#endif

#if BPTE_CORE_BUDGETS
namespace {

constexpr Field kOfBudget[] = {
    {schema::kBudgetResource, 1, offsetof(Budget, resource)},
    {schema::kBudgetLimit, 8, offsetof(Budget, limit)},
    {schema::kBudgetSuite, 4, offsetof(Budget, suite)},
    {schema::kBudgetTarget, 0, offsetof(Budget, target)},
};

}  // namespace

constexpr Fields kBudgetFields = all(kOfBudget);
#endif

#if BPTE_CORE_TRACE
namespace {

constexpr Field kOfInstruction[] = {
    {schema::kInstructionChain, 4, offsetof(Instruction, chain)},
    {schema::kInstructionIndex, 4, offsetof(Instruction, index)},
    {schema::kInstructionOperation, 4, offsetof(Instruction, operation)},
    {schema::kInstructionOperatorName, 0, offsetof(Instruction, operator_name)},
    {schema::kInstructionNode, 0, offsetof(Instruction, node)},
    {schema::kInstructionModulePath, 0, offsetof(Instruction, module_path)},
    {schema::kInstructionSource, 0, offsetof(Instruction, source)},
};

constexpr Field kOfTraceValue[] = {
    {schema::kTraceValueInstruction, 4, offsetof(TraceValue, instruction)},
    {schema::kTraceValueOutput, 4, offsetof(TraceValue, output)},
};

}  // namespace

constexpr Fields kInstructionFields = all(kOfInstruction);
constexpr Fields kTraceValueFields = all(kOfTraceValue);
#endif

}  // namespace bpte::internal
