// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/schema.h>

namespace bpte {

#if BPTE_CORE_DATA_SOURCE

namespace {

// Two readings of one header.
bool same(const Header& a, const Header& b) {
  return a.format == b.format && a.file_size == b.file_size && a.metadata_size == b.metadata_size &&
         a.segment_base_offset == b.segment_base_offset &&
         a.segment_data_size == b.segment_data_size && a.base_alignment == b.base_alignment &&
         a.metadata_crc32 == b.metadata_crc32;
}

// Bytes to check checksums through when the caller's buffer has none to spare.
constexpr size_t kSmallScratch = 64;

}  // namespace

Result<Bundle> Bundle::open(DataSource& source, Span<uint8_t> metadata_buffer,
                            const OpenOptions& options) {
  using internal::make_fault;

  const uintptr_t address = reinterpret_cast<uintptr_t>(metadata_buffer.data());
  if (address % schema::kPayloadAlignment != 0) {
    return make_fault(Error::kMisalignedBase, 0, address, schema::kPayloadAlignment);
  }
  if (metadata_buffer.size() < kHeaderProbeSize) {
    return make_fault(Error::kBufferTooSmall, 0, metadata_buffer.size(), kHeaderProbeSize);
  }
  const uint64_t source_size = source.size();
  const bool size_known = source_size != DataSource::kUnknownSize;
  // A source that cannot tell its size holds at least a BP09 file's smallest segment base.
  Span<uint8_t> probe = metadata_buffer.subspan(0, kHeaderProbeSize);
  if (source_size < kHeaderProbeSize) {
    probe = metadata_buffer.subspan(0, static_cast<size_t>(source_size));
  }
  if (!probe.empty() && !source.read(0, probe)) {
    return make_fault(Error::kReadFailed, 0, probe.size(), 0);
  }
  const Result<Header> first = Header::parse(probe);
  if (!first.ok()) {
    return first.fault();
  }

  Bundle bundle;
  Header& header = bundle.header_;
  header = first.get();
#if BPTE_CORE_BP08
  if (header.format == Format::kBP08) {
    // Its length stands nowhere else.
    if (!size_known) {
      return make_fault(Error::kReadFailed, 0, 0, 0);
    }
    header.file_size = header.metadata_size = source_size;
    bundle.file_ = metadata_buffer.data();
  }
#endif
  if (size_known) {
    const Status size = internal::check_file_size(header, source_size);
    if (!size.ok()) {
      return size.fault();
    }
  }
  if (header.metadata_size > metadata_buffer.size()) {
    return make_fault(Error::kBufferTooSmall, 0, metadata_buffer.size(), header.metadata_size);
  }
  const Span<uint8_t> metadata =
      metadata_buffer.subspan(0, static_cast<size_t>(header.metadata_size));
  if (!source.read(0, metadata)) {
    return make_fault(Error::kReadFailed, 0, metadata.size(), 0);
  }
  const Result<Header> second = Header::parse(metadata);
  if (!second.ok() || !same(first.get(), second.get()) || source.size() != source_size) {
    return make_fault(Error::kSourceChanged, 0, 0, 0);
  }
  if (!size_known) {
    uint8_t last;
    if (!source.read(header.file_size - 1, {&last, 1})) {
      return make_fault(Error::kTruncated, header.file_size - 1, 0, header.file_size);
    }
  }
  bundle.metadata_ = metadata;
  bundle.source_ = &source;

  uint8_t small[kSmallScratch];
  Span<uint8_t> scratch =
      metadata_buffer.subspan(metadata.size(), metadata_buffer.size() - metadata.size());
  if (scratch.size() < sizeof small) {
    scratch = small;
  }
  const Status checked = bundle.check(options, scratch);
  if (!checked.ok()) {
    return checked.fault();
  }
  return bundle;
}

#endif

}  // namespace bpte
