// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/crc32.h>
#include <bpte/core/internal/checksum.h>
#include <bpte/core/internal/header.h>

namespace bpte {

#if BPTE_CORE_CHECKSUMS

namespace internal {

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

Status check_metadata_crc(const Header& header, Span<const uint8_t> metadata) {
  const uint8_t zeros[4] = {};
  uint32_t computed = crc32(metadata.subspan(0, kMetadataCrcAt));
  computed = crc32(zeros, computed);
  const size_t rest = kMetadataCrcAt + sizeof zeros;
  computed = crc32(metadata.subspan(rest, metadata.size() - rest), computed);
  if (!matches(computed, header.metadata_crc32)) {
    return make_fault(Error::kMetadataChecksum, kMetadataCrcAt, computed, header.metadata_crc32);
  }
  return Status();
}

Status check_segment_crc(uint32_t index, const SegmentInfo& segment, uint32_t computed) {
  if (!matches(computed, segment.crc32)) {
    Fault fault = make_fault(Error::kSegmentChecksum, segment.file_offset, computed, segment.crc32);
    fault.segment = index;
    return fault;
  }
  return Status();
}

}  // namespace internal

Status Bundle::verify(uint32_t index, const SegmentInfo& segment, Span<uint8_t> scratch) const {
  uint32_t computed = 0;
  uint64_t done = 0;
  while (done < segment.size) {
    Span<const uint8_t> bytes;
    const Status loaded = load(segment.file_offset + done, segment.size - done, scratch, &bytes);
    if (!loaded.ok()) {
      return loaded;
    }
    computed = crc32(bytes, computed);
    done += bytes.size();
  }
  return internal::check_segment_crc(index, segment, computed);
}

Status Bundle::verify_padding(uint64_t from, uint64_t to, Span<uint8_t> scratch) const {
  while (from < to) {
    Span<const uint8_t> bytes;
    const Status loaded = load(from, to - from, scratch, &bytes);
    if (!loaded.ok()) {
      return loaded;
    }
    for (const uint8_t& byte : bytes) {
      if (byte != 0) {
        return internal::make_fault(Error::kPadding,
                                    from + static_cast<uint64_t>(&byte - bytes.data()), byte, 0);
      }
    }
    from += bytes.size();
  }
  return Status();
}

Status Bundle::verify_segment(uint32_t index, Span<uint8_t> scratch) const {
  const Result<SegmentInfo> info = segment(index);
  return info.ok() ? verify(index, info.get(), scratch) : Status(info.fault());
}

Status Bundle::verify_checksums(Span<uint8_t> scratch) const {
  uint64_t end = header_.metadata_size;
  const uint32_t count = segment_count();
  for (uint32_t i = 0; i < count; ++i) {
    const SegmentInfo info = segment(i).get();
    Status status = verify_padding(end, info.file_offset, scratch);
    if (status.ok()) {
      status = verify(i, info, scratch);
    }
    if (!status.ok()) {
      return status;
    }
    end = info.file_offset + info.size;
  }
  return Status();
}

#endif

}  // namespace bpte
