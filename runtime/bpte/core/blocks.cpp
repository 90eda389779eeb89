// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/config.h>
#include <bpte/core/internal/blocks.h>
#include <bpte/core/internal/decode.h>

#include <cstring>

#if !BPTE_CORE_SMALL

// GCC's and Clang's vector types: the compiler turns them into what the target has. On x86 there
// are two sets, for SSE2 (which every x86-64 has) and for AVX2, chosen at run time. All of it is
// inlined into the two entry points of a set, which alone carry the target attribute.
#if (defined(__x86_64__) || defined(__i386__)) && !defined(BPTE_CORE_NO_AVX2)
#define BPTE_HAVE_AVX2_KERNELS 1
#endif
#define BPTE_ALWAYS_INLINE inline __attribute__((always_inline))

namespace bpte {
namespace internal {

namespace {

struct DecodeHalf {
  using Stored = uint16_t;
  static BPTE_ALWAYS_INLINE float decode(Stored bits) { return float_from_half(bits); }
};

struct DecodeBFloat16 {
  using Stored = uint16_t;
  static BPTE_ALWAYS_INLINE float decode(Stored bits) { return float_from_bfloat16(bits); }
};

struct DecodeBool {
  using Stored = uint8_t;
  static BPTE_ALWAYS_INLINE int32_t decode(Stored byte) { return byte != 0 ? 1 : 0; }
};

template <typename T>
struct DecodePlain {
  using Stored = T;
  static BPTE_ALWAYS_INLINE T decode(T value) { return value; }
};

template <typename Decoder>
BPTE_ALWAYS_INLINE void gather_as(const uint8_t* from, size_t stride, size_t count,
                                  double* __restrict to) {
  using Stored = typename Decoder::Stored;
  if (stride == sizeof(Stored)) {  // said with a constant: this loop becomes vector code
    for (size_t i = 0; i < count; ++i) {
      Stored stored;
      std::memcpy(&stored, from + i * sizeof(Stored), sizeof(Stored));
      to[i] = static_cast<double>(Decoder::decode(stored));
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, from + i * stride, sizeof(Stored));
    to[i] = static_cast<double>(Decoder::decode(stored));
  }
}

BPTE_ALWAYS_INLINE void gather(ScalarType type, const uint8_t* from, size_t stride, size_t count,
                               double* to) {
  switch (type) {
    case ScalarType::kByte:
      return gather_as<DecodePlain<uint8_t>>(from, stride, count, to);
    case ScalarType::kChar:
      return gather_as<DecodePlain<int8_t>>(from, stride, count, to);
    case ScalarType::kShort:
      return gather_as<DecodePlain<int16_t>>(from, stride, count, to);
    case ScalarType::kInt:
      return gather_as<DecodePlain<int32_t>>(from, stride, count, to);
    case ScalarType::kHalf:
      return gather_as<DecodeHalf>(from, stride, count, to);
    case ScalarType::kFloat:
      return gather_as<DecodePlain<float>>(from, stride, count, to);
    case ScalarType::kDouble:
      return gather_as<DecodePlain<double>>(from, stride, count, to);
    case ScalarType::kBool:
      return gather_as<DecodeBool>(from, stride, count, to);
    case ScalarType::kBFloat16:
      return gather_as<DecodeBFloat16>(from, stride, count, to);
    case ScalarType::kUInt16:
      return gather_as<DecodePlain<uint16_t>>(from, stride, count, to);
    case ScalarType::kUInt32:
      return gather_as<DecodePlain<uint32_t>>(from, stride, count, to);
    case ScalarType::kLong:
    case ScalarType::kUInt64:
      return;
  }
}

template <size_t kLanes>
struct Lanes {
  typedef double Double __attribute__((vector_size(8 * kLanes)));
  typedef int64_t Int __attribute__((vector_size(8 * kLanes)));

  static BPTE_ALWAYS_INLINE void load(const double* from, Double& to) {
    std::memcpy(&to, from, sizeof(to));
  }
  static BPTE_ALWAYS_INLINE void clear_sign(Double& x) {
    x = (Double)((Int)x & (Int{} + INT64_MAX));
  }
  static BPTE_ALWAYS_INLINE void raise(Double& highest, const Double& x) {
    highest = x > highest ? x : highest;
  }
};

// Across the lanes of a vector. By subscript: copied out, GCC 12 takes a detour through memory.
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

// How many lanes a comparison held in, summed over several: each is then minus their number.
template <size_t kLanes, typename Vector>
BPTE_ALWAYS_INLINE size_t held(const Vector& minus) {
  int64_t total = 0;
  for (size_t i = 0; i < kLanes; ++i) {
    total -= minus[i];
  }
  return static_cast<size_t>(total);
}

template <size_t kLanes>
BPTE_ALWAYS_INLINE void judge(const double* expected, const double* actual, size_t count,
                              double rtol, double atol, BlockResult& result) {
  using L = Lanes<kLanes>;
  using Double = typename L::Double;
  using Int = typename L::Int;
  Double absolute{}, relative{}, error2{}, expected2{}, actual2{}, dot{};
  Double max_absolute{}, max_relative{};
  Int zeros{};
  for (size_t i = 0; i < count; i += kLanes) {
    Double e;
    Double a;
    L::load(expected + i, e);
    L::load(actual + i, a);
    Double error = a - e;
    L::clear_sign(error);
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
    dot += e * a;
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
  result.mismatches = 0;
  if (result.max_absolute <= atol) {  // then rtol cannot matter
    return;
  }
  Int close{};
  for (size_t i = 0; i < count; i += kLanes) {
    Double e;
    Double error;
    L::load(expected + i, e);
    L::load(actual + i, error);
    error -= e;
    L::clear_sign(error);
    L::clear_sign(e);
    close += (Int)(error <= atol + rtol * e);
  }
  result.mismatches = count - held<kLanes>(close);
}

void gather_baseline(ScalarType type, const uint8_t* from, size_t stride, size_t count,
                     double* to) {
  gather(type, from, stride, count, to);
}

void judge_baseline(const double* expected, const double* actual, size_t count, double rtol,
                    double atol, BlockResult& result) {
  judge<2>(expected, actual, count, rtol, atol, result);
}

constexpr BlockKernels kBaseline = {gather_baseline, judge_baseline};

#if BPTE_HAVE_AVX2_KERNELS

__attribute__((target("avx2"))) void gather_avx2(ScalarType type, const uint8_t* from,
                                                 size_t stride, size_t count, double* to) {
  gather(type, from, stride, count, to);
}

__attribute__((target("avx2"))) void judge_avx2(const double* expected, const double* actual,
                                                size_t count, double rtol, double atol,
                                                BlockResult& result) {
  judge<4>(expected, actual, count, rtol, atol, result);
}

constexpr BlockKernels kAvx2 = {gather_avx2, judge_avx2};

#endif

}  // namespace

const BlockKernels& block_kernels() {
#if BPTE_HAVE_AVX2_KERNELS
  if (__builtin_cpu_supports("avx2")) {
    return kAvx2;
  }
#endif
  return kBaseline;
}

}  // namespace internal
}  // namespace bpte

#endif
