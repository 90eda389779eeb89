// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/engine.h>
#include <bpte/engine/executorch/arena.h>
#include <executorch/runtime/core/data_loader.h>

namespace bpte {

/// Gives ExecuTorch a program's bytes, and none outside of the program, whatever offset it states.
/// In place, a load is a view. Through a data source it reads into memory from `memory`, which is
/// released when the arena is rewound.
class ProgramLoader final : public ::executorch::runtime::DataLoader {
 public:
  ProgramLoader() = default;
  ProgramLoader(const ProgramLocation& program, Arena* memory)
      : program_(program), memory_(memory) {}

  ::executorch::runtime::Result<::executorch::runtime::FreeableBuffer> load(
      size_t offset, size_t size, const SegmentInfo& segment_info) const override;
  ::executorch::runtime::Error load_into(size_t offset, size_t size,
                                         const SegmentInfo& segment_info,
                                         void* buffer) const override;
  ::executorch::runtime::Result<size_t> size() const override { return program_size(); }

  size_t program_size() const;

  /// The bytes of the program's FlatBuffer: the last load from offset 0. ExecuTorch's Program has
  /// no accessor for them.
  Span<const uint8_t> flatbuffer() const { return flatbuffer_; }

  void forget_failures() {
    lacking_ = 0;
    source_failed_ = false;
  }
  /// Bytes that `memory` lacked for the last load since then that failed for this reason; 0 when
  /// none did.
  size_t lacking() const { return lacking_; }
  /// Whether a read from the source failed.
  bool source_failed() const { return source_failed_; }

 private:
  ProgramLocation program_;
  Arena* memory_ = nullptr;
  // load() is const in ExecuTorch's interface, although it reads.
  mutable Span<const uint8_t> flatbuffer_;
  mutable size_t lacking_ = 0;
  mutable bool source_failed_ = false;
};

}  // namespace bpte
