// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/compare.h>

#include <cstring>

namespace bpte {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool is_nan(double x) {
  return x != x;
}
bool is_finite(double x) {
  return x - x == 0;
}
double magnitude(double x) {
  return __builtin_fabs(x);
}

template <typename T>
T load_as(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

double float_from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// IEEE 754 binary16, every value of which is a binary32 as well. A subnormal (exponent 0) is given
// the exponent of the smallest normal number, which is then subtracted again: exact, and no
// subnormal ever enters the FPU, which may be set to flush them.
double float_from_half(uint32_t half) {
  constexpr uint32_t kSmallestNormal = 0x38800000u;  // 2^-14
  const uint32_t exponent_and_fraction = (half & 0x7FFFu) << 13;
  double value;
  if (exponent_and_fraction >= 0x0F800000u) {  // infinity or NaN: all exponent bits
    value = float_from_bits(exponent_and_fraction | 0x7F800000u);
  } else if (exponent_and_fraction >= 0x00800000u) {
    value = float_from_bits(exponent_and_fraction + ((127u - 15u) << 23));
  } else {
    value =
        float_from_bits(exponent_and_fraction + kSmallestNormal) - float_from_bits(kSmallestNormal);
  }
  return (half & 0x8000u) != 0 ? -value : value;
}

// One element: its value as a double, and for integers exactly, as 64 bits of two's complement.
struct Element {
  double real;
  uint64_t bits;
};

Number::Kind number_kind(ScalarType type) {
  switch (type) {
    case ScalarType::kHalf:
    case ScalarType::kFloat:
    case ScalarType::kDouble:
    case ScalarType::kBFloat16:
      return Number::Kind::kDouble;
    case ScalarType::kChar:
    case ScalarType::kShort:
    case ScalarType::kInt:
    case ScalarType::kLong:
      return Number::Kind::kInt;
    default:
      return Number::Kind::kUInt;
  }
}

Element load(ScalarType type, const uint8_t* bytes) {
  int64_t value = 0;
  switch (type) {
    case ScalarType::kHalf:
      return {float_from_half(load_as<uint16_t>(bytes)), 0};
    case ScalarType::kBFloat16:
      return {float_from_bits(uint32_t{load_as<uint16_t>(bytes)} << 16), 0};
    case ScalarType::kFloat:
      return {load_as<float>(bytes), 0};
    case ScalarType::kDouble:
      return {load_as<double>(bytes), 0};
    case ScalarType::kUInt64: {
      const uint64_t bits = load_as<uint64_t>(bytes);
      return {static_cast<double>(bits), bits};
    }
    case ScalarType::kByte:
      value = *bytes;
      break;
    case ScalarType::kBool:
      value = *bytes != 0 ? 1 : 0;
      break;
    case ScalarType::kChar:
      value = load_as<int8_t>(bytes);
      break;
    case ScalarType::kShort:
      value = load_as<int16_t>(bytes);
      break;
    case ScalarType::kUInt16:
      value = load_as<uint16_t>(bytes);
      break;
    case ScalarType::kInt:
      value = load_as<int32_t>(bytes);
      break;
    case ScalarType::kUInt32:
      value = load_as<uint32_t>(bytes);
      break;
    case ScalarType::kLong:
      value = load_as<int64_t>(bytes);
      break;
  }
  return {static_cast<double>(value), static_cast<uint64_t>(value)};
}

Number to_number(Number::Kind kind, const Element& element) {
  Number number;
  number.kind = kind;
  if (kind == Number::Kind::kDouble) {
    number.as_double = element.real;
  } else if (kind == Number::Kind::kInt) {
    number.as_int = static_cast<int64_t>(element.bits);
  } else {
    number.as_uint = element.bits;
  }
  return number;
}

// Strides in bytes of each dimension; false when the view contradicts itself or its data is shorter
// than it says. `numel` is what it says.
bool measure(const TensorView& view, size_t element_bytes, size_t (&strides)[kMaxRank],
             size_t& numel) {
  const size_t rank = view.sizes.size();
  if (rank > kMaxRank || view.dim_order.size() != rank) {
    return false;
  }
  const size_t limit = view.data.size() / element_bytes;
  bool empty = false;
  for (int32_t size : view.sizes) {
    if (size < 0) {
      return false;
    }
    empty = empty || size == 0;
  }
  numel = empty ? 0 : 1;
  if (!empty) {
    for (int32_t size : view.sizes) {
      if (static_cast<size_t>(size) > limit / numel) {
        return false;
      }
      numel *= static_cast<size_t>(size);
    }
    if (numel > limit) {
      return false;
    }
  }
  uint32_t seen = 0;
  size_t stride = element_bytes;
  for (size_t k = rank; k-- > 0;) {
    const uint32_t dimension = view.dim_order[k];
    if (dimension >= rank || (seen >> dimension & 1u) != 0) {
      return false;
    }
    seen |= 1u << dimension;
    strides[dimension] = stride;
    stride *= static_cast<size_t>(view.sizes[dimension]);  // wraps only when there is no element
  }
  return true;
}

// One loop over elements: `size` steps, so many bytes apart on either side.
struct Loop {
  size_t size;
  size_t expected_stride;
  size_t actual_stride;
};

// The loops, innermost first, that visit all elements in logical order. Neighbouring dimensions
// that both sides hold alike become one, so that two contiguous tensors take a single loop.
struct Walk {
  Loop loops[kMaxRank];
  size_t depth;
};

void plan(Span<const int32_t> sizes, size_t element_bytes, const size_t* expected_strides,
          const size_t* actual_strides, Walk& walk) {
  walk.loops[0] = {1, element_bytes, element_bytes};
  walk.depth = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    const size_t size = static_cast<size_t>(sizes[d]);
    if (size == 1) {
      continue;
    }
    Loop& inner = walk.loops[walk.depth - 1];
    if (inner.size == 1) {
      inner = {size, expected_strides[d], actual_strides[d]};
    } else if (expected_strides[d] == inner.expected_stride * inner.size &&
               actual_strides[d] == inner.actual_stride * inner.size) {
      inner.size *= size;
    } else {
      walk.loops[walk.depth++] = {size, expected_strides[d], actual_strides[d]};
    }
  }
}

enum Statistic { kAbsolute, kRelative, kError2, kExpected2, kActual2, kDot, kStatistics };

// Elements summed plainly before they go to the compensated total: bounds the rounding error by
// some 2^8 units in the last place of the sum of magnitudes, whatever the number of elements.
constexpr uint32_t kBlock = 256;

// Powers of two that values are multiplied by before they are squared; the ratios that are wanted
// do not change. 1 unless a float64's square leaves the range of a double.
struct Scales {
  double expected = 1;
  double actual = 1;
  double error = 1;
};
constexpr double kScaleUp = 0x1p600;
constexpr double kScaleDown = 0x1p-600;
constexpr double kTooSmall = 0x1p-800;

// Judges elements one by one: exact for every dtype, in any memory order.
class Judge {
 public:
  Judge(ScalarType type, double rtol, double atol, NanPolicy policy, const Scales& scales)
      : type_(type),
        kind_(number_kind(type)),
        policy_(policy),
        rtol_(rtol),
        atol_(atol),
        scales_(scales) {}

