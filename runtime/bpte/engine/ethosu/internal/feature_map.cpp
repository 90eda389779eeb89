// SPDX-License-Identifier: BSD-3-Clause
#include "feature_map.h"

namespace bpte::ethosu {

const FeatureMapRegisters kIfm = {"IFM",
                                  Narrow::IFM_REGION,
                                  Narrow::IFM_PRECISION,
                                  2,
                                  Narrow::IFM_ZERO_POINT,
                                  Narrow::IFM_WIDTH0_M1,
                                  Narrow::IFM_HEIGHT0_M1,
                                  Narrow::IFM_HEIGHT1_M1,
                                  Wide::IFM_BASE0};
const FeatureMapRegisters kIfm2 = {"IFM2",
                                   Narrow::IFM2_REGION,
                                   Narrow::IFM2_PRECISION,
                                   2,
                                   Narrow::IFM2_ZERO_POINT,
                                   Narrow::IFM2_WIDTH0_M1,
                                   Narrow::IFM2_HEIGHT0_M1,
                                   Narrow::IFM2_HEIGHT1_M1,
                                   Wide::IFM2_BASE0};
const FeatureMapRegisters kOfm = {"OFM",
                                  Narrow::OFM_REGION,
                                  Narrow::OFM_PRECISION,
                                  1,
                                  Narrow::OFM_ZERO_POINT,
                                  Narrow::OFM_WIDTH0_M1,
                                  Narrow::OFM_HEIGHT0_M1,
                                  Narrow::OFM_HEIGHT1_M1,
                                  Wide::OFM_BASE0};

bool FeatureMap::describe(Machine& machine, const FeatureMapRegisters& names) {
  const Registers& registers = machine.registers();
  const uint32_t precision = registers.get(names.precision);
  const uint32_t bytes_log2 = precision >> names.bytes_at & 3;
  const uint32_t format = precision >> 6 & 3;
  const auto wide = [&names](uint32_t k) {
    return static_cast<Wide>(static_cast<uint32_t>(names.base0) + k);
  };
  name_ = names.name;
  if (bytes_log2 > 2) return machine.unsupported() << name_ << " has elements of 64 bits";
  if (format > 1) return machine.invalid() << name_ << " has the unknown format " << format;
  element_.bytes = static_cast<uint8_t>(1u << bytes_log2);
  element_.is_signed = (precision & 1) != 0;
  bricks_ = format == 1;
  region_ = registers.get(names.region);
  const uint32_t zero_point = registers.get(names.zero_point);
  zero_point_ = element_.is_signed ? int32_t{static_cast<int16_t>(zero_point)}
                                   : static_cast<int32_t>(zero_point);
  width0_ = registers.plus_one(names.width0);
  height0_ = registers.plus_one(names.height0);
  height1_ = registers.plus_one(names.height1);
  for (uint32_t k = 0; k < 4; ++k) base_[k] = static_cast<int64_t>(registers.address(wide(k)));
  stride_x_ = bricks_ ? int64_t{16} * element_.bytes : registers.stride(wide(4));
  stride_y_ = registers.stride(wide(5));
  stride_c_ = registers.stride(wide(6));
  return true;
}

bool FeatureMap::extent(Machine& machine, Extent& extent) const {
  if (size_.height < 1 || size_.width < 1 || size_.depth < 1) {
    return machine.invalid() << name_ << " is empty or of negative size";
  }
  const auto widen = [](int64_t& first, int64_t& last, int64_t step) {
    if (step < 0) {
      first += step;
    } else {
      last += step;
    }
  };
  // Addresses grow linearly along each axis, so the corners are enough. Channels in bricks: the
  // first and the last brick, of which the first may be longer.
  int64_t channel_first = 0;
  int64_t channel_last = 0;
  const int32_t ends[] = {run_end(0) - 1, (size_.depth - 1) & ~15, size_.depth - 1,
                          size_.depth >= 16 ? (size_.depth & ~15) - 1 : 0};
  for (const int32_t c : ends) {
    const int64_t at = bricks_ ? (c >> 4) * stride_c_ + int64_t{c & 15} * element_.bytes
                               : int64_t{c} * element_.bytes;
    if (at < channel_first) channel_first = at;
    if (at > channel_last) channel_last = at;
  }
  bool any = false;
  for (int tile = 0; tile < 4; ++tile) {
    const bool right = (tile & 1) != 0;
    const int32_t height = right ? height1_ : height0_;
    const int64_t wide =
        right ? size_.width - width0_ : (size_.width < width0_ ? size_.width : width0_);
    const int64_t high =
        (tile & 2) != 0 ? size_.height - height : (size_.height < height ? size_.height : height);
    if (wide < 1 || high < 1) continue;
    int64_t first = base_[tile] + channel_first;
    int64_t last = base_[tile] + channel_last;
    widen(first, last, (wide - 1) * stride_x_);
    widen(first, last, (high - 1) * stride_y_);
    if (!any || first < extent.first) extent.first = first;
    if (!any || last + element_.bytes > extent.end) extent.end = last + element_.bytes;
    any = true;
  }
  return true;
}

bool FeatureMap::place_input(Machine& machine, const Size& size) {
  size_ = size;
  Extent touched;
  return extent(machine, touched) && machine.readable(name_, region_, touched, bytes_);
}

bool FeatureMap::place_output(Machine& machine, const Size& size) {
  size_ = size;
  Extent touched;
  return extent(machine, touched) && machine.writable(name_, region_, touched, writable_);
}

}  // namespace bpte::ethosu
