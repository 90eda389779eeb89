// SPDX-License-Identifier: BSD-3-Clause
#include "fast_convolution.h"

#if BPTE_FAST_CONVOLUTION

#include <immintrin.h>

#include <cstring>

#define BPTE_AVX2 __attribute__((target("avx2")))

namespace bpte::ethosu {
namespace {

constexpr int32_t kGroupsAtOnce = 4;
constexpr int32_t kBytes = 16;     // elements that are widened at once
constexpr int32_t kMostTaps = 64;  // of a depthwise kernel
constexpr int32_t kMostProduct = 255 * 255;

BPTE_AVX2 inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

/// Sixteen elements of 8 bits, their zero point taken off.
BPTE_AVX2 inline __m256i widen(const uint8_t* from, bool is_signed, __m256i zero_point) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m256i wide = is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
  return _mm256_sub_epi16(wide, zero_point);
}

/// The same of fewer elements; what follows them is not read.
BPTE_AVX2 inline __m256i widen_some(const uint8_t* from, int32_t count, bool is_signed,
                                    __m256i zero_point) {
  uint8_t bytes[kBytes] = {};
  std::memcpy(bytes, from, static_cast<size_t>(count));
  return widen(bytes, is_signed, zero_point);
}

/// value * multiplier / 2^shift in the even lanes, to nearest, halves up. The shift is above 31, so
/// that 32 bits hold the result.
BPTE_AVX2 inline __m256i scale_even(__m256i value, __m256i multiplier, __m256i shift) {
  const __m256i sign = _mm256_set1_epi64x(INT64_MIN);
  shift = _mm256_and_si256(shift, _mm256_set1_epi64x(63));
  const __m256i half = _mm256_srli_epi64(_mm256_sllv_epi64(_mm256_set1_epi64x(1), shift), 1);
  const __m256i product = _mm256_add_epi64(_mm256_mul_epi32(value, multiplier), half);
  // No instruction shifts signed numbers of 64 bits: they are made positive before.
  const __m256i positive = _mm256_srlv_epi64(_mm256_xor_si256(product, sign), shift);
  return _mm256_sub_epi64(positive, _mm256_srlv_epi64(sign, shift));
}

/// What eight sums end in, as Output::put() does it.
class Finish {
 public:
  BPTE_AVX2 explicit Finish(const Output& output)
      : zero_point_(_mm256_set1_epi32(output.zero_point())),
        minimum_(_mm256_set1_epi32(output.minimum())),
        maximum_(_mm256_set1_epi32(output.maximum())) {}

  /// Puts the first `count` of them.
  BPTE_AVX2 void put(uint8_t* to, __m256i sums, const GroupScales& scales, int32_t count) const {
    const __m256i value = _mm256_add_epi32(sums, load(scales.bias));
    const __m256i multiplier = load(scales.multiplier);
    const __m256i shift = load(scales.shift);
    const __m256i even = scale_even(value, multiplier, shift);
    const __m256i odd = scale_even(_mm256_srli_epi64(value, 32), _mm256_srli_epi64(multiplier, 32),
                                   _mm256_srli_epi64(shift, 32));
    __m256i found = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    found = _mm256_add_epi32(found, zero_point_);
    found = _mm256_min_epi32(_mm256_max_epi32(found, minimum_), maximum_);
    // The lowest byte of each.
    const __m256i lowest = _mm256_set1_epi32(0x0C080400);
    const __m256i bytes = _mm256_shuffle_epi8(found, lowest);
    const __m128i eight =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    if (count >= kGroup) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to), eight);
      return;
    }
    uint8_t some[kBytes];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(some), eight);
    std::memcpy(to, some, static_cast<size_t>(count));
  }

 private:
  __m256i zero_point_;
  __m256i minimum_;
  __m256i maximum_;
};

