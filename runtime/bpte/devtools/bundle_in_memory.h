// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/core/data_source.h>

namespace bpte {

/// Whether the bytes begin as a BP08 or BP09 file does. Reads 8 of them.
bool begins_as_bundle(const void* data);

/// Remembers the length of a BP08 file in memory, which does not state it, for callers that later
/// give its address alone. The last eight addresses are kept, each with a checksum of the file's
/// first bytes: another file in the same place has no remembered length. Any thread may call it.
/// Does nothing for other files.
void remember_length(const void* data, size_t length);

/// A whole file in memory, opened where it lies, whatever alignment its header asks for: its
/// address must be a multiple of 16. Nothing is copied, and nothing is written. Valid as long as
/// the file's bytes are.
class BundleInMemory {
 public:
  /// A file whose length is not given: BP09 states it; for BP08 it is the remembered one, else as
  /// much as a FlatBuffer can have.
  explicit BundleInMemory(const void* data);
  BundleInMemory(const void* data, size_t length);
  BundleInMemory(const BundleInMemory&) = delete;
  BundleInMemory& operator=(const BundleInMemory&) = delete;

  /// The bundle, or the broken rule.
  const Result<Bundle>& bundle() const { return bundle_; }

  /// The program, in place.
  Span<const uint8_t> program() const { return bytes_of(bundle_->program_info()); }

  /// A case's payloads, in place, held against their CRC-32.
  Result<Span<const uint8_t>> payload(const TestCase& test_case) const;

 private:
  // Reads each byte to the place where it lies already. The core copies what it reads from a
  // source; here that would be a copy onto itself. Any other destination is refused.
  class Source final : public DataSource {
   public:
    Source(const uint8_t* data, uint64_t size) : data_(data), size_(size) {}
    uint64_t size() const override { return size_; }
    [[nodiscard]] bool read(uint64_t offset, Span<uint8_t> buffer) override;

   private:
    const uint8_t* data_;
    uint64_t size_;
  };

  // The same bytes as the destination that Source wants.
  Span<uint8_t> destination(uint64_t offset, uint64_t size) const;
  Span<const uint8_t> bytes_of(const SegmentInfo& info) const;

  const uint8_t* data_;
  mutable Source source_;
  Result<Bundle> bundle_;
};

}  // namespace bpte