  void element(const uint8_t* expected, const uint8_t* actual) {
    const Element e = load(type_, expected);
    const Element a = load(type_, actual);
    double error;
    if (!close(e, a, error)) {
      if (mismatches == 0) {
        first_mismatch = numel;
        first_expected = to_number(kind_, e);
        first_actual = to_number(kind_, a);
      }
      ++mismatches;
    }
    ++numel;
    if (!is_finite(e.real) || !is_finite(a.real)) {
      ++nonfinite;
      return;
    }
    max_abs_error = error > max_abs_error ? error : max_abs_error;
    if (e.real != 0) {
      const double relative = error / magnitude(e.real);
      max_rel_error = relative > max_rel_error ? relative : max_rel_error;
      sums_[kRelative] += relative;
      ++relatives;
    }
    const double es = e.real * scales_.expected;
    const double as = a.real * scales_.actual;
    // Down-scaled before the subtraction, which could overflow; up-scaled after it.
    const double scaled_error = scales_.error < 1
                                    ? magnitude(a.real * scales_.error - e.real * scales_.error)
                                    : error * scales_.error;
    sums_[kAbsolute] += scaled_error;
    sums_[kError2] += scaled_error * scaled_error;
    sums_[kExpected2] += es * es;
    sums_[kActual2] += as * as;
    sums_[kDot] += es * as;
    if (++pending_ == kBlock) {
      flush();
    }
  }

