// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Judging integers of 8 and 16 bits with AVX2: a whole register of pairs at a time, in integers, so
// that every sum but that of the relative errors is exact. For vector_kernels.cpp alone.

#include <bpte/core/internal/vector_kernels.h>
#include <immintrin.h>

#include <cstring>
#include <type_traits>

#define BPTE_AVX2 __attribute__((target("avx2")))
#define BPTE_AVX2_INLINE BPTE_AVX2 __attribute__((always_inline)) inline

namespace bpte {
namespace internal {
namespace avx2 {

/// Pairs of a block: few enough for counters as wide as the elements and sums of 32 bits.
template <typename T>
inline constexpr size_t kBlock = 4096 / sizeof(T);

/// Pairs of a run. The largest relative error is searched once for each run that may hold it.
template <typename T>
inline constexpr size_t kRun = kBlock<T> / 4;

/// Bytes that are prefetched: the machine itself does not prefetch beyond a page.
inline constexpr size_t kAhead = 1024;

// ---- lanes

BPTE_AVX2_INLINE __m256i load(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

/// The sum of the lanes, which are numbers of `Lane`.
template <typename Lane>
BPTE_AVX2_INLINE int64_t sum_of(__m256i x) {
  alignas(32) Lane lanes[32 / sizeof(Lane)];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), x);
  int64_t total = 0;
  for (Lane lane : lanes) {
    total += static_cast<int64_t>(lane);
  }
  return total;
}

template <typename Lane>
BPTE_AVX2_INLINE Lane highest_of(__m256i x) {
  alignas(32) Lane lanes[32 / sizeof(Lane)];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), x);
  Lane result = 0;
  for (Lane lane : lanes) {
    result = lane > result ? lane : result;
  }
  return result;
}

template <typename Lane>
BPTE_AVX2_INLINE Lane lowest_of(__m256i x) {
  return static_cast<Lane>(~highest_of<Lane>(_mm256_xor_si256(x, _mm256_set1_epi8(-1))));
}

/// The instructions that differ with the type of the elements. Results are unsigned.
template <typename T>
struct Lanes;

template <typename T>
struct ByteLanes {
  using Unsigned = uint8_t;
  static BPTE_AVX2_INLINE __m256i all(Unsigned x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static BPTE_AVX2_INLINE __m256i equal(__m256i x, __m256i y) { return _mm256_cmpeq_epi8(x, y); }
  static BPTE_AVX2_INLINE __m256i subtract(__m256i x, __m256i y) { return _mm256_sub_epi8(x, y); }
  static BPTE_AVX2_INLINE __m256i excess(__m256i x, __m256i y) { return _mm256_subs_epu8(x, y); }
  static BPTE_AVX2_INLINE __m256i higher(__m256i x, __m256i y) { return _mm256_max_epu8(x, y); }
  static BPTE_AVX2_INLINE __m256i lower(__m256i x, __m256i y) { return _mm256_min_epu8(x, y); }
};

template <>
struct Lanes<uint8_t> : ByteLanes<uint8_t> {
  static BPTE_AVX2_INLINE __m256i magnitude(__m256i x) { return x; }
  static BPTE_AVX2_INLINE __m256i difference(__m256i x, __m256i y) {
    return _mm256_sub_epi8(_mm256_max_epu8(x, y), _mm256_min_epu8(x, y));
  }
};

template <>
struct Lanes<int8_t> : ByteLanes<int8_t> {
  static BPTE_AVX2_INLINE __m256i magnitude(__m256i x) { return _mm256_abs_epi8(x); }
  static BPTE_AVX2_INLINE __m256i difference(__m256i x, __m256i y) {
    return _mm256_sub_epi8(_mm256_max_epi8(x, y), _mm256_min_epi8(x, y));
  }
};

template <typename T>
struct ShortLanes {
  using Unsigned = uint16_t;
  static BPTE_AVX2_INLINE __m256i all(Unsigned x) {
    return _mm256_set1_epi16(static_cast<int16_t>(x));
  }
  static BPTE_AVX2_INLINE __m256i equal(__m256i x, __m256i y) { return _mm256_cmpeq_epi16(x, y); }
  static BPTE_AVX2_INLINE __m256i subtract(__m256i x, __m256i y) { return _mm256_sub_epi16(x, y); }
  static BPTE_AVX2_INLINE __m256i excess(__m256i x, __m256i y) { return _mm256_subs_epu16(x, y); }
  static BPTE_AVX2_INLINE __m256i higher(__m256i x, __m256i y) { return _mm256_max_epu16(x, y); }
  static BPTE_AVX2_INLINE __m256i lower(__m256i x, __m256i y) { return _mm256_min_epu16(x, y); }
};

template <>
struct Lanes<uint16_t> : ShortLanes<uint16_t> {
  static BPTE_AVX2_INLINE __m256i magnitude(__m256i x) { return x; }
  static BPTE_AVX2_INLINE __m256i difference(__m256i x, __m256i y) {
    return _mm256_sub_epi16(_mm256_max_epu16(x, y), _mm256_min_epu16(x, y));
  }
};

template <>
struct Lanes<int16_t> : ShortLanes<int16_t> {
  static BPTE_AVX2_INLINE __m256i magnitude(__m256i x) { return _mm256_abs_epi16(x); }
  static BPTE_AVX2_INLINE __m256i difference(__m256i x, __m256i y) {
    return _mm256_sub_epi16(_mm256_max_epi16(x, y), _mm256_min_epi16(x, y));
  }
};

// ---- squares of unsigned lanes

/// Bytes are widened to 16 bits; their squares fit sums of 32.
struct ByteSquares {
  __m256i squares;

