// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/compare.h>
#include <bpte/core/crc32.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "check.h"

namespace {

using bpte::Comparison;
using bpte::NanPolicy;
using bpte::Number;
using bpte::Reason;
using bpte::ScalarType;
using bpte::Span;
using bpte::Tolerance;
using bpte::Value;
using bpte::ValueKind;
using bpte::Verdict;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr uint8_t kIdentity[bpte::kMaxRank] = {0, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};

template <typename T>
Span<const uint8_t> bytes_of(const T* data, size_t count) {
  return {reinterpret_cast<const uint8_t*>(data), count * sizeof(T)};
}

Value tensor(ScalarType type, Span<const int32_t> sizes, Span<const uint8_t> dim_order,
             Span<const uint8_t> data) {
  Value value;
  value.kind = ValueKind::kTensor;
  value.tensor = {type, sizes, dim_order, data};
  return value;
}

// A vector: rank 1.
template <typename T, size_t N>
struct Vector {
  ScalarType type;
  T data[N];
  int32_t sizes[1] = {static_cast<int32_t>(N)};

  Value value() const { return tensor(type, sizes, {kIdentity, 1}, bytes_of(data, N)); }
};

Tolerance within(double rtol, double atol) {
  Tolerance tolerance;
  tolerance.rtol = rtol;
  tolerance.atol = atol;
  return tolerance;
}

bool near(double a, double b) {
  return std::fabs(a - b) <= 1e-12 * std::fabs(b);
}

TEST_CASE("equal tensors pass with perfect statistics") {
  const Vector<float, 4> x = {ScalarType::kFloat, {1.5f, -2, 0, 4}};
  const Comparison c = bpte::compare(x.value(), x.value(), {});
  CHECK(c.verdict == Verdict::kPass);
  CHECK(c.reason == Reason::kNone);
  CHECK(c.numel == 4);
  CHECK(c.mismatches == 0);
  CHECK(c.nonfinite == 0);
  CHECK(c.max_abs_error == 0);
  CHECK(c.mean_abs_error == 0);
  CHECK(c.max_rel_error == 0);
  CHECK(c.sqnr_db == kInf);
  CHECK(c.cosine == 1);
  CHECK(c.rtol == 1.3e-6);
  CHECK(c.atol == 1e-5);
}

TEST_CASE("the statistics of a difference are exact") {
  const Vector<float, 4> e = {ScalarType::kFloat, {1, -2, 0, 4}};
  const Vector<float, 4> a = {ScalarType::kFloat, {1.5f, -2, 1, 3}};
  const Comparison c = bpte::compare(e.value(), a.value(), within(0, 0.5));
  CHECK(c.verdict == Verdict::kFail);
  CHECK(c.reason == Reason::kElements);
  CHECK(c.mismatches == 2);
  CHECK(c.first_mismatch == 2);
  CHECK(c.first_expected.kind == Number::Kind::kDouble);
  CHECK(c.first_expected.as_double == 0);
  CHECK(c.first_actual.as_double == 1);
  CHECK(c.max_abs_error == 1);
  CHECK(near(c.mean_abs_error, 2.5 / 4));
  CHECK(c.max_rel_error == 0.5);
  CHECK(near(c.mean_rel_error, (0.5 + 0 + 0.25) / 3));
  CHECK(near(c.sqnr_db, 10 * std::log10(21 / 2.25)));
  CHECK(near(c.cosine, 17.5 / std::sqrt(21.0 * 16.25)));
}

TEST_CASE("shares of outliers and floors of SQNR and cosine decide") {
  float e_data[100];
  float a_data[100];
  for (int i = 0; i < 100; ++i) {
    e_data[i] = 1;
    a_data[i] = i < 29 ? 2.0f : 1.0f;
  }
  const int32_t sizes[] = {10, 10};
  const Value e = tensor(ScalarType::kFloat, sizes, {kIdentity, 2}, bytes_of(e_data, 100));
  const Value a = tensor(ScalarType::kFloat, sizes, {kIdentity, 2}, bytes_of(a_data, 100));
  Tolerance t;
  t.max_outlier_share = 0.29;  // 0.29 * 100 < 29 in double
  CHECK(bpte::compare(e, a, t).verdict == Verdict::kPass);
  t.max_outlier_share = 0.28;
  CHECK(bpte::compare(e, a, t).reason == Reason::kElements);
  t.max_outlier_share = 1;
  t.min_sqnr_db = 5;
  CHECK(bpte::compare(e, a, t).verdict == Verdict::kPass);  // 10 log10(100/29) = 5.38
  t.min_sqnr_db = 6;
  CHECK(bpte::compare(e, a, t).reason == Reason::kSqnr);
  t.min_sqnr_db = kNan;
  t.min_cosine = 0.94;
  CHECK(bpte::compare(e, a, t).verdict == Verdict::kPass);  // 129 / sqrt(100 * 187) = 0.9433
  t.min_cosine = 0.95;
  CHECK(bpte::compare(e, a, t).reason == Reason::kCosine);
  t.min_cosine = 1;
  CHECK(bpte::compare(e, e, t).verdict == Verdict::kPass);
  t.not_compared = true;
  const Comparison c = bpte::compare(e, a, t);
  CHECK(c.verdict == Verdict::kNotCompared);
  CHECK(c.reason == Reason::kNone);
  CHECK(c.mismatches == 29);
}

TEST_CASE("NaN and infinities under each NaN policy") {
  const Vector<double, 7> e = {ScalarType::kDouble, {kNan, kInf, -kInf, kInf, 1, 2, kNan}};
  const Vector<double, 7> a = {ScalarType::kDouble, {kNan, kInf, kInf, 3, kInf, 2, 5}};
  Tolerance t = within(1, kInf);  // generous, but an infinity is still not within it
  Comparison c = bpte::compare(e.value(), a.value(), t);
  CHECK(c.mismatches == 5);
  CHECK(c.first_mismatch == 0);
  CHECK(c.nonfinite == 6);
  CHECK(c.max_abs_error == 0);
  CHECK(c.sqnr_db == kInf);
  CHECK(c.cosine == 1);
  t.nan_policy = NanPolicy::kEqual;
  c = bpte::compare(e.value(), a.value(), t);
  CHECK(c.mismatches == 4);
  CHECK(c.first_mismatch == 2);
  t.nan_policy = NanPolicy::kIgnore;
  c = bpte::compare(e.value(), a.value(), t);
  CHECK(c.mismatches == 3);
  CHECK(c.first_mismatch == 2);
  // Only an expected NaN is ignored.
  const Vector<float, 1> one = {ScalarType::kFloat, {1}};
  const Vector<float, 1> nan = {ScalarType::kFloat, {std::numeric_limits<float>::quiet_NaN()}};
  CHECK(bpte::compare(one.value(), nan.value(), t).verdict == Verdict::kFail);
  CHECK(bpte::compare(nan.value(), one.value(), t).verdict == Verdict::kPass);
}

// As schema/README.md says of infinite tolerances: infinity x 0 accepts only equal values, and a
// difference that overflows is not finite.
TEST_CASE("infinite tolerances") {
  const Vector<double, 4> zeros = {ScalarType::kDouble, {0, 0, 1, -1e308}};
  const Vector<double, 4> others = {ScalarType::kDouble, {0, 1e-300, -1e300, 1e308}};
  const double atols[] = {0.0, 1.0, kInf};
  for (const double atol : atols) {
    const Comparison c = bpte::compare(zeros.value(), others.value(), within(kInf, atol));
    CHECK(c.mismatches == 2);
    CHECK(c.first_mismatch == 1);
  }
  const Comparison c = bpte::compare(zeros.value(), others.value(), within(0, kInf));
  CHECK(c.mismatches == 1);
  CHECK(c.first_mismatch == 3);
  const Vector<int32_t, 3> counts = {ScalarType::kInt, {0, 0, 1}};
  const Vector<int32_t, 3> off = {ScalarType::kInt, {0, 1, 2147483647}};
  CHECK(bpte::compare(counts.value(), off.value(), within(kInf, 5)).mismatches == 1);
  CHECK(bpte::compare(counts.value(), off.value(), within(0, kInf)).mismatches == 0);
}

TEST_CASE("zeros of both signs are equal") {
  const Vector<float, 1> plus = {ScalarType::kFloat, {0.0f}};
  const Vector<float, 1> minus = {ScalarType::kFloat, {-0.0f}};
  const Comparison c = bpte::compare(plus.value(), minus.value(), within(0, 0));
  CHECK(c.verdict == Verdict::kPass);
  CHECK(c.sqnr_db == kInf);
  CHECK(c.cosine == 1);
}

// No difference of two integers overflows, and a tolerance in LSBs is met to the unit.
template <typename T>
void check_integer_extremes(ScalarType type) {
  constexpr T kLow = std::numeric_limits<T>::min();
  constexpr T kHigh = std::numeric_limits<T>::max();
  const Vector<T, 2> e = {type, {kLow, kHigh}};
  const Vector<T, 2> a = {type, {kHigh, kLow}};
  const double range = std::ldexp(1.0, 8 * sizeof(T)) - 1;
  Comparison c = bpte::compare(e.value(), a.value(), {});
  CHECK(c.mismatches == 2);
  CHECK(c.max_abs_error == range);
  CHECK(c.mean_abs_error == range);
  if (std::is_signed<T>::value) {
    CHECK(c.first_expected.kind == Number::Kind::kInt);
    CHECK(c.first_expected.as_int == kLow);
    CHECK(c.first_actual.as_int == static_cast<int64_t>(kHigh));
  } else {
    CHECK(c.first_expected.kind == Number::Kind::kUInt);
    CHECK(c.first_expected.as_uint == kLow);
    CHECK(c.first_actual.as_uint == static_cast<uint64_t>(kHigh));
  }
  // The double next above the difference (or equal to it), and the next one below.
  CHECK(bpte::compare(e.value(), a.value(), within(0, std::ldexp(1.0, 8 * sizeof(T)))).mismatches ==
        0);
  CHECK(bpte::compare(e.value(), a.value(), within(0, std::nextafter(range, 0.0))).mismatches == 2);
  // One unit off near the maximum, where doubles do not hold every 64-bit value.
  const Vector<T, 1> top = {type, {kHigh}};
  const Vector<T, 1> below = {type, {static_cast<T>(kHigh - 1)}};
  CHECK(bpte::compare(top.value(), below.value(), {}).mismatches == 1);
  CHECK(bpte::compare(top.value(), below.value(), {}).max_abs_error == 1);
  CHECK(bpte::compare(top.value(), below.value(), within(0, 0.999)).mismatches == 1);
  CHECK(bpte::compare(top.value(), below.value(), within(0, 1)).mismatches == 0);
}

TEST_CASE("bool compares truth") {
  const Vector<uint8_t, 3> e = {ScalarType::kBool, {0, 1, 2}};
  const Vector<uint8_t, 3> a = {ScalarType::kBool, {0, 255, 0}};
  const Comparison c = bpte::compare(e.value(), a.value(), {});
  CHECK(c.mismatches == 1);
  CHECK(c.first_mismatch == 2);
  CHECK(c.max_abs_error == 1);
  CHECK(c.first_expected.kind == Number::Kind::kUInt);
  CHECK(c.first_expected.as_uint == 1);
}

// Every value of the 16-bit types, decoded without loss.
TEST_CASE("every half and bfloat16 is decoded without loss") {
  bool exact = true;
  for (uint32_t bits = 0; bits < 0x10000 && exact; ++bits) {
    const Vector<uint16_t, 1> half = {ScalarType::kHalf, {static_cast<uint16_t>(bits)}};
    const uint32_t exponent = (bits >> 10) & 31;
    const double fraction = bits & 1023;
    double value = exponent == 31  ? (fraction == 0 ? kInf : kNan)
                   : exponent == 0 ? std::ldexp(fraction, -24)
                                   : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
    value = (bits & 0x8000) != 0 ? -value : value;
    // Against a value that nothing matches (NaN: not equal; otherwise one that differs).
    const Vector<uint16_t, 1> other = {ScalarType::kHalf,
                                       {static_cast<uint16_t>(bits == 0x3C00 ? 0x4000 : 0x3C00)}};
    const Comparison c = bpte::compare(half.value(), other.value(), within(0, 0));
    const double got = c.first_expected.as_double;
    exact = c.mismatches == 1 && (std::isnan(value) ? std::isnan(got) : got == value);
    const Vector<uint16_t, 1> brain = {ScalarType::kBFloat16, {static_cast<uint16_t>(bits)}};
    const Vector<uint16_t, 1> brain_other = {ScalarType::kBFloat16,
                                             {static_cast<uint16_t>(bits == 0x3F80 ? 0 : 0x3F80)}};
    const uint32_t wide = bits << 16;
    float single;
    std::memcpy(&single, &wide, sizeof(single));
    const Comparison b = bpte::compare(brain.value(), brain_other.value(), within(0, 0));
    const double seen = b.first_expected.as_double;
    exact = exact && b.mismatches == 1 &&
            (std::isnan(single) ? std::isnan(seen) : seen == double{single});
  }
  CHECK(exact);
  CHECK(bpte::default_tolerance(ScalarType::kHalf).rtol == 1e-3);
  CHECK(bpte::default_tolerance(ScalarType::kBFloat16).rtol == 1.6e-2);
}

// The same logical tensor in every pair of memory orders.
TEST_CASE("tensors in different memory orders compare by logical index") {
  const int32_t sizes[] = {2, 3, 4};
  constexpr size_t kCount = 24;
  const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  int16_t stored[6][kCount];
  for (int o = 0; o < 6; ++o) {
    size_t at = 0;
    int32_t i[3];
    for (i[orders[o][0]] = 0; i[orders[o][0]] < sizes[orders[o][0]]; ++i[orders[o][0]]) {
      for (i[orders[o][1]] = 0; i[orders[o][1]] < sizes[orders[o][1]]; ++i[orders[o][1]]) {
        for (i[orders[o][2]] = 0; i[orders[o][2]] < sizes[orders[o][2]]; ++i[orders[o][2]]) {
          stored[o][at++] = static_cast<int16_t>(100 * i[0] + 10 * i[1] + i[2]);
        }
      }
    }
  }
  for (int o = 0; o < 6; ++o) {
    for (int p = 0; p < 6; ++p) {
      int16_t other[kCount];
      std::memcpy(other, stored[p], sizeof(other));
      const Value e =
          tensor(ScalarType::kShort, sizes, {orders[o], 3}, bytes_of(stored[o], kCount));
      const Value a = tensor(ScalarType::kShort, sizes, {orders[p], 3}, bytes_of(other, kCount));
      CHECK(bpte::compare(e, a, {}).verdict == Verdict::kPass);
      // The first in logical order, whatever comes first in memory.
      for (int16_t& x : other) {
        if (x == 12 || x == 110 || x == 101) {
          x = static_cast<int16_t>(-x);
        }
      }
      const Comparison c = bpte::compare(e, a, {});
      CHECK(c.mismatches == 3);
      CHECK(c.first_mismatch == 6);
      CHECK(c.first_expected.as_int == 12);
      CHECK(c.first_actual.as_int == -12);
    }
  }
}

TEST_CASE("ranks from zero to one above the largest") {
  const float x = 3;
  const float y = 4;
  const Value scalar = tensor(ScalarType::kFloat, {}, {}, bytes_of(&x, 1));
  CHECK(bpte::compare(scalar, scalar, {}).numel == 1);
  CHECK(bpte::compare(scalar, tensor(ScalarType::kFloat, {}, {}, bytes_of(&y, 1)), {}).mismatches ==
        1);

  // Rank 16, ten dimensions of which have two elements; the other side holds them reversed.
  constexpr uint32_t kBits = 10;
  constexpr uint32_t kCount = 1u << kBits;
  int32_t sizes[bpte::kMaxRank];
  uint8_t reversed[bpte::kMaxRank];
  int32_t expected_data[kCount];
  int32_t actual_data[kCount];
  for (size_t d = 0; d < bpte::kMaxRank; ++d) {
    sizes[d] = d < kBits ? 2 : 1;
    reversed[d] = static_cast<uint8_t>(bpte::kMaxRank - 1 - d);
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    expected_data[i] = static_cast<int32_t>(i);
    uint32_t mirrored = 0;
    for (uint32_t bit = 0; bit < kBits; ++bit) {
      mirrored |= ((i >> bit) & 1) << (kBits - 1 - bit);
    }
    actual_data[i] = static_cast<int32_t>(mirrored);
  }
  const Value e = tensor(ScalarType::kInt, sizes, kIdentity, bytes_of(expected_data, kCount));
  const Value a = tensor(ScalarType::kInt, sizes, reversed, bytes_of(actual_data, kCount));
  CHECK(bpte::compare(e, a, {}).verdict == Verdict::kPass);
  CHECK(bpte::compare(e, a, {}).numel == kCount);

  const int32_t many[bpte::kMaxRank + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const uint8_t many_order[bpte::kMaxRank + 1] = {0, 1,  2,  3,  4,  5,  6,  7, 8,
                                                  9, 10, 11, 12, 13, 14, 15, 16};
  const Value deep = tensor(ScalarType::kFloat, many, many_order, bytes_of(&x, 1));
  CHECK(bpte::compare(deep, deep, {}).reason == Reason::kShape);
}

TEST_CASE("empty tensors pass") {
  const int32_t huge = std::numeric_limits<int32_t>::max();
  const int32_t sizes[] = {huge, huge, 0, huge};
  const Value none = tensor(ScalarType::kDouble, sizes, {kIdentity, 4}, {});
  const Comparison c = bpte::compare(none, none, {});
  CHECK(c.verdict == Verdict::kPass);
  CHECK(c.numel == 0);
  CHECK(c.sqnr_db == kInf);
  CHECK(c.cosine == 1);
  CHECK(c.mean_abs_error == 0);
  CHECK(c.mean_rel_error == 0);
}

// What differs before any element is looked at, and views that lie: against a matrix of 2 x 3.
constexpr float kMatrixData[6] = {1, 2, 3, 4, 5, 6};
constexpr int32_t kMatrixSizes[] = {2, 3};

Value floats(Span<const int32_t> sizes, Span<const uint8_t> dim_order, size_t count) {
  return tensor(ScalarType::kFloat, sizes, dim_order, bytes_of(kMatrixData, count));
}

Value matrix() {
  return floats(kMatrixSizes, {kIdentity, 2}, 6);
}

TEST_CASE("values of different kinds fail without statistics") {
  const Value good = matrix();
  CHECK(bpte::compare(good, good, {}).verdict == Verdict::kPass);
  Value number;
  number.kind = ValueKind::kDouble;
  CHECK(bpte::compare(good, number, {}).reason == Reason::kKind);
  CHECK(bpte::compare(number, good, {}).reason == Reason::kKind);
  CHECK(bpte::compare({}, {}, {}).reason == Reason::kKind);
  const Comparison c = bpte::compare(good, number, {});
  CHECK(c.verdict == Verdict::kFail);
  CHECK(c.numel == 0);
  CHECK(std::isnan(c.sqnr_db));
  CHECK(std::isnan(c.cosine));
  CHECK(std::isnan(c.max_abs_error));
}

TEST_CASE("different and unknown dtypes fail") {
  const Value good = matrix();
  Value other = good;
  other.tensor.scalar_type = ScalarType::kInt;
  CHECK(bpte::compare(good, other, {}).reason == Reason::kDtype);
  other.tensor.scalar_type = static_cast<ScalarType>(12);  // QInt8
  CHECK(bpte::compare(other, other, {}).reason == Reason::kDtype);

  Tolerance unjudged;
  unjudged.not_compared = true;
  const Comparison u = bpte::compare(good, other, unjudged);
  CHECK(u.verdict == Verdict::kNotCompared);
  CHECK(u.reason == Reason::kDtype);
}

TEST_CASE("a different shape fails") {
  const auto differs = [](const Value& another) {
    return bpte::compare(matrix(), another, {}).reason == Reason::kShape &&
           bpte::compare(another, another, {}).verdict == Verdict::kPass;
  };
  const int32_t swapped[] = {3, 2};
  const int32_t flat[] = {6};
  CHECK(differs(floats(swapped, {kIdentity, 2}, 6)));
  CHECK(differs(floats(flat, {kIdentity, 1}, 6)));
  CHECK(differs(floats({}, {}, 1)));
}

TEST_CASE("a view whose sizes or order or data disagree fails even against itself") {
  const auto shape_fails = [](const Value& bad) {
    return bpte::compare(matrix(), bad, {}).reason == Reason::kShape &&
           bpte::compare(bad, matrix(), {}).reason == Reason::kShape &&
           bpte::compare(bad, bad, {}).reason == Reason::kShape;
  };
  const Span<const int32_t> sizes = kMatrixSizes;
  const int32_t negative[] = {-2, -3};
  const int32_t huge[] = {std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::max()};
  const uint8_t twice[] = {0, 0};
  const uint8_t beyond[] = {0, 2};
  const uint8_t far[] = {0, 200};
  CHECK(shape_fails(floats(sizes, {kIdentity, 2}, 5)));
  CHECK(shape_fails(floats(sizes, {kIdentity, 1}, 6)));
  CHECK(shape_fails(floats(sizes, {}, 6)));
  CHECK(shape_fails(floats(sizes, twice, 6)));
  CHECK(shape_fails(floats(sizes, beyond, 6)));
  CHECK(shape_fails(floats(sizes, far, 6)));
  CHECK(shape_fails(floats(negative, {kIdentity, 2}, 6)));
  CHECK(shape_fails(floats(huge, {kIdentity, 2}, 6)));
  Value short_by_a_byte = matrix();
  short_by_a_byte.tensor.data = short_by_a_byte.tensor.data.subspan(0, 23);
  CHECK(shape_fails(short_by_a_byte));
}

TEST_CASE("scalars compare as tensors of one element") {
  Value e;
  Value a;
  e.kind = a.kind = ValueKind::kInt;
  e.int_value = std::numeric_limits<int64_t>::min();
  a.int_value = std::numeric_limits<int64_t>::max();
  Comparison c = bpte::compare(e, a, {});
  CHECK(c.mismatches == 1);
  CHECK(c.max_abs_error == 0x1p64);
  CHECK(c.first_expected.as_int == e.int_value);
  a.int_value = e.int_value;
  CHECK(bpte::compare(e, a, {}).verdict == Verdict::kPass);

  e.kind = a.kind = ValueKind::kDouble;
  e.double_value = 1;
  a.double_value = 1 + 1.5e-7;  // within float64's default: 1e-7 + 1e-7
  c = bpte::compare(e, a, {});
  CHECK(c.verdict == Verdict::kPass);
  CHECK(c.rtol == 1e-7);
  CHECK(c.atol == 1e-7);
  a.double_value = 1 + 2.5e-7;
  CHECK(bpte::compare(e, a, {}).verdict == Verdict::kFail);

  e.kind = a.kind = ValueKind::kBool;
  e.bool_value = true;
  CHECK(bpte::compare(e, a, {}).mismatches == 1);
  a.bool_value = true;
  CHECK(bpte::compare(e, a, {}).verdict == Verdict::kPass);
  a.kind = ValueKind::kInt;
  CHECK(bpte::compare(e, a, {}).reason == Reason::kKind);
}

// Squares may leave the range of a double; the ratios stay right.
TEST_CASE("squares beyond the range of a double keep the ratios") {
  const double scales[] = {1e-300, 1e-200, 1, 1e200, 1e300};
  for (double scale : scales) {
    const Vector<double, 3> e = {ScalarType::kDouble, {3 * scale, 4 * scale, 0}};
    const Vector<double, 3> a = {ScalarType::kDouble, {3 * scale, 4 * scale, 0.05 * scale}};
    const Comparison c = bpte::compare(e.value(), a.value(), within(0, 0));
    CHECK(std::fabs(c.sqnr_db - 40) < 1e-11);
    CHECK(near(c.cosine, 5 / std::sqrt(25.0025)));
    CHECK(near(c.mean_abs_error, 0.05 * scale / 3));
  }
  const Vector<double, 2> e = {ScalarType::kDouble, {1.5e308, 1}};
  const Vector<double, 2> a = {ScalarType::kDouble, {-1.5e308, 1}};
  const Comparison c = bpte::compare(e.value(), a.value(), within(0, 0));
  CHECK(c.max_abs_error == kInf);
  CHECK(c.max_rel_error == kInf);
  CHECK(c.mismatches == 1);
  CHECK(near(c.mean_abs_error, 1.5e308));
  CHECK(c.cosine == -1);
  CHECK(std::fabs(c.sqnr_db - 10 * std::log10(0.25)) < 1e-12);
  CHECK(bpte::compare(e.value(), a.value(), within(10, 0)).mismatches == 1);  // as torch.isclose
}

TEST_CASE("CRC-32 is as defined whether whole or in pieces") {
  uint8_t bytes[1000];
  for (size_t i = 0; i < sizeof(bytes); ++i) {
    bytes[i] = static_cast<uint8_t>(i * i + 7 * i);
  }
  const uint8_t digits[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  CHECK(bpte::crc32(digits) == 0xCBF43926u);  // the check value of the CRC catalogues
  CHECK(bpte::crc32({}) == 0);
  CHECK(bpte::crc32({}, 0x12345678u) == 0x12345678u);
  // Bit by bit from the polynomial, for every length up to 80 and 16 starts.
  bool as_defined = true;
  for (size_t start = 0; start < 16; ++start) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t size = 0; size <= 80; ++size) {
      as_defined = as_defined && bpte::crc32({bytes + start, size}) == ~crc;
      crc ^= bytes[start + size];
      for (int bit = 0; bit < 8; ++bit) {
        crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
      }
    }
  }
  CHECK(as_defined);
  const uint32_t whole = bpte::crc32(bytes);
  for (size_t cut = 0; cut <= sizeof(bytes); cut += 37) {
    const uint32_t first = bpte::crc32({bytes, cut});
    CHECK(bpte::crc32({bytes + cut, sizeof(bytes) - cut}, first) == whole);
  }
}

TEST_CASE("enumerators and dtypes have names and sizes") {
  CHECK(std::strcmp(bpte::to_string(Verdict::kNotCompared), "not_compared") == 0);
  CHECK(std::strcmp(bpte::to_string(Reason::kCosine), "cosine") == 0);
  CHECK(std::strcmp(bpte::to_string(ScalarType::kBFloat16), "bfloat16") == 0);
  CHECK(std::strcmp(bpte::to_string(static_cast<ScalarType>(99)), "unknown") == 0);
  CHECK(std::strcmp(bpte::to_string(ValueKind::kDouble), "double") == 0);
  CHECK(bpte::element_size(ScalarType::kUInt64) == 8);
  CHECK(bpte::element_size(static_cast<ScalarType>(12)) == 0);
}

TEST_CASE("int8 differences at both extremes do not overflow") {
  check_integer_extremes<int8_t>(ScalarType::kChar);
}

TEST_CASE("uint8 differences at both extremes do not overflow") {
  check_integer_extremes<uint8_t>(ScalarType::kByte);
}

TEST_CASE("int16 differences at both extremes do not overflow") {
  check_integer_extremes<int16_t>(ScalarType::kShort);
}

TEST_CASE("uint16 differences at both extremes do not overflow") {
  check_integer_extremes<uint16_t>(ScalarType::kUInt16);
}

TEST_CASE("int32 differences at both extremes do not overflow") {
  check_integer_extremes<int32_t>(ScalarType::kInt);
}

TEST_CASE("uint32 differences at both extremes do not overflow") {
  check_integer_extremes<uint32_t>(ScalarType::kUInt32);
}

TEST_CASE("int64 differences at both extremes do not overflow") {
  check_integer_extremes<int64_t>(ScalarType::kLong);
}

TEST_CASE("uint64 differences at both extremes do not overflow") {
  check_integer_extremes<uint64_t>(ScalarType::kUInt64);
}

}  // namespace
