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
};

// IFM_PRECISION, bits 8..9: which operand of an addition is scaled by itself.
enum class InputScale : uint8_t { kBoth16 = 0, kA32 = 1, kB32 = 2 };

// IFM2_BROADCAST.
constexpr uint32_t kBroadcastHeight = 1;
constexpr uint32_t kBroadcastWidth = 2;
constexpr uint32_t kBroadcastDepth = 4;
constexpr uint32_t kIfm2IsA = 1u << 6;
constexpr uint32_t kConstant = 1u << 7;

// By how much the operand that has no scale of its own is shifted.
constexpr int kShift8 = 19;
constexpr int kShift16 = 14;

struct Elementwise {
  Mode mode;
  bool binary = false;
  bool constant = false;
  bool ifm2_is_a = false;
  uint32_t broadcast = 0;
  InputScale input_scale = InputScale::kBoth16;
  Rounding input_rounding = Rounding::kDouble;
  Scale a_scale;
  uint32_t b_scale = 1;
  int32_t constant_value = 0;
  FeatureMap ifm;
  FeatureMap ifm2;
  Output output;

  int64_t scaled_sum(int64_t a, int64_t b) const;
  int64_t combine(int64_t a, int64_t b) const;
  void run_pixel(int32_t y, int32_t x) const;
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
  if (ifm.element().bytes < 4) {
    const int shift = ifm.element().bytes == 1 ? kShift8 : kShift16;
    switch (input_scale) {
      case InputScale::kBoth16:
        a *= a_scale.multiplier & 0xFFFF;
        b *= b_scale & 0xFFFF;
        break;
      case InputScale::kA32:
        a = apply(a_scale, a, input_rounding);
        b = shift_left(b, shift);
        break;
      case InputScale::kB32:
        a = shift_left(a, shift);
        b = apply(a_scale, b, input_rounding);
        break;
    }
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
      return apply({1, static_cast<uint32_t>(b) & 31}, a, Rounding::kNatural);
    case Mode::kShl:
      return static_cast<int32_t>(static_cast<uint32_t>(a) << (static_cast<uint32_t>(b) & 31));
    default:
      return 0;
  }
}

void Elementwise::run_pixel(int32_t y, int32_t x) const {
  const uint8_t* from = ifm.pixel(y, x);
  const uint8_t* from2 = nullptr;
  if (binary && !constant) {
    from2 = ifm2.pixel((broadcast & kBroadcastHeight) != 0 ? 0 : y,
                       (broadcast & kBroadcastWidth) != 0 ? 0 : x);
  }
  const bool scales = output.global_scale();
  // Operands of 32 bits have no multiplier.
  Scale scale = output.scale();
  if (ifm.element().bytes == 4) scale.multiplier = 1;
  uint8_t* to = output.map().pixel_to_write(y, x);
  for (int32_t c = 0; c < output.size().depth; ++c) {
    int64_t a = int64_t{ifm.read(from + ifm.channel(c))} - ifm.zero_point();
    int64_t b = 0;
    if (binary) {
      const int32_t c2 = (broadcast & kBroadcastDepth) != 0 ? 0 : c;
      b = constant ? constant_value : ifm2.read(from2 + ifm2.channel(c2));
      b -= ifm2.zero_point();
    }
    const int64_t value = ifm2_is_a ? combine(b, a) : combine(a, b);
    output.put(to, c, scales ? apply(scale, value, output.rounding()) : value);
  }
}

/// IFM2, or the constant in its place.
bool describe_second(Machine& machine, Elementwise& op) {
  const Registers& registers = machine.registers();
  op.broadcast = registers.get(Narrow::IFM2_BROADCAST);
  op.ifm2_is_a = (op.broadcast & kIfm2IsA) != 0;
  op.constant = (op.broadcast & kConstant) != 0;
  if (!op.ifm2.describe(machine, kIfm2)) return false;
  if (op.ifm2.element().bytes != op.ifm.element().bytes) {
    return machine.invalid() << "IFM has elements of " << op.ifm.element().bytes
                             << " bytes, IFM2 of " << op.ifm2.element().bytes;
  }
  if (op.constant) {
    const uint32_t value = registers.get(Narrow::IFM2_SCALAR);
    op.constant_value = op.ifm2.element().is_signed ? int32_t{static_cast<int16_t>(value)}
                                                    : static_cast<int32_t>(value);
    return true;
  }
  Size size = op.output.size();
  if ((op.broadcast & kBroadcastHeight) != 0) size.height = 1;
  if ((op.broadcast & kBroadcastWidth) != 0) size.width = 1;
  if ((op.broadcast & kBroadcastDepth) != 0) size.depth = 1;
  return op.ifm2.place_input(machine, size);
}

bool describe(Machine& machine, Elementwise& op) {
  const Registers& registers = machine.registers();
  const uint32_t precision = registers.get(Narrow::IFM_PRECISION);
  if ((precision >> 8 & 3) > 2) return machine.invalid() << "the unknown scale mode 3";
  if ((precision >> 14 & 3) > 2) return machine.invalid() << "IFM_PRECISION has the rounding 3";
  op.input_scale = static_cast<InputScale>(precision >> 8 & 3);
  op.input_rounding = static_cast<Rounding>(precision >> 14 & 3);
  op.a_scale = Scale::of(registers.get(Wide::OPA_SCALE));
  op.b_scale = static_cast<uint32_t>(registers.get(Wide::OPB_SCALE));
  op.binary = op.mode != Mode::kAbs && op.mode != Mode::kClz;
  if (registers.get(Narrow::IFM_UPSCALE) != 0) {
    return machine.unsupported() << "IFM_UPSCALE is not modelled here";
  }
  if (!op.output.describe(machine) || !op.ifm.describe(machine, kIfm)) return false;
  const Size& size = op.output.size();
  if (!op.ifm.place_input(machine, size)) return false;
  if (op.binary && !describe_second(machine, op)) return false;
  return machine.count(static_cast<uint64_t>(size.height), static_cast<uint64_t>(size.width),
                       static_cast<uint64_t>(size.depth));
}

}  // namespace

bool combine(Machine& machine, uint16_t mode) {
  if (mode > static_cast<uint16_t>(Mode::kShl)) {
    return machine.invalid() << "the unknown elementwise mode " << mode;
  }
  if (mode == static_cast<uint16_t>(Mode::kLeakyRelu)) {
    return machine.unsupported() << "the elementwise mode LRELU is not modelled";
  }
  Elementwise op;
  op.mode = static_cast<Mode>(mode);
  if (!describe(machine, op)) return false;
  if (machine.checking()) return true;
  for (int32_t y = 0; y < op.output.size().height; ++y) {
    for (int32_t x = 0; x < op.output.size().width; ++x) op.run_pixel(y, x);
  }
  return true;
}

}  // namespace bpte::ethosu
