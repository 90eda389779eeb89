// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>

#include "bytes.h"
#include "machine.h"

namespace bpte::ethosu {
namespace {

// DMA0_SRC_REGION, DMA0_DST_REGION: the region in bits 0..2, internal memory by bit 8, then the
// number of dimensions.
constexpr uint32_t kInternal = 1u << 8;
constexpr uint32_t kDimensions = 3u << 9;
constexpr uint32_t kIndexed = 1u << 11;  // Ethos-U85: gather, scatter

}  // namespace

bool copy(Machine& machine) {
  const Registers& registers = machine.registers();
  const uint32_t from_region = registers.get(Narrow::DMA0_SRC_REGION);
  const uint32_t to_region = registers.get(Narrow::DMA0_DST_REGION);
  const uint64_t from = registers.address(Wide::DMA0_SRC);
  const uint64_t to = registers.address(Wide::DMA0_DST);
  const uint64_t size = registers.address(Wide::DMA0_LEN);
  if (((from_region | to_region) & kDimensions) != 0) {
    return machine.unsupported() << "copies of two or three dimensions are not modelled";
  }
  if (((from_region | to_region) & kIndexed) != 0) {
    return machine.unsupported() << "copies by an index are not modelled";
  }
  if ((from_region & kInternal) != 0) {
    return machine.unsupported() << "copies out of the internal memory are not modelled";
  }
  const auto extent = [size](uint64_t first) {
    return Extent{static_cast<int64_t>(first), static_cast<int64_t>(first + size)};
  };
  const uint8_t* source = nullptr;
  uint8_t* target = nullptr;
  if (!machine.readable("the source", from_region & 7, extent(from), source)) return false;
  uint64_t offset = to;
  if ((to_region & kInternal) != 0) {
    const uint32_t tables = machine.config().tables;
    if (to < tables || !within(to - tables, size, kTableBytes)) {
      return machine.unsupported()
             << "copies into the internal memory beside its tables (bytes " << tables << " to "
             << tables + kTableBytes << ") are not modelled: bytes " << to << " to " << to + size;
    }
    offset = to - tables;
    target = machine.memories().tables.data();
  } else if (!machine.writable("the target", to_region & 7, extent(to), target)) {
    return false;
  }
  machine.count_read(from_region & 7, size);
  if ((to_region & kInternal) == 0) machine.count_written(to_region & 7, size);
  if (!machine.count(size, 1, 1)) return false;
  if (machine.checking() || size == 0) return true;
  std::memmove(target + static_cast<size_t>(offset), source + static_cast<size_t>(from),
               static_cast<size_t>(size));
  return true;
}

}  // namespace bpte::ethosu
