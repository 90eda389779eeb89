// SPDX-License-Identifier: BSD-3-Clause

// Reads and checks the first bytes of a file (schema/README.md, "Bytes", and the header's rules).

#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/schema.h>

#include <cstddef>
#include <cstring>

namespace bpte {

namespace internal {

namespace {

// Four characters as the little-endian number that load() gives.
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
  kAtMagic = kHeaderAt + 0,
  kAtHeaderLength = kHeaderAt + 4,
  kAtFileSize = kHeaderAt + 8,
  kAtMetadataSize = kHeaderAt + 16,
  kAtSegmentBase = kHeaderAt + 24,
  kAtSegmentData = kHeaderAt + 32,
  kAtBaseAlignment = kHeaderAt + 40,
  kAtFeatures = kHeaderAt + 44,
  kAtReserved = kHeaderAt + 52,
};
static_assert(kMetadataCrcAt == kHeaderAt + 48, "");

// What this build reads.
constexpr uint32_t kKnownFeatures = (BPTE_CORE_STEPS ? uint32_t{schema::kFeatureSteps} : 0u) |
                                    (BPTE_CORE_METRICS ? uint32_t{schema::kFeatureMetrics} : 0u) |
                                    (BPTE_CORE_BUDGETS ? uint32_t{schema::kFeatureBudgets} : 0u);

// From file_size up to metadata_crc32 the struct's members lie as the file's fields do, so that one
// copy reads them all.
constexpr size_t kMembers = kAtFileSize - offsetof(Header, file_size);
static_assert(kMembers + offsetof(Header, metadata_size) == kAtMetadataSize, "");
static_assert(kMembers + offsetof(Header, segment_base_offset) == kAtSegmentBase, "");
static_assert(kMembers + offsetof(Header, segment_data_size) == kAtSegmentData, "");
static_assert(kMembers + offsetof(Header, base_alignment) == kAtBaseAlignment, "");
static_assert(kMembers + offsetof(Header, required_features) == kAtFeatures, "");
static_assert(kMembers + offsetof(Header, metadata_crc32) == kMetadataCrcAt, "");

void read(const uint8_t* file, Header& header) {
  header.header_length = load<uint32_t>(file + kAtHeaderLength);
  char* const members = reinterpret_cast<char*>(&header) + offsetof(Header, file_size);
  std::memcpy(members, file + kAtFileSize, kMetadataCrcAt + 4 - kAtFileSize);
}

// The rules of the extended header, in the order of the table.
Error check(const uint8_t* file, const Header& h, Fault& fault) {
  const uint32_t magic = load<uint32_t>(file + kAtMagic);
  const uint32_t reserved = load<uint32_t>(file + kAtReserved) |
                            load<uint32_t>(file + kAtReserved + 4) |
                            load<uint32_t>(file + kAtReserved + 8);
  const uint64_t base = h.segment_base_offset;
  const uint64_t end = base + h.segment_data_size;
  const uint64_t metadata_limit = base < flatbuffer::kMaxSize ? base : flatbuffer::kMaxSize;

  if (magic != four("BH01")) {
    return refuse(fault, Error::kHeaderMagic, kAtMagic, magic, 0);
  }
  if (h.header_length < kHeaderLength || h.header_length % 8 != 0 ||
      h.metadata_size < kHeaderAt + uint64_t{h.header_length}) {
    return refuse(fault, Error::kHeaderLength, kAtHeaderLength, h.header_length, h.metadata_size);
  }
  if (reserved != 0) {
    return refuse(fault, Error::kHeaderReserved, kAtReserved);
  }
  if ((h.required_features & ~kKnownFeatures) != 0) {
    return refuse(fault, Error::kUnknownFeature, kAtFeatures, h.required_features, 0);
  }
  if (!is_power_of_two(h.base_alignment) || h.base_alignment < schema::kProgramAlignment ||
      h.base_alignment > schema::kMaxBaseAlignment) {
    return refuse(fault, Error::kBaseAlignment, kAtBaseAlignment, h.base_alignment, 0);
  }
  if (h.metadata_size > metadata_limit) {
    return refuse(fault, Error::kMetadataSize, kAtMetadataSize, h.metadata_size, metadata_limit);
  }
  // No sum: rounding up a size near 2^64 would wrap.
  if ((base & (h.base_alignment - 1)) != 0 || base - h.metadata_size >= h.base_alignment) {
    return refuse(fault, Error::kSegmentBase, kAtSegmentBase, base, h.base_alignment);
  }
  if (end < base) {
    return refuse(fault, Error::kOverflow, kAtSegmentData, h.segment_data_size, ~base);
  }
  if (end != h.file_size) {
    return refuse(fault, Error::kFileSize, kAtFileSize, h.file_size, end);
  }
  return Error::kOk;
}

}  // namespace

Error parse_header(const Span<const uint8_t>& first_bytes, Header& header, Fault& fault) {
  const uint8_t* const file = first_bytes.data();
  const size_t size = first_bytes.size();
  if (size < 8) {
    return refuse(fault, Error::kTooShort, 0, size, 8);
  }
  const uint32_t identifier = load<uint32_t>(file + 4);
  if ((identifier & 0xFFFF) != four("BP\0\0")) {
    return refuse(fault, Error::kNotABundle, 4, identifier, 0);
  }
#if BPTE_CORE_BP08
  if (identifier == four("BP08")) {
    if (size < kSmallestBP08) {
      return refuse(fault, Error::kTooShort, 0, size, kSmallestBP08);
    }
    header.format = Format::kBP08;
    header.base_alignment = schema::kPayloadAlignment;
    return Error::kOk;
  }
#endif
  if (identifier != four("BP09")) {
    return refuse(fault, Error::kUnknownVersion, 4, identifier, 0);
  }
  if (size < kHeaderAt + kHeaderLength) {
    return refuse(fault, Error::kTooShort, 0, size, kHeaderAt + kHeaderLength);
  }
  read(file, header);
  return check(file, header, fault);
}

}  // namespace internal

Result<Header> Header::parse(Span<const uint8_t> first_bytes) {
  return internal::result_of<Header>([&](Header& header, Fault& fault) {
    return internal::parse_header(first_bytes, header, fault);
  });
}

}  // namespace bpte
