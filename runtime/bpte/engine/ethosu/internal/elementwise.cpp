// SPDX-License-Identifier: BSD-3-Clause
#include "feature_map.h"
#include "machine.h"
#include "output.h"

namespace bpte::ethosu {
namespace {

enum class Mode : uint16_t {
  kMul = 0,
  kAdd = 1,
  kSub = 2,
  kMin = 3,
  kMax = 4,
  kLeakyRelu = 5,
  kAbs = 6,
  kClz = 7,
  kShr = 8,
  kShl = 9,
  // Ethos-U85 only.
  kEqual = 16,
  kNotEqual = 17,
  kGreaterEqual = 18,
  kGreater = 19,
  kAnd = 33,
  kOr = 34,
  kXor = 35,
  kNot = 36,
  kAndNot = 42,
};

// IFM_PRECISION of an Ethos-U55, bits 8..9: which operand of an addition is scaled by itself.
enum class InputScale : uint8_t { kBoth16 = 0, kA32 = 1, kB32 = 2, kNone = 3 };

// IFM_BROADCAST and IFM2_BROADCAST.
constexpr uint32_t kBroadcastHeight = 1;
constexpr uint32_t kBroadcastWidth = 2;
constexpr uint32_t kBroadcastDepth = 4;
constexpr uint32_t kIfm2IsA = 1u << 6;      // Ethos-U55
constexpr uint32_t kConstantU55 = 1u << 7;  // IFM2_SCALAR
constexpr uint32_t kConstantU85 = 1u << 3;  // OP_SCALAR

// By how much the operand that has no scale of its own is shifted.
constexpr int kShift8 = 19;
constexpr int kShift16 = 14;

struct Operand {
  FeatureMap map;
  bool constant = false;
  uint32_t broadcast = 0;
  int64_t value = 0;  ///< of a constant, its zero point taken off
  const uint8_t* from = nullptr;

  void at(int32_t y, int32_t x) {
    if (constant) return;
    from = map.pixel((broadcast & kBroadcastHeight) != 0 ? 0 : y,
                     (broadcast & kBroadcastWidth) != 0 ? 0 : x);
  }
  int64_t get(int32_t c) const {
    if (constant) return value;
    const ptrdiff_t channel = map.channel((broadcast & kBroadcastDepth) != 0 ? 0 : c);
    return int64_t{map.read(from + channel)} - map.zero_point();
  }
};

struct Elementwise {
  Mode mode;
  bool u85 = false;
  bool binary = false;
  bool ifm2_is_a = false;
  InputScale input_scale = InputScale::kBoth16;
  Rounding a_rounding = Rounding::kDouble;
  Rounding b_rounding = Rounding::kDouble;
  Scale a_scale;
  Scale b_scale;
  Operand ifm;
  Operand ifm2;
  Output output;

