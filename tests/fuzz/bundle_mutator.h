// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Structure-aware mutation: after libFuzzer's own, most inputs get a valid identifier and a header
// that fits their length again, so that the mutation reaches the code after these checks.

#include <bpte/core/crc32.h>

#include <cstdint>
#include <cstring>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace bpte_fuzz {

inline constexpr size_t kCrcAt = 56;

template <typename T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void store(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

/// Makes the metadata's checksum right, if the bytes are long enough to have one.
inline void repair_metadata_crc(uint8_t* data, size_t size) {
  if (size < 72) {
    return;
  }
  const uint64_t metadata_size = load<uint64_t>(data + 24);
  if (metadata_size < 72 || metadata_size > size) {
    return;
  }
  store<uint32_t>(data + kCrcAt, 0);
  store(data + kCrcAt, bpte::crc32({data, static_cast<size_t>(metadata_size)}));
}

/// Makes the fixed part of a BP09 header agree with the length. Returns the size of the repaired
/// file.
inline size_t repair_bp09(uint8_t* data, size_t size) {
  if (size < 256) {
    return size;
  }
  std::memcpy(data + 4, "BP09BH01", 8);
  uint32_t length = load<uint32_t>(data + 12);
  if (length < 64 || length > 128 || length % 8 != 0) {
    length = 64;
  }
  uint32_t alignment = load<uint32_t>(data + 48);
  if (alignment < 128 || alignment > 1024 || (alignment & (alignment - 1)) != 0) {
    alignment = 128;
  }
  uint64_t metadata_size = load<uint64_t>(data + 24);
  if (metadata_size < 72 || metadata_size + alignment > size) {
    metadata_size = size / 2 < 72 ? 72 : size / 2;
  }
  uint64_t base = (metadata_size + alignment - 1) / alignment * alignment;
  if (base > size) {
    alignment = 128;
    base = (metadata_size + 127) / 128 * 128;
  }
  if (base > size) {
    metadata_size = base = size / 128 * 128;
  }
  store(data + 12, length);
  store<uint64_t>(data + 16, size);
  store(data + 24, metadata_size);
  store(data + 32, base);
  store<uint64_t>(data + 40, size - base);
  store(data + 48, alignment);
  // The parts that the file has must stand here: what readers know of these bits stays.
  store<uint32_t>(data + 52, load<uint32_t>(data + 52) & 7);
  std::memset(data + 60, 0, 12);
  return size;
}

}  // namespace bpte_fuzz
