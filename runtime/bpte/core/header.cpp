// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/bundle.h>
#include <bpte/core/config.h>
#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/schema.h>

#include <cstring>

namespace bpte {

namespace {

// Bytes from the file's start to the end of the fixed part of the header.
constexpr size_t kFixedSize = internal::kHeaderAt + 64;

// Four characters as they are loaded.
constexpr uint32_t four(const char (&text)[5]) {
  return static_cast<uint32_t>(text[0]) | static_cast<uint32_t>(text[1]) << 8 |
         static_cast<uint32_t>(text[2]) << 16 | static_cast<uint32_t>(text[3]) << 24;
}

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

namespace internal {

bool parse_header(const Span<const uint8_t>& first_bytes, Header& header, Fault& fault) {
  const uint8_t* const at = first_bytes.data();
  const size_t size = first_bytes.size();
  if (size < 8) {
    return refuse(fault, Error::kTooShort, 0, size, 8);
  }
  const uint32_t identifier = load<uint32_t>(at + 4);
  if ((identifier & 0xFFFF) != four("BP\0\0")) {
    return refuse(fault, Error::kNotABundle, 4, identifier, 0);
  }
#if BPTE_CORE_BP08
  if (identifier == four("BP08")) {
    header.format = Format::kBP08;
    header.base_alignment = schema::kPayloadAlignment;
    return size >= kSmallestBP08 || refuse(fault, Error::kTooShort, 0, size, kSmallestBP08);
  }
#endif
  if (identifier != four("BP09")) {
    return refuse(fault, Error::kUnknownVersion, 4, identifier, 0);
  }
  if (size < kFixedSize) {
    return refuse(fault, Error::kTooShort, 0, size, kFixedSize);
  }
  header.header_length = load<uint32_t>(at + kAtHeaderLength);
  header.file_size = load<uint64_t>(at + kAtFileSize);
  header.metadata_size = load<uint64_t>(at + kAtMetadataSize);
  header.segment_base_offset = load<uint64_t>(at + kAtSegmentBase);
  header.segment_data_size = load<uint64_t>(at + kAtSegmentData);
  header.base_alignment = load<uint32_t>(at + kAtBaseAlignment);
  header.required_features = load<uint32_t>(at + kAtFeatures);
  header.metadata_crc32 = load<uint32_t>(at + kMetadataCrcAt);

  const uint32_t magic = load<uint32_t>(at + kAtMagic);
  const uint32_t reserved = load<uint32_t>(at + kAtReserved) |
                            load<uint32_t>(at + kAtReserved + 4) |
                            load<uint32_t>(at + kAtReserved + 8);
  const uint32_t length = header.header_length;
  const uint64_t metadata_size = header.metadata_size;
  const uint64_t base = header.segment_base_offset;
  const uint32_t alignment = header.base_alignment;
  const uint64_t end = base + header.segment_data_size;

  // One violation at most is told, the first in the order of schema/README.md.
  Error error = Error::kOk;
  unsigned where = 0;
  uint64_t value = 0;
  uint64_t expected = 0;
  if (magic != four("BH01")) {
    error = Error::kHeaderMagic;
    where = kAtMagic;
    value = magic;
  } else if (length < 64 || length % 8 != 0 || metadata_size < kHeaderAt + uint64_t{length}) {
    error = Error::kHeaderLength;
    where = kAtHeaderLength;
    value = length;
    expected = metadata_size;
  } else if (reserved != 0) {
    error = Error::kHeaderReserved;
    where = kAtReserved;
    value = reserved;
  } else if (header.required_features != 0) {
    error = Error::kUnknownFeature;
    where = kAtFeatures;
    value = header.required_features;
  } else if (alignment < schema::kProgramAlignment || alignment > schema::kMaxBaseAlignment ||
             (alignment & (alignment - 1)) != 0) {
    error = Error::kBaseAlignment;
    where = kAtBaseAlignment;
    value = alignment;
  } else if (metadata_size > base || metadata_size > flatbuffer::kMaxSize) {
    error = Error::kMetadataSize;
    where = kAtMetadataSize;
    value = metadata_size;
    expected = base < flatbuffer::kMaxSize ? base : flatbuffer::kMaxSize;
  } else if ((base & (alignment - 1)) != 0 || base - metadata_size >= alignment) {
    // No sum: rounding up a size near 2^64 would wrap.
    error = Error::kSegmentBase;
    where = kAtSegmentBase;
    value = base;
    expected = alignment;
  } else if (end < base) {
    error = Error::kOverflow;
    where = kAtSegmentData;
    value = header.segment_data_size;
    expected = ~base;
  } else if (end != header.file_size) {
    error = Error::kFileSize;
    where = kAtFileSize;
    value = header.file_size;
    expected = end;
  } else {
    return true;
  }
  return refuse(fault, error, where, value, expected);
}

}  // namespace internal

Result<Header> Header::parse(Span<const uint8_t> first_bytes) {
  Result<Header> result;
  internal::parse_header(first_bytes, *result, result.fault());
  return result;
}

}  // namespace bpte
