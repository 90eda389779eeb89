// SPDX-License-Identifier: BSD-3-Clause
#include "window.h"

namespace bpte::ethosu {

bool Window::Axis::measure(Machine& machine, const char* name, int32_t kernel, int32_t ofm) {
  // All terms have 16 bits or, for the strides, 2: the sums have 20 at most.
  if ((kernel - 1) % dilation != 0) {
    return machine.invalid() << "a kernel " << name << " of " << kernel << " with dilation "
                             << dilation;
  }
  taps = (kernel - 1) / dilation + 1;
  upscaled = (ofm - 1) * stride + kernel - before - after;
  if (upscaled < 1) {
    return machine.invalid() << "padding of " << before << " and " << after
                             << " leaves no IFM in its " << name;
  }
  ifm = upscale == Upscale::kNone ? upscaled : (upscaled + 1) / 2;
  return true;
}

bool Window::describe(Machine& machine, const Size& ofm) {
  const Registers& registers = machine.registers();
  const uint32_t bits = registers.get(Narrow::KERNEL_STRIDE);
  const auto bit = [bits](uint32_t at) { return static_cast<int32_t>(bits >> at & 1); };
  x_.stride = 1 + bit(0) + 2 * bit(6);
  y_.stride = 1 + bit(1) + 2 * bit(9);
  part_kernel_first_ = bit(2) != 0;
  x_.dilation = 1 + bit(3);
  y_.dilation = 1 + bit(4);
  if (bit(5) != 0) return machine.unsupported() << "kernels split 4x4 are not modelled";
  const uint32_t upscale = registers.get(Narrow::IFM_UPSCALE);
  if (upscale > 2) return machine.invalid() << "the unknown IFM_UPSCALE " << upscale;
  x_.upscale = y_.upscale = static_cast<Upscale>(upscale);
  y_.before = static_cast<int32_t>(registers.get(Narrow::IFM_PAD_TOP));
  y_.after = static_cast<int32_t>(registers.get(Narrow::IFM_PAD_BOTTOM));
  x_.before = static_cast<int32_t>(registers.get(Narrow::IFM_PAD_LEFT));
  x_.after = static_cast<int32_t>(registers.get(Narrow::IFM_PAD_RIGHT));
  return y_.measure(machine, "height", registers.plus_one(Narrow::KERNEL_HEIGHT_M1), ofm.height) &&
         x_.measure(machine, "width", registers.plus_one(Narrow::KERNEL_WIDTH_M1), ofm.width);
}

}  // namespace bpte::ethosu
