// SPDX-License-Identifier: BSD-3-Clause
// Operators that take elements by indices that are data, and the one that counts them out.

#include <cmath>
#include <cstring>

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {
namespace {

bool is_index(Call& call, const Tensor& indices) {
  return indices.type == ScalarType::kLong || indices.type == ScalarType::kInt ||
         call.unsupported("its indices are neither int64 nor int32");
}

/// The tensors that index a tensor's dimensions, of which some may have none.
struct Indices {
  Tensor tensors[kRankLimit];
  size_t dimensions[kRankLimit];  ///< of the tensor that is indexed, ascending
  size_t count = 0;
  int32_t sizes[kRankLimit];  ///< the shape that they broadcast to
  size_t rank = 0;
  ptrdiff_t strides[kRankLimit][kRankLimit];  ///< by index tensor, of that shape

  bool read(Call& call, size_t argument, const Tensor& self);
  bool takes(size_t dimension) const {
    for (size_t k = 0; k < count; ++k) {
      if (dimensions[k] == dimension) return true;
    }
    return false;
  }
  /// Where the broadcast shape stands among self's dimensions: in the place of the indexed ones, or
  /// in front where others lie between them (PyTorch's rule).
  size_t place() const {
    return dimensions[count - 1] - dimensions[0] == count - 1 ? dimensions[0] : 0;
  }
  /// The offset of self's element that the indices at `position` of the broadcast shape name.
  bool offset(Call& call, const Tensor& self, const int32_t* position, ptrdiff_t& offset) const;
};

bool Indices::read(Call& call, size_t argument, const Tensor& self) {
  uint32_t items = 0;
  if (!call.list_size(argument, items)) return false;
  if (items > self.rank) return call.invalid("more indices than dimensions");
  const Tensor* all[kRankLimit];
  for (uint32_t i = 0; i < items; ++i) {
    bool present = false;
    if (!call.list_optional(argument, i, tensors[count], present)) return false;
    if (!present) continue;
    if (!is_index(call, tensors[count])) return false;
    all[count] = &tensors[count];
    dimensions[count++] = i;
  }
  if (count == 0) return call.invalid("no indices");
  if (!broadcast_sizes(call, all, count, sizes, rank)) return false;
  for (size_t k = 0; k < count; ++k) {
    if (!broadcast_strides(call, tensors[k], sizes, rank, strides[k])) return false;
  }
  return true;
}

bool Indices::offset(Call& call, const Tensor& self, const int32_t* position,
                     ptrdiff_t& offset) const {
  offset = 0;
  for (size_t k = 0; k < count; ++k) {
    ptrdiff_t at = 0;
    for (size_t d = 0; d < rank; ++d) at += position[d] * strides[k][d];
    const int64_t size = self.sizes[dimensions[k]];
    int64_t index = load_integer(tensors[k], at);
    if (index < -size || index >= size) {
      return call.failed("an index lies outside of its dimension");
    }
    if (index < 0) index += size;
    offset += static_cast<ptrdiff_t>(index) * self.strides[dimensions[k]];
  }
  return true;
}

/// How many numbers from `start` on, `step` apart, lie before `end`. False: none can.
bool count_range(int64_t start, int64_t end, int64_t step, uint64_t& count) {
  if (step == 0 || (start != end && (step > 0) != (end > start))) return false;
  const auto bits = [](int64_t number) { return static_cast<uint64_t>(number); };
  const uint64_t span = step > 0 ? bits(end) - bits(start) : bits(start) - bits(end);
  const uint64_t apart = step > 0 ? bits(step) : 0 - bits(step);
  count = span / apart + (span % apart != 0 ? 1 : 0);
  return true;
}

bool size_of_range(Call& call, Tensor& out, uint64_t count) {
  if (count > INT32_MAX) return call.invalid("its range is too long");
  const int32_t size = static_cast<int32_t>(count);
  return call.resize(out, &size, 1) && call.work(out.numel);
}

bool range_of_integers(Call& call, Tensor& out) {
  int64_t start = 0;
  int64_t end = 0;
  int64_t step = 1;
  uint64_t count = 0;
  if (!call.integer(0, start) || !call.integer(1, end) || !call.integer(2, step)) return false;
  if (!count_range(start, end, step, count)) return call.invalid("its range has no end");
  if (!size_of_range(call, out, count)) return false;
  if (call.checking()) return true;
  for (size_t i = 0; i < out.numel; ++i) {
    const uint64_t value = static_cast<uint64_t>(start) + i * static_cast<uint64_t>(step);
    store_integer(out, static_cast<ptrdiff_t>(i), static_cast<int64_t>(value));
  }
  return true;
}

bool range_of_floats(Call& call, Tensor& out) {
  double start = 0;
  double end = 0;
  double step = 1;
  if (!call.number(0, start) || !call.number(1, end) || !call.number(2, step)) return false;
  const double count = std::ceil((end - start) / step);
  if (!(count >= 0 && count <= INT32_MAX)) return call.invalid("its range has no end");
  if (!size_of_range(call, out, static_cast<uint64_t>(count))) return false;
  if (call.checking()) return true;
  for (size_t i = 0; i < out.numel; ++i) {
    out.floats()[i] = static_cast<float>(start + static_cast<double>(i) * step);
  }
  return true;
}

}  // namespace

// Numbers from argument 0 on, before argument 1, argument 2 apart.
bool aten_arange_start_out(Call& call) {
  Tensor out;
  if (!call.out(3, out)) return false;
  if (is_integer(out.type)) return range_of_integers(call, out);
  return call.out_floats(3, out) && range_of_floats(call, out);
}

// out[i..., :] = self[indices0[i...], indices1[i...], ..., :]; a dimension without indices is kept.
bool aten_index_Tensor_out(Call& call) {
  Tensor self, out;
  Indices indices;
  if (!call.tensor(0, self) || !indices.read(call, 1, self) || !call.out(2, out) ||
      !same_type(call, self, out)) {
    return false;
  }
  const size_t kept_rank = self.rank - indices.count;
  if (kept_rank + indices.rank > kRankLimit) return call.unsupported("its rank is too high");
  const size_t place = indices.place();
  int32_t sizes[kRankLimit];
  int32_t kept_sizes[kRankLimit];
  size_t kept_dimensions[kRankLimit];
  size_t kept = 0;
  for (size_t d = 0; d < self.rank; ++d) {
    if (indices.takes(d)) continue;
    kept_dimensions[kept] = d;
    kept_sizes[kept++] = self.sizes[d];
  }
  for (size_t d = 0; d < indices.rank; ++d) sizes[place + d] = indices.sizes[d];
  for (size_t d = 0; d < kept; ++d) sizes[d < place ? d : d + indices.rank] = kept_sizes[d];
  if (!call.resize(out, sizes, kept_rank + indices.rank)) return false;
  size_t positions = 1;  // of the indices; cannot overflow: out has at least as many elements
  for (size_t d = 0; d < indices.rank; ++d) positions *= static_cast<size_t>(indices.sizes[d]);
  if (!call.work(uint64_t{out.numel} + uint64_t{positions} * indices.count)) return false;
  if (call.checking() || out.numel == 0) return true;

  ptrdiff_t to_strides[kRankLimit];
  ptrdiff_t from_strides[kRankLimit];
  for (size_t d = 0; d < kept; ++d) {
    to_strides[d] = out.strides[d < place ? d : d + indices.rank];
    from_strides[d] = self.strides[kept_dimensions[d]];
  }
  // For each position of the indices, all of the kept dimensions at once.
  const ptrdiff_t element = static_cast<ptrdiff_t>(self.element_size);
  int32_t position[kRankLimit] = {};
  for (size_t i = 0; i < positions; ++i) {
    ptrdiff_t from = 0;
    ptrdiff_t to = 0;
    if (!indices.offset(call, self, position, from)) return false;
    for (size_t d = 0; d < indices.rank; ++d) to += position[d] * out.strides[place + d];
    copy_strided(out.data + to * element, to_strides, self.data + from * element, from_strides,
                 kept_sizes, kept, self.element_size);
    // The next position; a dimension that is at its end starts again, and the one before it moves.
    for (size_t d = indices.rank; d-- > 0 && ++position[d] == indices.sizes[d];) position[d] = 0;
  }
  return true;
}

// out[..., :] = weight[indices[...], :]
bool aten_embedding_out(Call& call) {
  Tensor weight, indices, out;
  if (!call.tensor(0, weight) || !call.tensor(1, indices) || !call.out(5, out) ||
      !same_type(call, weight, out)) {
    return false;
  }
  if (weight.rank != 2) return call.invalid("its weight is not of rank 2");
  if (indices.rank >= kRankLimit) return call.unsupported("its rank is too high");
  if (!is_index(call, indices)) return false;
  int32_t sizes[kRankLimit];
  for (size_t d = 0; d < indices.rank; ++d) sizes[d] = indices.sizes[d];
  sizes[indices.rank] = weight.sizes[1];
  if (!call.resize(out, sizes, indices.rank + 1u) ||
      !call.work(uint64_t{out.numel} + indices.numel)) {
    return false;
  }
  if (!weight.contiguous() || !indices.contiguous() || !out.contiguous()) {
    return call.unsupported("a tensor is not in row-major order");
  }
  if (call.checking() || out.numel == 0) return true;
  const size_t row = static_cast<size_t>(weight.sizes[1]) * weight.element_size;
  for (size_t i = 0; i < indices.numel; ++i) {
    const int64_t index = load_integer(indices, static_cast<ptrdiff_t>(i));
    if (index < 0 || index >= weight.sizes[0])
      return call.failed("an index lies outside of its table");
    std::memmove(out.data + i * row, weight.data + static_cast<size_t>(index) * row, row);
  }
  return true;
}

}  // namespace bpte::reference
