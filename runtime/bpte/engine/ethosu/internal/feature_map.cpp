// SPDX-License-Identifier: BSD-3-Clause
#include "feature_map.h"

#include <cstring>

namespace bpte::ethosu {

const FeatureMapRegisters kIfm = {"IFM",
                                  Narrow::IFM_REGION,
                                  Narrow::IFM_PRECISION,
                                  2,
                                  Narrow::IFM_ZERO_POINT,
                                  Narrow::IFM_WIDTH0_M1,
                                  Narrow::IFM_HEIGHT0_M1,
                                  Narrow::IFM_HEIGHT1_M1,
                                  Wide::IFM_BASE0,
                                  &EthosUOperation::ifm};
const FeatureMapRegisters kIfm2 = {"IFM2",
                                   Narrow::IFM2_REGION,
                                   Narrow::IFM2_PRECISION,
                                   2,
                                   Narrow::IFM2_ZERO_POINT,
                                   Narrow::IFM2_WIDTH0_M1,
                                   Narrow::IFM2_HEIGHT0_M1,
                                   Narrow::IFM2_HEIGHT1_M1,
                                   Wide::IFM2_BASE0,
                                   &EthosUOperation::ifm2};
const FeatureMapRegisters kOfm = {"OFM",
                                  Narrow::OFM_REGION,
                                  Narrow::OFM_PRECISION,
                                  1,
                                  Narrow::OFM_ZERO_POINT,
                                  Narrow::OFM_WIDTH0_M1,
                                  Narrow::OFM_HEIGHT0_M1,
                                  Narrow::OFM_HEIGHT1_M1,
                                  Wide::OFM_BASE0,
                                  &EthosUOperation::ofm};

bool FeatureMap::describe(Machine& machine, const FeatureMapRegisters& names) {
  if (!describe_wide(machine, names)) return false;
  if (element_.bytes == 8) return machine.unsupported() << name_ << " has elements of 64 bits";
  return true;
}

bool FeatureMap::describe_wide(Machine& machine, const FeatureMapRegisters& names) {
  const Registers& registers = machine.registers();
  const uint32_t precision = registers.get(names.precision);
  const uint32_t bytes_log2 = precision >> names.bytes_at & 3;
  const uint32_t format = precision >> 6 & 3;
  const auto wide = [&names](uint32_t k) {
    return static_cast<Wide>(static_cast<uint32_t>(names.base0) + k);
  };
  names_ = &names;
  name_ = names.name;
  if (bytes_log2 == 3 && !machine.u85()) {
    return machine.invalid() << name_ << " has elements of 64 bits";
  }
  if (format > 1) return machine.invalid() << name_ << " has the unknown format " << format;
  element_.bytes = static_cast<uint8_t>(1u << bytes_log2);
  element_.is_signed = (precision & 1) != 0;
  bricks_ = format == 1;
  storage_ = Storage::kTiles;
  if (machine.u85()) {
    const uint32_t storage = precision >> 14 & 3;
    if (storage == 1) return machine.unsupported() << name_ << " in tiles of 3x1 is not modelled";
    storage_ = static_cast<Storage>(storage);
  }
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

/// Says in the operation's description what and where it is.
void FeatureMap::tell(Machine& machine) const {
  EthosUFeatureMap& map = machine.operation().*names_->described;
  map.height = size_.height;
  map.width = size_.width;
  map.depth = size_.depth;
  map.element_bytes = element_.bytes;
  map.is_signed = element_.is_signed;
  map.bricks = bricks_;
  map.place = storage_ == Storage::kTiles     ? EthosUFeatureMap::Place::kMemory
              : storage_ == Storage::kChained ? EthosUFeatureMap::Place::kChain
                                              : EthosUFeatureMap::Place::kNowhere;
  map.region = static_cast<uint8_t>(region_);
  map.zero_point = zero_point_;
}

/// What is handed over lies without gaps, in the order of NHWC.
bool FeatureMap::place_chained(Machine& machine) {
  const auto factor = [](int32_t value) { return static_cast<uint64_t>(value); };
  const uint64_t row = factor(size_.width) * factor(size_.depth) * element_.bytes;  // up to 2^35
  bricks_ = false;
  width0_ = height0_ = height1_ = INT32_MAX;
  for (int64_t& base : base_) base = 0;
  stride_x_ = int64_t{size_.depth} * element_.bytes;
  stride_y_ = static_cast<int64_t>(row);
  const bool placed = machine.chain(name_, region_, row * factor(size_.height), writable_);
  bytes_ = writable_;
  return placed;
}

bool FeatureMap::place_input(Machine& machine, const Size& size) {
  size_ = size;
  tell(machine);
  if (storage_ == Storage::kChained) return place_chained(machine);
  Extent touched;
  if (!extent(machine, touched) || !machine.readable(name_, region_, touched, bytes_)) return false;
  machine.count_read(region_, (machine.operation().*names_->described).bytes());
  return true;
}

bool FeatureMap::place_output(Machine& machine, const Size& size) {
  size_ = size;
  tell(machine);
  if (!place_to_write(machine)) return false;
  if (storage_ == Storage::kTiles) {
    machine.count_written(region_, machine.operation().ofm.bytes());
  }
  return true;
}

bool FeatureMap::place_to_write(Machine& machine) {
  if (storage_ == Storage::kNone) return true;
  if (storage_ == Storage::kChained) return place_chained(machine);
  Extent touched;
  if (!extent(machine, touched) || !machine.writable(name_, region_, touched, writable_)) {
    return false;
  }
  bytes_ = writable_;
  return true;
}

bool FeatureMap::read_back(Machine& machine, const FeatureMapRegisters& names, const Size& size) {
  if (!describe_wide(machine, names)) return false;
  size_ = size;
  return place_to_write(machine);
}

namespace {

/// Calls `visit` with each element of the present operation's OFM, in the order NHWC.
template <typename Visit>
bool for_each_of_ofm(Machine& machine, Visit&& visit) {
  const EthosUFeatureMap& told = machine.operation().ofm;
  if (told.place == EthosUFeatureMap::Place::kNowhere) return false;
  FeatureMap map;
  if (!map.read_back(machine, kOfm, {told.height, told.width, told.depth})) return false;
  for (int32_t y = 0; y < told.height; ++y) {
    for (int32_t x = 0; x < told.width; ++x) {
      for (int32_t c = 0; c < told.depth; ++c) visit(map.pixel_to_write(y, x) + map.channel(c));
    }
  }
  return true;
}

}  // namespace

bool copy_ofm(Machine& machine, uint8_t* to) {
  const size_t size = machine.operation().ofm.element_bytes;
  return for_each_of_ofm(machine, [&](const uint8_t* element) {
    std::memcpy(to, element, size);
    to += size;
  });
}

bool replace_ofm(Machine& machine, const uint8_t* from) {
  const size_t size = machine.operation().ofm.element_bytes;
  return for_each_of_ofm(machine, [&](uint8_t* element) {
    std::memcpy(element, from, size);
    from += size;
  });
}

}  // namespace bpte::ethosu
