// SPDX-License-Identifier: BSD-3-Clause
#include "output.h"

namespace bpte::ethosu {
namespace {

// ACTIVATION of an Ethos-U55: the function in bits 0..4, the range that values are clamped to in
// bits 12..14. RELU, 0, is what ACTIVATION_MIN and _MAX do.
constexpr uint32_t kTanh = 3;
constexpr uint32_t kSigmoid = 4;
constexpr uint32_t kTable0 = 16;
constexpr uint32_t kTables = 8;
constexpr uint32_t kTableStep = 256;
enum Clip : uint32_t { kOfmPrecision = 0, kForceUint8 = 2, kForceInt8 = 3, kForceInt16 = 5 };

// ACTIVATION of an Ethos-U85: the kind of table in bits 0..4, its number in 5..7, no limits by bit
// 12.
enum Lut : uint32_t { kNoLut = 0, kS8ToS8 = 4, kS8ToS16 = 5, kS8ToS32 = 7, kS16ToS16 = 8 };
constexpr uint32_t kS16ToS32 = 9;

// OFM_PRECISION of an Ethos-U85, bits 11..13: which axis of what is computed, height, width or
// depth, each axis of the OFM is.
constexpr uint8_t kOrders[8][3] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1}, {1, 2, 0},
                                   {},        {},        {2, 0, 1}, {2, 1, 0}};

struct Range {
  int32_t minimum;
  int32_t maximum;
};

Range range_of(bool is_signed, uint32_t bits) {
  const int32_t values = int32_t{1} << bits;
  return is_signed ? Range{-values / 2, values / 2 - 1} : Range{0, values - 1};
}

Rounding rounding_of(bool u85, uint32_t number) {
  if (!u85) {
    constexpr Rounding kModes[] = {Rounding::kDouble, Rounding::kTruncate, Rounding::kNatural,
                                   Rounding::kUnknown};
    return kModes[number & 3];
  }
  // 2 and 3, double rounding away from zero and single, no program of Vela's has been seen to use.
  constexpr Rounding kModes[] = {Rounding::kDouble,  Rounding::kNatural,  Rounding::kUnknown,
                                 Rounding::kUnknown, Rounding::kTruncate, Rounding::kDown,
                                 Rounding::kUnknown, Rounding::kUnknown};
  return kModes[number & 7];
}

}  // namespace

bool Output::describe(Machine& machine) {
  const Registers& registers = machine.registers();
  const uint32_t precision = registers.get(Narrow::OFM_PRECISION);
  const uint64_t scale = registers.get(Wide::OFM_SCALE);
  const uint32_t rounding =
      machine.u85() ? static_cast<uint32_t>(scale >> 45 & 7) : precision >> 14 & 3;
  rounding_ = rounding_of(machine.u85(), rounding);
  if (rounding_ == Rounding::kUnknown) {
    return machine.unsupported() << "the OFM's rounding " << rounding << " is not modelled";
  }
  global_scale_ = (precision >> 8 & 1) != 0;
  scale_ = Scale::of(scale);
  if (!machine.u85()) scale_.shifted_before = 0;
  size_ = {registers.plus_one(Narrow::OFM_HEIGHT_M1), registers.plus_one(Narrow::OFM_WIDTH_M1),
           registers.plus_one(Narrow::OFM_DEPTH_M1)};
  if (!ofm_.describe_wide(machine, kOfm)) return false;
  if (machine.u85() && !describe_order(machine, precision)) return false;
  const int32_t sizes[] = {size_.height, size_.width, size_.depth};
  return ofm_.place_output(machine, {sizes[axes_[0]], sizes[axes_[1]], sizes[axes_[2]]}) &&
         describe_activation(machine);
}

bool Output::describe_order(Machine& machine, uint32_t precision) {
  const uint32_t order = precision >> 11 & 7;
  const uint32_t reverse = precision >> 9 & 3;
  if (order == 4 || order == 5) {
    return machine.invalid() << "OFM_PRECISION has the unknown transposition " << order;
  }
  if (order != 0 && reverse != 0) {
    return machine.unsupported() << "an OFM that is transposed and reversed is not modelled";
  }
  for (uint32_t k = 0; k < 3; ++k) axes_[k] = kOrders[order][k];
  reversed_ = static_cast<int8_t>(reverse) - 1;
  reordered_ = order != 0 || reverse != 0;
  return true;
}

bool Output::activation_u55(Machine& machine, Activation& activation) const {
  const uint32_t bits = machine.registers().get(Narrow::ACTIVATION);
  const uint32_t function = bits & 31;
  const uint32_t clip = bits >> 12 & 7;
  const Element& element = ofm_.element();
  if (function == kTanh || function == kSigmoid) {
    return machine.unsupported() << "the activation function "
                                 << (function == kTanh ? "TANH" : "SIGMOID")
                                 << " is not modelled (only tables are)";
  }
  const bool has_table = function >= kTable0 && function < kTable0 + kTables;
  if (!has_table && function != 0) {
    return machine.invalid() << "the unknown activation function " << function;
  }
  if (clip != kOfmPrecision && clip != kForceUint8 && clip != kForceInt8 && clip != kForceInt16) {
    return machine.invalid() << "the unknown clip range " << clip;
  }
  const bool forced = clip != kOfmPrecision;
  activation.clamps = forced || element.bytes < 4;
  activation.is_signed = forced ? clip != kForceUint8 : element.is_signed;
  if (activation.clamps) {
    const uint32_t width = forced ? (clip == kForceInt16 ? 16 : 8) : 8u * element.bytes;
    const Range range = range_of(activation.is_signed, width);
    activation.minimum = range.minimum;
    activation.maximum = range.maximum;
  }
  if (!has_table) return true;
  if (!activation.is_signed || (element.bytes == 4 && clip != kForceInt8) ||
      (forced && element.bytes < 4)) {
    return machine.unsupported() << "a table for this OFM_PRECISION is not modelled";
  }
  activation.table = element.bytes == 1   ? Table::kBytes
                     : element.bytes == 4 ? Table::kWords
                                          : Table::kLines;
  activation.table_at = (function - kTable0) * kTableStep;
  return true;
}

