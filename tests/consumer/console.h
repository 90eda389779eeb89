// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What every program here needs: an output for the report, and a bundle's bytes.

#include <bpte/runner/runner.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace consumer {

class Stdout final : public bpte::Output {
  void write(const char* data, size_t size) override { std::fwrite(data, 1, size, stdout); }
};

class NoClock final : public bpte::Clock {
  uint64_t now() override { return 0; }
  const char* unit() const override { return "ns"; }
};

/// The file's bytes; ends the program when it cannot read any.
inline bpte::Span<const uint8_t> map(const char* path) {
  const int file = open(path, O_RDONLY);
  const size_t size = static_cast<size_t>(lseek(file, 0, SEEK_END));
  const void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) {
    std::perror(path);
    std::exit(2);
  }
  return {static_cast<const uint8_t*>(bytes), size};
}

}  // namespace consumer
