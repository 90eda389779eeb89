// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "feature_map.h"
#include "machine.h"
#include "scaling.h"

namespace bpte::ethosu {

/// What every operation ends in: scale and round, add the zero point, clamp, look up, store. An
/// Ethos-U85 can also store in another order: axes exchanged, or one of them backwards.
class Output {
 public:
  /// A pixel of the OFM as it is computed.
  struct Pixel {
    uint8_t* bytes = nullptr;  ///< of channel 0, when the order is that of the OFM in memory
    int32_t y = 0;
    int32_t x = 0;
  };

  [[nodiscard]] bool describe(Machine& machine);

  /// As it is computed.
  const Size& size() const { return size_; }
  Rounding rounding() const { return rounding_; }
  /// Whether OFM_SCALE counts (else a scale for each channel, or none).
  bool global_scale() const { return global_scale_; }
  const Scale& scale() const { return scale_; }
  /// Ethos-U85: nothing is stored, the sums stay for the next operation.
  bool absent() const { return ofm_.absent(); }

  Pixel pixel(int32_t y, int32_t x) const {
    return {reordered_ || absent() ? nullptr : ofm_.pixel_to_write(y, x), y, x};
  }
  /// Whether numbers of 8 bits are clamped and stored side by side, and nothing else.
  bool is_plain() const {
    return ofm_.element().bytes == 1 && clamps_ && table_kind_ == Table::kNone && !reordered_ &&
           !absent();
  }
  int32_t zero_point() const { return zero_point_; }
  int32_t minimum() const { return minimum_; }
  int32_t maximum() const { return maximum_; }
  /// Where a channel of a pixel stands, when is_plain().
  uint8_t* bytes(const Pixel& pixel, int32_t c) const { return pixel.bytes + ofm_.channel(c); }

  /// Puts a value, already scaled, into a channel.
  void put(const Pixel& pixel, int32_t c, int64_t value) const;

 private:
  enum class Table : uint8_t { kNone, kBytes, kHalves, kWords, kLines, kWideLines };
  struct Activation {
    Table table = Table::kNone;
    uint32_t table_at = 0;  ///< bytes
    bool clamps = true;
    bool own_limits = false;  ///< not those of the registers
    bool is_signed = true;    ///< the limits
    int32_t minimum = 0;      ///< of what they may be
    int32_t maximum = 0;
  };

  [[nodiscard]] bool describe_order(Machine& machine, uint32_t precision);
  [[nodiscard]] bool activation_u55(Machine& machine, Activation& activation) const;
  [[nodiscard]] bool activation_u85(Machine& machine, Activation& activation) const;
  [[nodiscard]] bool describe_activation(Machine& machine);
  int64_t look_up(int64_t value) const;
  uint8_t* reordered(int32_t y, int32_t x, int32_t c) const;

  FeatureMap ofm_;
  Size size_;
  Rounding rounding_ = Rounding::kDouble;
  bool global_scale_ = false;
  bool clamps_ = true;
  bool reordered_ = false;
  uint8_t axes_[3] = {0, 1, 2};  // of what is computed, in the order of the OFM
  int8_t reversed_ = -1;         // such an axis
  Table table_kind_ = Table::kNone;
  const uint8_t* table_ = nullptr;
  Scale scale_;
  int32_t zero_point_ = 0;
  int32_t minimum_ = 0;
  int32_t maximum_ = 0;
};

inline void Output::put(const Pixel& pixel, int32_t c, int64_t value) const {
  value = static_cast<int64_t>(static_cast<uint64_t>(value) +
                               static_cast<uint64_t>(int64_t{zero_point_}));
  if (clamps_) {
    if (value < minimum_) value = minimum_;
    if (value > maximum_) value = maximum_;
  }
  if (table_kind_ != Table::kNone) value = look_up(value);
  uint8_t* to = reordered_ ? reordered(pixel.y, pixel.x, c) : pixel.bytes + ofm_.channel(c);
  ofm_.element().write(to, value);
}

/// The end of an operation that computes each pixel by itself, by `run_pixel(y, x)`. A command
/// stream that is only checked stops before. Always true.
template <typename Operation>
bool compute(const Machine& machine, Operation& operation) {
  if (machine.checking()) return true;
  for (int32_t y = 0; y < operation.output.size().height; ++y) {
    for (int32_t x = 0; x < operation.output.size().width; ++x) operation.run_pixel(y, x);
  }
  return true;
}

}  // namespace bpte::ethosu
