// SPDX-License-Identifier: BSD-3-Clause
#include "semihosting.h"

#include <cstring>

#include "fault.h"

namespace bpte_board {
namespace {

enum Operation : uint32_t {
  kOpen = 0x01,
  kWrite = 0x05,
  kRead = 0x06,
  kSeek = 0x0A,
  kFileLength = 0x0C,
  kGetCommandLine = 0x15,
  kExitExtended = 0x20,
};

// ADP_Stopped_ApplicationExit: the second word is the exit status.
constexpr uint32_t kApplicationExit = 0x20026;

#if BPTE_RUNNER_WIRE
// How often a console that gives nothing is asked again. QEMU's may answer so, although it waits
// for what is typed.
constexpr uint32_t kReadPatience = 1'000'000;
constexpr uint32_t kModeRead = 0;  // "r": of ":tt", standard input
#endif
constexpr uint32_t kModeReadBinary = 1;  // "rb"
constexpr uint32_t kModeWrite = 4;       // "w": of ":tt", standard output

int32_t call(Operation operation, const void* parameters) {
  if (semihosting_absent()) return -1;
  register uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = parameters;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return static_cast<int32_t>(r0);
}

uint32_t word(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

int32_t open_file(const char* path, uint32_t mode) {
  const uint32_t block[] = {word(path), mode, static_cast<uint32_t>(std::strlen(path))};
  return call(kOpen, block);
}

}  // namespace

bool semihosting_absent() {
  return fault_semihosting_absent != 0;
}

bool semihosting_command_line(bpte::Span<char> buffer) {
  uint32_t block[] = {word(buffer.data()), static_cast<uint32_t>(buffer.size())};
  if (buffer.empty() || call(kGetCommandLine, block) != 0) return false;
  // The length does not count the NUL, which not every host writes.
  if (block[1] >= buffer.size()) return false;
  buffer[block[1]] = '\0';
  return true;
}

void semihosting_exit(int status) {
  const uint32_t block[] = {kApplicationExit, static_cast<uint32_t>(status)};
  call(kExitExtended, block);
}

void SemihostingOutput::write(const char* data, size_t size) {
  if (handle_ < 0) handle_ = open_file(":tt", kModeWrite);
  const uint32_t block[] = {static_cast<uint32_t>(handle_), word(data),
                            static_cast<uint32_t>(size)};
  call(kWrite, block);
}

#if BPTE_RUNNER_WIRE
bool semihosting_read(uint8_t& byte) {
  static int32_t handle = -1;
  if (handle < 0) handle = open_file(":tt", kModeRead);
  const uint32_t block[] = {static_cast<uint32_t>(handle), word(&byte), 1};
  for (uint32_t tries = 0; handle >= 0 && tries < kReadPatience; ++tries) {
    if (call(kRead, block) == 0) return true;  // the number of bytes that were not read
    if (semihosting_absent()) break;
  }
  return false;
}
#endif

bool SemihostingFile::open(const char* path) {
  handle_ = open_file(path, kModeReadBinary);
  if (handle_ < 0) return false;
  const uint32_t block[] = {static_cast<uint32_t>(handle_)};
  const int32_t length = call(kFileLength, block);
  if (length < 0) return false;
  size_ = static_cast<uint32_t>(length);
  return true;
}

bool SemihostingFile::read(uint64_t offset, bpte::Span<uint8_t> buffer) {
  if (handle_ < 0 || offset > size_ || buffer.size() > size_ - offset) return false;
  if (buffer.empty()) return true;
  const uint32_t seek[] = {static_cast<uint32_t>(handle_), static_cast<uint32_t>(offset)};
  if (call(kSeek, seek) != 0) return false;
  const uint32_t block[] = {static_cast<uint32_t>(handle_), word(buffer.data()),
                            static_cast<uint32_t>(buffer.size())};
  return call(kRead, block) == 0;  // the number of bytes that were not read
}

}  // namespace bpte_board