  BPTE_AVX2_INLINE void add(__m256i x) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i low = _mm256_unpacklo_epi8(x, zero);
    const __m256i high = _mm256_unpackhi_epi8(x, zero);
    squares = _mm256_add_epi32(squares, _mm256_madd_epi16(low, low));
    squares = _mm256_add_epi32(squares, _mm256_madd_epi16(high, high));
  }
  BPTE_AVX2_INLINE double value(size_t) const {
    return static_cast<double>(sum_of<uint32_t>(squares));
  }
};

/// Numbers of 16 bits are made signed, y = x - 2^15, since only those can be multiplied and added
/// in one step; then x^2 = y^2 + 2^16 y + 2^30.
struct ShortSquares {
  __m256i squares;
  __m256i sums;

  BPTE_AVX2_INLINE void add(__m256i x) {
    const __m256i y = _mm256_xor_si256(x, _mm256_set1_epi16(INT16_MIN));
    const __m256i two = _mm256_madd_epi16(y, y);  // up to 2^31, unsigned
    squares = _mm256_add_epi64(squares, _mm256_srli_epi64(two, 32));
    squares = _mm256_add_epi64(squares, _mm256_and_si256(two, _mm256_set1_epi64x(0xFFFFFFFF)));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(y, _mm256_set1_epi16(1)));
  }
  /// Of `count` numbers.
  BPTE_AVX2_INLINE double value(size_t count) const {
    return static_cast<double>(sum_of<int64_t>(squares) + sum_of<int32_t>(sums) * 65536 +
                               (static_cast<int64_t>(count) << 30));
  }
};

template <typename T>
using Squares = std::conditional_t<sizeof(T) == 1, ByteSquares, ShortSquares>;

// ---- sums of fractions
//
// A division takes as long as much of the rest, so that fractions are first brought to a common
// denominator: of 8-bit numbers eight, of 16-bit ones four. All steps but the last are exact.

/// Four fractions, lane by lane.
struct Fractions {
  __m256d n;
  __m256d d;
};

BPTE_AVX2_INLINE Fractions add(const Fractions& x, const Fractions& y) {
  return {_mm256_add_pd(_mm256_mul_pd(x.n, y.d), _mm256_mul_pd(y.n, x.d)), _mm256_mul_pd(x.d, y.d)};
}

