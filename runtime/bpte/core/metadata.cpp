// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/metadata.h>

#include <cstddef>
#include <cstring>

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
  // The fields that are doubles come first and are numbered like this.
  static_assert(schema::kToleranceRtol == 0 && schema::kToleranceMinCosine == 4, "");
  static_assert(offsetof(Tolerance, min_cosine) == 4 * sizeof(double), "");
  bool holds = true;
  for (unsigned i = 0; i < 5; ++i) {
    const Position at = reader.field(table, i, flatbuffer::shape(8, 8));
    if (at != 0) {
      const double value = reader.load<double>(at);
      std::memcpy(reinterpret_cast<uint8_t*>(&tolerance) + i * sizeof value, &value, sizeof value);
      // No NaN; only the floors may be negative. Two conditions on purpose: GCC 12 takes
      // "v >= 0 || (v < 0 && ...)" to hold for a NaN, from -O1 on.
      if (value != value || (value < 0 && i < schema::kToleranceMinSqnrDb)) {
        holds = false;
      }
    }
  }
  const uint8_t policy = reader.scalar<uint8_t>(table, schema::kToleranceNanPolicy);
  tolerance.nan_policy = static_cast<NanPolicy>(policy);
  tolerance.not_compared = reader.scalar<uint8_t>(table, schema::kToleranceNotCompared) != 0;
  valid = holds && tolerance.max_outlier_share <= 1 &&
          policy <= static_cast<uint8_t>(NanPolicy::kIgnore);
  return tolerance;
}

}  // namespace bpte::internal
