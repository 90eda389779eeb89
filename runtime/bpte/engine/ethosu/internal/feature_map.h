// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes.h"
#include "machine.h"
#include "registers.h"

namespace bpte::ethosu {

struct Size {
  int32_t height = 0;
  int32_t width = 0;
  int32_t depth = 0;
};

/// What the elements of a feature map are.
struct Element {
  uint8_t bytes = 1;  ///< 1, 2 or 4
  bool is_signed = false;

  int32_t read(const uint8_t* from) const {
    switch (bytes) {
      case 1:
        return is_signed ? int32_t{load<int8_t>(from)} : int32_t{load<uint8_t>(from)};
      case 2:
        return is_signed ? int32_t{load<int16_t>(from)} : int32_t{load<uint16_t>(from)};
      default:
        return load<int32_t>(from);
    }
  }
  void write(uint8_t* to, int64_t value) const {
    switch (bytes) {
      case 1:
        return store(to, static_cast<uint8_t>(value));
      case 2:
        return store(to, static_cast<uint16_t>(value));
      default:
        return store(to, static_cast<uint32_t>(value));
    }
  }
};

/// The registers that describe one of the three feature maps.
struct FeatureMapRegisters {
  const char* name;
  Narrow region;
  Narrow precision;
  uint8_t bytes_at;  ///< the bit of `precision` from which on the size of an element stands
  Narrow zero_point;
  Narrow width0;
  Narrow height0;
  Narrow height1;
  Wide base0;  ///< BASE0..3, STRIDE_X, STRIDE_Y, STRIDE_C follow each other
};
extern const FeatureMapRegisters kIfm;
extern const FeatureMapRegisters kIfm2;
extern const FeatureMapRegisters kOfm;

/// A feature map: height, width and depth, cut into 2x2 tiles that lie anywhere in one region. In
/// the format NHWC the channels of a pixel are neighbours; in NHCWB16 there are bricks of 16
/// channels of one row.
class FeatureMap {
 public:
  /// Takes what the registers say, and refuses what they cannot say.
  [[nodiscard]] bool describe(Machine& machine, const FeatureMapRegisters& names);
  /// Checks that all of `size` lies within the region.
  [[nodiscard]] bool place_input(Machine& machine, const Size& size);
  [[nodiscard]] bool place_output(Machine& machine, const Size& size);

  const Size& size() const { return size_; }
  const Element& element() const { return element_; }
  int32_t zero_point() const { return zero_point_; }
  int32_t read(const uint8_t* from) const { return element_.read(from); }

  /// Channel 0 of a pixel.
  const uint8_t* pixel(int32_t y, int32_t x) const { return bytes_ + pixel_offset(y, x); }
  uint8_t* pixel_to_write(int32_t y, int32_t x) const { return writable_ + pixel_offset(y, x); }
  /// Of a channel, from channel 0 of its pixel on.
  ptrdiff_t channel(int32_t c) const {
    if (!bricks_) return static_cast<ptrdiff_t>(c) * element_.bytes;
    return static_cast<ptrdiff_t>((c >> 4) * stride_c_ + ptrdiff_t{c & 15} * element_.bytes);
  }
  /// Up to this channel the bytes follow those of channel `c` without a gap.
  int32_t run_end(int32_t c) const {
    const int32_t end = bricks_ ? (c | 15) + 1 : size_.depth;
    return end < size_.depth ? end : size_.depth;
  }

 private:
  ptrdiff_t pixel_offset(int32_t y, int32_t x) const {
    const bool right = x >= width0_;
    const int32_t height = right ? height1_ : height0_;
    const bool below = y >= height;
    const int64_t ty = below ? y - height : y;
    const int64_t tx = right ? x - width0_ : x;
    return static_cast<ptrdiff_t>(base_[(right ? 1 : 0) + (below ? 2 : 0)] + ty * stride_y_ +
                                  tx * stride_x_);
  }
  [[nodiscard]] bool extent(Machine& machine, Extent& extent) const;

  const uint8_t* bytes_ = nullptr;  // where the region begins
  uint8_t* writable_ = nullptr;
  const char* name_ = "";
  Size size_;
  Element element_;
  bool bricks_ = false;
  uint32_t region_ = 0;
  int32_t zero_point_ = 0;
  int32_t width0_ = 0;
  int32_t height0_ = 0;
  int32_t height1_ = 0;
  int64_t base_[4] = {};
  int64_t stride_x_ = 0;
  int64_t stride_y_ = 0;
  int64_t stride_c_ = 0;
};

}  // namespace bpte::ethosu
