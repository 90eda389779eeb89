// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/bundle.h>
#include <bpte/core/config.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/schema.h>

#include <cstring>

namespace bpte {

namespace {

// Bytes from the file's start to the end of the fixed part of the header.
constexpr size_t kFixedSize = internal::kHeaderAt + 64;
constexpr uint64_t kMaxMetadataSize = 0x7FFFFFFF;

template <typename T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Positions in the file of the header's fields, as schema/README.md numbers them.
enum : unsigned {
  kAtMagic = internal::kHeaderAt + 0,
  kAtHeaderLength = internal::kHeaderAt + 4,
  kAtFileSize = internal::kHeaderAt + 8,
  kAtMetadataSize = internal::kHeaderAt + 16,
  kAtSegmentBase = internal::kHeaderAt + 24,
  kAtSegmentData = internal::kHeaderAt + 32,
  kAtBaseAlignment = internal::kHeaderAt + 40,
  kAtFeatures = internal::kHeaderAt + 44,
  kAtReserved = internal::kHeaderAt + 52,
};
static_assert(internal::kMetadataCrcAt == internal::kHeaderAt + 48, "");

}  // namespace

Result<Header> Header::parse(Span<const uint8_t> first_bytes) {
  const uint8_t* const at = first_bytes.data();
  const size_t size = first_bytes.size();
  if (size < 8) {
    return internal::make_fault(Error::kTooShort, 0, size, 8);
  }
  if (at[4] != 'B' || at[5] != 'P') {
    return internal::make_fault(Error::kNotABundle, 4, load<uint32_t>(at + 4), 0);
  }
  Header header;
#if BPTE_CORE_BP08
  if (at[6] == '0' && at[7] == '8') {
    if (size < internal::kSmallestBP08) {
      return internal::make_fault(Error::kTooShort, 0, size, internal::kSmallestBP08);
    }
    header.format = Format::kBP08;
    header.base_alignment = schema::kPayloadAlignment;
    return header;
  }
#endif
  if (at[6] != '0' || at[7] != '9') {
    return internal::make_fault(Error::kUnknownVersion, 4, load<uint32_t>(at + 4), 0);
  }
  if (size < kFixedSize) {
    return internal::make_fault(Error::kTooShort, 0, size, kFixedSize);
  }
  if (std::memcmp(at + kAtMagic, "BH01", 4) != 0) {
    return internal::make_fault(Error::kHeaderMagic, kAtMagic, load<uint32_t>(at + kAtMagic), 0);
  }
  header.header_length = load<uint32_t>(at + kAtHeaderLength);
  header.file_size = load<uint64_t>(at + kAtFileSize);
  header.metadata_size = load<uint64_t>(at + kAtMetadataSize);
  header.segment_base_offset = load<uint64_t>(at + kAtSegmentBase);
  header.segment_data_size = load<uint64_t>(at + kAtSegmentData);
  header.base_alignment = load<uint32_t>(at + kAtBaseAlignment);
  header.required_features = load<uint32_t>(at + kAtFeatures);
  header.metadata_crc32 = load<uint32_t>(at + internal::kMetadataCrcAt);

  if (header.header_length < 64 || header.header_length % 8 != 0) {
    return internal::make_fault(Error::kHeaderLength, kAtHeaderLength, header.header_length, 64);
  }
  if (header.metadata_size < internal::kHeaderAt + uint64_t{header.header_length}) {
    return internal::make_fault(Error::kHeaderLength, kAtHeaderLength, header.header_length,
                                header.metadata_size);
  }
  for (unsigned i = kAtReserved; i < kFixedSize; ++i) {
    if (at[i] != 0) {
      return internal::make_fault(Error::kHeaderReserved, i, at[i], 0);
    }
  }
  if (header.required_features != 0) {
    return internal::make_fault(Error::kUnknownFeature, kAtFeatures, header.required_features, 0);
  }
  const uint32_t alignment = header.base_alignment;
  if (alignment < schema::kProgramAlignment || (alignment & (alignment - 1)) != 0) {
    return internal::make_fault(Error::kBaseAlignment, kAtBaseAlignment, alignment,
                                schema::kProgramAlignment);
  }
  if (header.metadata_size > header.segment_base_offset ||
      header.metadata_size > kMaxMetadataSize) {
    return internal::make_fault(
        Error::kMetadataSize, kAtMetadataSize, header.metadata_size,
        header.metadata_size > kMaxMetadataSize ? kMaxMetadataSize : header.segment_base_offset);
  }
  // No sum: rounding up a size near 2^64 would wrap.
  if ((header.segment_base_offset & (alignment - 1)) != 0 ||
      header.segment_base_offset - header.metadata_size >= alignment) {
    return internal::make_fault(Error::kSegmentBase, kAtSegmentBase, header.segment_base_offset,
                                alignment);
  }
  const uint64_t end = header.segment_base_offset + header.segment_data_size;
  if (end < header.segment_data_size) {
    return internal::make_fault(Error::kOverflow, kAtSegmentData, header.segment_data_size,
                                ~header.segment_base_offset);
  }
  if (end != header.file_size) {
    return internal::make_fault(Error::kFileSize, kAtFileSize, header.file_size, end);
  }
  return header;
}

}  // namespace bpte