  void flush() {
    for (int i = 0; i < kStatistics; ++i) {
      // Knuth's TwoSum: sum + lost is exactly total + block.
      const double block = sums_[i];
      const double sum = totals_[i] + block;
      const double part = sum - totals_[i];
      lost_[i] += (totals_[i] - (sum - part)) + (block - part);
      totals_[i] = sum;
      sums_[i] = 0;
    }
    pending_ = 0;
  }

  // After flush().
  double total(Statistic which) const {
    return is_finite(totals_[which]) ? totals_[which] + lost_[which] : totals_[which];
  }

  size_t numel = 0;
  size_t mismatches = 0;
  size_t nonfinite = 0;
  size_t relatives = 0;  // elements that have a relative error
  size_t first_mismatch = 0;
  Number first_expected;
  Number first_actual;
  double max_abs_error = 0;
  double max_rel_error = 0;

 private:
  // `error` is |actual - expected|; it means nothing when one of them is not finite.
  bool close(const Element& e, const Element& a, double& error) const {
    const double allowed = atol_ + rtol_ * magnitude(e.real);
    if (kind_ == Number::Kind::kDouble) {
      error = magnitude(a.real - e.real);
      if (is_nan(e.real) || is_nan(a.real)) {
        return is_nan(e.real) &&
               (policy_ == NanPolicy::kIgnore || (policy_ == NanPolicy::kEqual && is_nan(a.real)));
      }
      return e.real == a.real || (is_finite(error) && error <= allowed);
    }
    const bool less = kind_ == Number::Kind::kInt
                          ? static_cast<int64_t>(a.bits) < static_cast<int64_t>(e.bits)
                          : a.bits < e.bits;
    // Two's complement: the difference of any two values fits 64 bits unsigned.
    const uint64_t difference = less ? e.bits - a.bits : a.bits - e.bits;
    error = static_cast<double>(difference);
    return difference == 0 || allowed >= 0x1p64 ||
           (allowed >= 0 && difference <= static_cast<uint64_t>(allowed));
  }

  ScalarType type_;
  Number::Kind kind_;
  NanPolicy policy_;
  double rtol_;
  double atol_;
  Scales scales_;
  double sums_[kStatistics] = {};
  double totals_[kStatistics] = {};
  double lost_[kStatistics] = {};
  uint32_t pending_ = 0;
};

void visit(const Walk& walk, const uint8_t* expected, const uint8_t* actual, Judge& judge) {
  size_t index[kMaxRank] = {};
  size_t expected_offset = 0;
  size_t actual_offset = 0;
  for (;;) {
    const Loop& inner = walk.loops[0];
    size_t e = expected_offset;
    size_t a = actual_offset;
    for (size_t i = 0; i < inner.size; ++i) {
      judge.element(expected + e, actual + a);
      e += inner.expected_stride;
      a += inner.actual_stride;
    }
    size_t d = 1;
    for (; d < walk.depth; ++d) {
      const Loop& loop = walk.loops[d];
      expected_offset += loop.expected_stride;
      actual_offset += loop.actual_stride;
      if (++index[d] < loop.size) {
        break;
      }
      expected_offset -= loop.expected_stride * loop.size;
      actual_offset -= loop.actual_stride * loop.size;
      index[d] = 0;
    }
    if (d == walk.depth) {
      return;
    }
  }
}

// What to multiply by in another pass, given a sum of squares that may have left the range of a
// double at either end. After it no sum of up to 2^70 squares does, and none is zero wrongly.
double better_scale(double sum_of_squares) {
  if (!is_finite(sum_of_squares)) {
    return kScaleDown;
  }
  return sum_of_squares < kTooSmall ? kScaleUp : 1;
}

// log2 of a finite number of at least 2^-1000, within some 1e-15: exponent and fraction from the
// bits, the fraction's logarithm by the series of atanh. Spares the targets libm's.
double log2_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  // The fraction into [sqrt(1/2), sqrt(2)).
  constexpr uint64_t kSqrtHalf = 0x3FE6A09E667F3BCDu;
  const uint64_t steps = (bits - kSqrtHalf + (uint64_t{1024} << 52)) >> 52;
  const double exponent = static_cast<double>(static_cast<int32_t>(steps) - 1024);
  bits -= (steps - 1024) << 52;
  double fraction;
  std::memcpy(&fraction, &bits, sizeof(fraction));
  const double t = (fraction - 1) / (fraction + 1);  // |t| < 0.172
  double series = 0;
  for (int k = 21; k > 0; k -= 2) {
    series = series * t * t + 1.0 / k;
  }
  constexpr double kTwoOverLn2 = 2.8853900817779268;
  return exponent + kTwoOverLn2 * t * series;
}

