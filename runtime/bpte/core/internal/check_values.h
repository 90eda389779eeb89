// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules of values, tensors and their payloads. A part of check_metadata.cpp, which alone
// includes it: in one unit the compiler shares more code.

#include <bpte/core/internal/check_metadata.h>

// NOLINTBEGIN(misc-definitions-in-headers)
namespace bpte::internal {
namespace {

void MetadataCheck::value(Position value, uint32_t) {
  const auto kind = static_cast<ValueKind>(reader_.scalar<uint8_t>(value, schema::kValueType));
  const Position table = reader_.table(value, schema::kValueTable);
  if (kind == ValueKind::kNone || kind > ValueKind::kDouble || table == 0) {
    return fail(Error::kValueMissing, value, static_cast<uint8_t>(kind), 0);
  }
  if (kind == ValueKind::kTensor) {
    tensor(table);
  } else {
    // Int, Bool and Double have one field each, the first.
    const uint32_t size = kind == ValueKind::kBool ? 1 : 8;
    reader_.field(table, schema::kIntVal, flatbuffer::shape(size, size));
  }
}

void MetadataCheck::tensor(Position table) {
  const TensorFields fields = read_tensor(reader_, table);
  const uint32_t rank = fields.sizes.count;
  uint64_t bytes = element_size(fields.scalar_type);
  if (bytes == 0) {
    const int64_t number = static_cast<int8_t>(fields.scalar_type);
    return fail(Error::kScalarType, table, static_cast<uint64_t>(number), 0);
  }
  if (!fields.sizes) {
    return fail(Error::kSizesMissing, table);
  }
  if (rank > kMaxRank) {
    return fail(Error::kRank, fields.sizes.at, rank, kMaxRank);
  }
  uint64_t overflow = 0;
  bool empty = false;
  for (uint32_t i = 0; i < rank; ++i) {
    const Position at = fields.sizes.at + 4 * i;
    const int32_t size = reader_.load<int32_t>(at);
    if (size < 0) {
      return fail(Error::kNegativeSize, at, static_cast<uint64_t>(int64_t{size}), 0);
    }
    empty |= size == 0;
    // Multiplies 64 by 32 bits in two halves. The product overflows when the upper half does.
    const uint64_t low = (bytes & 0xFFFFFFFFu) * static_cast<uint32_t>(size);
    const uint64_t high = (bytes >> 32) * static_cast<uint32_t>(size) + (low >> 32);
    overflow |= high >> 32;
    bytes = high << 32 | (low & 0xFFFFFFFFu);
  }
  if (!fields.dim_order) {
    return fail(Error::kDimOrderMissing, table);
  }
  uint32_t seen = 0;
  for (uint32_t i = 0; i < fields.dim_order.count && i < rank; ++i) {
    const Position at = fields.dim_order.at + i;
    const uint8_t dim = reader_.load<uint8_t>(at);
    if (dim >= rank || (seen >> dim & 1) != 0) {
      return fail(Error::kDimOrder, at, dim, rank);
    }
    seen |= 1u << dim;
  }
  if (fields.dim_order.count != rank) {
    return fail(Error::kDimOrder, fields.dim_order.at, fields.dim_order.count, rank);
  }
  if (empty) {
    bytes = 0;
  } else if (overflow != 0) {
    return fail(Error::kOverflow, fields.sizes.at);
  }
  return payload(fields, table, bytes);
}

void MetadataCheck::payload(const TensorFields& fields, Position table, uint64_t bytes) {
  if (!bp09()) {
    if (!fields.data && bytes != 0) {
      return fail(Error::kPayloadMissing, table, 0, bytes);
    }
    if (fields.data.count != bytes) {
      return fail(Error::kPayloadSize, fields.data.at, fields.data.count, bytes);
    }
    return;
  }
  if (fields.data) {
    return fail(Error::kPayloadInline, fields.data.at, fields.data.count, 0);
  }
  const Position at = fields.payload;
  if (at == 0) {
    return fail(Error::kPayloadMissing, table, 0, bytes);
  }
  const uint64_t offset = reader_.load<uint64_t>(at);
  const uint64_t size = reader_.load<uint64_t>(at + schema::kPayloadRefAtSize);
  const uint32_t index = reader_.load<uint32_t>(at + schema::kPayloadRefAtSegment);
  if (index >= segments_.count) {
    return fail(Error::kPayloadSegment, at, index, segments_.count);
  }
  at_.segment = index;
  if (case_segment_ == kNoIndex) {
    case_segment_ = index;
  }
  if (index != case_segment_) {
    return fail(Error::kPayloadSegment, at, index, case_segment_);
  }
  if (index == other_segment_) {
    return fail(Error::kTraceSegment, at, index, 0);
  }
  const SegmentInfo& segment = load_segment(reader_, segments_, index);
  // A segment with a smaller alignment would misalign its payloads.
  if (offset % schema::kPayloadAlignment != 0 || segment.alignment < schema::kPayloadAlignment) {
    return fail(Error::kPayloadAlignment, at,
                offset % schema::kPayloadAlignment != 0 ? offset : segment.alignment,
                schema::kPayloadAlignment);
  }
  const uint64_t end = offset + size;
  if (end < offset) {
    return fail(Error::kOverflow, at, size, ~offset);
  }
  if (end > segment.size) {
    return fail(Error::kPayloadBounds, at, end, segment.size);
  }
  if (size != bytes) {
    return fail(Error::kPayloadSize, at, size, bytes);
  }
  at_.segment = kNoIndex;
}

#if BPTE_CORE_STEPS
bool MetadataCheck::same(Position a, Position b, unsigned field, flatbuffer::Shape element) {
  const Vector x = reader_.vector(a, field, element);
  const Vector y = reader_.vector(b, field, element);
  return x.count == y.count && std::memcmp(reader_.pointer(x.at), reader_.pointer(y.at),
                                           size_t{x.count} * (element >> 8)) == 0;
}

// Whether two values, which are checked, agree in kind, scalar type, sizes and dim_order.
bool MetadataCheck::alike(Position a, Position b) {
  const auto kind = reader_.scalar<uint8_t>(a, schema::kValueType);
  if (kind != reader_.scalar<uint8_t>(b, schema::kValueType)) {
    return false;
  }
  a = reader_.table(a, schema::kValueTable);
  b = reader_.table(b, schema::kValueTable);
  return kind != static_cast<uint8_t>(ValueKind::kTensor) ||
         (reader_.scalar<uint8_t>(a, schema::kTensorScalarType) ==
              reader_.scalar<uint8_t>(b, schema::kTensorScalarType) &&
          same(a, b, schema::kTensorSizes, flatbuffer::kU32) &&
          same(a, b, schema::kTensorDimOrder, flatbuffer::kByte));
}
#endif

}  // namespace
}  // namespace bpte::internal
// NOLINTEND(misc-definitions-in-headers)
