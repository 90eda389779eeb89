// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bpte::ethosu {

/// Little-endian numbers at any alignment.
template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
template <typename T>
void store(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}

/// Whether [offset, offset + size) lies within `room` bytes.
inline bool within(uint64_t offset, uint64_t size, uint64_t room) {
  return offset <= room && size <= room - offset;
}

}  // namespace bpte::ethosu