constexpr double kDecibelsPerOctave = 3.0102999566398120;  // 10 log10(2)

double log2_of_scale(double scale) {
  return scale > 1 ? 600 : scale < 1 ? -600 : 0;
}

void compare_elements(const TensorView& expected, const TensorView& actual,
                      const Tolerance& tolerance, Comparison& out) {
  out.reason = Reason::kDtype;
  const size_t element_bytes = element_size(expected.scalar_type);
  if (element_bytes == 0 || actual.scalar_type != expected.scalar_type) {
    return;
  }
  out.reason = Reason::kShape;
  size_t expected_strides[kMaxRank];
  size_t actual_strides[kMaxRank];
  size_t numel = 0;
  size_t actual_numel = 0;
  if (!measure(expected, element_bytes, expected_strides, numel) ||
      !measure(actual, element_bytes, actual_strides, actual_numel) ||
      expected.sizes.size() != actual.sizes.size()) {
    return;
  }
  for (size_t d = 0; d < expected.sizes.size(); ++d) {
    if (expected.sizes[d] != actual.sizes[d]) {
      return;
    }
  }

  const Tolerance fallback = default_tolerance(expected.scalar_type);
  out.rtol = is_nan(tolerance.rtol) ? fallback.rtol : tolerance.rtol;
  out.atol = is_nan(tolerance.atol) ? fallback.atol : tolerance.atol;

  Walk walk;
  plan(expected.sizes, element_bytes, expected_strides, actual_strides, walk);
  Scales scales;
  for (bool again = false;; again = true) {
    Judge judge(expected.scalar_type, out.rtol, out.atol, tolerance.nan_policy, scales);
    if (numel != 0) {
      visit(walk, expected.data.data(), actual.data.data(), judge);
    }
    judge.flush();
    const double error2 = judge.total(kError2);
    const double expected2 = judge.total(kExpected2);
    const double actual2 = judge.total(kActual2);
    if (!again && expected.scalar_type == ScalarType::kDouble) {
      const Scales better = {better_scale(expected2), better_scale(actual2), better_scale(error2)};
      if (better.expected != 1 || better.actual != 1 || better.error != 1) {
        scales = better;
        continue;
      }
    }

    const double finite = static_cast<double>(judge.numel - judge.nonfinite);
    out.reason = Reason::kNone;
    out.numel = judge.numel;
    out.mismatches = judge.mismatches;
    out.nonfinite = judge.nonfinite;
    out.first_mismatch = judge.first_mismatch;
    out.first_expected = judge.first_expected;
    out.first_actual = judge.first_actual;
    out.max_abs_error = judge.max_abs_error;
    out.mean_abs_error = finite == 0 ? 0 : judge.total(kAbsolute) / finite / scales.error;
    out.max_rel_error = judge.max_rel_error;
    out.mean_rel_error =
        judge.relatives == 0 ? 0 : judge.total(kRelative) / static_cast<double>(judge.relatives);
    out.sqnr_db = kInfinity;
    if (error2 != 0) {
      const double octaves = log2_of(expected2) - log2_of(error2) -
                             2 * (log2_of_scale(scales.expected) - log2_of_scale(scales.error));
      out.sqnr_db = expected2 == 0 ? -kInfinity : kDecibelsPerOctave * octaves;
    }
    out.cosine = 1;  // exactly, when no element differs
    if (error2 != 0) {
      out.cosine = expected2 == 0 || actual2 == 0
                       ? 0
                       : judge.total(kDot) / (__builtin_sqrt(expected2) * __builtin_sqrt(actual2));
      out.cosine = out.cosine > 1 ? 1 : out.cosine < -1 ? -1 : out.cosine;
    }
    return;
  }
}

