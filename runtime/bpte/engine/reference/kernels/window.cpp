// SPDX-License-Identifier: BSD-3-Clause
#include "../internal/window.h"

namespace bpte::reference {

bool per_dimension(Call& call, size_t argument, size_t count, int64_t least, const int64_t* absent,
                   int64_t* numbers) {
  Ints list;
  if (!call.ints(argument, list)) return false;
  if (list.count == 0 && absent != nullptr) {
    for (size_t i = 0; i < count; ++i) numbers[i] = absent[i];
    return true;
  }
  if (list.count != 1 && list.count != count) {
    return call.invalid("a list does not have one number per spatial dimension");
  }
  for (size_t i = 0; i < count; ++i) {
    numbers[i] = list.items[list.count == 1 ? 0 : i];
    if (numbers[i] < least || numbers[i] > INT32_MAX) {
      return call.invalid("a kernel size, stride, padding or dilation is out of range");
    }
  }
  return true;
}

bool set_output_size(Call& call, Axis& axis, bool ceil_mode) {
  const int64_t window = axis.dilation * (axis.kernel - 1) + 1;  // below 2^62
  const int64_t room = axis.in + 2 * axis.padding - window;
  if (room < 0) return call.invalid("the window is larger than the padded input");
  axis.out = (room + (ceil_mode ? axis.stride - 1 : 0)) / axis.stride + 1;
  // The last window starts inside the input or its left padding.
  if (ceil_mode && (axis.out - 1) * axis.stride >= axis.in + axis.padding) --axis.out;
  if (axis.out > INT32_MAX) return call.invalid("the output is too large");
  return true;
}

}  // namespace bpte::reference
