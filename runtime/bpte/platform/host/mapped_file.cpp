// SPDX-License-Identifier: BSD-3-Clause
#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bpte::host {

File::~File() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool File::open(const char* path) {
  // Without O_NONBLOCK, opening a FIFO would block for ever.
  descriptor_ = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    error_ = std::strerror(errno);
    return false;
  }
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) {
    error_ = std::strerror(errno);
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    error_ = "Not a regular file";
    return false;
  }
  size_ = static_cast<uint64_t>(status.st_size);
  return true;
}

bool File::read(uint64_t offset, Span<uint8_t> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::pread(descriptor_, buffer.data() + done, buffer.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

Span<const uint8_t> File::map(size_t alignment) {
  if (size_ == 0 || size_ > SIZE_MAX - alignment) return {};
  const size_t size = static_cast<size_t>(size_);
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (alignment <= page) {
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor_, 0);
    if (address == MAP_FAILED) return {};
    mapping_ = address;
    mapping_size_ = size;
    return {static_cast<const uint8_t*>(address), size};
  }
  // Reserves enough to hold the file from an aligned address on.
  const size_t reserved = size + alignment;
  void* const address =
      ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return {};
  mapping_ = address;
  mapping_size_ = reserved;
  const size_t padding =
      static_cast<size_t>(-reinterpret_cast<uintptr_t>(address)) & (alignment - 1);
  uint8_t* const aligned = static_cast<uint8_t*>(address) + padding;
  if (::mmap(aligned, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor_, 0) == MAP_FAILED) {
    return {};
  }
  return {aligned, size};
}

}  // namespace bpte::host
