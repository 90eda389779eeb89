// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/compare.h>
#include <bpte/core/config.h>
#include <bpte/core/internal/blocks.h>
#include <bpte/core/internal/decode.h>

#include <cstring>

// Two ways to the same answer. Element by element, for every dtype and every value: all that a
// target with little flash has (BPTE_CORE_SMALL). Elsewhere, most elements go block by block
// through internal/blocks.h, and only the blocks that it cannot do come back.

namespace bpte {

namespace {

using internal::kAbsolute;
using internal::kActual2;
using internal::kBlock;
using internal::kDot;
using internal::kError2;
using internal::kExpected2;
using internal::kRelative;
using internal::kSums;

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

// One element: its value as a double, and for integers exactly, as 64 bits of two's complement.
struct Element {
  double real;
  uint64_t bits;
};

constexpr uint32_t bit(ScalarType type) {
  return 1u << static_cast<unsigned>(type);
}

// Of a type that a bundle carries; all are below 32.
Number::Kind number_kind(ScalarType type) {
  constexpr uint32_t kReal = bit(ScalarType::kHalf) | bit(ScalarType::kFloat) |
                             bit(ScalarType::kDouble) | bit(ScalarType::kBFloat16);
  constexpr uint32_t kSigned = bit(ScalarType::kChar) | bit(ScalarType::kShort) |
                               bit(ScalarType::kInt) | bit(ScalarType::kLong);
  return (bit(type) & kReal) != 0     ? Number::Kind::kDouble
         : (bit(type) & kSigned) != 0 ? Number::Kind::kInt
                                      : Number::Kind::kUInt;
}

Element load(ScalarType type, const uint8_t* bytes) {
  int64_t value = 0;
  switch (type) {
    case ScalarType::kHalf:
      return {internal::float_from_half(load_as<uint16_t>(bytes)), 0};
    case ScalarType::kBFloat16:
      return {internal::float_from_bfloat16(load_as<uint16_t>(bytes)), 0};
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

// Fills in a Number that holds nothing yet, or one of the same kind. Out of line, because it is
// rare.
[[gnu::noinline]] void set_number(Number& number, Number::Kind kind, const Element& element) {
  number.kind = kind;
  if (kind == Number::Kind::kDouble) {
    number.as_double = element.real;
  } else if (kind == Number::Kind::kInt) {
    number.as_int = static_cast<int64_t>(element.bits);
  } else {
    number.as_uint = element.bits;
  }
}

// One loop over elements: `size` steps, so many bytes apart on either side.
struct Loop {
  size_t size;
  size_t strides[2];  // of the expected tensor and of the actual one
  size_t index;       // where visit() is
};

// Loops, outermost first, that visit elements in the order of the dimensions: loops[first] up to
// loops[last].
struct Walk {
  Loop loops[kMaxRank + 1];
  size_t first;
  size_t last;
};

// Fills in the loops' sizes and the strides of one side; false when the view contradicts itself or
// its data is shorter than it says. `numel` is what it says.
bool measure(const TensorView& view, size_t element_bytes, size_t side, Walk& walk, size_t& numel) {
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
    empty |= size == 0;
  }
  uint32_t seen = 0;
  size_t count = 1;
  for (size_t k = rank; k-- > 0;) {
    const uint32_t dimension = view.dim_order[k];
    if (dimension >= rank || (seen >> dimension & 1u) != 0) {
      return false;
    }
    seen |= 1u << dimension;
    const size_t size = static_cast<size_t>(view.sizes[dimension]);
    walk.loops[dimension].size = size;
    walk.loops[dimension].strides[side] = count * element_bytes;
    if (!empty) {
      if (size > limit / count) {
        return false;
      }
      count *= size;
    }
  }
  numel = empty ? 0 : count;
  return numel <= limit;
}

// Neighbouring dimensions that both sides hold alike become one loop, so that two contiguous
// tensors take a single one. In place, from the innermost outwards.
void merge(size_t rank, size_t element_bytes, Walk& walk) {
  Loop* loop = &walk.loops[kMaxRank];
  *loop = {1, {element_bytes, element_bytes}, 0};
  for (size_t d = rank; d-- > 0;) {
    const Loop outer = walk.loops[d];
    if (outer.size == 1) {
      continue;
    }
    if (loop->size != 1) {
      if (outer.strides[0] == loop->strides[0] * loop->size &&
          outer.strides[1] == loop->strides[1] * loop->size) {
        loop->size *= outer.size;
        continue;
      }
      --loop;
    }
    *loop = outer;
  }
  walk.first = static_cast<size_t>(loop - walk.loops);
  walk.last = kMaxRank;
}

// Calls row(expected_offset, actual_offset, innermost loop) for every run of the innermost loop, as
// long as it returns true. Offsets are in bytes.
template <typename Row>
void visit(Walk& walk, Row&& row) {
  for (size_t d = walk.first; d < walk.last; ++d) {
    walk.loops[d].index = 0;
  }
  size_t offsets[2] = {0, 0};
  while (row(offsets[0], offsets[1], walk.loops[walk.last])) {
    size_t d = walk.last;
    for (;;) {
      if (d == walk.first) {
        return;
      }
      Loop& loop = walk.loops[--d];
      offsets[0] += loop.strides[0];
      offsets[1] += loop.strides[1];
      if (++loop.index < loop.size) {
        break;
      }
      offsets[0] -= loop.strides[0] * loop.size;
      offsets[1] -= loop.strides[1] * loop.size;
      loop.index = 0;
    }
  }
}

// Powers of two that values are multiplied by before they are squared, for each of the sums of
// squares; the ratios that are wanted do not change. 1 unless a float64's square leaves the range
// of a double.
constexpr size_t kSquares = 3;
static_assert(kExpected2 == kError2 + 1 && kActual2 == kError2 + 2, "");
using Scales = double[kSquares];
constexpr size_t kOfError = kError2 - kError2;
constexpr size_t kOfExpected = kExpected2 - kError2;
constexpr size_t kOfActual = kActual2 - kError2;
constexpr double kScaleUp = 0x1p600;
constexpr double kScaleDown = 0x1p-600;
constexpr double kTooSmall = 0x1p-800;

// What to multiply by in another pass, given sums of squares that may have left the range of a
// double at either end; whether another pass is needed. `some`: that a term may not be zero. After
// it no sum of up to 2^70 squares leaves the range, and none is zero wrongly.
bool choose(Scales& scales, const double* sums_of_squares, bool some) {
  bool again = false;
  for (size_t i = 0; i < kSquares; ++i) {
    const bool small = sums_of_squares[i] < kTooSmall && some;
    if (small || !is_finite(sums_of_squares[i])) {
      scales[i] = small ? kScaleUp : kScaleDown;
      again = true;
    }
  }
  return again;
}

// Judges pairs one by one, in the order in which they come, and gathers the evidence.
class Judge {
 public:
  Judge(ScalarType type, const Tolerance& tolerance, const Scales& scales, Comparison& out)
      : type_(type),
        kind_(number_kind(type)),
        policy_(tolerance.nan_policy),
        scales_(scales),
        out_(out) {
    out.max_abs_error = out.max_rel_error = 0;
  }

  void element(const uint8_t* expected, const uint8_t* actual) {
    pair(load(type_, expected), load(type_, actual));
  }

  void pair(const Element& e, const Element& a) {
    double error;
    if (!close(e, a, error)) {
      if (mismatches_ == 0) {
        found(numel_, e, a);
      }
      ++mismatches_;
    }
    ++numel_;
    if (!is_finite(e.real) || !is_finite(a.real)) {
      ++nonfinite_;
      return;
    }
    out_.max_abs_error = error > out_.max_abs_error ? error : out_.max_abs_error;
    if (e.real != 0) {
      const double relative = error / magnitude(e.real);
      out_.max_rel_error = relative > out_.max_rel_error ? relative : out_.max_rel_error;
      sums_.block[kRelative] += relative;
      ++relatives_;
    }
    const double es = e.real * scales_[kOfExpected];
    const double as = a.real * scales_[kOfActual];
    // Scaled down before the subtraction, which could overflow; scaled up after it.
    const double scaled_error =
        scales_[kOfError] < 1 ? magnitude(a.real * scales_[kOfError] - e.real * scales_[kOfError])
                              : error * scales_[kOfError];
    sums_.block[kAbsolute] += scaled_error;
    sums_.block[kError2] += scaled_error * scaled_error;
    sums_.block[kExpected2] += es * es;
    sums_.block[kActual2] += as * as;
    sums_.block[kDot] += es * as;
    if (++pending_ == kBlock) {
      add(sums_.block);
      pending_ = 0;
    }
  }

  // `error` is |actual - expected|; it means nothing when one of them is not finite.
  bool close(const Element& e, const Element& a, double& error) const {
    const double allowed = out_.atol + out_.rtol * magnitude(e.real);
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

  void found(uint64_t index, const Element& e, const Element& a) {
    out_.first_mismatch = index;
    set_number(out_.first_expected, kind_, e);
    set_number(out_.first_actual, kind_, a);
  }

  // Adds a block's sums to the totals, and makes them zero.
  void add(double (&block)[kSums]) {
    for (size_t i = 0; i < kSums; ++i) {
      // Knuth's TwoSum: sum + lost is exactly total + block.
      const double sum = sums_.total[i] + block[i];
      const double part = sum - sums_.total[i];
      sums_.lost[i] += (sums_.total[i] - (sum - part)) + (block[i] - part);
      sums_.total[i] = sum;
      block[i] = 0;
    }
  }

#if !BPTE_CORE_SMALL
  // Adds a block of pairs that is known to be all finite, none of it padding.
  void add(internal::BlockResult& block, size_t count) {
    add(block.sums);
    numel_ += count;
    mismatches_ += block.mismatches;
    out_.max_abs_error =
        block.max_absolute > out_.max_abs_error ? block.max_absolute : out_.max_abs_error;
    out_.max_rel_error =
        block.max_relative > out_.max_rel_error ? block.max_relative : out_.max_rel_error;
    relatives_ += block.relatives;
  }
#endif

  // Counts and sums are complete from here on.
  void finish() {
    out_.numel = numel_;
    out_.mismatches = mismatches_;
    out_.nonfinite = nonfinite_;
    add(sums_.block);
    for (size_t i = 0; i < kSums; ++i) {
      if (is_finite(sums_.total[i])) {
        sums_.total[i] += sums_.lost[i];
      }
    }
  }
  const double* totals() const {
    return sums_.total;
  }
  size_t finite() const {
    return numel_ - nonfinite_;
  }
  size_t relatives() const {
    return relatives_;
  }
  Number::Kind kind() const {
    return kind_;
  }
  size_t mismatches() const {
    return mismatches_;
  }

 private:
  ScalarType type_;
  Number::Kind kind_;
  NanPolicy policy_;
  const Scales& scales_;
  Comparison& out_;
  // As wide as the machine counts: the Comparison's 64 bits cost a small target two instructions
  // for each.
  size_t numel_ = 0;
  size_t mismatches_ = 0;
  size_t nonfinite_ = 0;
  size_t relatives_ = 0;
  size_t pending_ = 0;
  struct {
    double block[kSums];  // not yet added to the totals
    double total[kSums];
    double lost[kSums];  // by rounding the totals
  } sums_{};
};

void judge_elements(const uint8_t* expected, const uint8_t* actual, Walk& walk, Judge& judge) {
  visit(walk, [&](size_t e, size_t a, const Loop& row) {
    for (size_t i = 0; i < row.size; ++i) {
      judge.element(expected + e, actual + a);
      e += row.strides[0];
      a += row.strides[1];
    }
    return true;
  });
}

#if !BPTE_CORE_SMALL

// A block on its way to the kernels.
class Block {
 public:
  Block(ScalarType type, double rtol, double atol, Judge& judge)
      : kernels_(internal::block_kernels()), type_(type), rtol_(rtol), atol_(atol), judge_(judge) {}

  void row(const uint8_t* expected, const uint8_t* actual, const Loop& row) {
    for (size_t done = 0; done < row.size;) {
      const size_t count = row.size - done < kBlock - filled_ ? row.size - done : kBlock - filled_;
      kernels_.gather(type_, expected + done * row.strides[0], row.strides[0], count,
                      expected_ + filled_);
      kernels_.gather(type_, actual + done * row.strides[1], row.strides[1], count,
                      actual_ + filled_);
      done += count;
      filled_ += count;
      if (filled_ == kBlock) {
        flush();
      }
    }
  }

  void flush() {
    const size_t count = filled_;
    while (filled_ % 4 != 0) {
      expected_[filled_] = actual_[filled_] = 0;
      ++filled_;
    }
    internal::BlockResult result;
    kernels_.judge(expected_, actual_, filled_, rtol_, atol_, result);
    filled_ = 0;
    const bool finite =
        is_finite(result.sums[kError2] + result.sums[kExpected2] + result.sums[kActual2]);
    if (finite && (result.mismatches == 0 || judge_.mismatches() != 0)) {
      judge_.add(result, count);
      return;
    }
    // A NaN or an infinity, or the first mismatch, which must be found.
    const bool integers = judge_.kind() != Number::Kind::kDouble;
    for (size_t i = 0; i < count; ++i) {
      const double e = expected_[i];
      const double a = actual_[i];
      judge_.pair({e, integers ? static_cast<uint64_t>(static_cast<int64_t>(e)) : 0},
                  {a, integers ? static_cast<uint64_t>(static_cast<int64_t>(a)) : 0});
    }
  }

 private:
  const internal::BlockKernels& kernels_;
  ScalarType type_;
  double rtol_;
  double atol_;
  Judge& judge_;
  size_t filled_ = 0;
  alignas(32) double expected_[kBlock];
  alignas(32) double actual_[kBlock];
};

void judge_blocks(const TensorView& expected, const TensorView& actual, size_t element_bytes,
                  size_t numel, Walk& walk, Judge& judge, Comparison& out) {
  Block block(expected.scalar_type, out.rtol, out.atol, judge);
  const uint8_t* const expected_data = expected.data.data();
  const uint8_t* const actual_data = actual.data.data();
  const bool same_order =
      expected.dim_order.empty() || std::memcmp(expected.dim_order.data(), actual.dim_order.data(),
                                                expected.dim_order.size()) == 0;
  if (!same_order || walk.first == walk.last) {
    visit(walk, [&](size_t e, size_t a, const Loop& row) {
      block.row(expected_data + e, actual_data + a, row);
      return true;
    });
    block.flush();
    return;
  }
  // In the order of memory, which is not the logical one: what was found first may not be.
  block.row(expected_data, actual_data, {numel, {element_bytes, element_bytes}, 0});
  block.flush();
  if (judge.mismatches() == 0) {
    return;
  }
  uint64_t index = 0;
  visit(walk, [&](size_t e, size_t a, const Loop& row) {
    for (size_t i = 0; i < row.size; ++i, ++index) {
      const Element x = load(expected.scalar_type, expected_data + e + i * row.strides[0]);
      const Element y = load(expected.scalar_type, actual_data + a + i * row.strides[1]);
      double error;
      if (!judge.close(x, y, error)) {
        judge.found(index, x, y);
        return false;
      }
    }
    return true;
  });
}

// What the kernels can judge.
bool suits_blocks(ScalarType type, const Scales& scales, double rtol, double atol) {
  return type != ScalarType::kLong && type != ScalarType::kUInt64 && scales[kOfExpected] == 1 &&
         scales[kOfActual] == 1 && scales[kOfError] == 1 && rtol >= 0 && is_finite(rtol) &&
         atol >= 0;
}

#endif

// log2 of a finite number of at least 2^-1000, within some 1e-15: exponent and fraction from the
// bits, the fraction's logarithm by the series of atanh. Spares the targets libm's.
double log2_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  // The fraction into [sqrt(1/2), sqrt(2)), as far as the upper half of the bits tells.
  constexpr uint32_t kSqrtHalf = 0x3FE6A09Eu;
  const uint32_t steps =
      (static_cast<uint32_t>(bits >> 32) - kSqrtHalf + (uint32_t{1024} << 20)) >> 20;
  const double exponent = static_cast<double>(static_cast<int32_t>(steps) - 1024);
  bits -= uint64_t{(steps - 1024) << 20} << 32;
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

// A number of elements, which size_t holds: few targets convert 64 bits by themselves.
double real_count(uint64_t count) {
  return static_cast<double>(static_cast<size_t>(count));
}

// What default_tolerance() states of a type.
struct Bounds {
  double rtol;
  double atol;
};
Bounds default_bounds(ScalarType type) {
  switch (type) {
    case ScalarType::kHalf:
      return {1e-3, 1e-5};
    case ScalarType::kBFloat16:
      return {1.6e-2, 1e-5};
    case ScalarType::kFloat:
      return {1.3e-6, 1e-5};
    case ScalarType::kDouble:
      return {1e-7, 1e-7};
    default:
      return {0, 0};
  }
}

void compare_elements(const TensorView& expected, const TensorView& actual,
                      const Tolerance& tolerance, Comparison& out) {
  out.reason = Reason::kDtype;
  const size_t element_bytes = element_size(expected.scalar_type);
  if (element_bytes == 0 || actual.scalar_type != expected.scalar_type) {
    return;
  }
  out.reason = Reason::kShape;
  Walk walk;
  size_t numel = 0;
  size_t actual_numel = 0;
  if (!measure(expected, element_bytes, 0, walk, numel) ||
      !measure(actual, element_bytes, 1, walk, actual_numel) ||
      expected.sizes.size() != actual.sizes.size()) {
    return;
  }
  for (size_t d = 0; d < expected.sizes.size(); ++d) {
    if (expected.sizes[d] != actual.sizes[d]) {
      return;
    }
  }
  merge(expected.sizes.size(), element_bytes, walk);

  const Bounds fallback = default_bounds(expected.scalar_type);
  out.rtol = is_nan(tolerance.rtol) ? fallback.rtol : tolerance.rtol;
  out.atol = is_nan(tolerance.atol) ? fallback.atol : tolerance.atol;

  Scales scales = {1, 1, 1};
  for (bool again = false;; again = true) {
    Judge judge(expected.scalar_type, tolerance, scales, out);
    if (numel != 0) {
#if !BPTE_CORE_SMALL
      if (suits_blocks(expected.scalar_type, scales, out.rtol, out.atol)) {
        judge_blocks(expected, actual, element_bytes, numel, walk, judge, out);
      } else
#endif
        judge_elements(expected.data.data(), actual.data.data(), walk, judge);
    }
    judge.finish();
    const double* const totals = judge.totals();
    const double error2 = totals[kError2];
    const double expected2 = totals[kExpected2];
    const double actual2 = totals[kActual2];
    if (!again && expected.scalar_type == ScalarType::kDouble) {
      const bool differ = out.max_abs_error != 0;  // if not, no ratio is taken
      if (choose(scales, totals + kError2, differ)) {
        continue;
      }
    }

    // A sum over no elements is 0, and so is its mean.
    const double finite = real_count(judge.finite() != 0 ? judge.finite() : 1);
    const double relatives = real_count(judge.relatives() != 0 ? judge.relatives() : 1);
    out.reason = Reason::kNone;
    out.mean_abs_error = totals[kAbsolute] / finite / scales[kOfError];
    out.mean_rel_error = totals[kRelative] / relatives;
    out.sqnr_db = kInfinity;
    out.cosine = 1;  // exactly, when no element differs
    if (error2 != 0) {
      const double octaves = log2_of(expected2) - log2_of(error2) -
                             2 * (log2_of(scales[kOfExpected]) - log2_of(scales[kOfError]));
      out.sqnr_db = expected2 == 0 ? -kInfinity : kDecibelsPerOctave * octaves;
      out.cosine = expected2 == 0 || actual2 == 0
                       ? 0
                       : totals[kDot] / (__builtin_sqrt(expected2) * __builtin_sqrt(actual2));
      if (magnitude(out.cosine) > 1) {  // by rounding
        out.cosine = __builtin_copysign(1, out.cosine);
      }
    }
    return;
  }
}

// A scalar is a tensor of rank 0 that lies in the Value; its view is kept in `scalar`.
[[gnu::noinline]] const TensorView& as_tensor(const Value& value, TensorView& scalar) {
  if (value.kind == ValueKind::kTensor) {
    return value.tensor;
  }
  const void* at = &value.double_value;
  scalar.scalar_type = ScalarType::kDouble;
  if (value.kind == ValueKind::kInt) {
    at = &value.int_value;
    scalar.scalar_type = ScalarType::kLong;
  } else if (value.kind == ValueKind::kBool) {
    at = &value.bool_value;
    scalar.scalar_type = ScalarType::kBool;
  }
  scalar.data = {static_cast<const uint8_t*>(at), element_size(scalar.scalar_type)};
  return scalar;
}

}  // namespace

Tolerance default_tolerance(ScalarType type) {
  const Bounds bounds = default_bounds(type);
  Tolerance tolerance;
  tolerance.rtol = bounds.rtol;
  tolerance.atol = bounds.atol;
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
    TensorView scalars[2];
    compare_elements(as_tensor(expected, scalars[0]), as_tensor(actual, scalars[1]), tolerance,
                     out);
  }
  if (tolerance.not_compared) {
    out.verdict = Verdict::kNotCompared;
    return out;
  }
  if (out.reason == Reason::kNone) {
    // Divided rather than multiplied: 29 of 100 is then no more than a share of 0.29.
    if (out.mismatches != 0 &&
        !(real_count(out.mismatches) / real_count(out.numel) <= tolerance.max_outlier_share)) {
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
