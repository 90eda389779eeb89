// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/crc32.h>
#include <bpte/runner/identity.h>

namespace bpte {

namespace {

// The CRC-32 of bytes [offset, offset + size) of the file.
Status crc_of(const Bundle& bundle, uint64_t offset, uint64_t size, Span<uint8_t> scratch,
              uint32_t& crc) {
  crc = 0;
  while (size > 0) {
    const size_t count = size < scratch.size() ? static_cast<size_t>(size) : scratch.size();
    const Span<uint8_t> part = scratch.subspan(0, count);
    const Status status = bundle.read(offset, part);
    if (!status.ok()) return status;
    crc = crc32(part, crc);
    offset += count;
    size -= count;
  }
  return {};
}

}  // namespace

Result<Identity> identity_of(const Bundle& bundle, Span<uint8_t> scratch) {
  Result<Identity> result;
  const Header& header = bundle.header();
  const SegmentInfo program = bundle.program_info();
  if (header.format == Format::kBP09) {
    *result = {header.metadata_crc32, program.crc32};
    return result;
  }
  uint8_t local[256];
  if (scratch.empty()) scratch = Span<uint8_t>(local);
  Status status = crc_of(bundle, 0, header.file_size, scratch, result->metadata_crc32);
  if (status.ok()) {
    status = crc_of(bundle, program.file_offset, program.size, scratch, result->program_crc32);
  }
  if (!status.ok()) result.fault() = status.fault();
  return result;
}

}  // namespace bpte
