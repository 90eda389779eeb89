// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/output_record.h>

#include <cmath>
#include <cstring>

namespace bpte {

namespace {

// The dtype with which a value's elements are written.
ScalarType element_type(const Value& value) {
  switch (value.kind) {
    case ValueKind::kTensor:
      return value.tensor.scalar_type;
    case ValueKind::kBool:
      return ScalarType::kBool;
    case ValueKind::kDouble:
      return ScalarType::kDouble;
    case ValueKind::kInt:
    case ValueKind::kNone:
      break;
  }
  return ScalarType::kLong;
}

void write_number(RecordWriter& writer, Key member, const Number& number, ScalarType type) {
  switch (number.kind) {
    case Number::Kind::kDouble:
      // Float32 and what fits into it is written as such: "0.1" rather than 0.10000000149011612.
      if (fits_float32(type)) {
        writer.key(member);
        writer.real32(static_cast<float>(number.as_double));
      } else {
        writer.field(member, number.as_double);
      }
      break;
    case Number::Kind::kInt:
      writer.field(member, number.as_int);
      break;
    case Number::Kind::kUInt:
      if (type == ScalarType::kBool) {
        writer.field(member, number.as_uint != 0);
      } else {
        writer.field(member, number.as_uint);
      }
      break;
  }
}

void write_shape(RecordWriter& writer, Key member, Span<const int32_t> sizes) {
  writer.key(member);
  writer.begin_array();
  for (const int32_t size : sizes) writer.integer(int64_t{size});
  writer.end_array();
}

// Row-major coordinates of a logical index.
void write_coordinates(RecordWriter& writer, Key member, uint64_t index,
                       Span<const int32_t> sizes) {
  uint64_t coordinates[kMaxRank] = {};
  const size_t rank = sizes.size() < kMaxRank ? sizes.size() : kMaxRank;
  for (size_t i = rank; i-- > 0;) {
    const uint64_t size = sizes[i] > 0 ? static_cast<uint64_t>(sizes[i]) : 1;
    coordinates[i] = index % size;
    index /= size;
  }
  writer.key(member);
  writer.begin_array();
  for (size_t i = 0; i < rank; ++i) writer.integer(coordinates[i]);
  writer.end_array();
}

bool same_shape(Span<const int32_t> a, Span<const int32_t> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(int32_t)) == 0);
}

// The expected kind, dtype and shape; the actual ones where they differ.
void write_types(RecordWriter& writer, const Value& expected, const Value& actual) {
  const bool tensor = expected.kind == ValueKind::kTensor;
  writer.field(key::kKind, to_string(expected.kind));
  if (tensor) {
    writer.field(key::kDtype, to_string(expected.tensor.scalar_type));
    write_shape(writer, key::kShape, expected.tensor.sizes);
  }
  if (actual.kind != expected.kind) writer.field(key::kActualKind, to_string(actual.kind));
  if (actual.kind != ValueKind::kTensor) return;
  if (!tensor || actual.tensor.scalar_type != expected.tensor.scalar_type) {
    writer.field(key::kActualDtype, to_string(actual.tensor.scalar_type));
  }
  if (!tensor || !same_shape(actual.tensor.sizes, expected.tensor.sizes)) {
    write_shape(writer, key::kActualShape, actual.tensor.sizes);
  }
}

void write_first_mismatch(RecordWriter& writer, const Value& expected, const Comparison& result) {
  const ScalarType type = element_type(expected);
  const bool tensor = expected.kind == ValueKind::kTensor;
  writer.key(key::kFirst);
  writer.begin_object();
  write_coordinates(writer, key::kIndex, result.first_mismatch,
                    tensor ? expected.tensor.sizes : Span<const int32_t>());
  write_number(writer, key::kExpected, result.first_expected, type);
  write_number(writer, key::kActual, result.first_actual, type);
  writer.end_object();
}

}  // namespace

void write_output(RecordWriter& writer, const Value& expected, const Value& actual,
                  const Comparison& result, const Tolerance& tolerance) {
  writer.begin_object();
  writer.field(key::kVerdict, to_string(result.verdict));
  if (result.reason != Reason::kNone) writer.field(key::kReason, to_string(result.reason));
  write_types(writer, expected, actual);
  const bool compared = result.reason != Reason::kKind && result.reason != Reason::kDtype &&
                        result.reason != Reason::kShape;
  if (compared) {
    writer.field(key::kNumel, result.numel);
    writer.field(key::kMismatches, result.mismatches);
    writer.field(key::kNonfinite, result.nonfinite);
    if (result.mismatches > 0) write_first_mismatch(writer, expected, result);
    writer.field(key::kMaxAbs, result.max_abs_error);
    writer.field(key::kMeanAbs, result.mean_abs_error);
    writer.field(key::kMaxRel, result.max_rel_error);
    writer.field(key::kMeanRel, result.mean_rel_error);
    writer.field(key::kSqnrDb, result.sqnr_db);
    writer.field(key::kCosine, result.cosine);
    writer.field(key::kRtol, result.rtol);
    writer.field(key::kAtol, result.atol);
    writer.field(key::kMaxOutlierShare, tolerance.max_outlier_share);
    if (!std::isnan(tolerance.min_sqnr_db)) {
      writer.field(key::kMinSqnrDb, tolerance.min_sqnr_db);
    }
    if (!std::isnan(tolerance.min_cosine)) writer.field(key::kMinCosine, tolerance.min_cosine);
  }
  writer.end_object();
}

}  // namespace bpte
