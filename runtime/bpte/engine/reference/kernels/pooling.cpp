// SPDX-License-Identifier: BSD-3-Clause
// Pooling in two dimensions.

#include <cmath>

#include "../internal/window.h"

namespace bpte::reference {
namespace {

/// An input [n, c, h, w] or [c, h, w].
struct Planes {
  ptrdiff_t n = 1;
  ptrdiff_t c = 1;
  ptrdiff_t n_in = 0;  // strides
  ptrdiff_t c_in = 0;
  ptrdiff_t n_out = 0;
  ptrdiff_t c_out = 0;
  Axis h;
  Axis w;
};

bool planes(Call& call, const Tensor& in, Planes& planes) {
  if (in.rank != 3 && in.rank != 4) return call.invalid("its input is not of rank 3 or 4");
  const size_t d = in.rank - 3u;  // the channel's dimension
  if (d == 1) {
    planes.n = in.sizes[0];
    planes.n_in = in.strides[0];
  }
  planes.c = in.sizes[d];
  planes.c_in = in.strides[d];
  planes.h.in = in.sizes[d + 1];
  planes.h.in_stride = in.strides[d + 1];
  planes.w.in = in.sizes[d + 2];
  planes.w.in_stride = in.strides[d + 2];
  return true;
}

/// Kernel size, stride (its default is the kernel's size) and padding: arguments 1, 2, 3.
bool window(Call& call, Planes& planes) {
  int64_t kernel[2], stride[2], padding[2];
  if (!per_dimension(call, 1, 2, 1, nullptr, kernel) ||
      !per_dimension(call, 2, 2, 1, kernel, stride) ||
      !per_dimension(call, 3, 2, 0, nullptr, padding)) {
    return false;
  }
  Axis* const axes[2] = {&planes.h, &planes.w};
  for (size_t i = 0; i < 2; ++i) {
    axes[i]->kernel = kernel[i];
    axes[i]->stride = stride[i];
    axes[i]->padding = padding[i];
    if (padding[i] > kernel[i] / 2) return call.invalid("the padding exceeds half the kernel");
  }
  return true;
}

/// Each output reads only the part of its window that lies inside the input.
uint64_t window_work(const Planes& planes, const Tensor& out) {
  const auto reach = [](const Axis& axis) {
    return static_cast<uint64_t>(axis.kernel < axis.in ? axis.kernel : axis.in) + 1;
  };
  const uint64_t area = reach(planes.h) * reach(planes.w);  // below 2^64: both below 2^32
  return out.numel != 0 && area > UINT64_MAX / out.numel ? UINT64_MAX : area * out.numel;
}

/// Gives `out` its sizes, and counts the work.
bool resize_planes(Call& call, const Tensor& in, Planes& planes, Tensor& out) {
  int32_t sizes[4];
  const size_t d = in.rank - 3u;
  for (size_t i = 0; i <= d; ++i) sizes[i] = in.sizes[i];
  sizes[d + 1] = static_cast<int32_t>(planes.h.out);
  sizes[d + 2] = static_cast<int32_t>(planes.w.out);
  if (!call.resize(out, sizes, in.rank)) return false;
  planes.n_out = d == 1 ? out.strides[0] : 0;
  planes.c_out = out.strides[d];
  planes.h.out_stride = out.strides[d + 1];
  planes.w.out_stride = out.strides[d + 2];
  return call.work(window_work(planes, out));
}

/// The same with the sizes that kernel, stride and padding give.
bool resize_windows(Call& call, const Tensor& in, Planes& planes, bool ceil_mode, Tensor& out) {
  return set_output_size(call, planes.h, ceil_mode) && set_output_size(call, planes.w, ceil_mode) &&
         resize_planes(call, in, planes, out);
}

/// visit(input plane, output plane offset, h, w) for every output position.
template <typename F>
void for_each_output(const Planes& planes, const Tensor& in, F&& visit) {
  for (ptrdiff_t n = 0; n < planes.n; ++n) {
    for (ptrdiff_t c = 0; c < planes.c; ++c) {
      const float* plane = in.floats() + n * planes.n_in + c * planes.c_in;
      const ptrdiff_t to = n * planes.n_out + c * planes.c_out;
      for (int64_t oh = 0; oh < planes.h.out; ++oh) {
        for (int64_t ow = 0; ow < planes.w.out; ++ow) {
          visit(plane,
                to + static_cast<ptrdiff_t>(oh) * planes.h.out_stride +
                    static_cast<ptrdiff_t>(ow) * planes.w.out_stride,
                oh, ow);
        }
      }
    }
  }
}

const float& at(const Planes& planes, const float* plane, int64_t h, int64_t w) {
  return plane[static_cast<ptrdiff_t>(h) * planes.h.in_stride +
               static_cast<ptrdiff_t>(w) * planes.w.in_stride];
}

}  // namespace

bool aten_max_pool2d_with_indices_out(Call& call) {
  Tensor in, out, indices;
  Planes p;
  int64_t dilation[2];
  bool ceil_mode = false;
  if (!call.floats(0, in) || !planes(call, in, p) || !window(call, p) ||
      !per_dimension(call, 4, 2, 1, nullptr, dilation) || !call.boolean(5, ceil_mode) ||
      !call.out_floats(6, out) || !call.out(7, indices)) {
    return false;
  }
  p.h.dilation = dilation[0];
  p.w.dilation = dilation[1];
  if (indices.type != ScalarType::kLong) return call.unsupported("its indices are not int64");
  if (!resize_windows(call, in, p, ceil_mode, out) || !call.resize_like(indices, out)) return false;
  for (size_t d = 0; d < out.rank; ++d) {
    if (indices.strides[d] != out.strides[d]) {
      return call.unsupported("output and indices are of different dim_order");
    }
  }
  if (call.checking() || out.numel == 0) return true;
  for_each_output(p, in, [&](const float* plane, ptrdiff_t to, int64_t oh, int64_t ow) {
    int64_t h_first, h_last, w_first, w_last;
    p.h.clip(oh, h_first, h_last);
    p.w.clip(ow, w_first, w_last);
    float best = -INFINITY;
    int64_t best_index = p.h.position(oh, h_first) * p.w.in + p.w.position(ow, w_first);
    for (int64_t kh = h_first; kh < h_last; ++kh) {
      for (int64_t kw = w_first; kw < w_last; ++kw) {
        const int64_t h = p.h.position(oh, kh);
        const int64_t w = p.w.position(ow, kw);
        const float x = at(p, plane, h, w);
        if (x > best || std::isnan(x)) {
          best = x;
          best_index = h * p.w.in + w;
        }
      }
    }
    out.floats()[to] = best;
    indices.as<int64_t>()[to] = best_index;
  });
  return true;
}

bool aten_avg_pool2d_out(Call& call) {
  Tensor in, out;
  Planes p;
  bool ceil_mode = false;
  bool count_include_pad = false;
  int64_t divisor = 0;
  if (!call.floats(0, in) || !planes(call, in, p) || !window(call, p) ||
      !call.boolean(4, ceil_mode) || !call.boolean(5, count_include_pad) ||
      (!call.is_none(6) && !call.integer(6, divisor)) || !call.out_floats(7, out)) {
    return false;
  }
  if (!call.is_none(6) && divisor == 0) return call.invalid("its divisor is 0");
  if (!resize_windows(call, in, p, ceil_mode, out)) return false;
  if (call.checking() || out.numel == 0) return true;
  for_each_output(p, in, [&](const float* plane, ptrdiff_t to, int64_t oh, int64_t ow) {
    int64_t h_first, h_last, w_first, w_last;
    p.h.clip(oh, h_first, h_last);
    p.w.clip(ow, w_first, w_last);
    float sum = 0;
    for (int64_t kh = h_first; kh < h_last; ++kh) {
      for (int64_t kw = w_first; kw < w_last; ++kw) {
        sum += at(p, plane, p.h.position(oh, kh), p.w.position(ow, kw));
      }
    }
    int64_t count = divisor;
    if (divisor == 0 && count_include_pad) {
      // The part of the window inside the padded input (with ceil_mode the window may reach beyond
      // it).
      const auto extent = [](const Axis& axis, int64_t o) {
        const int64_t start = axis.position(o, 0);
        const int64_t end = start + axis.kernel;
        return (end < axis.in + axis.padding ? end : axis.in + axis.padding) - start;
      };
      count = extent(p.h, oh) * extent(p.w, ow);
    } else if (divisor == 0) {
      count = (h_last - h_first) * (w_last - w_first);
    }
    out.floats()[to] = count == 0 ? 0.0f : sum / static_cast<float>(count);
  });
  return true;
}

bool aten_adaptive_avg_pool2d_out(Call& call) {
  Tensor in, out;
  Planes p;
  int64_t size[2];
  if (!call.floats(0, in) || !planes(call, in, p) || !per_dimension(call, 1, 2, 1, nullptr, size) ||
      !call.out_floats(2, out)) {
    return false;
  }
  p.h.out = size[0];
  p.w.out = size[1];
  p.h.kernel = p.h.in / size[0] + 2;
  p.w.kernel = p.w.in / size[1] + 2;
  if (p.h.in == 0 || p.w.in == 0) return call.invalid("its input is empty");
  if (!resize_planes(call, in, p, out)) return false;
  if (call.checking() || out.numel == 0) return true;
  const auto begin = [](const Axis& axis, int64_t o) { return o * axis.in / axis.out; };
  const auto end = [](const Axis& axis, int64_t o) {
    return ((o + 1) * axis.in + axis.out - 1) / axis.out;
  };
  for_each_output(p, in, [&](const float* plane, ptrdiff_t to, int64_t oh, int64_t ow) {
    float sum = 0;
    const int64_t h_end = end(p.h, oh);
    const int64_t w_end = end(p.w, ow);
    for (int64_t h = begin(p.h, oh); h < h_end; ++h) {
      for (int64_t w = begin(p.w, ow); w < w_end; ++w) sum += at(p, plane, h, w);
    }
    const int64_t count = (h_end - begin(p.h, oh)) * (w_end - begin(p.w, ow));
    out.floats()[to] = sum / static_cast<float>(count);
  });
  return true;
}

}  // namespace bpte::reference
