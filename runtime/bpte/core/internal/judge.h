// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/compare.h>
#include <bpte/core/internal/element.h>
#include <bpte/core/internal/sums.h>
#include <bpte/core/internal/type_facts.h>
#include <bpte/core/internal/vector_kernels.h>

namespace bpte {
namespace internal {

inline double magnitude(double x) {
  return __builtin_fabs(x);
}

/// Powers of two by which values are multiplied before they are squared, one for each sum of
/// squares. They are 1 unless squares of float64 leave the range of a double. The ratios of the
/// sums are corrected for them.
struct Scales {
  double error = 1;
  double expected = 1;
  double actual = 1;
};

/// Judges pairs of elements in the order in which they come, and gathers the evidence. All of it is
/// inline, so that the counts stay in registers: out of line, a pair takes 1.5 times as long.
class Judge {
 public:
  /// Uses rtol and atol of `out`. Stores the largest errors and the first mismatch there as it
  /// finds them.
  Judge(ScalarType type, NanPolicy policy, const Scales& scales, Comparison& out)
      : kind_(number_kind(type)), policy_(policy), scales_(scales), out_(out) {
    out.max_abs_error = out.max_rel_error = 0;
  }

  /// The next pair.
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
    measure(e, a, error);
    if (++pending_ == kPlainlySummed) {
      totals_.add(sums_);
      pending_ = 0;
    }
  }

  /// Whether the tolerance allows this pair. `error` is |actual - expected|; it means nothing when
  /// one of them is not finite.
  bool close(const Element& e, const Element& a, double& error) const {
    const double allowed = out_.atol + out_.rtol * magnitude(e.real);
    if (kind_ == Number::Kind::kDouble) {
      error = magnitude(a.real - e.real);
      if (is_nan(e.real) || is_nan(a.real)) {
        return is_nan(e.real) && policy_ != NanPolicy::kUnequal &&
               (policy_ == NanPolicy::kIgnore || is_nan(a.real));
      }
      return e.real == a.real || (is_finite(error) && error <= allowed);
    }
    const bool less = kind_ == Number::Kind::kInt
                          ? static_cast<int64_t>(a.bits) < static_cast<int64_t>(e.bits)
                          : a.bits < e.bits;
    // In two's complement the difference of any two values fits 64 unsigned bits.
    const uint64_t difference = less ? e.bits - a.bits : a.bits - e.bits;
    error = static_cast<double>(difference);
    // A conversion is a library call on small targets. An allowance below 1, the usual one, needs
    // none.
    return difference == 0 || allowed >= 0x1p64 ||
           (allowed >= 1 && difference <= static_cast<uint64_t>(allowed));
  }

  /// Notes the first mismatch.
  void found(uint64_t index, const Element& e, const Element& a) {
    out_.first_mismatch = index;
    set_number(out_.first_expected, kind_, e);
    set_number(out_.first_actual, kind_, a);
  }

  /// Adds the next `count` pairs, all finite, which a kernel has judged. Makes the block's sums
  /// zero.
  void block(BlockResult& block, size_t count) {
    totals_.add(block.sums);
    numel_ += count;
    mismatches_ += block.mismatches;
    relatives_ += block.relatives;
    raise(out_.max_abs_error, block.max_absolute);
    raise(out_.max_rel_error, block.max_relative);
  }

  /// Completes counts and sums. No pair may be judged after it.
  void finish() {
    totals_.add(sums_);
    totals_.finish();
    out_.numel = numel_;
    out_.mismatches = mismatches_;
    out_.nonfinite = nonfinite_;
  }

  Number::Kind kind() const { return kind_; }
  const Totals& totals() const { return totals_; }
  double max_relative() const { return out_.max_rel_error; }
  size_t numel() const { return numel_; }
  size_t mismatches() const { return mismatches_; }
  size_t finite() const { return numel_ - nonfinite_; }
  size_t relatives() const { return relatives_; }  ///< pairs with a relative error

 private:
  /// So many pairs are summed plainly before their sums go to the compensated totals.
  static constexpr size_t kPlainlySummed = 256;

  static void raise(double& highest, double x) { highest = x > highest ? x : highest; }

  // Fills in a Number that holds nothing yet, or one of the same kind. Out of line, because it is
  // rare.
  [[gnu::noinline]] static void set_number(Number& number, Number::Kind kind,
                                           const Element& element) {
    number.kind = kind;
    if (kind == Number::Kind::kDouble) {
      number.as_double = element.real;
    } else if (kind == Number::Kind::kInt) {
      number.as_int = static_cast<int64_t>(element.bits);
    } else {
      number.as_uint = element.bits;
    }
  }

  // What a pair of finite elements adds to the statistics.
  void measure(const Element& e, const Element& a, double error) {
    raise(out_.max_abs_error, error);
    if (e.real != 0) {
      const double relative = error / magnitude(e.real);
      raise(out_.max_rel_error, relative);
      sums_[kRelative] += relative;
      ++relatives_;
    }
    const double expected = e.real * scales_.expected;
    const double actual = a.real * scales_.actual;
    // Scales down before the subtraction, which could overflow, and up after it.
    const double scaled_error = scales_.error < 1
                                    ? magnitude(a.real * scales_.error - e.real * scales_.error)
                                    : error * scales_.error;
    sums_[kAbsolute] += scaled_error;
    sums_[kError2] += scaled_error * scaled_error;
    sums_[kExpected2] += expected * expected;
    sums_[kActual2] += actual * actual;
    sums_[kDot] += expected * actual;
  }

  Number::Kind kind_;
  NanPolicy policy_;
  const Scales& scales_;
  Comparison& out_;
  // As wide as a register: 64 bits would take a small target two instructions for each count.
  size_t numel_ = 0;
  size_t mismatches_ = 0;
  size_t nonfinite_ = 0;
  size_t relatives_ = 0;
  size_t pending_ = 0;       // pairs whose sums are not yet in the totals
  double sums_[kSums] = {};  // of the pending pairs
  Totals totals_{};
};

}  // namespace internal
}  // namespace bpte
