// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads structs and tables of the metadata, both for the check at opening and for the accessors.

#include <bpte/core/bundle.h>
#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/internal/schema.h>

namespace bpte::internal {

using flatbuffer::Position;
using flatbuffer::Reader;
using flatbuffer::Vector;

/// A Segment struct; file_offset is still relative to segment_base_offset.
SegmentInfo load_segment(const Reader& reader, const Vector& segments, uint32_t index);

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

}  // namespace bpte::internal
