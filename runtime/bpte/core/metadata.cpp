// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/metadata.h>

namespace bpte::internal {

SegmentInfo load_segment(const Reader& reader, const Vector& segments, uint32_t index) {
  const Position at = segments.at + index * schema::kSegmentSize;
  SegmentInfo segment;
  segment.file_offset = reader.load<uint64_t>(at);
  segment.size = reader.load<uint64_t>(at + schema::kSegmentAtSize);
  segment.alignment = reader.load<uint32_t>(at + schema::kSegmentAtAlignment);
  segment.crc32 = reader.load<uint32_t>(at + schema::kSegmentAtCrc32);
  return segment;
}

TensorFields read_tensor(Reader& reader, Position table) {
  TensorFields fields;
  fields.scalar_type =
      static_cast<ScalarType>(reader.scalar<int8_t>(table, schema::kTensorScalarType, 0));
  fields.sizes = reader.vector(table, schema::kTensorSizes, sizeof(int32_t), alignof(int32_t));
  fields.dim_order = reader.vector(table, schema::kTensorDimOrder, 1, 1);
  fields.data = reader.vector(table, schema::kTensorData, 1, schema::kPayloadAlignment);
  fields.payload = reader.field(table, schema::kTensorPayload, schema::kPayloadRefSize,
                                schema::kPayloadRefAlign);
  return fields;
}

ToleranceFields read_tolerance(Reader& reader, Position table) {
  ToleranceFields fields;
  Tolerance& tolerance = fields.tolerance;
  const struct {
    unsigned index;
    double* member;
    bool negative_too;
  } kNumbers[] = {
      {schema::kToleranceRtol, &tolerance.rtol, false},
      {schema::kToleranceAtol, &tolerance.atol, false},
      {schema::kToleranceMaxOutlierShare, &tolerance.max_outlier_share, false},
      {schema::kToleranceMinSqnrDb, &tolerance.min_sqnr_db, true},
      {schema::kToleranceMinCosine, &tolerance.min_cosine, true},
  };
  for (const auto& number : kNumbers) {
    const Position at = reader.field(table, number.index, sizeof(double), alignof(double));
    if (at == 0) {
      continue;
    }
    const double value = reader.load<double>(at);
    *number.member = value;
    // Written so that a NaN fails.
    if (!(value >= 0) && !(number.negative_too && value < 0)) {
      fields.valid = false;
    }
  }
  if (tolerance.max_outlier_share > 1) {
    fields.valid = false;
  }
  const uint8_t policy = reader.scalar<uint8_t>(table, schema::kToleranceNanPolicy, 0);
  if (policy > static_cast<uint8_t>(NanPolicy::kIgnore)) {
    fields.valid = false;
  }
  tolerance.nan_policy = static_cast<NanPolicy>(policy);
  tolerance.not_compared = reader.scalar<uint8_t>(table, schema::kToleranceNotCompared, 0) != 0;
  return fields;
}

}  // namespace bpte::internal
