// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/tensor_view.h>

#include <cstdint>
#include <limits>

namespace bpte {

/// When a NaN is close to its counterpart. Numbers as in schema/bpte.fbs.
enum class NanPolicy : uint8_t {
  kUnequal = 0,  ///< a NaN on either side is a mismatch
  kEqual = 1,    ///< NaN matches NaN
  kIgnore = 2,   ///< an element whose expected value is NaN is not judged; any other NaN is a
                 ///< mismatch
};

/// How far an output may be from its expected value: |actual - expected| <= atol + rtol *
/// |expected|, element by element. A member that is NaN is not stated: rtol or atol then comes from
/// default_tolerance() for the expected dtype; a floor is then not checked.
struct Tolerance {
  double rtol = std::numeric_limits<double>::quiet_NaN();
  double atol =
      std::numeric_limits<double>::quiet_NaN();  ///< in the output's own units (LSBs for integers)
  double max_outlier_share = 0;  ///< 0 to 1: the largest accepted mismatches / numel
  double min_sqnr_db = std::numeric_limits<double>::quiet_NaN();
  double min_cosine = std::numeric_limits<double>::quiet_NaN();
  NanPolicy nan_policy = NanPolicy::kUnequal;
  bool not_compared = false;  ///< statistics only, no verdict
};

/// rtol and atol as torch.testing.assert_close (torch 2.13) takes them for this dtype; integers and
/// bools are exact (0, 0). The other members have their defaults.
Tolerance default_tolerance(ScalarType type);

/// The verdict on one output.
enum class Verdict : uint8_t {
  kPass = 0,
  kFail = 1,
  kNotCompared = 2,  ///< the tolerance says so
};

/// Why an output failed. The first that applies, in this order.
enum class Reason : uint8_t {
  kNone = 0,
  kKind,      ///< the values are not of one kind: a tensor and a scalar, or two different scalars
  kDtype,     ///< another scalar type, or one that a bundle does not carry
  kShape,     ///< another rank or another size; or sizes, dim_order and data contradict each other
  kElements,  ///< more mismatches than max_outlier_share allows
  kSqnr,      ///< below min_sqnr_db
  kCosine,    ///< below min_cosine
};

const char* to_string(Verdict verdict);  ///< "pass", "fail", "not_compared"
const char* to_string(
    Reason reason);  ///< "none", "kind", "dtype", "shape", "elements", "sqnr", "cosine"

/// One element's value without loss: int64 and uint64 do not fit a double. `kind` says which member
/// holds it: kDouble for every floating dtype, kInt for signed integers, kUInt for unsigned ones
/// and bool.
struct Number {
  enum class Kind : uint8_t { kDouble, kInt, kUInt } kind = Kind::kDouble;
  double as_double = 0;
  int64_t as_int = 0;
  uint64_t as_uint = 0;
};

/// Verdict and evidence of one output. Statistics are over logical elements, in double, whatever
/// the dtype; integers are subtracted exactly first. Pairs with a NaN or an infinity on either side
/// are left out of the error, SQNR and cosine statistics and counted in `nonfinite`. An absolute or
/// relative error that a double cannot hold is +inf. So is the mean of relative errors whose sum a
/// double cannot hold.
///
/// For kKind, kDtype and kShape no element is compared: the counts are 0 and the statistics NaN.
/// That holds for a `not_compared` output as well; its reason is one of these or kNone.
struct Comparison {
  Verdict verdict = Verdict::kPass;
  Reason reason = Reason::kNone;
  uint64_t numel = 0;           ///< elements compared
  uint64_t mismatches = 0;      ///< elements outside the tolerance
  uint64_t nonfinite = 0;       ///< pairs with a NaN or an infinity on either side
  uint64_t first_mismatch = 0;  ///< logical (row-major) index; valid when mismatches > 0
  Number first_expected;
  Number first_actual;
  double rtol = 0;  ///< as used: the tolerance's, or the dtype's default
  double atol = 0;
  double max_abs_error = 0;
  double mean_abs_error = 0;
  double max_rel_error =
      0;  ///< |actual - expected| / |expected|; elements with expected == 0 left out
  double mean_rel_error = 0;                                 ///< over the same elements
  double sqnr_db = std::numeric_limits<double>::infinity();  ///< 10 log10(sum expected^2 / sum
                                                             ///< error^2); +inf when exact, -inf
                                                             ///< when expected is all zero
  double cosine = 1;  ///< 1 when both are all zero; 0 when one is
};

/// Judges `actual` against `expected`. Both may have any dim_order; elements are matched by logical
/// index. An element is close when it equals its counterpart (as infinities of one sign do, and +0
/// and -0), when the NaN policy says so, or when |actual - expected| is finite and within atol +
/// rtol * |expected|. That is torch.isclose, computed in double: no rounding in the dtype's own
/// precision, and the integers' differences exact. A bool is true when its byte is not zero.
///
/// Needs no heap, no exceptions and, with BPTE_CORE_SMALL, at most a kilobyte of stack. Trusts
/// neither view: sizes, dim_order and data that contradict each other are kShape, and nothing
/// outside `data` is read. Data need not be aligned.
Comparison compare(const Value& expected, const Value& actual, const Tolerance& tolerance);

}  // namespace bpte
