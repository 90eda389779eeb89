// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/engine/engine.h>

namespace bpte {

/// The data files (`.ptd`) that a bundle holds, for the engine that runs its program. The bundle
/// outlives it.
class BundleDataFiles final : public DataFiles {
 public:
  /// `source` reads the bundle's file, when it does not lie in memory.
  BundleDataFiles(const Bundle& bundle, DataSource& source) : bundle_(bundle), source_(source) {}

  uint32_t count() const override {
    uint32_t count = 0;
    for (uint32_t i = 0; i < bundle_.named_data_count(); ++i) count += is_data_file(i) ? 1 : 0;
    return count;
  }

  Text name(uint32_t index) const override {
    const Result<Text> name = bundle_.named_data_file_name(find(index));
    return name.ok() ? *name : Text();
  }

  ProgramLocation location(uint32_t index) const override {
    const SegmentInfo file = segment(index);
    ProgramLocation location;
    const Span<const uint8_t> program = bundle_.program();
    if (program.empty()) {
      location.source = &source_;
      location.offset = file.file_offset;
      location.size = file.size;
    } else {
      // The whole bundle lies in memory.
      const uint8_t* const start = program.data() - bundle_.program_info().file_offset;
      location.bytes = {start + file.file_offset, static_cast<size_t>(file.size)};
    }
    return location;
  }

  SegmentInfo segment(uint32_t index) const {
    const Result<SegmentInfo> segment = bundle_.named_data_segment(find(index));
    return segment.ok() ? *segment : SegmentInfo();
  }

 private:
  bool is_data_file(uint32_t entry) const {
    const Result<NamedDataRole> role = bundle_.named_data_role(entry);
    return role.ok() && *role == NamedDataRole::kPtd;
  }

  // Where data file `index` stands among the named data.
  uint32_t find(uint32_t index) const {
    for (uint32_t i = 0; i < bundle_.named_data_count(); ++i) {
      if (is_data_file(i) && index-- == 0) return i;
    }
    return kNoIndex;
  }

  const Bundle& bundle_;
  DataSource& source_;
};

}  // namespace bpte
