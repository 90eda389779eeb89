// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/bundle.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

int main(int count, char** words) {
  const char* const path = count == 2 ? words[1] : "";
  const int file = open(path, O_RDONLY);
  const size_t size = static_cast<size_t>(lseek(file, 0, SEEK_END));
  const void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) return std::perror(path), 2;  // no such file, an empty one, a folder
  const auto bundle = bpte::Bundle::open({static_cast<const uint8_t*>(bytes), size});
  if (!bundle.ok()) return std::puts(to_string(bundle.fault().error)), 3;
  std::printf("program: %zu bytes at %p\n", bundle->program().size(), bundle->program().data());
  for (uint32_t i = 0; i < bundle->suite_count(); ++i) {
    const bpte::Text name = bundle->suite(i)->method_name();
    std::printf("%.*s: %u cases\n", int(name.size), name.data, bundle->suite(i)->case_count());
  }
}
