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

bool internal::check_metadata_crc(const Header& header, const Span<const uint8_t>& metadata,
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

// Goes over bytes [from, to) of the file: their CRC-32, or, when none is wanted, whether all are
// zero.
bool Bundle::scan(uint64_t from, uint64_t to, const Span<uint8_t>& scratch, uint32_t* crc,
                  Fault& fault) const {
  while (from < to) {
    Span<const uint8_t> bytes;
    if (!load(from, to - from, scratch, bytes, fault)) {
      return false;
    }
    if (crc != nullptr) {
      *crc = crc32(bytes, *crc);
    } else {
      for (size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != 0) {
          return internal::refuse(fault, Error::kPadding, from + i, bytes[i], 0);
        }
      }
    }
    from += bytes.size();
  }
  return true;
}

// Segments [first, last), each with the padding in front of it, which begins at `padding` for the
// first one.
bool Bundle::verify(uint32_t first, uint32_t last, uint64_t padding, const Span<uint8_t>& scratch,
                    Fault& fault) const {
  for (uint32_t i = first; i < last; ++i) {
    const SegmentInfo info = segment_info(i);
    const uint64_t end = info.file_offset + info.size;
    uint32_t computed = 0;
    // The padding in front of the first segment is the metadata's.
    fault.segment = i != 0 ? i : kNoIndex;
    if (!scan(padding, info.file_offset, scratch, nullptr, fault)) {
      return false;
    }
    fault.segment = i;
    if (!scan(info.file_offset, end, scratch, &computed, fault) ||
        !internal::check_segment_crc(i, info, computed, fault)) {
      return false;
    }
    padding = end;
  }
  fault.segment = kNoIndex;
  return true;
}

Status Bundle::verify_segment(uint32_t index, Span<uint8_t> scratch) const {
  const Result<SegmentInfo> info = segment(index);
  Status status = info.fault();
  if (status.ok()) {
    verify(index, index + 1, info->file_offset, scratch, status.fault());
  }
  return status;
}

Status Bundle::verify_checksums(Span<uint8_t> scratch) const {
  Status status;
  verify(0, segment_count(), header_.metadata_size, scratch, status.fault());
  return status;
}

}  // namespace bpte

#endif
