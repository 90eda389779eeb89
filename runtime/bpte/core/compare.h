// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/tensor_view.h>

#include <cstdint>
#include <limits>

namespace bpte {

/// When a NaN is close to its counterpart. Numbers as in schema/bpte.fbs.
enum class NanPolicy : uint8_t { kUnequal = 0, kEqual = 1, kIgnore = 2 };

/// How far an output may be from its expected value: |actual - expected| <= atol + rtol *
/// |expected|, element by element. A member that is NaN is not stated: rtol and atol then come from
/// default_tolerance() for the expected dtype, a floor is not checked.
struct Tolerance {
  double rtol = std::numeric_limits<double>::quiet_NaN();
  double atol =
      std::numeric_limits<double>::quiet_NaN();  ///< in the output's own units (LSBs for integers)
  double max_outlier_share = 0;                  ///< 0..1 of the elements may lie outside
  double min_sqnr_db = std::numeric_limits<double>::quiet_NaN();
  double min_cosine = std::numeric_limits<double>::quiet_NaN();
  NanPolicy nan_policy = NanPolicy::kUnequal;
  bool not_compared = false;  ///< statistics only, no verdict
};

/// rtol and atol as torch.testing.assert_close (torch 2.13) takes them for this dtype; integers and
/// bools are exact (0, 0).
Tolerance default_tolerance(ScalarType type);

/// The outcome for one output.
enum class Verdict : uint8_t {
  kPass = 0,
  kFail = 1,
  kNotCompared = 2,  ///< the tolerance says so
};

/// Why an output failed.
enum class Reason : uint8_t {
  kNone = 0,
  kKind,   ///< a tensor was expected and a scalar came, or the other way round, or another scalar
  kDtype,  ///< another scalar type
  kShape,  ///< another rank or another size
  kElements,  ///< more elements lie outside than max_outlier_share allows
  kSqnr,      ///< below min_sqnr_db
  kCosine,    ///< below min_cosine
};

const char* to_string(Verdict verdict);  ///< "pass", "fail", "not_compared"
const char* to_string(
    Reason reason);  ///< "none", "kind", "dtype", "shape", "elements", "sqnr", "cosine"

/// One element's value without loss: int64 and uint64 do not fit a double.
struct Number {
  enum class Kind : uint8_t { kDouble, kInt, kUInt } kind = Kind::kDouble;
  double as_double = 0;
  int64_t as_int = 0;
  uint64_t as_uint = 0;
};

/// Verdict and evidence of one output. Statistics are over logical elements, in double, whatever
/// the dtype. Pairs with a NaN or an infinity on either side are left out of the error, SQNR and
/// cosine statistics and counted in `nonfinite`.
struct Comparison {
  Verdict verdict = Verdict::kPass;
  Reason reason = Reason::kNone;
  uint64_t numel = 0;
  uint64_t mismatches = 0;      ///< elements outside the tolerance
  uint64_t nonfinite = 0;       ///< pairs with a NaN or an infinity on either side
  uint64_t first_mismatch = 0;  ///< logical (row-major) index; valid when mismatches > 0
  Number first_expected;
  Number first_actual;
  double max_abs_error = 0;
  double mean_abs_error = 0;
  double max_rel_error =
      0;  ///< |actual - expected| / |expected|; elements with expected == 0 left out
  double mean_rel_error = 0;                                 ///< over the same elements
  double sqnr_db = std::numeric_limits<double>::infinity();  ///< 10 log10(sum expected^2 / sum
                                                             ///< error^2); +inf when exact
  double cosine = 1;  ///< 1 when both are all zero; 0 when one is
};

/// Judges `actual` against `expected`. Both may have any dim_order; elements are matched by logical
/// index. Needs no heap. A `Value` whose tensors did not come from a Bundle must have been checked
/// by the caller: sizes not negative, dim_order a permutation, data as long as they say.
Comparison compare(const Value& expected, const Value& actual, const Tolerance& tolerance);

}  // namespace bpte
