// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "feature_map.h"
#include "machine.h"
#include "output.h"

namespace bpte::ethosu {

/// What sums begin with and where they go, as ACC_FORMAT of an Ethos-U85 says: they begin at 0,
/// with IFM2, or with what the operation before left; they go into the OFM, or stay.
class Accumulators {
 public:
  [[nodiscard]] bool describe(Machine& machine, const Output& output);

  /// Sums of 48 bits: the scales are of another format.
  bool wide() const { return wide_; }
  /// Whether sums begin at 0 and go into the OFM, as they mostly do.
  bool none() const { return input_ == Input::kReset && !only_kept_; }
  /// Whether the sums are only kept.
  bool only_kept() const { return only_kept_; }
  int64_t first(int32_t y, int32_t x, int32_t c) const;
  void keep(int32_t y, int32_t x, int32_t c, int64_t sum) const { sums_[index(y, x, c)] = sum; }

 private:
  enum class Input : uint8_t { kReset = 0, kKeep = 1, kOfIfm2 = 2 };

  size_t index(int32_t y, int32_t x, int32_t c) const {
    return (static_cast<size_t>(y) * static_cast<size_t>(size_.width) + static_cast<size_t>(x)) *
               static_cast<size_t>(size_.depth) +
           static_cast<size_t>(c);
  }

  FeatureMap ifm2_;
  Size size_;
  int64_t* sums_ = nullptr;
  Input input_ = Input::kReset;
  bool only_kept_ = false;
  bool wide_ = false;
};

inline int64_t Accumulators::first(int32_t y, int32_t x, int32_t c) const {
  switch (input_) {
    case Input::kKeep:
      return sums_[index(y, x, c)];
    case Input::kOfIfm2:
      return ifm2_.read_wide(ifm2_.pixel(y, x) + ifm2_.channel(c)) - ifm2_.zero_point();
    default:
      return 0;
  }
}

}  // namespace bpte::ethosu
