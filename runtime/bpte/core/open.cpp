// SPDX-License-Identifier: BSD-3-Clause

// Opening a file in place, and what both ways of opening have in common.

#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/open.h>

namespace bpte {

Error internal::check_file_size(const Header& header, uint64_t size, Fault& fault) {
  const uint64_t stated = header.file_size;
  if (size < stated) {
    return refuse(fault, Error::kTruncated, size, size, stated);
  }
  if (size > stated) {
    return refuse(fault, Error::kTrailingBytes, stated, size, stated);
  }
  return Error::kOk;
}

Error internal::check_alignment(const void* data, uint32_t alignment, Fault& fault) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  if ((address & (alignment - 1)) != 0) {
    return refuse_with(fault, Error::kMisalignedBase, 0, address, alignment);
  }
  return Error::kOk;
}

Result<Bundle> Bundle::open(Span<const uint8_t> file, const OpenOptions& options) {
  return internal::result_of<Bundle>([&](Bundle& bundle, Fault& fault) {
    Header& header = bundle.header_;
    BPTE_TRY(internal::parse_header(file, header, fault));
    if (!bundle.bp09()) {
      header.file_size = header.metadata_size = file.size();  // the file does not state it
    }
    BPTE_TRY(internal::check_file_size(header, file.size(), fault));
    BPTE_TRY(internal::check_alignment(file.data(), header.base_alignment, fault));
    bundle.file_ = file.data();
    const auto metadata = file.subspan(0, static_cast<size_t>(header.metadata_size));
    return bundle.adopt(metadata, options, {}, fault);
  });
}

Error Bundle::adopt(const Span<const uint8_t>& metadata, const OpenOptions& options,
                    const Span<uint8_t>& scratch, Fault& fault) {
#if BPTE_CORE_CHECKSUMS
  if (bp09()) {
    BPTE_TRY(internal::check_metadata_crc(header_, metadata, fault));
  }
#endif
  BPTE_TRY(internal::check_metadata(header_, metadata, fault));
  reader_ = flatbuffer::Reader(metadata);
  root_ = reader_.root();
  if (options.verify_checksums) {
    const Error broken = verify(0, segment_count(), header_.metadata_size, scratch, fault);
    if (broken != Error::kOk) {
      root_ = 0;  // nothing can be read from a refused bundle
      return broken;
    }
  }
  return Error::kOk;
}

}  // namespace bpte
