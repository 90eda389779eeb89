// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "call.h"

namespace bpte::reference {

/// One spatial dimension of a convolution or pooling. All values fit 31 bits, so that sums and
/// products of two fit 64.
struct Axis {
  int64_t in = 1;
  int64_t out = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  ptrdiff_t in_stride = 0;
  ptrdiff_t out_stride = 0;

  /// The kernel positions [first, last) that lie inside the input for output position `o`.
  void clip(int64_t o, int64_t& first, int64_t& last) const {
    const int64_t start = o * stride - padding;
    first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    last = start >= in ? 0 : (in - start + dilation - 1) / dilation;
    if (last > kernel) last = kernel;
    if (last < first) last = first;
  }
  int64_t position(int64_t o, int64_t k) const { return o * stride - padding + k * dilation; }
};

/// Reads kernel size, stride, padding or dilation: one number for all dimensions, or one for each;
/// each at least `least`. None or an empty list gives `absent`.
[[nodiscard]] bool per_dimension(Call& call, size_t argument, size_t count, int64_t least,
                                 const int64_t* absent, int64_t* numbers);

/// The output size by PyTorch's rules, into axis.out; refuses windows larger than the padded input.
[[nodiscard]] bool set_output_size(Call& call, Axis& axis, bool ceil_mode);

}  // namespace bpte::reference
