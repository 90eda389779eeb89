// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/checksum.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>

namespace bpte::internal {

Status check_file_size(const Header& header, uint64_t size) {
  if (size == header.file_size) {
    return Status();
  }
  return make_fault(size < header.file_size ? Error::kTruncated : Error::kTrailingBytes,
                    size < header.file_size ? size : header.file_size, size, header.file_size);
}

Status check_metadata_bytes(const Header& header, Span<const uint8_t> metadata) {
#if BPTE_CORE_CHECKSUMS
  if (header.format == Format::kBP09) {
    const Status status = check_metadata_crc(header, metadata);
    if (!status.ok()) {
      return status;
    }
  }
#endif
  return check_metadata(header, metadata);
}

}  // namespace bpte::internal
