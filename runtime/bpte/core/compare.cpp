// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/compare.h>
#include <bpte/core/config.h>
#include <bpte/core/internal/judge.h>
#include <bpte/core/internal/judge_blocks.h>
#include <bpte/core/internal/logarithm.h>
#include <bpte/core/internal/type_facts.h>
#include <bpte/core/internal/walk.h>

#include <cstring>

// Two ways lead to the same answer. One judges element by element, for every dtype and every value:
// a target with little flash has only this one (BPTE_CORE_SMALL). The other judges most elements
// block by block (internal/judge_blocks.h), and the rest one by one.

namespace bpte {

namespace {

using namespace internal;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const Bounds& default_bounds(ScalarType type) {
  return kTypeTable.bounds[type_facts(type).bounds];
}

void judge_pairs(const TensorView& expected, const TensorView& actual, Walk& walk, Judge& judge) {
  const uint8_t* const expected_data = expected.data.data();
  const uint8_t* const actual_data = actual.data.data();
  size_t offsets[2] = {0, 0};
  do {
    judge.pair(load(expected.scalar_type, expected_data + offsets[0]),
               load(expected.scalar_type, actual_data + offsets[1]));
  } while (advance(walk, walk.end, offsets));
}

constexpr double kScaleUp = 0x1p600;
constexpr double kScaleDown = 0x1p-600;
constexpr double kTooSmall = 0x1p-800;

// Whether a sum of squares left the range of a double, at either end. If so, `scale` is what to
// multiply values by in a second pass.
[[gnu::noinline]] bool choose(double sum_of_squares, double& scale) {
  const bool small = sum_of_squares < kTooSmall;
  if (!small && is_finite(sum_of_squares)) {
    return false;
  }
  scale = small ? kScaleUp : kScaleDown;
  return true;
}

// In a pass with these scales no sum of up to 2^70 squares leaves the range, and none becomes zero
// by underflow.
bool choose(const Totals& totals, Scales& scales) {
  const bool error = choose(totals[kError2], scales.error);
  const bool expected = choose(totals[kExpected2], scales.expected);
  const bool actual = choose(totals[kActual2], scales.actual);
  return error || expected || actual;
}

// A number of elements. size_t holds it; to convert 64 bits takes a library call on most targets.
double real_count(uint64_t count) {
  return static_cast<double>(static_cast<size_t>(count));
}

// Means and ratios, from complete sums.
void summarise(const Judge& judge, const Scales& scales, Comparison& out) {
  const Totals& totals = judge.totals();
  const double error2 = totals[kError2];
  const double expected2 = totals[kExpected2];
  const double actual2 = totals[kActual2];
  // A sum over no elements is 0, and so is its mean.
  const double finite = real_count(judge.finite() != 0 ? judge.finite() : 1);
  const double relatives = real_count(judge.relatives() != 0 ? judge.relatives() : 1);
  out.mean_abs_error = totals[kAbsolute] / finite / scales.error;
  out.mean_rel_error = totals[kRelative] / relatives;
  out.sqnr_db = kInfinity;
  out.cosine = 1;  // exactly, when no element differs
  if (error2 == 0) {
    return;
  }
  const double octaves =
      log2_of(expected2) - log2_of(error2) - 2 * (log2_of(scales.expected) - log2_of(scales.error));
  out.sqnr_db = expected2 == 0 ? -kInfinity : kDecibelsPerOctave * octaves;
  out.cosine = expected2 == 0 || actual2 == 0
                   ? 0
                   : totals[kDot] / (__builtin_sqrt(expected2) * __builtin_sqrt(actual2));
  if (__builtin_fabs(out.cosine) > 1) {  // by rounding
    out.cosine = __builtin_copysign(1, out.cosine);
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
  if (!plan(expected, actual, element_bytes, walk)) {
    return;
  }
  out.reason = Reason::kNone;
  const Bounds& fallback = default_bounds(expected.scalar_type);
  out.rtol = is_nan(tolerance.rtol) ? fallback.rtol : tolerance.rtol;
  out.atol = is_nan(tolerance.atol) ? fallback.atol : tolerance.atol;

  Scales scales;
  for (bool scaled = false;; scaled = true) {
    Judge judge(expected.scalar_type, tolerance.nan_policy, scales, out);
    if (walk.numel != 0) {
#if !BPTE_CORE_SMALL
      if (!scaled && suits_blocks(out.rtol, out.atol)) {
        judge_blocks(expected, actual, out.rtol, out.atol, walk, judge);
      } else
#endif
        judge_pairs(expected, actual, walk, judge);
    }
    judge.finish();
    // When nothing differs no ratio is computed. Only squares of float64 can leave the range.
    if (scaled || out.max_abs_error == 0 || expected.scalar_type != ScalarType::kDouble ||
        !choose(judge.totals(), scales)) {
      summarise(judge, scales, out);
      return;
    }
  }
}

// A value as a tensor. A scalar becomes one of rank 0, whose view is made in `scalar`.
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
  const Bounds& bounds = default_bounds(type);
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
    // Divides, since 0.29 * 100 is below 29 in double: 29 of 100 must be within a share of 0.29.
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
