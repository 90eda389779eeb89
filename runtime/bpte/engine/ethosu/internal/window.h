// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "feature_map.h"
#include "machine.h"

namespace bpte::ethosu {

/// The kernel's window over the IFM: size, stride, dilation, padding and upscaling. Positions are
/// those of the upscaled IFM; padding is whatever lies outside of it.
class Window {
 public:
  /// Takes what the registers say, and with it the IFM's height and width, which no register does.
  [[nodiscard]] bool describe(Machine& machine, const Size& ofm);

  int32_t ifm_height() const { return y_.ifm; }
  int32_t ifm_width() const { return x_.ifm; }
  /// Weights in each direction.
  int32_t taps_y() const { return y_.taps; }
  int32_t taps_x() const { return x_.taps; }
  int32_t stride_y() const { return y_.stride; }
  int32_t stride_x() const { return x_.stride; }
  int32_t dilation_y() const { return y_.dilation; }
  int32_t dilation_x() const { return x_.dilation; }
  bool part_kernel_first() const { return part_kernel_first_; }
  bool has_padding() const {
    return y_.before != 0 || y_.after != 0 || x_.before != 0 || x_.after != 0;
  }

  /// Where the IFM holds what a tap of the OFM's row or column `at` reads; -1: padding, or one of
  /// the zeros between upscaled elements.
  int32_t row(int32_t at, int32_t tap) const { return y_.source(at, tap); }
  int32_t column(int32_t at, int32_t tap) const { return x_.source(at, tap); }

 private:
  enum class Upscale : uint8_t { kNone = 0, kNearest = 1, kZeros = 2 };
  struct Axis {
    int32_t taps = 1;
    int32_t stride = 1;
    int32_t dilation = 1;
    int32_t before = 0;
    int32_t after = 0;
    int32_t upscaled = 1;
    int32_t ifm = 1;
    Upscale upscale = Upscale::kNone;

    [[nodiscard]] bool measure(Machine& machine, const char* name, int32_t kernel, int32_t ofm);
    int32_t source(int32_t at, int32_t tap) const {
      const int32_t position = at * stride + tap * dilation - before;
      if (position < 0 || position >= upscaled) return -1;
      if (upscale == Upscale::kNone) return position;
      return upscale == Upscale::kZeros && (position & 1) != 0 ? -1 : position >> 1;
    }
  };

  Axis y_;
  Axis x_;
  bool part_kernel_first_ = false;
};

}  // namespace bpte::ethosu
