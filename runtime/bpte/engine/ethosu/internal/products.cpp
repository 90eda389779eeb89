// SPDX-License-Identifier: BSD-3-Clause
#include "products.h"

#include "bytes.h"

namespace bpte::ethosu {
namespace {

// So many products of weights and elements stay below 2^31: both are below 256.
constexpr int32_t kExactPairs = 16384;

/// Four channels at once, so that the patch is read once for all.
template <typename Sum>
void add_products(const int16_t* weights, const int16_t* patch, int32_t pairs, int64_t* sums) {
  Sum a = 0;
  Sum b = 0;
  Sum c = 0;
  Sum d = 0;
  for (int32_t p = 0; p < pairs; ++p) {
    const int32_t first = patch[0];
    const int32_t second = patch[1];
    a += Sum{weights[0] * first} + Sum{weights[1] * second};
    b += Sum{weights[2] * first} + Sum{weights[3] * second};
    c += Sum{weights[4] * first} + Sum{weights[5] * second};
    d += Sum{weights[6] * first} + Sum{weights[7] * second};
    weights += ptrdiff_t{2} * kGroup;
    patch += 2;
  }
  sums[0] += a;
  sums[1] += b;
  sums[2] += c;
  sums[3] += d;
}

}  // namespace

void dot_group(const int16_t* weights, const int16_t* patch, int32_t pairs, bool wide,
               int64_t* sums) {
  for (int32_t k = 0; k < kGroup; ++k) sums[k] = 0;
  const auto add = wide ? add_products<int64_t> : add_products<int32_t>;
  while (pairs > 0) {
    const int32_t part = pairs < kExactPairs ? pairs : kExactPairs;
    for (int32_t k = 0; k < kGroup; k += 4) add(weights + ptrdiff_t{2} * k, patch, part, sums + k);
    pairs -= part;
    patch += ptrdiff_t{2} * part;
    weights += ptrdiff_t{2} * part * kGroup;
  }
}

void dot_taps(const int16_t* weights, const int16_t* patch, ptrdiff_t stride, int32_t taps,
              int64_t* sums) {
  for (int32_t k = 0; k < kGroup; ++k) sums[k] = 0;
  for (int32_t tap = 0; tap < taps; ++tap) {
    for (int32_t k = 0; k < kGroup; ++k) {
      const int32_t product = weights[k] * patch[k];
      sums[k] += product;
    }
    weights += stride;
    patch += stride;
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