BPTE_AVX2_INLINE Fractions lower(__m256i n, __m256i d) {
  return {_mm256_cvtepi32_pd(_mm256_castsi256_si128(n)),
          _mm256_cvtepi32_pd(_mm256_castsi256_si128(d))};
}

BPTE_AVX2_INLINE Fractions upper(__m256i n, __m256i d) {
  return {_mm256_cvtepi32_pd(_mm256_extracti128_si256(n, 1)),
          _mm256_cvtepi32_pd(_mm256_extracti128_si256(d, 1))};
}

/// The sum of all n / d, in four lanes; of bytes or of numbers of 16 bits, none of `d` 0.
template <typename T>
BPTE_AVX2_INLINE __m256d sum_of_fractions(__m256i n, __m256i d) {
  const __m256i zero = _mm256_setzero_si256();
  Fractions all;
  if constexpr (sizeof(T) == 1) {
    const __m256i n_low = _mm256_unpacklo_epi8(n, zero);
    const __m256i n_high = _mm256_unpackhi_epi8(n, zero);
    const __m256i d_low = _mm256_unpacklo_epi8(d, zero);
    const __m256i d_high = _mm256_unpackhi_epi8(d, zero);
    // n_low / d_low + n_high / d_high
    const __m256i both = _mm256_mullo_epi16(d_low, d_high);
    const __m256i n0 = _mm256_madd_epi16(_mm256_unpacklo_epi16(n_low, n_high),
                                         _mm256_unpacklo_epi16(d_high, d_low));
    const __m256i n1 = _mm256_madd_epi16(_mm256_unpackhi_epi16(n_low, n_high),
                                         _mm256_unpackhi_epi16(d_high, d_low));
    const __m256i d0 = _mm256_unpacklo_epi16(both, zero);
    const __m256i d1 = _mm256_unpackhi_epi16(both, zero);
    all = add(add(lower(n0, d0), upper(n0, d0)), add(lower(n1, d1), upper(n1, d1)));
  } else {
    const __m256i n0 = _mm256_unpacklo_epi16(n, zero);
    const __m256i n1 = _mm256_unpackhi_epi16(n, zero);
    const __m256i d0 = _mm256_unpacklo_epi16(d, zero);
    const __m256i d1 = _mm256_unpackhi_epi16(d, zero);
    all = add(add(lower(n0, d0), upper(n0, d0)), add(lower(n1, d1), upper(n1, d1)));
  }
  return _mm256_div_pd(all.n, all.d);
}

// ---- judging

/// Sums of a block, lane by lane.
template <typename T>
struct Sums {
  Squares<T> error2, expected2, actual2;
  __m256i absolute;  ///< of bytes; ShortSquares have the sum of the rest
  __m256i zeros;     ///< expected values that are 0
  __m256i close;     ///< errors of at most atol
  __m256i max_error;
  __m256d relative;
};

/// An error and the magnitude that it is relative to; 0 and 1 where the expected value is 0.
template <typename T>
BPTE_AVX2_INLINE void relate(__m256i e, __m256i error, __m256i& is_zero, __m256i& n, __m256i& d) {
  using L = Lanes<T>;
  is_zero = L::equal(e, _mm256_setzero_si256());
  n = _mm256_andnot_si256(is_zero, error);
  d = L::subtract(L::magnitude(e), is_zero);
}

/// The largest fraction of each 16-bit lane, for bytes; compared by cross-multiplication.
struct Largest {
  __m256i n;
  __m256i d;

  BPTE_AVX2_INLINE void take(__m256i other_n, __m256i other_d) {
    const __m256i more =
        _mm256_subs_epu16(_mm256_mullo_epi16(other_n, d), _mm256_mullo_epi16(n, other_d));
    const __m256i keep = _mm256_cmpeq_epi16(more, _mm256_setzero_si256());
    n = _mm256_blendv_epi8(other_n, n, keep);
    d = _mm256_blendv_epi8(other_d, d, keep);
  }
};

