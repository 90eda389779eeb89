// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpte::ethosu {

/// The weights of so many channels stand together: of each channel two, then the next two of each.
/// Thus a window's elements need not be read once for each channel, and vectors have a lane for
/// each.
inline constexpr int32_t kGroup = 8;

/// sums[k] = sum of weights[(i / 2 * kGroup + k) * 2 + i % 2] * patch[i], for k < kGroup and
/// i < 2 * pairs. Without overflow; `wide`: the patch has 16 bits, else 9, as the weights always
/// have unless both are wide.
void dot_group(const int16_t* weights, const int16_t* patch, int32_t pairs, bool wide,
               int64_t* sums);

/// sums[k] = sum of weights[tap * stride + k] * patch[tap * stride + k], for k < kGroup.
void dot_taps(const int16_t* weights, const int16_t* patch, ptrdiff_t stride, int32_t taps,
              int64_t* sums);

/// to[i] = from[i] - zero.
template <typename T>
void subtract(int16_t* to, const uint8_t* from, int32_t count, int32_t zero);

}  // namespace bpte::ethosu
