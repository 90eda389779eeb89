// SPDX-License-Identifier: BSD-3-Clause

// Opening through a data source. What is read twice must be the same both times.

#include <bpte/core/config.h>

#if BPTE_CORE_DATA_SOURCE

#include <bpte/core/internal/header.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/schema.h>

namespace bpte {

using internal::refuse;
using internal::refuse_with;

namespace {

// Whether two readings gave the same header.
bool same(const Header& a, const Header& b) {
  return a.format == b.format && a.file_size == b.file_size && a.metadata_size == b.metadata_size &&
         a.segment_base_offset == b.segment_base_offset &&
         a.segment_data_size == b.segment_data_size && a.base_alignment == b.base_alignment &&
         a.required_features == b.required_features && a.metadata_crc32 == b.metadata_crc32;
}

// Scratch for checksums when the caller's buffer has none left.
constexpr size_t kSmallScratch = 64;

// Reads the header from the first bytes of a source of this size, into the front of `buffer`.
Error probe(DataSource& source, uint64_t size, const Span<uint8_t>& buffer, Header& header,
            Fault& fault) {
  // A source of unknown size holds at least a BP09 file, whose segments begin no earlier than this.
  const size_t wanted = size < kHeaderProbeSize ? static_cast<size_t>(size) : kHeaderProbeSize;
  const Span<uint8_t> bytes = buffer.subspan(0, wanted);
  if (!bytes.empty() && !source.read(0, bytes)) {
    return refuse(fault, Error::kReadFailed, 0, bytes.size(), 0);
  }
  BPTE_TRY(internal::parse_header(bytes, header, fault));
  if (header.format == Format::kBP08) {
    if (size == DataSource::kUnknownSize) {
      return refuse(fault, Error::kReadFailed, 0);  // no other place states its length
    }
    header.file_size = header.metadata_size = size;
  }
  if (size != DataSource::kUnknownSize) {
    return internal::check_file_size(header, size, fault);
  }
  return Error::kOk;
}

// Reads the metadata, and checks that header and size have not changed in the meantime.
Error read_metadata(DataSource& source, uint64_t size, const Header& probed,
                    const Span<uint8_t>& metadata, Fault& fault) {
  if (!source.read(0, metadata)) {
    return refuse(fault, Error::kReadFailed, 0, metadata.size(), 0);
  }
  Header again;
  Fault ignored;
  if (internal::parse_header(metadata, again, ignored) != Error::kOk) {
    return refuse(fault, Error::kSourceChanged, 0);
  }
  if (again.format == Format::kBP08) {
    again.file_size = again.metadata_size = size;
  }
  if (!same(probed, again) || source.size() != size) {
    return refuse(fault, Error::kSourceChanged, 0);
  }
  if (size == DataSource::kUnknownSize) {
    uint8_t last = 0;
    if (!source.read(probed.file_size - 1, {&last, 1})) {
      return refuse(fault, Error::kTruncated, probed.file_size - 1, 0, probed.file_size);
    }
  }
  return Error::kOk;
}

}  // namespace

Result<Bundle> Bundle::open(DataSource& source, Span<uint8_t> buffer, const OpenOptions& options) {
  return internal::result_of<Bundle>([&](Bundle& bundle, Fault& fault) {
    BPTE_TRY(internal::check_alignment(buffer.data(), schema::kPayloadAlignment, fault));
    if (buffer.size() < kHeaderProbeSize) {
      return refuse_with(fault, Error::kBufferTooSmall, 0, buffer.size(), kHeaderProbeSize);
    }
    Header& header = bundle.header_;
    const uint64_t size = source.size();
    BPTE_TRY(probe(source, size, buffer, header, fault));
    if (header.metadata_size > buffer.size()) {
      return refuse_with(fault, Error::kBufferTooSmall, 0, buffer.size(), header.metadata_size);
    }
    const Span<uint8_t> metadata = buffer.subspan(0, static_cast<size_t>(header.metadata_size));
    BPTE_TRY(read_metadata(source, size, header, metadata, fault));
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
  });
}

}  // namespace bpte

#endif
