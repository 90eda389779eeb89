// SPDX-License-Identifier: BSD-3-Clause
// Operators that take elements by indices that are data, and the one that counts them out.

#include <cmath>
#include <cstring>

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {
namespace {

/// The tensors that index a tensor's dimensions, of which some may have none.
struct Indices {
  Tensor tensors[kRankLimit];
  size_t dimensions[kRankLimit];  ///< of the tensor that is indexed, ascending
  size_t count = 0;
  bool negative = true;       ///< whether -1 names the last element
  int32_t sizes[kRankLimit];  ///< the shape that they broadcast to
  size_t rank = 0;
  ptrdiff_t strides[kRankLimit][kRankLimit];  ///< by index tensor, of that shape

  bool takes(size_t dimension) const {
    for (size_t k = 0; k < count; ++k) {
      if (dimensions[k] == dimension) return true;
    }
    return false;
  }
  bool broadcast(Call& call);
  /// The offset of self's element that the indices at `position` of the broadcast shape name.
  bool offset(Call& call, const Tensor& self, const int32_t* position, ptrdiff_t& offset) const;
};

bool Indices::broadcast(Call& call) {
  const Tensor* all[kRankLimit];
  for (size_t k = 0; k < count; ++k) {
    const ScalarType type = tensors[k].type;
    if (type != ScalarType::kLong && type != ScalarType::kInt) {
      return call.unsupported("its indices are neither int64 nor int32");
    }
    all[k] = &tensors[k];
  }
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
    if (index < 0 && negative) index += size;
    if (index < 0 || index >= size) return call.failed("an index lies outside of its dimension");
    offset += static_cast<ptrdiff_t>(index) * self.strides[dimensions[k]];
  }
  return true;
}

/// out[i..., :] = self[indices0[i...], indices1[i...], ..., :]; a dimension without indices is
/// kept.
bool take(Call& call, const Tensor& self, Indices& indices, Tensor& out) {
  if (!same_type(call, self, out) || !indices.broadcast(call)) return false;
  const size_t rank = indices.rank;
  const size_t kept_rank = self.rank - indices.count;
  if (kept_rank + rank > kRankLimit) return call.unsupported("its rank is too high");
  // The broadcast shape stands in the place of the indexed dimensions, or in front where others lie
  // between them (PyTorch's rule).
  const size_t first = indices.dimensions[0];
  const size_t place =
      indices.dimensions[indices.count - 1] - first == indices.count - 1 ? first : 0;
  int32_t sizes[kRankLimit];
  int32_t kept_sizes[kRankLimit];
  ptrdiff_t from_strides[kRankLimit];
  size_t kept = 0;
  for (size_t d = 0; d < self.rank; ++d) {
    if (indices.takes(d)) continue;
    from_strides[kept] = self.strides[d];
    sizes[kept < place ? kept : kept + rank] = self.sizes[d];
    kept_sizes[kept++] = self.sizes[d];
  }
  for (size_t d = 0; d < rank; ++d) sizes[place + d] = indices.sizes[d];
  if (!call.resize(out, sizes, kept_rank + rank)) return false;
  size_t positions = 1;  // of the indices; cannot overflow: out has at least as many elements
  for (size_t d = 0; d < rank; ++d) positions *= static_cast<size_t>(indices.sizes[d]);
  if (!call.work(uint64_t{out.numel} + uint64_t{positions} * indices.count)) return false;
  if (call.checking() || out.numel == 0) return true;

  ptrdiff_t to_strides[kRankLimit];
  for (size_t d = 0; d < kept; ++d) to_strides[d] = out.strides[d < place ? d : d + rank];
  // For each position of the indices, all of the kept dimensions at once.
  const ptrdiff_t element = static_cast<ptrdiff_t>(self.element_size);
  int32_t position[kRankLimit] = {};
  for (size_t i = 0; i < positions; ++i) {
    ptrdiff_t from = 0;
    ptrdiff_t to = 0;
    if (!indices.offset(call, self, position, from)) return false;
    for (size_t d = 0; d < rank; ++d) to += position[d] * out.strides[place + d];
    copy_strided(out.data + to * element, to_strides, self.data + from * element, from_strides,
                 kept_sizes, kept, self.element_size);
    // The next position; a dimension that is at its end starts again, and the one before it moves.
    for (size_t d = rank; d-- > 0 && ++position[d] == indices.sizes[d];) position[d] = 0;
  }
  return true;
}

}  // namespace

// Numbers from argument 0 on, before argument 1, argument 2 apart.
bool aten_arange_start_out(Call& call) {
  Tensor out;
  double start = 0;
  double end = 0;
  double step = 1;
  if (!call.number(0, start) || !call.number(1, end) || !call.number(2, step) ||
      !call.out(3, out)) {
    return false;
  }
  const bool whole = is_integer(out.type);
  if (!whole && out.type != ScalarType::kFloat) {
    return call.unsupported("no value of its output's dtype can be made");
  }
  const double count = std::ceil((end - start) / step);
  if (!(count >= 0 && count <= INT32_MAX)) return call.invalid("its range has no end");
  constexpr double kLimit = 9007199254740992.0;
  if (!(std::fabs(start) <= kLimit && std::fabs(end) <= kLimit)) {
    return call.unsupported("an integer beyond 2^53");  // which Double does not have
  }
  const int32_t size = static_cast<int32_t>(count);
  if (!call.resize(out, &size, 1) || !call.work(out.numel)) return false;
  if (call.checking()) return true;
  for (int32_t i = 0; i < size; ++i) {
    const double value = start + i * step;
    if (whole) {
      store_integer(out, i, static_cast<int64_t>(value));
    } else {
      out.floats()[i] = static_cast<float>(value);
    }
  }
  return true;
}

bool aten_index_Tensor_out(Call& call) {
  Tensor self, out;
  Indices indices;
  uint32_t items = 0;
  if (!call.tensor(0, self) || !call.list_size(1, items) || !call.out(2, out)) return false;
  if (items > self.rank) return call.invalid("more indices than dimensions");
  for (uint32_t i = 0; i < items; ++i) {
    bool present = false;
    if (!call.list_optional(1, i, indices.tensors[indices.count], present)) return false;
    if (present) indices.dimensions[indices.count++] = i;
  }
  if (indices.count == 0) return call.invalid("no indices");
  return take(call, self, indices, out);
}

// out[..., :] = weight[indices[...], :]
bool aten_embedding_out(Call& call) {
  Tensor weight, out;
  Indices indices;
  if (!call.tensor(0, weight) || !call.tensor(1, indices.tensors[0]) || !call.out(5, out)) {
    return false;
  }
  if (weight.rank != 2) return call.invalid("its weight is not of rank 2");
  indices.negative = false;
  indices.dimensions[0] = 0;
  indices.count = 1;
  return take(call, weight, indices, out);
}

}  // namespace bpte::reference
