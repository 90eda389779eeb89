// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/heap_arena.h>
#include <bpte/runner/runner.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

namespace {

class Stdout final : public bpte::Output {
  void write(const char* data, size_t size) override { std::fwrite(data, 1, size, stdout); }
};

class NoClock final : public bpte::Clock {
  uint64_t now() override { return 0; }
  const char* unit() const override { return "ns"; }
};

}  // namespace

int main(int, char** argv) {
  const int file = open(argv[1], O_RDONLY);
  const size_t size = static_cast<size_t>(lseek(file, 0, SEEK_END));
  const void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const auto bundle = bpte::Bundle::open({static_cast<const uint8_t*>(bytes), size});
  Stdout output;
  NoClock clock;
  if (!bundle.ok()) return static_cast<int>(bpte::report_fault(bundle.fault(), output, {}));
  bpte::HeapArena method, planned, temp;
  bpte::ExecutorchMemory memory;
  memory.method = &method;
  memory.planned = &planned;
  memory.temp = &temp;
  bpte::ExecutorchEngine engine(memory);
  return static_cast<int>(bpte::run_bundle(*bundle, engine, output, clock, {}));
}
