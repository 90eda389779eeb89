// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstring>

// Judging needs IEEE 754 arithmetic as written: a NaN must differ from everything, an infinity must
// stay one, and a sum must be added in its order. A compiler that was told to ignore this would
// pass wrong outputs, so the core refuses to be compiled by it. Clang has macros for -ffast-math
// and -ffinite-math-only only, GCC for each flag. The runner's self-test finds what no macro
// reports.
//
// BPTE_ALLOW_FAST_MATH_FOR_TESTS switches the refusal off, for the tests of that self-test. A core
// built with it must judge nothing that counts.
#ifndef BPTE_ALLOW_FAST_MATH_FOR_TESTS
#if defined(__FAST_MATH__)
#error "bpte's core judges wrongly under -ffast-math or -Ofast: compile it with -fno-fast-math"
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "bpte's core misses NaN under -ffinite-math-only: compile it with -fno-finite-math-only"
#elif defined(__ASSOCIATIVE_MATH__)
#error "bpte's sums go wrong under -fassociative-math: compile it with -fno-associative-math"
#elif defined(__RECIPROCAL_MATH__)
#error "bpte's errors go wrong under -freciprocal-math: compile it with -fno-reciprocal-math"
#elif defined(__NO_SIGNED_ZEROS__)
#error "bpte's core loses the sign of 0 under -fno-signed-zeros: compile it with -fsigned-zeros"
#endif
#endif

namespace bpte {
namespace internal {

// These look at the bits, so that compiler flags for arithmetic cannot change the answer.

inline uint64_t bits_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

inline constexpr uint32_t kHighExponent = 0x7FF00000u;  // of a double's upper 32 bits

inline bool is_finite(double x) {
  return (static_cast<uint32_t>(bits_of(x) >> 32) & kHighExponent) != kHighExponent;
}

#ifdef __OPTIMIZE_SIZE__
[[gnu::noinline]]
#endif
inline bool
is_nan(double x) {
  return (bits_of(x) << 1) > (uint64_t{kHighExponent} << 33);
}

}  // namespace internal
}  // namespace bpte
