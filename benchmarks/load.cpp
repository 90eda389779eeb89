// SPDX-License-Identifier: BSD-3-Clause

// Opens a bundle in a memory-mapped file, locates the program and reads the first case, over and
// over: for benchmarks/load.py. Prints the median time of one round in seconds and the peak of
// resident memory over what there was before, in bytes.
//
//   load_benchmark FILE ROUNDS

#include <bpte/core/bundle.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

// A line of /proc/self/status, in bytes.
long memory(const char* field) {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  char line[256];
  long kib = 0;
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
    if (std::strncmp(line, field, std::strlen(field)) == 0) {
      kib = std::atol(line + std::strlen(field) + 1);
    }
  }
  if (status != nullptr) {
    std::fclose(status);
  }
  return kib * 1024;
}

// Of the program's first byte and of the first case's first input, so that both are really there.
unsigned sum_of_first_bytes(const bpte::Bundle& bundle) {
  unsigned sum = bundle.program()[0];
  const auto suite = bundle.suite(0);
  const auto first = suite->test_case(0);
  if (!suite.ok() || !first.ok()) {
    return sum;
  }
  const auto payload = bundle.case_payload(*first, {}, true);
  for (uint32_t i = 0; payload.ok() && i < first->input_count(); ++i) {
    const auto input = first->input(i, *payload);
    if (input.ok() && !input->tensor.data.empty()) {
      sum += input->tensor.data[0];
    }
  }
  return sum;
}

bool round(const char* name, unsigned* sum) {
  const int file = open(name, O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    return false;
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* const bytes = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (bytes == MAP_FAILED) {
    return false;
  }
  const auto bundle = bpte::Bundle::open({static_cast<const uint8_t*>(bytes), size});
  if (bundle.ok()) {
    *sum += sum_of_first_bytes(*bundle);
  } else {
    char message[256];
    bpte::format_fault(bundle.fault(), message);
    std::fprintf(stderr, "%s\n", message);
  }
  munmap(bytes, size);
  return bundle.ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: load_benchmark FILE ROUNDS\n");
    return 2;
  }
  const long before = memory("VmRSS");
  std::vector<double> seconds;
  unsigned sum = 0;
  for (int i = std::atoi(argv[2]); i > 0; --i) {
    const auto begun = std::chrono::steady_clock::now();
    if (!round(argv[1], &sum)) {
      std::fprintf(stderr, "%s: cannot be opened\n", argv[1]);
      return 1;
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun;
    seconds.push_back(spent.count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("{\"time\": %.9f, \"memory\": %ld, \"sum\": %u}\n", seconds[seconds.size() / 2],
              memory("VmHWM") - before, sum);
  return 0;
}
