// SPDX-License-Identifier: BSD-3-Clause
// Reductions over some or all dimensions.

#include <cmath>

#include "../internal/call.h"

namespace bpte::reference {
namespace {

using Combine = float (*)(float accumulated, float x);

/// Which dimensions are reduced, and how the output is walked beside the input: stride 0 there.
struct Reduction {
  bool reduced[kRankLimit] = {};
  ptrdiff_t out_strides[kRankLimit] = {};
  size_t count = 1;  ///< elements that make one output element
};

/// `dims` empty or absent: all dimensions.
bool prepare(Call& call, const Tensor& in, const Ints& dims, bool keep, Tensor& out,
             Reduction& reduction) {
  for (size_t i = 0; i < dims.count; ++i) {
    size_t d = 0;
    if (!call.to_dimension(dims.items[i], in.rank, d)) return false;
    if (reduction.reduced[d]) return call.invalid("a dimension is reduced twice");
    reduction.reduced[d] = true;
  }
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  for (size_t d = 0; d < in.rank; ++d) {
    if (dims.count == 0) reduction.reduced[d] = true;
    if (reduction.reduced[d]) {
      reduction.count *= static_cast<size_t>(in.sizes[d]);
      if (keep) sizes[rank++] = 1;
    } else {
      sizes[rank++] = in.sizes[d];
    }
  }
  if (!call.resize(out, sizes, rank) || !call.work(uint64_t{in.numel} + out.numel)) return false;
  for (size_t d = 0, e = 0; d < in.rank; ++d) {
    if (!reduction.reduced[d]) reduction.out_strides[d] = out.strides[e];
    if (!reduction.reduced[d] || keep) ++e;
  }
  return true;
}

/// The input's elements, beside those of the output that they belong to.
Rows rows_of(const Tensor& in, const Reduction& reduction) {
  if (in.numel == 0) return {};
  Rows rows(in.sizes, in.rank);
  rows.operand(0, reduction.out_strides);
  rows.operand(1, in.strides);
  return rows;
}

/// out = start, then out = combine(out, x) for every x that belongs to it.
void fold(const Tensor& in, Tensor& out, const Reduction& reduction, float start, Combine combine) {
  for (size_t i = 0; i < out.numel; ++i) out.floats()[i] = start;
  if (in.numel == 0) return;
  Rows rows = rows_of(in, reduction);
  do {
    float* to = out.floats() + rows.offset[0];
    const float* from = in.floats() + rows.offset[1];
    if (rows.step[0] == 0) {
      // Sums a row by itself first: shorter chains of additions round less.
      float row = from[0];
      for (ptrdiff_t i = 1; i < rows.length; ++i) row = combine(row, from[i * rows.step[1]]);
      *to = combine(*to, row);
    } else {
      for (ptrdiff_t i = 0; i < rows.length; ++i) {
        to[i * rows.step[0]] = combine(to[i * rows.step[0]], from[i * rows.step[1]]);
      }
    }
  } while (rows.next());
}

float sum(float a, float x) {
  return a + x;
}
float largest(float a, float x) {
  return x > a || std::isnan(x) ? x : a;
}
float smallest(float a, float x) {
  return x < a || std::isnan(x) ? x : a;
}

/// What `combine` makes of the elements that `dims` name, by their count if it is a mean.
bool reduce(Call& call, size_t out_argument, const Ints& dims, bool keep, float start,
            Combine combine, bool mean = false) {
  Tensor in, out;
  Reduction reduction;
  if (!call.floats(0, in) || !call.out_floats(out_argument, out) ||
      !prepare(call, in, dims, keep, out, reduction)) {
    return false;
  }
  if (reduction.count == 0 && combine != sum) return call.invalid("the extreme of no elements");
  if (call.checking()) return true;
  fold(in, out, reduction, start, combine);
  for (size_t i = 0; mean && i < out.numel; ++i) {
    out.floats()[i] /= static_cast<float>(reduction.count);
  }
  return true;
}

/// (self, dims, keepdim, ..., out)
bool reduce_dims(Call& call, size_t out_argument, float start, Combine combine, bool mean = false) {
  Ints dims;
  bool keep = false;
  return call.ints(1, dims) && call.boolean(2, keep) &&
         reduce(call, out_argument, dims, keep, start, combine, mean);
}

}  // namespace

bool aten_mean_out(Call& call) {
  return reduce_dims(call, 4, 0, sum, true);
}
// (self, dtype, out)
bool aten_mean_dtype_out(Call& call) {
  return reduce(call, 2, Ints(), false, 0, sum, true);
}
bool aten_sum_IntList_out(Call& call) {
  return reduce_dims(call, 4, 0, sum);
}
bool aten_amax_out(Call& call) {
  return reduce_dims(call, 3, -INFINITY, largest);
}
bool aten_amin_out(Call& call) {
  return reduce_dims(call, 3, INFINITY, smallest);
}

// Of bools, over one dimension: (self, dim, keepdim, out).
bool aten_any_out(Call& call) {
  Tensor in, out;
  size_t dimension = 0;
  bool keep = false;
  Reduction reduction;
  Ints dims;
  if (!call.tensor(0, in) || !call.dimension(1, in.rank, dimension) || !call.boolean(2, keep) ||
      !call.out(3, out)) {
    return false;
  }
  if (in.type != ScalarType::kBool || out.type != ScalarType::kBool) {
    return call.unsupported("its input and output are not both of dtype bool");
  }
  dims.items[0] = static_cast<int64_t>(dimension);
  dims.count = in.rank == 0 ? 0 : 1;
  if (!prepare(call, in, dims, keep, out, reduction)) return false;
  if (call.checking()) return true;
  for (size_t i = 0; i < out.numel; ++i) out.data[i] = 0;
  Rows rows = rows_of(in, reduction);
  rows.each([&](ptrdiff_t i) {
    if (in.data[rows.at(1, i)] != 0) out.data[rows.at(0, i)] = 1;
  });
  return true;
}

}  // namespace bpte::reference
