// SPDX-License-Identifier: BSD-3-Clause

// Checksums and padding: all of a file that opening does not read by default.

#include <bpte/core/config.h>
#include <bpte/core/crc32.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/open.h>

namespace bpte {

#if BPTE_CORE_CHECKSUMS

namespace {

// Whether a computed CRC-32 is the stored one. A fuzzing build accepts any, to get past the
// checksums.
bool matches(uint32_t computed, uint32_t stored) {
#ifdef BPTE_FUZZ_ACCEPT_ANY_CRC
  (void)computed;
  (void)stored;
  return true;
#else
  return computed == stored;
#endif
}

Error check_segment_crc(uint32_t index, const SegmentInfo& segment, uint32_t computed,
                        Fault& fault) {
  if (!matches(computed, segment.crc32)) {
    fault.segment = index;
    return internal::refuse(fault, Error::kSegmentChecksum, segment.file_offset, computed,
                            segment.crc32);
  }
  return Error::kOk;
}

}  // namespace

Error internal::check_metadata_crc(const Header& header, const Span<const uint8_t>& metadata,
                                   Fault& fault) {
  // The checksum's own bytes count as zero.
  const uint8_t zeros[4] = {};
  const size_t rest = kMetadataCrcAt + sizeof zeros;
  uint32_t computed = crc32(metadata.subspan(0, kMetadataCrcAt));
  computed = crc32(zeros, computed);
  computed = crc32(metadata.subspan(rest, metadata.size() - rest), computed);
  if (!matches(computed, header.metadata_crc32)) {
    return refuse(fault, Error::kMetadataChecksum, kMetadataCrcAt, computed, header.metadata_crc32);
  }
  return Error::kOk;
}

Error internal::check_segment(uint32_t index, const SegmentInfo& segment,
                              const Span<const uint8_t>& bytes, Fault& fault) {
  return check_segment_crc(index, segment, crc32(bytes), fault);
}

// Computes the CRC-32 of bytes [from, to) of the file; without a `crc`, checks that all are zero.
Error Bundle::scan(uint64_t from, uint64_t to, const Span<uint8_t>& scratch, uint32_t* crc,
                   Fault& fault) const {
  while (from < to) {
    Span<const uint8_t> bytes;
    BPTE_TRY(load(from, to - from, scratch, bytes, fault));
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
  return Error::kOk;
}

// Verifies segments [first, last), each with the padding in front of it. The padding in front of
// the first one begins at `padding`.
Error Bundle::verify(uint32_t first, uint32_t last, uint64_t padding, const Span<uint8_t>& scratch,
                     Fault& fault) const {
  for (uint32_t i = first; i < last; ++i) {
    const SegmentInfo info = segment_info(i);
    const uint64_t end = info.file_offset + info.size;
    fault.segment = i != 0 ? i : kNoIndex;  // the first padding belongs to the metadata
    BPTE_TRY(scan(padding, info.file_offset, scratch, nullptr, fault));
    fault.segment = i;
    uint32_t computed = 0;
    BPTE_TRY(scan(info.file_offset, end, scratch, &computed, fault));
    BPTE_TRY(check_segment_crc(i, info, computed, fault));
    padding = end;
  }
  fault.segment = kNoIndex;
  return Error::kOk;
}

Status Bundle::verify_segment(uint32_t index, Span<uint8_t> scratch) const {
  const Result<SegmentInfo> info = segment(index);
  if (!info.ok()) {
    return info.fault();
  }
  return internal::status_of(
      [&](Fault& fault) { return verify(index, index + 1, info->file_offset, scratch, fault); });
}

Status Bundle::verify_checksums(Span<uint8_t> scratch) const {
  return internal::status_of([&](Fault& fault) {
    return verify(0, segment_count(), header_.metadata_size, scratch, fault);
  });
}

#else

Error internal::check_segment(uint32_t, const SegmentInfo&, const Span<const uint8_t>&,
                              Fault& fault) {
  return refuse(fault, Error::kUnknownFeature, 0);
}

Error Bundle::verify(uint32_t, uint32_t, uint64_t, const Span<uint8_t>&, Fault& fault) const {
  return internal::refuse(fault, Error::kUnknownFeature, 0);
}

#endif

}  // namespace bpte
