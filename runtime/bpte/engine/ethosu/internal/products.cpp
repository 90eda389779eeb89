// SPDX-License-Identifier: BSD-3-Clause
#include "products.h"

#include "bytes.h"

// Where the C library picks a function by the processor, each of these is compiled twice. Not under
// sanitizers, whose checks would run before they are ready.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__clang__)
#define BPTE_VECTOR_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define BPTE_VECTOR_CLONES
#endif

namespace bpte::ethosu {
namespace {

// A product of this many weights and elements stays below 2^31: both are below 256.
constexpr int32_t kExactRun = 32768;

int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

/// Four rows at once, so that the patch is read once for all. `count` is at most kExactRun.
BPTE_VECTOR_CLONES void dot_four(const int16_t* rows, ptrdiff_t stride, const int16_t* patch,
                                 int32_t count, int32_t* sums) {
  const int16_t* const a = rows;
  const int16_t* const b = rows + stride;
  const int16_t* const c = b + stride;
  const int16_t* const d = c + stride;
  int32_t sum_a = 0;
  int32_t sum_b = 0;
  int32_t sum_c = 0;
  int32_t sum_d = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value = patch[i];
    sum_a += a[i] * value;
    sum_b += b[i] * value;
    sum_c += c[i] * value;
    sum_d += d[i] * value;
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

BPTE_VECTOR_CLONES int32_t dot_one(const int16_t* row, const int16_t* patch, int32_t count) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += int32_t{row[i]} * int32_t{patch[i]};
  return sum;
}

BPTE_VECTOR_CLONES int64_t dot_wide(const int16_t* row, const int16_t* patch, int32_t count) {
  int64_t sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t product = int32_t{row[i]} * int32_t{patch[i]};
    sum += product;
  }
  return sum;
}

}  // namespace

void dot_rows(const int16_t* rows, ptrdiff_t stride, const int16_t* patch, int32_t count,
              int32_t channels, bool wide, int64_t* sums) {
  for (int32_t k = 0; k < channels; ++k) sums[k] = 0;
  if (wide) {
    for (int32_t k = 0; k < channels; ++k) sums[k] = dot_wide(rows + k * stride, patch, count);
    return;
  }
  for (int32_t at = 0; at < count; at += kExactRun) {
    const int32_t part = smaller(count - at, kExactRun);
    int32_t k = 0;
    for (; k + 4 <= channels; k += 4) {
      int32_t four[4];
      dot_four(rows + k * stride + at, stride, patch + at, part, four);
      for (int32_t j = 0; j < 4; ++j) sums[k + j] += four[j];
    }
    for (; k < channels; ++k) sums[k] += dot_one(rows + k * stride + at, patch + at, part);
  }
}

BPTE_VECTOR_CLONES void dot_columns(const int16_t* weights, ptrdiff_t weights_stride,
                                    const int16_t* patch, ptrdiff_t patch_stride, int32_t taps,
                                    int32_t channels, int64_t* sums) {
  for (int32_t k = 0; k < channels; ++k) sums[k] = 0;
  for (int32_t tap = 0; tap < taps; ++tap) {
    for (int32_t k = 0; k < channels; ++k) {
      const int32_t product = int32_t{weights[k]} * int32_t{patch[k]};
      sums[k] += product;
    }
    weights += weights_stride;
    patch += patch_stride;
  }
}

template <typename T>
void subtract(int16_t* to, const uint8_t* from, int32_t count, int32_t zero) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value = load<T>(from + static_cast<size_t>(i) * sizeof(T));
    to[i] = static_cast<int16_t>(value - zero);
  }
}

template void subtract<int8_t>(int16_t*, const uint8_t*, int32_t, int32_t);
template void subtract<uint8_t>(int16_t*, const uint8_t*, int32_t, int32_t);
template void subtract<int16_t>(int16_t*, const uint8_t*, int32_t, int32_t);

}  // namespace bpte::ethosu
