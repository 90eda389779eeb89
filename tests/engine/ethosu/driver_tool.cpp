// SPDX-License-Identifier: BSD-3-Clause
//
// Runs a delegate through the entry points of Arm's driver, as ExecuTorch's own delegate does:
//   driver_tool DELEGATE INPUTS OUTPUTS FAST OWN
// INPUTS and OUTPUTS: the bytes of all, one after the other. FAST: bytes of fast scratch memory.
// OWN: bytes of memory for the model's own needs.
//
// driver_tool_wrapped has a driver of an NPU as well (wrapped_driver.cpp).

#include <bpte/engine/ethosu/internal/container.h>
#include <bpte/engine/executorch/stand_in.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "npu_model.h"
#include "tail_arena.h"

// ethosu_driver.h, of ethos-u-core-driver.
extern "C" {
struct ethosu_driver;
ethosu_driver* ethosu_reserve_driver(void);
void ethosu_release_driver(ethosu_driver* driver);
int ethosu_invoke_v3(ethosu_driver* driver, const void* custom_data_ptr, const int custom_data_size,
                     uint64_t* const base_addr, const size_t* base_addr_size,
                     const int num_base_addr, void* user_arg);
}

namespace {

using Bytes = std::vector<uint8_t>;

Bytes read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int refuse(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  return 1;
}

void print_reason(const char* why) {
  std::fprintf(stderr, "%s\n", why);
}

uint64_t address(const uint8_t* bytes) {
  return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(bytes));
}

int invoke(const bpte::ethosu::Container& container, Bytes& scratch, Bytes& fast) {
  ethosu_driver* const driver = ethosu_reserve_driver();
  if (driver == nullptr) return refuse("no driver");
  if (ethosu_reserve_driver() != nullptr) return refuse("reserved twice");
  uint64_t bases[] = {address(container.weights.data()), address(scratch.data()),
                      address(fast.data())};
  const size_t sizes[] = {container.weights.size(), scratch.size(), fast.size()};
  const int result =
      ethosu_invoke_v3(driver, container.commands.data(),
                       static_cast<int>(container.commands.size()), bases, sizes, 3, nullptr);
  ethosu_release_driver(driver);
  return result == 0 ? 0 : 1;
}

int run(const char* delegate_path, const char* inputs_path, const char* outputs_path,
        size_t fast_size, size_t own_size) {
  const Bytes delegate = read(delegate_path);
  const Bytes inputs = read(inputs_path);
  bpte::ethosu::Container container;
  bpte::Report report;
  if (!container.open({delegate.data(), delegate.size()}, report)) return refuse(report.message());
#ifndef BPTE_NPU_DRIVER
  if (ethosu_reserve_driver() != nullptr) return refuse("reserved before the model was started");
#endif
  // As on a board: what a memory plan in the front of the buffer leaves over.
  constexpr size_t kPlanned = 64;
  constexpr uint8_t kCanary = 0x5A;
  Bytes buffer(kPlanned + own_size);
  bpte::FixedArena planned({buffer.data(), buffer.size()});
  auto* const front = static_cast<uint8_t*>(planned.allocate(kPlanned, 1));
  std::memset(front, kCanary, kPlanned);
  bpte_board::TailArena arena({buffer.data(), buffer.size()}, planned);
  bpte_board::start_npu_model(arena, print_reason);
  Bytes scratch(static_cast<size_t>(container.scratch_size));
  Bytes fast(fast_size);
  size_t at = 0;
  bpte::ethosu::Binding binding;
  for (uint32_t i = 0; i < container.inputs.count(); ++i) {
    if (!container.inputs.get(i, "input", scratch.size(), binding, report)) return 1;
    const size_t size = static_cast<size_t>(binding.bytes);
    if (size > inputs.size() - at) return refuse("too few bytes of inputs");
    std::memcpy(scratch.data() + binding.offset, inputs.data() + at, size);
    at += size;
  }
  if (invoke(container, scratch, fast) != 0) return 1;
  if (arena.mark() != 0) return refuse("memory was kept");
  if (std::count(front, front + kPlanned, kCanary) != kPlanned) {
    return refuse("the plan's memory was written");
  }
  std::ofstream outputs(outputs_path, std::ios::binary);
  for (uint32_t i = 0; i < container.outputs.count(); ++i) {
    if (!container.outputs.get(i, "output", scratch.size(), binding, report)) return 1;
    outputs.write(reinterpret_cast<const char*>(scratch.data()) + binding.offset,
                  static_cast<std::streamsize>(binding.bytes));
  }
  std::printf("%s\n", bpte::take_stand_in());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return refuse("usage: driver_tool DELEGATE INPUTS OUTPUTS FAST OWN");
  return run(argv[1], argv[2], argv[3], std::strtoul(argv[4], nullptr, 10),
             std::strtoul(argv[5], nullptr, 10));
}
