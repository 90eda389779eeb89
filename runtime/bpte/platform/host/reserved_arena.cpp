// SPDX-License-Identifier: BSD-3-Clause
#include "reserved_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace bpte::host {
namespace {

// Vectorised kernels may read, not write, up to a vector past a tensor's end (XNNPACK states
// XNN_EXTRA_BYTES, 128 at most).
constexpr size_t kSlack = 4096;
// Below this size, writing zeros is faster than asking the system for zeroed pages.
constexpr size_t kLarge = size_t{16} << 20;

}  // namespace

Reservation::Reservation(size_t size) {
  if (size > SIZE_MAX / 2) size = SIZE_MAX / 2;
  for (; size != 0; size /= 2) {
    void* const address = ::mmap(nullptr, size + kSlack, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) continue;
    bytes_ = static_cast<uint8_t*>(address);
    size_ = size;
    return;
  }
}

Reservation::~Reservation() {
  if (bytes_ != nullptr) ::munmap(bytes_, size_ + kSlack);
}

void Reservation::clear(Span<uint8_t> part) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t start = reinterpret_cast<uintptr_t>(part.data());
  const size_t before = static_cast<size_t>(-start & (page - 1));  // up to the first whole page
  if (part.size() < kLarge || part.size() < before + page) {
    if (!part.empty()) std::memset(part.data(), 0, part.size());
    return;
  }
  const size_t whole = (part.size() - before) & ~(page - 1);
  std::memset(part.data(), 0, before);
  if (::madvise(part.data() + before, whole, MADV_DONTNEED) != 0) {
    std::memset(part.data() + before, 0, whole);
  }
  const size_t rest = before + whole;
  std::memset(part.data() + rest, 0, part.size() - rest);
}

}  // namespace bpte::host