/// The largest n / d in four lanes, of numbers of 16 bits.
BPTE_AVX2_INLINE __m256d larger(__m256d largest, __m256i n, __m256i d) {
  const __m256i zero = _mm256_setzero_si256();
  for (int half = 0; half < 2; ++half) {
    const __m256i n32 = half == 0 ? _mm256_unpacklo_epi16(n, zero) : _mm256_unpackhi_epi16(n, zero);
    const __m256i d32 = half == 0 ? _mm256_unpacklo_epi16(d, zero) : _mm256_unpackhi_epi16(d, zero);
    const Fractions x = lower(n32, d32);
    const Fractions y = upper(n32, d32);
    largest = _mm256_max_pd(largest, _mm256_div_pd(x.n, x.d));
    largest = _mm256_max_pd(largest, _mm256_div_pd(y.n, y.d));
  }
  return largest;
}

template <typename T>
BPTE_AVX2_INLINE double largest_relative(const uint8_t* expected, const uint8_t* actual,
                                         size_t count) {
  const __m256i zero = _mm256_setzero_si256();
  Largest low = {zero, _mm256_set1_epi16(1)};
  Largest high = low;
  __m256d lanes = _mm256_setzero_pd();
  for (size_t i = 0; i < count * sizeof(T); i += 32) {
    const __m256i e = load(expected + i);
    __m256i is_zero, n, d;
    relate<T>(e, Lanes<T>::difference(e, load(actual + i)), is_zero, n, d);
    if constexpr (sizeof(T) == 1) {
      low.take(_mm256_unpacklo_epi8(n, zero), _mm256_unpacklo_epi8(d, zero));
      high.take(_mm256_unpackhi_epi8(n, zero), _mm256_unpackhi_epi8(d, zero));
    } else {
      lanes = larger(lanes, n, d);
    }
  }
  if constexpr (sizeof(T) == 1) {
    lanes = larger(larger(lanes, low.n, low.d), high.n, high.d);
  }
  double largest = 0;
  for (size_t i = 0; i < 4; ++i) {
    largest = lanes[i] > largest ? lanes[i] : largest;
  }
  return largest;
}

/// What a run of pairs adds to a block's sums.
template <typename T>
BPTE_AVX2_INLINE void measure_run(const uint8_t* expected, const uint8_t* actual, size_t count,
                                  typename Lanes<T>::Unsigned atol, double& max_relative,
                                  Sums<T>& sums) {
  using L = Lanes<T>;
  using Unsigned = typename L::Unsigned;
  const __m256i zero = _mm256_setzero_si256();
  const __m256i allowed = L::all(atol);
  __m256i max_n = zero;
  __m256i min_d = _mm256_set1_epi8(-1);
  for (size_t i = 0; i < count * sizeof(T); i += 32) {
    _mm_prefetch(reinterpret_cast<const char*>(expected + i + kAhead), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(actual + i + kAhead), _MM_HINT_T0);
    const __m256i e = load(expected + i);
    const __m256i a = load(actual + i);
    const __m256i error = L::difference(e, a);
    sums.max_error = L::higher(sums.max_error, error);
    sums.close = L::subtract(sums.close, L::equal(L::excess(error, allowed), zero));
    sums.error2.add(error);
    sums.actual2.add(L::magnitude(a));
    if constexpr (sizeof(T) == 1) {
      sums.absolute = _mm256_add_epi64(sums.absolute, _mm256_sad_epu8(error, zero));
    }
    __m256i is_zero, n, d;
    relate<T>(e, error, is_zero, n, d);
    sums.zeros = L::subtract(sums.zeros, is_zero);
    sums.expected2.add(d);  // with a 1 for each 0
    sums.relative = _mm256_add_pd(sums.relative, sum_of_fractions<T>(n, d));
    max_n = L::higher(max_n, n);
    min_d = L::lower(min_d, _mm256_or_si256(d, is_zero));
  }
  // Most runs hold no relative error larger than the largest so far. This test finds most of them.
  if (highest_of<Unsigned>(max_n) > max_relative * lowest_of<Unsigned>(min_d)) {
    const double found = largest_relative<T>(expected, actual, count);
    max_relative = found > max_relative ? found : max_relative;
  }
}

