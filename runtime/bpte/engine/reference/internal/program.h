// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/data_file.h>
#include <bpte/engine/program_schema.h>
#include <bpte/engine/report.h>

#include <cstddef>
#include <cstdint>

#include "flatbuffer.h"

namespace bpte::reference {

namespace schema = program_schema;

/// A program (`.pte`) where it lies: its FlatBuffer and the segments after it.
class Program {
 public:
  /// Checks identifier, version, extended header and segment table.
  [[nodiscard]] bool open(Span<const uint8_t> bytes, Report& report);
  /// Takes the files that hold its external tensors, and checks them.
  [[nodiscard]] bool add_data(const DataFileSet& data, Report& report) {
    data_ = data;
    return data_.check(report);
  }

  const FlatBuffer& flatbuffer() const { return flatbuffer_; }
  /// The execution plan's table, or 0.
  uint32_t find_method(Text name) const;

  const DataFileSet& data() const { return data_; }

  /// A constant tensor's bytes, exactly `size` of them.
  [[nodiscard]] bool constant(uint32_t buffer_index, size_t size, Span<const uint8_t>& data,
                              Report& report) const;
  /// What a BackendDelegate table refers to: the bytes for its backend.
  [[nodiscard]] bool delegate_data(uint32_t delegate, Span<const uint8_t>& data,
                                   Report& report) const;
  /// The initial value of a mutable tensor.
  [[nodiscard]] bool initial_state(uint64_t segments_index, uint32_t buffer_index, size_t size,
                                   Span<const uint8_t>& data, Report& report) const;

 private:
  /// `size` bytes of a segment, at the offset that `offsets` (a SubsegmentOffsets table) states.
  [[nodiscard]] bool subsegment(uint32_t offsets, uint32_t buffer_index, size_t size,
                                Span<const uint8_t>& data, Report& report) const;

  /// Finds where the FlatBuffer ends, and the segments begin and end.
  [[nodiscard]] bool read_extended_header(size_t& metadata_size, Report& report);
  [[nodiscard]] bool segment(uint32_t index, Span<const uint8_t>& data, Report& report) const;

  Span<const uint8_t> bytes_;
  FlatBuffer flatbuffer_;
  DataFileSet data_;
  size_t segment_base_ = 0;  // of the file; segments end before segment_end_
  size_t segment_end_ = 0;
  uint32_t root_ = 0;
};

}  // namespace bpte::reference