// A scalar is a tensor of rank 0 that lies in the Value.
TensorView as_tensor(const Value& value) {
  if (value.kind == ValueKind::kTensor) {
    return value.tensor;
  }
  TensorView view;
  if (value.kind == ValueKind::kInt) {
    view.scalar_type = ScalarType::kLong;
    view.data = {reinterpret_cast<const uint8_t*>(&value.int_value), sizeof(value.int_value)};
  } else if (value.kind == ValueKind::kBool) {
    view.scalar_type = ScalarType::kBool;
    view.data = {reinterpret_cast<const uint8_t*>(&value.bool_value), sizeof(value.bool_value)};
  } else {
    view.scalar_type = ScalarType::kDouble;
    view.data = {reinterpret_cast<const uint8_t*>(&value.double_value), sizeof(value.double_value)};
  }
  return view;
}

}  // namespace

Tolerance default_tolerance(ScalarType type) {
  Tolerance tolerance;
  tolerance.rtol = 0;
  tolerance.atol = 0;
  switch (type) {
    case ScalarType::kHalf:
      tolerance.rtol = 1e-3;
      tolerance.atol = 1e-5;
      break;
    case ScalarType::kBFloat16:
      tolerance.rtol = 1.6e-2;
      tolerance.atol = 1e-5;
      break;
    case ScalarType::kFloat:
      tolerance.rtol = 1.3e-6;
      tolerance.atol = 1e-5;
      break;
    case ScalarType::kDouble:
      tolerance.rtol = 1e-7;
      tolerance.atol = 1e-7;
      break;
    default:
      break;
  }
  return tolerance;
}

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kNotCompared:
      return "not_compared";
  }
  return "unknown";
}

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kKind:
      return "kind";
    case Reason::kDtype:
      return "dtype";
    case Reason::kShape:
      return "shape";
    case Reason::kElements:
      return "elements";
    case Reason::kSqnr:
      return "sqnr";
    case Reason::kCosine:
      return "cosine";
  }
  return "unknown";
}

Comparison compare(const Value& expected, const Value& actual, const Tolerance& tolerance) {
  Comparison out;
  out.max_abs_error = out.mean_abs_error = out.max_rel_error = out.mean_rel_error = kNan;
  out.sqnr_db = out.cosine = kNan;
  out.rtol = tolerance.rtol;
  out.atol = tolerance.atol;
  if (expected.kind != actual.kind || expected.kind == ValueKind::kNone) {
    out.reason = Reason::kKind;
  } else {
    compare_elements(as_tensor(expected), as_tensor(actual), tolerance, out);
  }
  if (tolerance.not_compared) {
    out.verdict = Verdict::kNotCompared;
    return out;
  }
  if (out.reason == Reason::kNone) {
    // Divided rather than multiplied: 29 of 100 is then no more than a share of 0.29.
    if (out.mismatches != 0 &&
        !(static_cast<double>(out.mismatches) / static_cast<double>(out.numel) <=
          tolerance.max_outlier_share)) {
      out.reason = Reason::kElements;
    } else if (out.sqnr_db < tolerance.min_sqnr_db) {
      out.reason = Reason::kSqnr;
    } else if (out.cosine < tolerance.min_cosine) {
      out.reason = Reason::kCosine;
    }
  }
  out.verdict = out.reason == Reason::kNone ? Verdict::kPass : Verdict::kFail;
  return out;
}

}  // namespace bpte
