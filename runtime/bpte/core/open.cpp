// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/open.h>

namespace bpte::internal {

bool refuse(Fault& fault, Error error, uint64_t offset) {
  fault.error = error;
  fault.offset = offset;
  return false;
}

bool refuse_with(Fault& fault, Error error, uint64_t offset, uint64_t value, uint64_t expected) {
  fault.error = error;
  fault.offset = offset;
  fault.value = value;
  fault.expected = expected;
  return false;
}

bool check_file_size(const Header& header, uint64_t size, Fault& fault) {
  const uint64_t stated = header.file_size;
  return size == stated || refuse(fault, size < stated ? Error::kTruncated : Error::kTrailingBytes,
                                  size < stated ? size : stated, size, stated);
}

bool check_alignment(const void* data, uint32_t alignment, Fault& fault) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  return (address & (alignment - 1)) == 0 ||
         refuse_with(fault, Error::kMisalignedBase, 0, address, alignment);
}

}  // namespace bpte::internal
