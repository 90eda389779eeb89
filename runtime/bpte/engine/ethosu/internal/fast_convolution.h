// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "convolution.h"

namespace bpte::ethosu {

#if defined(__x86_64__) && defined(__GNUC__)
#define BPTE_FAST_CONVOLUTION 1
#else
#define BPTE_FAST_CONVOLUTION 0
#endif

#if BPTE_FAST_CONVOLUTION
/// Numbers of 16 bits that the fast way needs for eight channels of a block.
inline constexpr int32_t kFastWork = sizeof(GroupScales) / sizeof(int16_t);

/// Channels [first, end) of the OFM, as run_block() in convolution.cpp computes them, several at
/// once. False, with nothing done: the processor has no AVX2, or the operation is of a rare kind.
[[nodiscard]] bool run_block_fast(const Convolution& op, int32_t first, int32_t end);
#else
inline constexpr int32_t kFastWork = 0;
inline bool run_block_fast(const Convolution&, int32_t, int32_t) {
  return false;
}
#endif

}  // namespace bpte::ethosu