/// The sums of kGroups times eight channels.
template <int32_t kGroups>
BPTE_AVX2 inline void dot(const int16_t* weights, const int16_t* patch, ptrdiff_t pairs,
                          __m256i* sums) {
  __m256i sum[kGroups];
  for (int32_t g = 0; g < kGroups; ++g) sum[g] = _mm256_setzero_si256();
  for (ptrdiff_t p = 0; p < pairs; ++p) {
    int32_t two = 0;
    std::memcpy(&two, patch + 2 * p, sizeof(two));
    const __m256i values = _mm256_set1_epi32(two);
    for (int32_t g = 0; g < kGroups; ++g) {
      const __m256i row = load(weights + (g * pairs + p) * 2 * kGroup);
      sum[g] = _mm256_add_epi32(sum[g], _mm256_madd_epi16(row, values));
    }
  }
  for (int32_t g = 0; g < kGroups; ++g) sums[g] = sum[g];
}

/// The window's elements of all channels, in the order of the weights.
BPTE_AVX2 void gather(const Convolution& op, int32_t y, int32_t x) {
  const FeatureMap& ifm = op.ifm;
  const bool is_signed = ifm.element().is_signed;
  const int32_t depth = ifm.size().depth;
  const __m256i zero_point = _mm256_set1_epi16(static_cast<int16_t>(ifm.zero_point()));
  int16_t* to = op.patch;
  for (int32_t j = 0; j < op.window.taps_y(); ++j) {
    const int32_t row = op.window.row(y, j);
    for (int32_t i = 0; i < op.window.taps_x(); ++i, to += depth) {
      const int32_t column = op.window.column(x, i);
      if (row < 0 || column < 0) {
        std::memset(to, 0, static_cast<size_t>(depth) * sizeof(*to));
        continue;
      }
      const uint8_t* pixel = ifm.pixel(row, column);
      for (int32_t c = 0; c < depth;) {
        const uint8_t* from = pixel + ifm.channel(c);
        const int32_t end = ifm.run_end(c);
        for (; c + kBytes <= end; c += kBytes, from += kBytes) {
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c),
                              widen(from, is_signed, zero_point));
        }
        for (; c < end; ++c, ++from) {
          const int32_t value = is_signed ? int32_t{static_cast<int8_t>(*from)} : int32_t{*from};
          to[c] = static_cast<int16_t>(value - ifm.zero_point());
        }
      }
    }
  }
}

BPTE_AVX2 void run_all_channels(const Convolution& op, int32_t first, int32_t end) {
  const Finish finish(op.output);
  const ptrdiff_t pairs = op.pairs();
  const Size& ofm = op.output.size();
  const int32_t step = kGroup * kGroupsAtOnce;
  for (int32_t y = 0; y < ofm.height; ++y) {
    for (int32_t x = 0; x < ofm.width; ++x) {
      gather(op, y, x);
      const Output::Pixel pixel = op.output.pixel(y, x);
      for (int32_t c = 0; c < end - first; c += step) {
        const int16_t* weights = op.weights + c / kGroup * pairs * 2 * kGroup;
        const int32_t groups = smaller((end - first - c + kGroup - 1) / kGroup, kGroupsAtOnce);
        __m256i sums[kGroupsAtOnce];
        if (groups == kGroupsAtOnce) {
          dot<kGroupsAtOnce>(weights, op.patch, pairs, sums);
        } else {
          for (int32_t g = 0; g < groups; ++g) {
            dot<1>(weights + g * pairs * 2 * kGroup, op.patch, pairs, sums + g);
          }
        }
        for (int32_t g = 0; g < groups; ++g) {
          const int32_t at = c + g * kGroup;
          finish.put(op.output.bytes(pixel, first + at), sums[g], op.fast[at / kGroup],
                     end - first - at);
        }
      }
    }
  }
}

/// Sixteen channels of a depthwise convolution; `taps` are where their elements stand, or null.
BPTE_AVX2 inline void dot_taps(const Convolution& op, Span<const uint8_t* const> taps, int32_t c,
                               int32_t count, __m256i* sums) {
  const bool is_signed = op.ifm.element().is_signed;
  const __m256i zero_point = _mm256_set1_epi16(static_cast<int16_t>(op.ifm.zero_point()));
  const int16_t* weights = op.weights + c;
  __m256i low = _mm256_setzero_si256();
  __m256i high = _mm256_setzero_si256();
  for (const uint8_t* const tap : taps) {
    const int16_t* const row_at = weights;
    weights += op.tap_stride();
    if (tap == nullptr) continue;
    const __m256i values = count >= kBytes ? widen(tap, is_signed, zero_point)
                                           : widen_some(tap, count, is_signed, zero_point);
    const __m256i row = load(row_at);
    const __m256i lower = _mm256_mullo_epi16(values, row);
    const __m256i upper = _mm256_mulhi_epi16(values, row);
    low = _mm256_add_epi32(low, _mm256_unpacklo_epi16(lower, upper));
    high = _mm256_add_epi32(high, _mm256_unpackhi_epi16(lower, upper));
  }
  // Both have four channels of each half.
  sums[0] = _mm256_permute2x128_si256(low, high, 0x20);
  sums[1] = _mm256_permute2x128_si256(low, high, 0x31);
}

