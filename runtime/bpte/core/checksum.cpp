// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/config.h>

#if BPTE_CORE_CHECKSUMS

#include <bpte/core/crc32.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/open.h>

namespace bpte {

namespace {

// Whether a computed CRC-32 may stand for the stored one. A fuzzing build takes any, to get past
// the checksums.
bool matches(uint32_t computed, uint32_t stored) {
#ifdef BPTE_FUZZ_ACCEPT_ANY_CRC
  (void)computed;
  (void)stored;
  return true;
#else
  return computed == stored;
#endif
}

}  // namespace

bool internal::check_metadata_crc(const Header& header, Span<const uint8_t> metadata,
                                  Fault& fault) {
  // The checksum's own bytes count as zero.
  const uint8_t zeros[4] = {};
  const size_t rest = kMetadataCrcAt + sizeof zeros;
  uint32_t computed = crc32(metadata.subspan(0, kMetadataCrcAt));
  computed = crc32(zeros, computed);
  computed = crc32(metadata.subspan(rest, metadata.size() - rest), computed);
  return matches(computed, header.metadata_crc32) ||
         refuse(fault, Error::kMetadataChecksum, kMetadataCrcAt, computed, header.metadata_crc32);
}

bool internal::check_segment_crc(uint32_t index, const SegmentInfo& segment, uint32_t computed,
                                 Fault& fault) {
  if (matches(computed, segment.crc32)) {
    return true;
  }
  fault.segment = index;
  return refuse(fault, Error::kSegmentChecksum, segment.file_offset, computed, segment.crc32);
}

// Goes over bytes [from, to) of the file: their CRC-32, or whether all are zero.
bool Bundle::scan(uint64_t from, uint64_t to, Span<uint8_t> scratch, bool zeros, uint32_t& crc,
                  Fault& fault) const {
  while (from < to) {
    Span<const uint8_t> bytes;
    if (!load(from, to - from, scratch, bytes, fault)) {
      return false;
    }
    if (zeros) {
      for (size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != 0) {
          return internal::refuse(fault, Error::kPadding, from + i, bytes[i], 0);
        }
      }
    } else {
      crc = crc32(bytes, crc);
    }
    from += bytes.size();
  }
  return true;
}

bool Bundle::verify(uint32_t index, const SegmentInfo& info, Span<uint8_t> scratch,
                    Fault& fault) const {
  const uint64_t end = info.file_offset + info.size;
  uint32_t computed = 0;
  if (!scan(info.file_offset, end, scratch, false, computed, fault)) {
    return false;
  }
  return internal::check_segment_crc(index, info, computed, fault);
}

bool Bundle::verify_all(Span<uint8_t> scratch, Fault& fault) const {
  uint64_t end = header_.metadata_size;
  const uint32_t count = segment_count();
  uint32_t unused = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const SegmentInfo info = segment(i).get();
    if (!scan(end, info.file_offset, scratch, true, unused, fault) ||
        !verify(i, info, scratch, fault)) {
      return false;
    }
    end = info.file_offset + info.size;
  }
  return true;
}

Status Bundle::verify_segment(uint32_t index, Span<uint8_t> scratch) const {
  const Result<SegmentInfo> info = segment(index);
  Status status = info.fault();
  if (status.ok()) {
    verify(index, *info, scratch, status.fault());
  }
  return status;
}

Status Bundle::verify_checksums(Span<uint8_t> scratch) const {
  Status status;
  verify_all(scratch, status.fault());
  return status;
}

}  // namespace bpte

#endif
