// SPDX-License-Identifier: BSD-3-Clause
#include "feature_map.h"
#include "machine.h"
#include "output.h"

namespace bpte::ethosu {
namespace {

enum class Resizing : uint16_t { kBilinear = 0, kReplicate = 1, kNearest = 2 };

/// One direction: position `at` of the OFM stands at (at * step + offset) / scale of the IFM.
struct Axis {
  int64_t scale = 1;
  int64_t step = 1;
  int64_t offset = 0;
  int32_t size = 1;  ///< of the IFM

  int32_t clamped(int64_t index) const {
    return index < 0 ? 0 : index >= size ? size - 1 : static_cast<int32_t>(index);
  }
  /// The element before a position, and how far after it that is, in 1 / scale.
  int64_t before(int32_t at, int64_t& fraction) const {
    const int64_t position = at * step + offset;
    int64_t index = position / scale;
    if (position < index * scale) --index;
    fraction = position - index * scale;
    return index;
  }
};

struct Resize {
  Resizing mode;
  FeatureMap ifm;
  Output output;
  Axis y;
  Axis x;

  int64_t value(int64_t row, int64_t column, int32_t c) const {
    const uint8_t* pixel = ifm.pixel(y.clamped(row), x.clamped(column));
    return int64_t{ifm.read(pixel + ifm.channel(c))} - ifm.zero_point();
  }
  void run_pixel(int32_t row, int32_t column) const;
};

void Resize::run_pixel(int32_t row, int32_t column) const {
  int64_t dy = 0;
  int64_t dx = 0;
  int64_t top = y.before(row, dy);
  int64_t left = x.before(column, dx);
  if (mode == Resizing::kNearest) {
    if (2 * dy >= y.scale) ++top;
    if (2 * dx >= x.scale) ++left;
  }
  const Output::Pixel pixel = output.pixel(row, column);
  for (int32_t c = 0; c < output.size().depth; ++c) {
    int64_t sum = 0;
    if (mode == Resizing::kBilinear) {
      const int64_t upper = value(top, left, c) * (x.scale - dx) + value(top, left + 1, c) * dx;
      const int64_t lower =
          value(top + 1, left, c) * (x.scale - dx) + value(top + 1, left + 1, c) * dx;
      sum = upper * (y.scale - dy) + lower * dy;
    } else {
      sum = value(top, left, c);
    }
    // OFM_SCALE counts from 2^16 on.
    output.put(pixel, c, apply(output.scale(), sum * 65536, output.rounding()));
  }
}

Axis axis(const Registers& registers, Narrow scale, Narrow offset, Wide step, Narrow size) {
  Axis axis;
  axis.scale = registers.plus_one(scale);
  // How far one step goes: whole elements in the parameter's bits 0..3, the rest in bits 0..10.
  const uint64_t bits = registers.get(step);
  axis.step =
      static_cast<int64_t>(bits >> 32 & 15) * axis.scale + static_cast<int64_t>(bits & 0x7FF);
  const int64_t twelve = registers.get(offset) & 0xFFF;
  axis.offset = (twelve ^ 0x800) - 0x800;
  axis.size = registers.plus_one(size);
  return axis;
}

bool describe(Machine& machine, Resize& op) {
  const Registers& registers = machine.registers();
  if (!op.output.describe(machine) || !op.ifm.describe(machine, kIfm)) return false;
  if (op.output.absent() || op.ifm.absent()) return machine.invalid() << "a feature map is nowhere";
  if (!op.output.global_scale() || registers.get(Narrow::IFM_UPSCALE) != 0) {
    return machine.unsupported() << "IFM_UPSCALE, or a scale for each channel, is not modelled";
  }
  op.y = axis(registers, Narrow::RESIZE_Y_SCALE_N_M1, Narrow::RESIZE_Y_OFFSET, Wide::RESIZE_Y_STEP,
              Narrow::KERNEL_HEIGHT_M1);
  op.x = axis(registers, Narrow::RESIZE_X_SCALE_N_M1, Narrow::RESIZE_X_OFFSET, Wide::RESIZE_X_STEP,
              Narrow::KERNEL_WIDTH_M1);
  const Size& ofm = op.output.size();
  return op.ifm.place_input(machine, {op.y.size, op.x.size, ofm.depth}) &&
         machine.count(static_cast<uint64_t>(ofm.height) * static_cast<uint64_t>(ofm.width),
                       static_cast<uint64_t>(ofm.depth), 4);
}

}  // namespace

bool resize(Machine& machine, uint16_t mode) {
  if (mode > static_cast<uint16_t>(Resizing::kNearest)) {
    return machine.invalid() << "the unknown resize mode " << mode;
  }
  Resize op;
  op.mode = static_cast<Resizing>(mode);
  return describe(machine, op) && compute(machine, op);
}

}  // namespace bpte::ethosu