  int64_t scaled_sum(int64_t a, int64_t b) const;
  int64_t combine(int64_t a, int64_t b) const;
  void run_pixel(int32_t y, int32_t x);
};

int64_t shift_left(int64_t value, int by) {
  return static_cast<int64_t>(static_cast<uint64_t>(value) << by);
}

int32_t leading_zeros(uint32_t value) {
  int32_t count = 0;
  for (uint32_t bit = uint32_t{1} << 31; bit != 0 && (value & bit) == 0; bit >>= 1) ++count;
  return count;
}

/// a + b, or a - b, before OFM_SCALE.
int64_t Elementwise::scaled_sum(int64_t a, int64_t b) const {
  const uint32_t bytes = ifm.map.element().bytes;
  const int shift = bytes == 1 ? kShift8 : kShift16;
  // Operands of 32 bits have no scale on an Ethos-U55.
  switch (bytes == 4 ? InputScale::kNone : input_scale) {
    case InputScale::kBoth16:
      a *= a_scale.multiplier & 0xFFFF;
      b *= b_scale.multiplier & 0xFFFF;
      break;
    case InputScale::kA32:
      a = apply(a_scale, a, a_rounding);
      b = shift_left(b, shift);
      break;
    case InputScale::kB32:
      a = shift_left(a, shift);
      b = apply(a_scale, b, a_rounding);
      break;
    case InputScale::kNone:
      break;
  }
  const uint64_t right = static_cast<uint64_t>(b);
  return static_cast<int64_t>(static_cast<uint64_t>(a) + (mode == Mode::kSub ? 0 - right : right));
}

int64_t Elementwise::combine(int64_t a, int64_t b) const {
  switch (mode) {
    case Mode::kAdd:
    case Mode::kSub:
      return scaled_sum(a, b);
    case Mode::kMul:
      return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    case Mode::kMin:
      return a < b ? a : b;
    case Mode::kMax:
      return a > b ? a : b;
    case Mode::kAbs:
      return a < 0 ? -a : a;
    case Mode::kClz:
      return leading_zeros(static_cast<uint32_t>(a));
    case Mode::kShr:
      return apply({1, static_cast<uint32_t>(b) & 31}, a,
                   u85 ? output.rounding() : Rounding::kNatural);
    case Mode::kShl:
      return static_cast<int32_t>(static_cast<uint32_t>(a) << (static_cast<uint32_t>(b) & 31));
    case Mode::kEqual:  // true is all ones, so that it is a mask
      return a == b ? -1 : 0;
    case Mode::kNotEqual:
      return a != b ? -1 : 0;
    case Mode::kGreaterEqual:
      return a >= b ? -1 : 0;
    case Mode::kGreater:
      return a > b ? -1 : 0;
    case Mode::kAnd:
      return a & b;
    case Mode::kOr:
      return a | b;
    case Mode::kXor:
      return a ^ b;
    case Mode::kNot:
      return ~a;
    case Mode::kAndNot:
      return a & ~b;
    default:
      return 0;
  }
}

void Elementwise::run_pixel(int32_t y, int32_t x) {
  ifm.at(y, x);
  if (binary) ifm2.at(y, x);
  const bool scales = output.global_scale();
  // Operands of 32 bits have no multiplier on an Ethos-U55.
  Scale scale = output.scale();
  if (!u85 && ifm.map.element().bytes == 4) scale.multiplier = 1;
  const Output::Pixel pixel = output.pixel(y, x);
  for (int32_t c = 0; c < output.size().depth; ++c) {
    int64_t a = ifm.get(c);
    int64_t b = binary ? ifm2.get(c) : 0;
    if (u85) {  // each operand of each mode has its scale
      a = apply(a_scale, a, a_rounding);
      b = apply(b_scale, b, b_rounding);
    }
    const int64_t value = ifm2_is_a ? combine(b, a) : combine(a, b);
    output.put(pixel, c, scales ? apply(scale, value, output.rounding()) : value);
  }
}

bool known(bool u85, uint16_t mode) {
  if (mode <= static_cast<uint16_t>(Mode::kShl)) return true;
  const bool compares =
      mode >= static_cast<uint16_t>(Mode::kEqual) && mode <= static_cast<uint16_t>(Mode::kGreater);
  const bool of_bits =
      (mode >= static_cast<uint16_t>(Mode::kAnd) && mode <= static_cast<uint16_t>(Mode::kNot)) ||
      mode == static_cast<uint16_t>(Mode::kAndNot);
  return u85 && (compares || of_bits);
}

bool place(Machine& machine, Operand& operand, const FeatureMapRegisters& names, const Size& ofm) {
  if (!operand.map.describe(machine, names)) return false;
  if (operand.constant) {
    operand.value -= operand.map.zero_point();
    return true;
  }
  if (operand.map.absent()) return machine.invalid() << names.name << " is nowhere";
  Size size = ofm;
  if ((operand.broadcast & kBroadcastHeight) != 0) size.height = 1;
  if ((operand.broadcast & kBroadcastWidth) != 0) size.width = 1;
  if ((operand.broadcast & kBroadcastDepth) != 0) size.depth = 1;
  return operand.map.place_input(machine, size);
}

bool describe_u55(Machine& machine, Elementwise& op) {
  const Registers& registers = machine.registers();
  const uint32_t precision = registers.get(Narrow::IFM_PRECISION);
  if ((precision >> 8 & 3) > 2) return machine.invalid() << "the unknown scale mode 3";
  if ((precision >> 14 & 3) > 2) return machine.invalid() << "IFM_PRECISION has the rounding 3";
  constexpr Rounding kModes[] = {Rounding::kDouble, Rounding::kTruncate, Rounding::kNatural};
  op.input_scale = static_cast<InputScale>(precision >> 8 & 3);
  op.a_rounding = kModes[precision >> 14 & 3];
  op.a_scale = Scale::of(registers.get(Wide::OPA_SCALE));
  op.a_scale.shifted_before = 0;
  op.b_scale.multiplier = static_cast<uint32_t>(registers.get(Wide::OPB_SCALE));
  const uint32_t broadcast = registers.get(Narrow::IFM2_BROADCAST);
  op.ifm2_is_a = op.binary && (broadcast & kIfm2IsA) != 0;
  op.ifm2.broadcast = broadcast;
  op.ifm2.constant = (broadcast & kConstantU55) != 0;
  const uint32_t value = registers.get(Narrow::IFM2_SCALAR);
  op.ifm2.value = (registers.get(Narrow::IFM2_PRECISION) & 1) != 0
                      ? int64_t{static_cast<int16_t>(value)}
                      : int64_t{value};
  return true;
}

void describe_u85(Machine& machine, Elementwise& op) {
  const Registers& registers = machine.registers();
  const auto rounding = [](uint64_t scale) {
    return (scale >> 45 & 1) != 0 ? Rounding::kNatural : Rounding::kDouble;
  };
  const uint64_t a_scale = registers.get(Wide::IFM_SCALE);
  const uint64_t b_scale = registers.get(Wide::IFM2_SCALE);
  op.input_scale = InputScale::kNone;
  op.a_scale = Scale::of(a_scale);
  op.b_scale = Scale::of(b_scale);
  op.a_rounding = rounding(a_scale);
  op.b_rounding = rounding(b_scale);
  const int64_t scalar = static_cast<int32_t>(registers.get(Wide::OP_SCALAR) & 0xFFFFFFFF);
  op.ifm.broadcast = registers.get(Narrow::IFM_BROADCAST);
  op.ifm2.broadcast = registers.get(Narrow::IFM2_BROADCAST);
  op.ifm.constant = (op.ifm.broadcast & kConstantU85) != 0;
  op.ifm2.constant = (op.ifm2.broadcast & kConstantU85) != 0;
  op.ifm.value = op.ifm2.value = scalar;
}

bool describe(Machine& machine, Elementwise& op) {
  op.u85 = machine.u85();
  op.binary = op.mode != Mode::kAbs && op.mode != Mode::kClz && op.mode != Mode::kNot;
  if (machine.registers().get(Narrow::IFM_UPSCALE) != 0) {
    return machine.unsupported() << "IFM_UPSCALE is not modelled here";
  }
  if (op.u85) {
    describe_u85(machine, op);
  } else if (!describe_u55(machine, op)) {
    return false;
  }
  if (!op.output.describe(machine)) return false;
  if (op.output.absent()) return machine.invalid() << "the OFM is nowhere";
  const Size& size = op.output.size();
  if (!place(machine, op.ifm, kIfm, size)) return false;
  if (op.binary && !place(machine, op.ifm2, kIfm2, size)) return false;
  const uint32_t bytes = op.ifm.map.element().bytes;
  const uint32_t bytes2 = op.ifm2.map.element().bytes;
  if (op.binary && bytes != bytes2) {
    return machine.invalid() << "IFM has elements of " << bytes << " bytes, IFM2 of " << bytes2;
  }
  return machine.count(static_cast<uint64_t>(size.height), static_cast<uint64_t>(size.width),
                       static_cast<uint64_t>(size.depth));
}

}  // namespace

bool combine(Machine& machine, uint16_t mode) {
  if (mode == static_cast<uint16_t>(Mode::kLeakyRelu)) {
    return machine.unsupported() << "the elementwise mode LRELU is not modelled";
  }
  if (machine.u85() && (mode == 10 || mode == 11)) {
    return machine.unsupported() << "the elementwise mode " << (mode == 10 ? "LSR" : "DIV")
                                 << " is not modelled";
  }
  if (!known(machine.u85(), mode)) {
    return machine.invalid() << "the unknown elementwise mode " << mode;
  }
  Elementwise op;
  op.mode = static_cast<Mode>(mode);
  return describe(machine, op) && compute(machine, op);
}

}  // namespace bpte::ethosu
