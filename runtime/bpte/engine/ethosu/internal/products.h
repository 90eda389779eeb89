// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpte::ethosu {

/// Sums of products are made for so many channels of the OFM at a time.
inline constexpr int32_t kChannelsAtOnce = 8;

/// sums[k] = sum of rows[k * stride + i] * patch[i], for k < channels <= kChannelsAtOnce. Without
/// overflow; `wide`: the patch has 16 bits, else 9, as the rows always do unless both are wide.
void dot_rows(const int16_t* rows, ptrdiff_t stride, const int16_t* patch, int32_t count,
              int32_t channels, bool wide, int64_t* sums);

/// sums[k] = sum over taps of weights[tap * weights_stride + k] * patch[tap * patch_stride + k].
void dot_columns(const int16_t* weights, ptrdiff_t weights_stride, const int16_t* patch,
                 ptrdiff_t patch_stride, int32_t taps, int32_t channels, int64_t* sums);

/// to[i] = from[i] - zero.
template <typename T>
void subtract(int16_t* to, const uint8_t* from, int32_t count, int32_t zero);

}  // namespace bpte::ethosu