template <typename T>
BPTE_AVX2_INLINE void measure(const uint8_t* expected, const uint8_t* actual, size_t count,
                              typename Lanes<T>::Unsigned atol, BlockResult& result) {
  using Unsigned = typename Lanes<T>::Unsigned;
  Sums<T> sums = {};
  for (size_t i = 0; i < count; i += kRun<T>) {
    const size_t run = count - i < kRun<T> ? count - i : kRun<T>;
    measure_run<T>(expected + i * sizeof(T), actual + i * sizeof(T), run, atol, result.max_relative,
                   sums);
  }
  const int64_t zeros = sum_of<Unsigned>(sums.zeros);
  if constexpr (sizeof(T) == 1) {
    result.sums[kAbsolute] = static_cast<double>(sum_of<int64_t>(sums.absolute));
  } else {
    result.sums[kAbsolute] = static_cast<double>(sum_of<int32_t>(sums.error2.sums) +
                                                 (static_cast<int64_t>(count) << 15));
  }
  result.sums[kRelative] =
      sums.relative[0] + sums.relative[1] + sums.relative[2] + sums.relative[3];
  result.sums[kError2] = sums.error2.value(count);
  result.sums[kExpected2] = sums.expected2.value(count) - static_cast<double>(zeros);
  result.sums[kActual2] = sums.actual2.value(count);
  // From (a - e)^2 = a^2 - 2 e a + e^2.
  result.sums[kDot] = (result.sums[kExpected2] + result.sums[kActual2] - result.sums[kError2]) / 2;
  result.max_absolute = highest_of<Unsigned>(sums.max_error);
  result.mismatches = count - static_cast<size_t>(sum_of<Unsigned>(sums.close));
  result.relatives = count - static_cast<size_t>(zeros);
}

template <typename T>
BPTE_AVX2_INLINE void measure_equal(const uint8_t* expected, size_t count, BlockResult& result) {
  using L = Lanes<T>;
  Squares<T> expected2 = {};
  __m256i zeros = _mm256_setzero_si256();
  for (size_t i = 0; i < count * sizeof(T); i += 32) {
    const __m256i e = load(expected + i);
    zeros = L::subtract(zeros, L::equal(e, _mm256_setzero_si256()));
    expected2.add(L::magnitude(e));
  }
  result = {};
  result.sums[kExpected2] = result.sums[kActual2] = result.sums[kDot] = expected2.value(count);
  result.relatives = count - static_cast<size_t>(sum_of<typename L::Unsigned>(zeros));
}

template <typename T>
BPTE_AVX2_INLINE size_t count_outside(const uint8_t* expected, const uint8_t* actual, size_t count,
                                      double rtol, double atol) {
  size_t outside = 0;
  for (size_t i = 0; i < count; ++i) {
    T e, a;
    std::memcpy(&e, expected + i * sizeof(T), sizeof(T));
    std::memcpy(&a, actual + i * sizeof(T), sizeof(T));
    const int error = e > a ? e - a : a - e;
    outside += error <= atol + rtol * (e < 0 ? -e : e) ? 0 : 1;
  }
  return outside;
}

/// As BlockKernels::judge, of at most kBlock<T> pairs.
template <typename T>
BPTE_AVX2 bool judge(const uint8_t* expected, const uint8_t* actual, size_t count, double rtol,
                     double atol, BlockResult& result) {
  using Unsigned = typename Lanes<T>::Unsigned;
  constexpr Unsigned kMost = static_cast<Unsigned>(-1);
  if (std::memcmp(expected, actual, count * sizeof(T)) == 0) {
    measure_equal<T>(expected, count, result);
    return true;
  }
  measure<T>(expected, actual, count, atol < kMost ? static_cast<Unsigned>(atol) : kMost, result);
  if (rtol != 0 && result.mismatches != 0) {
    result.mismatches = count_outside<T>(expected, actual, count, rtol, atol);
  }
  return true;
}

}  // namespace avx2
}  // namespace internal
}  // namespace bpte
