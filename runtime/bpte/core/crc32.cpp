// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/config.h>
#include <bpte/core/crc32.h>

// Two variants of one function. Where flash is short (BPTE_CORE_SMALL): a table of 16 words and two
// look-ups for each byte. Elsewhere: slicing, with 16 tables and one step for 16 bytes (Kounavis
// and Berry, "A Systematic Approach to Building High Performance Software-Based CRC Generators",
// 2005).

namespace bpte {

namespace {

constexpr uint32_t kPolynomial = 0xEDB88320u;  // reflected

#if BPTE_CORE_SMALL

struct Table {
  uint32_t nibble[16];
};

constexpr Table make_table() {
  Table table{};
  for (uint32_t i = 0; i < 16; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 4; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
    }
    table.nibble[i] = crc;
  }
  return table;
}

constexpr Table kTable = make_table();

uint32_t update(uint32_t crc, const uint8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    crc = (crc >> 4) ^ kTable.nibble[crc & 15u];
    crc = (crc >> 4) ^ kTable.nibble[crc & 15u];
  }
  return crc;
}

#else

constexpr size_t kSlices = 16;

// slice[k][b]: what byte b contributes when k more bytes follow it in the same step.
struct Table {
  uint32_t slice[kSlices][256];
};

constexpr Table make_table() {
  Table table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
    }
    table.slice[0][i] = crc;
  }
  for (size_t k = 1; k < kSlices; ++k) {
    for (uint32_t i = 0; i < 256; ++i) {
      const uint32_t before = table.slice[k - 1][i];
      table.slice[k][i] = (before >> 8) ^ table.slice[0][before & 255u];
    }
  }
  return table;
}

constexpr Table kTable = make_table();

// Little-endian on every host. Compilers turn it into one load where that is possible.
uint32_t load_u32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 |
         uint32_t{bytes[3]} << 24;
}

uint32_t four(uint32_t word, size_t first_slice) {
  return kTable.slice[first_slice + 3][word & 255u] ^
         kTable.slice[first_slice + 2][(word >> 8) & 255u] ^
         kTable.slice[first_slice + 1][(word >> 16) & 255u] ^ kTable.slice[first_slice][word >> 24];
}

uint32_t update(uint32_t crc, const uint8_t* bytes, size_t size) {
  for (; size >= kSlices; bytes += kSlices, size -= kSlices) {
    crc = four(load_u32(bytes) ^ crc, 12) ^ four(load_u32(bytes + 4), 8) ^
          four(load_u32(bytes + 8), 4) ^ four(load_u32(bytes + 12), 0);
  }
  for (; size != 0; ++bytes, --size) {
    crc = (crc >> 8) ^ kTable.slice[0][(crc ^ *bytes) & 255u];
  }
  return crc;
}

#endif

}  // namespace

uint32_t crc32(const Span<const uint8_t>& bytes, uint32_t previous) {
  return ~update(~previous, bytes.data(), bytes.size());
}

}  // namespace bpte
