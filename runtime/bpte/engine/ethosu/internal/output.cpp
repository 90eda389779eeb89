// SPDX-License-Identifier: BSD-3-Clause
#include "output.h"

namespace bpte::ethosu {
namespace {

// ACTIVATION: the function in bits 0..4, the range that values are clamped to in bits 12..14.
constexpr uint32_t kNoFunction = 0;  // RELU: what ACTIVATION_MIN and _MAX do
constexpr uint32_t kTanh = 3;
constexpr uint32_t kSigmoid = 4;
constexpr uint32_t kTable0 = 16;
constexpr uint32_t kTables = 8;
constexpr uint32_t kTableStep = 256;
enum Clip : uint32_t { kOfmPrecision = 0, kForceUint8 = 2, kForceInt8 = 3, kForceInt16 = 5 };

struct Range {
  int32_t minimum;
  int32_t maximum;
};

Range range_of(bool is_signed, uint32_t bits) {
  const int32_t values = int32_t{1} << bits;
  return is_signed ? Range{-values / 2, values / 2 - 1} : Range{0, values - 1};
}

}  // namespace

bool Output::describe(Machine& machine) {
  const Registers& registers = machine.registers();
  const uint32_t precision = registers.get(Narrow::OFM_PRECISION);
  const uint32_t rounding = precision >> 14 & 3;
  if (rounding > 2) return machine.invalid() << "OFM_PRECISION has the unknown rounding 3";
  rounding_ = static_cast<Rounding>(rounding);
  global_scale_ = (precision >> 8 & 1) != 0;
  scale_ = Scale::of(registers.get(Wide::OFM_SCALE));
  const Size size = {registers.plus_one(Narrow::OFM_HEIGHT_M1),
                     registers.plus_one(Narrow::OFM_WIDTH_M1),
                     registers.plus_one(Narrow::OFM_DEPTH_M1)};
  return ofm_.describe(machine, kOfm) && ofm_.place_output(machine, size) &&
         describe_activation(machine);
}

bool Output::describe_activation(Machine& machine) {
  const Registers& registers = machine.registers();
  const uint32_t activation = registers.get(Narrow::ACTIVATION);
  const uint32_t function = activation & 31;
  const uint32_t clip = activation >> 12 & 7;
  const Element& element = ofm_.element();
  if (function == kTanh || function == kSigmoid) {
    return machine.unsupported() << "the activation function "
                                 << (function == kTanh ? "TANH" : "SIGMOID")
                                 << " is not modelled (only tables are)";
  }
  const bool has_table = function >= kTable0 && function < kTable0 + kTables;
  if (!has_table && function != kNoFunction) {
    return machine.invalid() << "the unknown activation function " << function;
  }
  if (clip != kOfmPrecision && clip != kForceUint8 && clip != kForceInt8 && clip != kForceInt16) {
    return machine.invalid() << "the unknown clip range " << clip;
  }
  const bool forced = clip != kOfmPrecision;
  clamps_ = forced || element.bytes < 4;
  const bool is_signed = forced ? clip != kForceUint8 : element.is_signed;
  const uint32_t bits = forced ? (clip == kForceInt16 ? 16 : 8) : 8u * element.bytes;
  if (clamps_) {
    const auto limit = [&](Narrow name) {
      const uint32_t value = registers.get(name);
      return is_signed ? int32_t{static_cast<int16_t>(value)} : static_cast<int32_t>(value);
    };
    const Range range = range_of(is_signed, bits);
    minimum_ = limit(Narrow::ACTIVATION_MIN);
    maximum_ = limit(Narrow::ACTIVATION_MAX);
    if (minimum_ < range.minimum) minimum_ = range.minimum;
    if (maximum_ > range.maximum) maximum_ = range.maximum;
    if (minimum_ > maximum_) {
      return machine.invalid() << "ACTIVATION_MIN " << minimum_ << " is above ACTIVATION_MAX "
                               << maximum_;
    }
  }
  zero_point_ = element.bytes == 4 && !has_table ? 0 : ofm_.zero_point();
  if (!has_table) return true;

  if (!is_signed || (element.bytes == 4 && clip != kForceInt8) || (forced && element.bytes < 4)) {
    return machine.unsupported() << "a table for this OFM_PRECISION is not modelled";
  }
  table_kind_ = element.bytes == 1   ? Table::kBytes
                : element.bytes == 4 ? Table::kWords
                                     : Table::kLines;
  const uint32_t offset = (function - kTable0) * kTableStep;
  const uint32_t size = element.bytes == 1 ? 256 : element.bytes == 4 ? 1024 : 2048;
  if (offset + size > kTableBytes) {
    return machine.invalid() << "table " << function - kTable0 << " of " << size
                             << " bytes ends past the tables' memory";
  }
  if (!machine.checking()) table_ = machine.memories().tables.data() + offset;
  return true;
}

int64_t Output::look_up(int64_t value) const {
  switch (table_kind_) {
    case Table::kBytes:
      return load<int8_t>(table_ + (value + 128));
    case Table::kWords:
      return load<int32_t>(table_ + (value + 128) * 4);
    case Table::kLines: {
      // 512 lines: a base and a slope for each 128 values.
      const uint8_t* line = table_ + ((value + 32768) >> 7) * 4;
      const int32_t step = static_cast<int32_t>(value & 127);
      return load<int16_t>(line) + ((load<int16_t>(line + 2) * step + 64) >> 7);
    }
    default:
      return value;
  }
}

void Output::put(uint8_t* pixel, int32_t c, int64_t value) const {
  value = static_cast<int64_t>(static_cast<uint64_t>(value) +
                               static_cast<uint64_t>(int64_t{zero_point_}));
  if (clamps_) {
    if (value < minimum_) value = minimum_;
    if (value > maximum_) value = maximum_;
  }
  if (table_kind_ != Table::kNone) value = look_up(value);
  ofm_.element().write(pixel + ofm_.channel(c), value);
}

}  // namespace bpte::ethosu
