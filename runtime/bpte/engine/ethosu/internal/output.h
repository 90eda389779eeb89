// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "feature_map.h"
#include "machine.h"
#include "scaling.h"

namespace bpte::ethosu {

/// What every operation ends in: scale and round, add the zero point, clamp, look up, store.
class Output {
 public:
  [[nodiscard]] bool describe(Machine& machine);

  const FeatureMap& map() const { return ofm_; }
  const Size& size() const { return ofm_.size(); }
  Rounding rounding() const { return rounding_; }
  /// Whether OFM_SCALE counts (else a scale for each channel, or none).
  bool global_scale() const { return global_scale_; }
  const Scale& scale() const { return scale_; }

  /// Puts a value, already scaled, into a channel.
  void put(uint8_t* pixel, int32_t c, int64_t value) const;

 private:
  enum class Table : uint8_t { kNone, kBytes, kWords, kLines };

  [[nodiscard]] bool describe_activation(Machine& machine);
  int64_t look_up(int64_t value) const;

  FeatureMap ofm_;
  Rounding rounding_ = Rounding::kDouble;
  bool global_scale_ = false;
  bool clamps_ = true;
  Table table_kind_ = Table::kNone;
  const uint8_t* table_ = nullptr;
  Scale scale_;
  int32_t zero_point_ = 0;
  int32_t minimum_ = 0;
  int32_t maximum_ = 0;
};

}  // namespace bpte::ethosu
