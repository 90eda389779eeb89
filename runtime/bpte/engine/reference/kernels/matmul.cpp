// SPDX-License-Identifier: BSD-3-Clause
// Matrix products.

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {
namespace {

/// A matrix inside a tensor: strides in elements.
struct Matrix {
  float* data;
  ptrdiff_t row;
  ptrdiff_t column;
};

/// out[m, n] = start[m, n] * beta + alpha * sum over k of a[m, k] * b[k, n]. `start` may be null:
/// 0.
void multiply(const Matrix& out, const Matrix& a, const Matrix& b, ptrdiff_t m, ptrdiff_t k,
              ptrdiff_t n, const Matrix* start, float beta, float alpha) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) {
      const float* x = a.data + i * a.row;
      const float* y = b.data + j * b.column;
      float sum = 0;
      for (ptrdiff_t l = 0; l < k; ++l) sum += x[l * a.column] * y[l * b.row];
      sum *= alpha;
      if (start != nullptr) sum += beta * start->data[i * start->row + j * start->column];
      out.data[i * out.row + j * out.column] = sum;
    }
  }
}

Matrix matrix(Tensor& tensor) {
  return {tensor.floats(), tensor.strides[0], tensor.strides[1]};
}

bool count_work(Call& call, const Tensor& out, int32_t depth) {
  return call.work(uint64_t{out.numel} * (1u + static_cast<uint32_t>(depth)));
}

bool two_matrices(Call& call, size_t first, Tensor& a, Tensor& b, size_t out_argument,
                  Tensor& out) {
  if (!call.floats(first, a) || !call.floats(first + 1, b) || !call.out_floats(out_argument, out)) {
    return false;
  }
  if (a.rank != 2 || b.rank != 2 || a.sizes[1] != b.sizes[0]) {
    return call.invalid("the shapes of the matrices do not fit");
  }
  const int32_t sizes[2] = {a.sizes[0], b.sizes[1]};
  return call.resize(out, sizes, 2) && count_work(call, out, a.sizes[1]);
}

}  // namespace

bool aten_mm_out(Call& call) {
  Tensor a, b, out;
  if (!two_matrices(call, 0, a, b, 2, out)) return false;
  if (call.checking()) return true;
  multiply(matrix(out), matrix(a), matrix(b), out.sizes[0], a.sizes[1], out.sizes[1], nullptr, 0,
           1);
  return true;
}

bool aten_addmm_out(Call& call) {
  Tensor start, a, b, out;
  double beta = 1;
  double alpha = 1;
  ptrdiff_t strides[kRankLimit];
  if (!call.floats(0, start) || !two_matrices(call, 1, a, b, 5, out) || !call.number(3, beta) ||
      !call.number(4, alpha) || !broadcast_strides(call, start, out.sizes, out.rank, strides)) {
    return false;
  }
  if (call.checking()) return true;
  const Matrix from{start.floats(), strides[0], strides[1]};
  multiply(matrix(out), matrix(a), matrix(b), out.sizes[0], a.sizes[1], out.sizes[1], &from,
           static_cast<float>(beta), static_cast<float>(alpha));
  return true;
}

bool aten_bmm_out(Call& call) {
  Tensor a, b, out;
  if (!call.floats(0, a) || !call.floats(1, b) || !call.out_floats(2, out)) return false;
  if (a.rank != 3 || b.rank != 3 || a.sizes[0] != b.sizes[0] || a.sizes[2] != b.sizes[1]) {
    return call.invalid("the shapes of the matrices do not fit");
  }
  const int32_t sizes[3] = {a.sizes[0], a.sizes[1], b.sizes[2]};
  if (!call.resize(out, sizes, 3) || !count_work(call, out, a.sizes[2])) return false;
  if (call.checking() || out.numel == 0) return true;
  for (ptrdiff_t i = 0; i < out.sizes[0]; ++i) {
    multiply({out.floats() + i * out.strides[0], out.strides[1], out.strides[2]},
             {a.floats() + i * a.strides[0], a.strides[1], a.strides[2]},
             {b.floats() + i * b.strides[0], b.strides[1], b.strides[2]}, out.sizes[1], a.sizes[2],
             out.sizes[2], nullptr, 0, 1);
  }
  return true;
}

// out[..., n] = input[..., k] * weight[n, k] + bias[n]
bool aten_linear_out(Call& call) {
  Tensor in, weight, bias, out;
  bool has_bias = false;
  if (!call.floats(0, in) || !call.floats(1, weight) || !call.optional_floats(2, bias, has_bias) ||
      !call.out_floats(3, out)) {
    return false;
  }
  if (in.rank == 0 || weight.rank != 2 || in.sizes[in.rank - 1] != weight.sizes[1] ||
      (has_bias && (bias.rank != 1 || bias.sizes[0] != weight.sizes[0]))) {
    return call.invalid("the shapes of input, weight and bias do not fit");
  }
  int32_t sizes[kRankLimit];
  for (size_t d = 0; d < in.rank; ++d) sizes[d] = in.sizes[d];
  sizes[in.rank - 1] = weight.sizes[0];
  if (!call.resize(out, sizes, in.rank) || !count_work(call, out, weight.sizes[1])) return false;
  if (!in.contiguous() || !out.contiguous()) {
    return call.unsupported("its input or output is not in row-major order");
  }
  if (call.checking() || out.numel == 0) return true;
  const ptrdiff_t n = weight.sizes[0];
  const ptrdiff_t k = weight.sizes[1];
  const ptrdiff_t m = static_cast<ptrdiff_t>(out.numel) / n;
  const Matrix from{bias.floats(), 0, bias.strides[0]};
  multiply({out.floats(), n, 1}, {in.floats(), k, 1},
           {weight.floats(), weight.strides[1], weight.strides[0]}, m, k, n,
           has_bias ? &from : nullptr, 1, 1);
  return true;
}

}  // namespace bpte::reference
