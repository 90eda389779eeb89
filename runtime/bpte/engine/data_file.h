// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/span.h>
#include <bpte/core/tensor_view.h>
#include <bpte/engine/engine.h>
#include <bpte/engine/report.h>

#include <cstdint>

/// Reads data files. The CMake option of the same name sets this macro. Without it next to nothing
/// of them is compiled, and a program that comes with data files is not loaded: kUnsupported.
#ifndef BPTE_ENGINE_DATA_FILES
#define BPTE_ENGINE_DATA_FILES 0
#endif

namespace bpte {

/// What a data file holds under a key. All spans lie in the file.
struct DataEntry {
  Text key;  ///< a NUL follows
  /// For a tensor with its dtype, sizes and dim_order; without `has_layout` only `data` is set.
  TensorView tensor;
  bool has_layout = false;
};

/// A data file of ExecuTorch (`.ptd`, the FlatTensor format) where it lies in memory. Nothing is
/// copied, and every access is checked against the file.
class DataFile {
 public:
  /// The first byte lies at a multiple of this.
  static constexpr size_t kAlignment = 16;

  /// Checks header and list of keys. `name` is for messages. kInvalidData says what is wrong.
  [[nodiscard]] bool open(Span<const uint8_t> bytes, Text name, Report& report);
  uint32_t count() const { return entries_.count; }
  /// Empty when the entry has none.
  Text key(uint32_t index) const;
  [[nodiscard]] bool entry(uint32_t index, DataEntry& entry, Report& report) const;

 private:
  Report& refuse(Report& report) const;
  [[nodiscard]] bool read_header(Report& report, size_t& flatbuffer_size);
  [[nodiscard]] bool layout(flatbuffer::Position table, TensorView& tensor) const;

  Span<const uint8_t> bytes_;
  Text name_;
  uint64_t segment_base_ = 0;
  uint64_t segment_end_ = 0;
  mutable flatbuffer::Reader reader_;  // reading changes nothing but whether it is bad
  flatbuffer::Vector segments_, entries_;
};

/// Whether all files lie in memory, so that none has to be copied from a data source.
inline bool lie_in_place(const DataFiles& files) {
  for (uint32_t i = 0; i < files.count(); ++i) {
    if (files.location(i).source != nullptr) return false;
  }
  return true;
}

/// The data files that belong to a program.
class DataFileSet {
 public:
  DataFileSet() = default;
  /// `copies`: where each of the files lies, when not all of them are in place. The set refers to
  /// both.
  explicit DataFileSet(const DataFiles* files, Span<const Span<const uint8_t>> copies = {})
      : files_(files), copies_(copies) {}

  uint32_t count() const { return files_ == nullptr ? 0 : files_->count(); }
  [[nodiscard]] bool file(uint32_t index, DataFile& file, Report& report) const;
  /// Keys of all files together.
  uint64_t key_count() const { return key_count_; }
  /// Checks all files and all that they hold. kInvalidData; kUnsupported when there are files, and
  /// no code that reads them.
  [[nodiscard]] bool check(Report& report);

  /// Entry `index` among those of all files.
  [[nodiscard]] bool entry(uint64_t index, DataEntry& entry) const;
  /// Looks a key up. False when no file has it, or when two have it.
  [[nodiscard]] bool find(Text key, DataEntry& entry) const;
  /// Looks up the data of a tensor outside of the program: `wanted`, whose bytes were found to fit
  /// size_t. kMissingData when no file has the key; kInvalidData when it is of another dtype or
  /// shape, or when two files have it. Reads all keys, as every look-up does.
  [[nodiscard]] bool find_tensor(Text key, const TensorView& wanted, DataEntry& entry,
                                 Report& report) const;

 private:
  /// How often the key is there; `entry` is the last.
  uint32_t find_all(Text key, DataEntry& entry) const;
  bool miss(Text key, Report& report) const;

  const DataFiles* files_ = nullptr;
  Span<const Span<const uint8_t>> copies_;
  uint64_t key_count_ = 0;
};

}  // namespace bpte
