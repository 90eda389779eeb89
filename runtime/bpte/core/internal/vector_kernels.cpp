// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/config.h>
#include <bpte/core/internal/element.h>
#include <bpte/core/internal/vector_kernels.h>

#if !BPTE_CORE_SMALL

// Uses the vector types of GCC and Clang, and loops that both turn into vector code. On x86 there
// are two sets of kernels, for SSE2 (which every x86-64 has) and for AVX2, chosen at run time. All
// of a kernel is inlined into its entry point, which alone carries the target attribute.
#if (defined(__x86_64__) || defined(__i386__)) && !defined(BPTE_CORE_NO_AVX2)
#define BPTE_HAVE_AVX2_KERNELS 1
#include <bpte/core/internal/avx2_integers.h>
#endif
#define BPTE_ALWAYS_INLINE inline __attribute__((always_inline))

namespace bpte {
namespace internal {

namespace {

// ---- decoding

template <typename Encoding, typename Stored>
using Value = decltype(Encoding::value(Stored{}));

template <typename T>
constexpr bool kIsSmall = std::is_integral_v<T> && sizeof(T) <= 2;

template <typename T>
constexpr bool kIsWide = std::is_integral_v<T> && sizeof(T) == 8;

template <typename Encoding, typename Stored>
using Gathered =
    std::conditional_t<kIsSmall<Value<Encoding, Stored>> || kIsWide<Value<Encoding, Stored>>,
                       Value<Encoding, Stored>, double>;

// The scalar type of gathered elements.
template <typename Value>
constexpr ScalarType plain_type() {
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...)                             \
  if (std::is_same_v<stored, Value> && std::is_same_v<encoding::encoded, encoding::Plain>) { \
    return ScalarType::enumerator;                                                           \
  }
  BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
}

template <typename Encoding, typename Stored>
BPTE_ALWAYS_INLINE void gather_one(const uint8_t* from, uint8_t* to) {
  Stored stored;
  std::memcpy(&stored, from, sizeof(stored));
  const Gathered<Encoding, Stored> value = Encoding::value(stored);
  std::memcpy(to, &value, sizeof(value));
}

template <typename Encoding, typename Stored>
BPTE_ALWAYS_INLINE void gather(const uint8_t* from, size_t stride, size_t count,
                               uint8_t* __restrict to) {
  constexpr size_t kStep = sizeof(Gathered<Encoding, Stored>);
  if (stride == sizeof(Stored)) {  // a constant stride: this loop becomes vector code
    for (size_t i = 0; i < count; ++i) {
      gather_one<Encoding, Stored>(from + i * sizeof(Stored), to + i * kStep);
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    gather_one<Encoding, Stored>(from + i * stride, to + i * kStep);
  }
}

// ---- lanes of doubles, for elements of every type

template <size_t kLanes>
struct Lanes {
  typedef double Double __attribute__((vector_size(8 * kLanes)));
  typedef int64_t Int __attribute__((vector_size(8 * kLanes)));
  typedef uint64_t UInt __attribute__((vector_size(8 * kLanes)));

  template <typename Vector>
  static BPTE_ALWAYS_INLINE void load(const uint8_t* from, Vector& to) {
    std::memcpy(&to, from, sizeof(to));
  }

  static BPTE_ALWAYS_INLINE void clear_sign(Double& x) {
    x = (Double)((Int)x & (Int{} + INT64_MAX));
  }

  static BPTE_ALWAYS_INLINE void raise(Double& highest, const Double& x) {
    highest = x > highest ? x : highest;
  }

  // Rounds to nearest. The bits make two doubles: 2^52 + the lower half, and 2^84 + the upper half
  // * 2^32 (+ 2^63, which turns its sign bit into a digit). One addition rounds.
  static BPTE_ALWAYS_INLINE void convert(const UInt& from, bool is_signed, Double& to) {
    const UInt low = (from & 0xFFFFFFFFu) | 0x4330000000000000u;
    const UInt high = (from >> 32) ^ (is_signed ? 0x4530000080000000u : 0x4530000000000000u);
    to = (Double)high - (is_signed ? 0x1p84 + 0x1p63 + 0x1p52 : 0x1p84 + 0x1p52) + (Double)low;
  }

  // Loads a pair's values and |actual - expected|, rounded once. T is double, or a type that
  // doubles do not hold: int64 or uint64.
  template <typename T>
  static BPTE_ALWAYS_INLINE void load_pair(const uint8_t* expected, const uint8_t* actual,
                                           Double& e, Double& a, Double& error) {
    if constexpr (std::is_same_v<T, double>) {
      load(expected, e);
      load(actual, a);
      error = a - e;
      clear_sign(error);
    } else {
      typedef T Wide __attribute__((vector_size(8 * kLanes)));
      Wide wide_e, wide_a;
      load(expected, wide_e);
      load(actual, wide_a);
      convert((UInt)wide_e, std::is_signed_v<T>, e);
      convert((UInt)wide_a, std::is_signed_v<T>, a);
      const UInt less = (UInt)(wide_a < wide_e);  // all ones where it holds
      convert((((UInt)wide_a - (UInt)wide_e) ^ less) - less, false, error);
    }
  }
};

// Sums the lanes of a vector, by subscript: if they are copied out, GCC 12 goes through memory.
template <size_t kLanes, typename Vector>
BPTE_ALWAYS_INLINE double sum(const Vector& x) {
  double total = x[0];
  for (size_t i = 1; i < kLanes; ++i) {
    total += x[i];
  }
  return total;
}

template <size_t kLanes, typename Vector>
BPTE_ALWAYS_INLINE double highest(const Vector& x) {
  double result = x[0];
  for (size_t i = 1; i < kLanes; ++i) {
    result = x[i] > result ? x[i] : result;
  }
  return result;
}

// How often comparisons held, over all lanes. A lane counts down by 1 for each.
template <size_t kLanes, typename Vector>
BPTE_ALWAYS_INLINE size_t held(const Vector& minus) {
  int64_t total = 0;
  for (size_t i = 0; i < kLanes; ++i) {
    total -= minus[i];
  }
  return static_cast<size_t>(total);
}

// Counts the integers that lie more than `atol` apart: most tolerances of integers are only that.
template <typename T, bool kSmall, size_t kLanes>
BPTE_ALWAYS_INLINE void measure(const uint8_t* expected, const uint8_t* actual, size_t count,
                                double atol, BlockResult& result) {
  using L = Lanes<kLanes>;
  using Double = typename L::Double;
  using Int = typename L::Int;
  Double absolute{}, relative{}, error2{}, expected2{}, actual2{}, dot{};
  Double max_absolute{}, max_relative{};
  Int zeros{}, close{};
  for (size_t i = 0; i < count; i += kLanes) {
    Double e, a, error;
    L::template load_pair<T>(expected + i * sizeof(T), actual + i * sizeof(T), e, a, error);
    Double magnitude = e;
    L::clear_sign(magnitude);
    const Int is_zero = (Int)(e == 0.0);
    const Double ratio = (Double)((Int)(error / magnitude) & ~is_zero);
    zeros += is_zero;
    L::raise(max_absolute, error);
    L::raise(max_relative, ratio);
    absolute += error;
    relative += ratio;
    error2 += error * error;
    expected2 += e * e;
    actual2 += a * a;
    if constexpr (kSmall) {
      close += (Int)(error <= atol);
    } else {
      dot += e * a;
    }
  }
  result.sums[kAbsolute] = sum<kLanes>(absolute);
  result.sums[kRelative] = sum<kLanes>(relative);
  result.sums[kError2] = sum<kLanes>(error2);
  result.sums[kExpected2] = sum<kLanes>(expected2);
  result.sums[kActual2] = sum<kLanes>(actual2);
  result.sums[kDot] = sum<kLanes>(dot);
  result.max_absolute = highest<kLanes>(max_absolute);
  result.max_relative = highest<kLanes>(max_relative);
  result.relatives = count - held<kLanes>(zeros);
  if constexpr (kSmall) {
    result.mismatches = count - held<kLanes>(close);
    result.sums[kDot] =
        (result.sums[kExpected2] + result.sums[kActual2] - result.sums[kError2]) / 2;
  }
}

// As measure(), for pairs that are equal. Two sums: with one, each addition would wait for the
// last.
template <typename T, size_t kLanes>
BPTE_ALWAYS_INLINE void measure_equal(const uint8_t* expected, size_t count, BlockResult& result) {
  using L = Lanes<kLanes>;
  using Double = typename L::Double;
  using Int = typename L::Int;
  Double even{}, odd{};
  Int zeros{};
  for (size_t i = 0; i < count; i += 2 * kLanes) {
    const uint8_t* const at = expected + i * sizeof(T);
    const uint8_t* const next = at + kLanes * sizeof(T);
    Double e, f, actual, error;
    L::template load_pair<T>(at, at, e, actual, error);
    L::template load_pair<T>(next, next, f, actual, error);
    zeros += (Int)(e == 0.0) + (Int)(f == 0.0);
    even += e * e;
    odd += f * f;
  }
  result = {};
  result.sums[kExpected2] = sum<kLanes>(even + odd);
  result.sums[kActual2] = result.sums[kDot] = result.sums[kExpected2];
  result.relatives = count - held<kLanes>(zeros);
}

template <typename T, size_t kLanes>
BPTE_ALWAYS_INLINE size_t count_outside(const uint8_t* expected, const uint8_t* actual,
                                        size_t count, double rtol, double atol) {
  using L = Lanes<kLanes>;
  typename L::Int close{};
  for (size_t i = 0; i < count; i += kLanes) {
    typename L::Double e, a, error;
    L::template load_pair<T>(expected + i * sizeof(T), actual + i * sizeof(T), e, a, error);
    L::clear_sign(e);
    close += (typename L::Int)(error <= atol + rtol * e);
  }
  return count - held<kLanes>(close);
}

// `T` as for load_pair(), `kSmall` if the elements were integers.
template <typename T, bool kSmall, size_t kLanes>
BPTE_ALWAYS_INLINE bool judge_lanes(const uint8_t* expected, const uint8_t* actual, size_t count,
                                    double rtol, double atol, BlockResult& result) {
  measure<T, kSmall, kLanes>(expected, actual, count, atol, result);
  if (!is_finite(result.sums[kError2] + result.sums[kExpected2] + result.sums[kActual2])) {
    return false;
  }
  if (result.max_absolute <= atol) {  // rtol then does not matter
    result.mismatches = 0;
    return true;
  }
  // A difference of 2^53 or more may have been rounded. This matters when the allowance is as
  // large.
  if (!std::is_same_v<T, double> && result.max_absolute >= 0x1p53 &&
      atol + rtol * 0x1p64 >= 0x1p53) {
    return false;
  }
  if (!kSmall || rtol != 0) {
    result.mismatches = count_outside<T, kLanes>(expected, actual, count, rtol, atol);
  }
  return true;
}

constexpr size_t kLanesBlock = 256;

// Converts elements to doubles, which hold them.
template <typename T>
BPTE_ALWAYS_INLINE void widen(const uint8_t* from, size_t count, double* __restrict to) {
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    to[i] = static_cast<double>(value);
  }
}

inline const uint8_t* bytes_of(const double* reals) {
  return reinterpret_cast<const uint8_t*>(reals);
}

template <typename T, size_t kLanes>
BPTE_ALWAYS_INLINE bool judge(const uint8_t* expected, const uint8_t* actual, size_t count,
                              double rtol, double atol, BlockResult& result) {
  const bool equal = std::memcmp(expected, actual, count * sizeof(T)) == 0;
  if constexpr (sizeof(T) == 8) {
    if (!equal) {
      return judge_lanes<T, false, kLanes>(expected, actual, count, rtol, atol, result);
    }
    measure_equal<T, kLanes>(expected, count, result);
  } else {
    alignas(32) double e[kLanesBlock];
    widen<T>(expected, count, e);
    if (!equal) {
      alignas(32) double a[kLanesBlock];
      widen<T>(actual, count, a);
      return judge_lanes<double, kIsSmall<T>, kLanes>(bytes_of(e), bytes_of(a), count, rtol, atol,
                                                      result);
    }
    measure_equal<double, kLanes>(bytes_of(e), count, result);
  }
  return is_finite(result.sums[kExpected2]);
}

// ---- the sets

struct Baseline {
  template <typename Encoding, typename Stored>
  static void gather_block(const uint8_t* from, size_t stride, size_t count, uint8_t* to) {
    gather<Encoding, Stored>(from, stride, count, to);
  }
  template <typename T>
  static bool judge_block(const uint8_t* expected, const uint8_t* actual, size_t count, double rtol,
                          double atol, BlockResult& result) {
    return judge<T, 2>(expected, actual, count, rtol, atol, result);
  }
  template <typename T>
  static constexpr size_t kCount = kLanesBlock;
};

#if BPTE_HAVE_AVX2_KERNELS

struct Avx2 {
  template <typename Encoding, typename Stored>
  BPTE_AVX2 static void gather_block(const uint8_t* from, size_t stride, size_t count,
                                     uint8_t* to) {
    gather<Encoding, Stored>(from, stride, count, to);
  }
  template <typename T>
  BPTE_AVX2 static bool judge_block(const uint8_t* expected, const uint8_t* actual, size_t count,
                                    double rtol, double atol, BlockResult& result) {
    if constexpr (kIsSmall<T>) {
      return avx2::judge<T>(expected, actual, count, rtol, atol, result);
    } else {
      return judge<T, 4>(expected, actual, count, rtol, atol, result);
    }
  }
  template <typename T>
  static constexpr size_t kCount = kIsSmall<T> ? avx2::kBlock<T> : kLanesBlock;
};

#endif

template <typename Set, typename Encoding, typename Stored>
constexpr BlockKernels make_kernels() {
  using T = Gathered<Encoding, Stored>;
  BlockKernels kernels = {Set::template kCount<T>, nullptr,
                          Set::template gather_block<Encoding, Stored>, plain_type<T>(),
                          Set::template judge_block<T>};
  if constexpr (std::is_same_v<Encoding, encoding::Plain>) {
    kernels.judge_in_place = Set::template judge_block<Stored>;
  }
  return kernels;
}

template <typename Set, typename Encoding, typename Stored>
constexpr BlockKernels kKernels = make_kernels<Set, Encoding, Stored>();

template <typename Encoding, typename Stored>
const BlockKernels& best() {
#if BPTE_HAVE_AVX2_KERNELS
  if (__builtin_cpu_supports("avx2")) {
    return kKernels<Avx2, Encoding, Stored>;
  }
#endif
  return kKernels<Baseline, Encoding, Stored>;
}

}  // namespace

const BlockKernels& block_kernels(ScalarType type) {
  switch (type) {
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...) \
  case ScalarType::enumerator:                                   \
    return best<encoding::encoded, stored>();
    BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  }
  return best<encoding::Plain, uint8_t>();
}

}  // namespace internal
}  // namespace bpte

#endif
