// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads structs and tables of the metadata, both for the check at opening and for the accessors.

#include <bpte/core/bundle.h>
#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/internal/schema.h>

namespace bpte::internal {

using flatbuffer::PackedVector;
using flatbuffer::Position;
using flatbuffer::Reader;
using flatbuffer::Vector;

/// A Segment struct, where it lies; file_offset is relative to segment_base_offset. The metadata
/// must be aligned to the struct.
const SegmentInfo& load_segment(const Reader& reader, const Vector& segments, uint32_t index);

/// A tensor's fields as the table holds them; absent ones are empty.
struct TensorFields {
  ScalarType scalar_type = ScalarType::kByte;
  Vector sizes;
  Vector dim_order;
  Vector data;           ///< BP08's
  Position payload = 0;  ///< of the PayloadRef struct, BP09's
};
TensorFields read_tensor(Reader& reader, Position table);

/// A tolerance as the table states it; members that are absent keep their defaults. `valid`:
/// whether the values keep the rule tolerance_value.
Tolerance read_tolerance(Reader& reader, Position table, bool& valid);

/// What a field holds: a scalar of 1, 4 or 8 bytes, or a string, whose member is a Text. Bits above
/// the size say what a double must be.
enum FieldKind : uint8_t {
  kString = 0,
  kU8 = 1,
  kU32 = 4,
  kU64 = 8,
  kSizeMask = 15,
  kNumber = 16 | 8,  ///< no NaN
  kNotNegative = 32,
  kAtMostOne = 64,
  kFinite = 128,
};

/// One field of a table, and the member of a struct that takes it.
struct Field {
  uint8_t number;  ///< in the schema
  uint8_t kind;    ///< of FieldKind
  uint8_t member;  ///< where the member lies in the struct
};

/// A table's fields that are read into a struct.
struct Fields {
  const Field* first;
  uint16_t count;
  uint16_t list;  ///< field of the table above: the vector of such tables
};
extern const Fields kMetricFields;
extern const Fields kBudgetFields;
extern const Fields kInstructionFields;
extern const Fields kTraceValueFields;

/// Reads the fields that the table states; the other members stay. False when a double is not what
/// its kind says.
bool read_fields(Reader& reader, Position table, const Fields& fields, void* into);

}  // namespace bpte::internal
