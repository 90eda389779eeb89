// SPDX-License-Identifier: BSD-3-Clause
#include "npu.h"

#include <cstdint>

#include "fault.h"

namespace bpte_board {

bool npu_answers() {
#ifdef BPTE_BOARD_NPU
  // The NPU's ID register, its first, is never 0 (arch_major_rev is 1 or more).
  uint32_t id = 0;
  return probe_read(BPTE_BOARD_NPU, id) && id != 0 && id != 0xFFFFFFFF;
#else
  return false;
#endif
}

}  // namespace bpte_board