bool Output::activation_u85(Machine& machine, Activation& activation) const {
  const uint32_t bits = machine.registers().get(Narrow::ACTIVATION);
  const uint32_t function = bits & 31;
  const uint32_t number = bits >> 5 & 7;
  activation.clamps = (bits >> 12 & 1) == 0;
  // Limits are of the value that is looked up, whose type the kind of table says.
  const bool from_bytes = function == kS8ToS8 || function == kS8ToS16 || function == kS8ToS32;
  const bool from_halves = function == kS16ToS16 || function == kS16ToS32;
  activation.is_signed = function != kNoLut || ofm_.element().is_signed;
  const uint32_t width = from_bytes    ? 8
                         : from_halves ? 16
                                       : 8u * (ofm_.element().bytes < 2 ? 1 : 2);
  const Range range = range_of(activation.is_signed, width);
  activation.minimum = range.minimum;
  activation.maximum = range.maximum;
  if (function == kNoLut) return true;
  const uint32_t result = ofm_.element().bytes;
  switch (function) {
    case kS8ToS8:
      activation.table = Table::kBytes;
      break;
    case kS8ToS16:
      activation.table = Table::kHalves;
      break;
    case kS8ToS32:
      activation.table = Table::kWords;
      break;
    case kS16ToS16:
      activation.table = Table::kLines;
      break;
    case kS16ToS32:
      activation.table = Table::kWideLines;
      break;
    default:
      return machine.unsupported() << "the activation function " << function << " is not modelled";
  }
  const uint32_t expected = function == kS8ToS8                             ? 1
                            : function == kS8ToS16 || function == kS16ToS16 ? 2
                                                                            : 4;
  if (result != expected) {
    return machine.unsupported() << "a table of kind " << function << " for an OFM of " << result
                                 << " bytes is not modelled";
  }
  // What is looked up is kept within the table all the same.
  activation.own_limits = !activation.clamps;
  activation.clamps = true;
  activation.table_at = number * (from_bytes ? 256 * expected : kTableBytes);
  return true;
}

bool Output::describe_activation(Machine& machine) {
  const Registers& registers = machine.registers();
  Activation activation;
  if (!(machine.u85() ? activation_u85(machine, activation)
                      : activation_u55(machine, activation))) {
    return false;
  }
  clamps_ = activation.clamps;
  if (clamps_) {
    const auto limit = [&](Narrow name) {
      const uint32_t value = registers.get(name);
      return activation.is_signed ? int32_t{static_cast<int16_t>(value)}
                                  : static_cast<int32_t>(value);
    };
    minimum_ = limit(Narrow::ACTIVATION_MIN);
    maximum_ = limit(Narrow::ACTIVATION_MAX);
    if (activation.own_limits || minimum_ < activation.minimum) minimum_ = activation.minimum;
    if (activation.own_limits || maximum_ > activation.maximum) maximum_ = activation.maximum;
    if (minimum_ > maximum_) {
      return machine.invalid() << "ACTIVATION_MIN " << minimum_ << " is above ACTIVATION_MAX "
                               << maximum_;
    }
  }
  const bool has_table = activation.table != Table::kNone;
  zero_point_ = ofm_.element().bytes >= 4 && !has_table ? 0 : ofm_.zero_point();
  if (!has_table) return true;
  table_kind_ = activation.table;
  const uint32_t size = table_kind_ == Table::kBytes    ? 256
                        : table_kind_ == Table::kHalves ? 512
                        : table_kind_ == Table::kWords  ? 1024
                                                        : 2048;
  if (activation.table_at + size > kTableBytes) {
    return machine.invalid() << "table " << activation.table_at / kTableStep << " of " << size
                             << " bytes ends past the tables' memory";
  }
  if (!machine.checking()) table_ = machine.memories().tables.data() + activation.table_at;
  return true;
}

int64_t Output::look_up(int64_t value) const {
  switch (table_kind_) {
    case Table::kBytes:
      return load<int8_t>(table_ + (value + 128));
    case Table::kHalves:
      return load<int16_t>(table_ + (value + 128) * 2);
    case Table::kWords:
      return load<int32_t>(table_ + (value + 128) * 4);
    case Table::kLines:
    case Table::kWideLines: {
      // 512 lines: a base and a slope for each 128 values.
      const uint8_t* line = table_ + ((value + 32768) >> 7) * 4;
      const int32_t step = static_cast<int32_t>(value & 127);
      const int32_t base = load<int16_t>(line);
      const int32_t slope = load<int16_t>(line + 2) * step;
      return table_kind_ == Table::kLines ? base + ((slope + 64) >> 7) : base * 128 + slope;
    }
    default:
      return value;
  }
}

uint8_t* Output::reordered(int32_t y, int32_t x, int32_t c) const {
  int32_t from[] = {y, x, c};
  const int32_t sizes[] = {size_.height, size_.width, size_.depth};
  if (reversed_ >= 0) from[reversed_] = sizes[reversed_] - 1 - from[reversed_];
  return ofm_.pixel_to_write(from[axes_[0]], from[axes_[1]]) + ofm_.channel(from[axes_[2]]);
}

}  // namespace bpte::ethosu
