// SPDX-License-Identifier: BSD-3-Clause
//
// In the place of an NPU and its driver, for driver_tool_wrapped: says that it was called. The NPU
// answers where the environment has the variable NPU.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "npu.h"

namespace bpte_board {

bool npu_answers() {
  return std::getenv("NPU") != nullptr;
}

}  // namespace bpte_board

extern "C" {

struct ethosu_driver {
  bool reserved;
};

ethosu_driver* ethosu_reserve_driver();
void ethosu_release_driver(ethosu_driver* driver);
int ethosu_invoke_v3(ethosu_driver* driver, const void* commands, int commands_size,
                     uint64_t* bases, const size_t* sizes, int count, void* argument);

ethosu_driver* ethosu_reserve_driver() {
  static ethosu_driver driver;
  if (driver.reserved) return nullptr;
  driver.reserved = true;
  return &driver;
}

void ethosu_release_driver(ethosu_driver* driver) {
  driver->reserved = false;
  std::puts("NPU released");
}

int ethosu_invoke_v3(ethosu_driver*, const void*, int, uint64_t*, const size_t*, int, void*) {
  std::puts("NPU invoked");
  return 0;
}

}  // extern "C"
