// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/metadata.h>

#include <limits>

namespace bpte::internal {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

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
      static_cast<ScalarType>(reader.scalar<uint8_t>(table, schema::kTensorScalarType));
  fields.sizes = reader.vector(table, schema::kTensorSizes, flatbuffer::shape(4, 4));
  fields.dim_order = reader.vector(table, schema::kTensorDimOrder, flatbuffer::kByte);
  fields.data =
      reader.vector(table, schema::kTensorData, flatbuffer::shape(1, schema::kPayloadAlignment));
  fields.payload = reader.field(table, schema::kTensorPayload, schema::kPayloadRef);
  return fields;
}

Tolerance read_tolerance(Reader& reader, Position table, bool& valid) {
  Tolerance tolerance;
  const auto read = [&](unsigned field, double least, double& member) {
    const Position at = reader.field(table, field, flatbuffer::shape(8, 8));
    if (at == 0) {
      return true;  // not stated: the default stays
    }
    member = reader.load<double>(at);
    return member >= least;  // false for a NaN
  };
  valid = read(schema::kToleranceRtol, 0, tolerance.rtol);
  valid &= read(schema::kToleranceAtol, 0, tolerance.atol);
  valid &= read(schema::kToleranceMaxOutlierShare, 0, tolerance.max_outlier_share);
  valid &= read(schema::kToleranceMinSqnrDb, -kInfinity, tolerance.min_sqnr_db);
  valid &= read(schema::kToleranceMinCosine, -kInfinity, tolerance.min_cosine);
  const uint8_t policy = reader.scalar<uint8_t>(table, schema::kToleranceNanPolicy);
  tolerance.nan_policy = static_cast<NanPolicy>(policy);
  tolerance.not_compared = reader.scalar<uint8_t>(table, schema::kToleranceNotCompared) != 0;
  if (tolerance.max_outlier_share > 1 || policy > static_cast<uint8_t>(NanPolicy::kIgnore)) {
    valid = false;
  }
  return tolerance;
}

}  // namespace bpte::internal