BPTE_AVX2 void run_depthwise(const Convolution& op, int32_t first, int32_t end) {
  const Finish finish(op.output);
  const Size& ofm = op.output.size();
  for (int32_t y = 0; y < ofm.height; ++y) {
    for (int32_t x = 0; x < ofm.width; ++x) {
      const uint8_t* pixels[kMostTaps];
      int32_t count = 0;
      for (int32_t j = 0; j < op.window.taps_y(); ++j) {
        const int32_t row = op.window.row(y, j);
        for (int32_t i = 0; i < op.window.taps_x(); ++i) {
          const int32_t column = op.window.column(x, i);
          pixels[count++] = row < 0 || column < 0 ? nullptr : op.ifm.pixel(row, column);
        }
      }
      const Output::Pixel pixel = op.output.pixel(y, x);
      for (int32_t c = first; c < end; c += kBytes) {
        const uint8_t* taps[kMostTaps];
        for (int32_t k = 0; k < count; ++k) {
          taps[k] = pixels[k] == nullptr ? nullptr : pixels[k] + op.ifm.channel(c);
        }
        __m256i sums[2];
        dot_taps(op, {taps, static_cast<size_t>(count)}, c - first, end - c, sums);
        for (int32_t at = c; at < smaller(c + kBytes, end); at += kGroup) {
          finish.put(op.output.bytes(pixel, at), sums[(at - c) / kGroup],
                     op.fast[(at - first) / kGroup], end - at);
        }
      }
    }
  }
}

/// Whether no more than the scales of a block could be in the way.
bool is_usual(const Convolution& op) {
  const bool fits = op.depthwise ? op.taps() <= kMostTaps : op.length() <= INT32_MAX / kMostProduct;
  const int32_t aligned = op.depthwise ? kBytes : kGroup;
  return fits && op.ifm.element().bytes == 1 && op.accumulators.none() && op.output.is_plain() &&
         !op.output.global_scale() && op.output.rounding() == Rounding::kNatural &&
         (op.block_depth % aligned == 0 || op.block_depth == op.output.size().depth);
}

/// The scales of channels [first, end), when vectors can hold them.
bool take_scales(const Convolution& op, int32_t first, int32_t end) {
  const int64_t most_bias = INT32_MAX - int64_t{kMostProduct} * op.length();
  for (int32_t channel = first; channel < end; ++channel) {
    int64_t bias = 0;
    Scale scale;
    op.scales.get(channel, bias, scale);
    // Vela halves what is even. Twice as much by a shift of one more is the same, rounded too.
    for (; scale.shift < 32 && scale.multiplier <= INT32_MAX / 2; ++scale.shift) {
      scale.multiplier *= 2;
    }
    if (bias > most_bias || bias < -most_bias || scale.multiplier > INT32_MAX || scale.shift < 32 ||
        scale.shift > 62) {
      return false;
    }
    GroupScales& group = op.fast[(channel - first) / kGroup];
    const int32_t lane = (channel - first) % kGroup;
    group.bias[lane] = static_cast<int32_t>(bias);
    group.multiplier[lane] = static_cast<int32_t>(scale.multiplier);
    group.shift[lane] = static_cast<int32_t>(scale.shift);
  }
  return true;
}

}  // namespace

bool run_block_fast(const Convolution& op, int32_t first, int32_t end) {
  if (__builtin_cpu_supports("avx2") == 0 || !is_usual(op) || !take_scales(op, first, end)) {
    return false;
  }
  if (op.depthwise) {
    run_depthwise(op, first, end);
  } else {
    run_all_channels(op, first, end);
  }
  return true;
}

}  // namespace bpte::ethosu

#endif
