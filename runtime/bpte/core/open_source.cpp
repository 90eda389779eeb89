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
  Result<Bundle> result;
  open_source(source, metadata_buffer, options, *result, result.fault());
  return result;
}

bool Bundle::open_source(DataSource& source, Span<uint8_t> buffer, const OpenOptions& options,
                         Bundle& bundle, Fault& fault) {
  using internal::refuse;
  using internal::refuse_with;

  if (!internal::check_alignment(buffer.data(), schema::kPayloadAlignment, fault)) {
    return false;
  }
  if (buffer.size() < kHeaderProbeSize) {
    return refuse_with(fault, Error::kBufferTooSmall, 0, buffer.size(), kHeaderProbeSize);
  }
  const uint64_t source_size = source.size();
  const bool size_known = source_size != DataSource::kUnknownSize;
  // A source that cannot tell its size holds at least a BP09 file's smallest segment base.
  const size_t probe_size =
      source_size < kHeaderProbeSize ? static_cast<size_t>(source_size) : kHeaderProbeSize;
  const Span<uint8_t> probe = buffer.subspan(0, probe_size);
  if (!probe.empty() && !source.read(0, probe)) {
    return refuse(fault, Error::kReadFailed, 0, probe.size(), 0);
  }
  Header& header = bundle.header_;
  if (!internal::parse_header(probe, header, fault)) {
    return false;
  }
  const Header probed = header;
  if (!bundle.bp09()) {
    // Its length stands nowhere else.
    if (!size_known) {
      return refuse(fault, Error::kReadFailed, 0);
    }
    header.file_size = header.metadata_size = source_size;
  }
  if (size_known && !internal::check_file_size(header, source_size, fault)) {
    return false;
  }
  if (header.metadata_size > buffer.size()) {
    return refuse_with(fault, Error::kBufferTooSmall, 0, buffer.size(), header.metadata_size);
  }
  const Span<uint8_t> metadata = buffer.subspan(0, static_cast<size_t>(header.metadata_size));
  if (!source.read(0, metadata)) {
    return refuse(fault, Error::kReadFailed, 0, metadata.size(), 0);
  }
  Header again;
  Fault ignored;
  if (!internal::parse_header(metadata, again, ignored) || !same(probed, again) ||
      source.size() != source_size) {
    return refuse(fault, Error::kSourceChanged, 0);
  }
  if (!size_known) {
    uint8_t last = 0;
    if (!source.read(header.file_size - 1, {&last, 1})) {
      return refuse(fault, Error::kTruncated, header.file_size - 1, 0, header.file_size);
    }
  }
  bundle.source_ = &source;
  if (!bundle.bp09()) {
    bundle.file_ = metadata.data();  // all of it is here
  }

  uint8_t small[kSmallScratch];
  Span<uint8_t> scratch = buffer.subspan(metadata.size(), buffer.size() - metadata.size());
  if (scratch.size() < sizeof small) {
    scratch = small;
  }
  return bundle.adopt(metadata, options, scratch, fault);
}

#endif

}  // namespace bpte
