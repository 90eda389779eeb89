// SPDX-License-Identifier: BSD-3-Clause
// Operators that move elements without reading their values: any dtype of 1, 2, 4 or 8 bytes.

#include <cmath>
#include <cstring>

#include "../internal/call.h"
#include "../internal/kernels.h"

namespace bpte::reference {
namespace {

// A memcpy of constant size is one load and one store, whatever the element's type is.
template <size_t kSize>
void copy_row(uint8_t* to, const uint8_t* from, const Rows& rows) {
  const ptrdiff_t size = static_cast<ptrdiff_t>(kSize);
  for (ptrdiff_t i = 0; i < rows.length; ++i) {
    std::memcpy(to + i * rows.step[0] * size, from + i * rows.step[1] * size, kSize);
  }
}

}  // namespace

bool same_type(Call& call, const Tensor& a, const Tensor& b) {
  return a.type == b.type || call.unsupported("input and output are of different dtypes");
}

void copy_strided(uint8_t* to, const ptrdiff_t* to_strides, const uint8_t* from,
                  const ptrdiff_t* from_strides, const int32_t* sizes, size_t rank,
                  size_t element_size) {
  Rows rows(sizes, rank);
  rows.operand(0, to_strides);
  rows.operand(1, from_strides);
  const ptrdiff_t scale = static_cast<ptrdiff_t>(element_size);
  do {
    uint8_t* target = to + rows.offset[0] * scale;
    const uint8_t* source = from + rows.offset[1] * scale;
    if (rows.step[0] == 1 && rows.step[1] == 1) {
      std::memmove(target, source, static_cast<size_t>(rows.length * scale));
    } else if (element_size == 4) {
      copy_row<4>(target, source, rows);
    } else if (element_size == 8) {
      copy_row<8>(target, source, rows);
    } else if (element_size == 2) {
      copy_row<2>(target, source, rows);
    } else {
      copy_row<1>(target, source, rows);
    }
  } while (rows.next());
}

namespace {

/// out = the elements from `from` on, read with `strides` in out's shape. The caller has checked
/// that they lie in the input.
bool gather(Call& call, Tensor& out, const uint8_t* from, const ptrdiff_t* strides) {
  if (!call.work(out.numel)) return false;
  if (call.checking() || out.numel == 0) return true;
  copy_strided(out.data, out.strides, from, strides, out.sizes, out.rank, out.element_size);
  return true;
}

/// Elements of a tensor, in a shape of its own.
struct View {
  size_t rank = 0;
  int32_t sizes[kRankLimit];
  ptrdiff_t strides[kRankLimit];
  ptrdiff_t offset = 0;  ///< of the first element

  View() = default;
  explicit View(const Tensor& whole) {
    for (size_t d = 0; d < whole.rank; ++d) add(whole, d);
  }
  void add(int32_t size, ptrdiff_t stride) {
    sizes[rank] = size;
    strides[rank++] = stride;
  }
  void add(const Tensor& tensor, size_t d) { add(tensor.sizes[d], tensor.strides[d]); }
  /// Keeps every `step`-th of a dimension, `size` in all, from `start` on.
  void keep(size_t dimension, int64_t start, int64_t size, int64_t step) {
    offset = static_cast<ptrdiff_t>(start) * strides[dimension];
    sizes[dimension] = static_cast<int32_t>(size);
    strides[dimension] = size > 1 ? strides[dimension] * static_cast<ptrdiff_t>(step) : 0;
  }
};

/// out = a view of `in`, within which the caller has checked that it lies.
bool copy_view(Call& call, const Tensor& in, const View& view, Tensor& out) {
  if (!same_type(call, in, out) || !call.resize(out, view.sizes, view.rank)) return false;
  const ptrdiff_t offset = out.numel == 0 ? 0 : view.offset;
  return gather(call, out, in.data + offset * static_cast<ptrdiff_t>(in.element_size),
                view.strides);
}

/// out = in, in another shape of as many elements; both in row-major order.
bool reshape(Call& call, const Tensor& in, const int32_t* sizes, size_t rank, Tensor& out) {
  if (!same_type(call, in, out) || !call.resize(out, sizes, rank)) return false;
  if (in.numel != out.numel) return call.invalid("the shapes have different numbers of elements");
  if (!in.contiguous() || !out.contiguous()) {
    return call.unsupported("its input or output is not in row-major order");
  }
  if (!call.work(out.numel)) return false;
  if (!call.checking() && out.numel != 0) std::memmove(out.data, in.data, out.bytes());
  return true;
}

/// Reads sizes, one of which may be -1: it then follows from `numel`.
bool read_sizes(Call& call, size_t argument, size_t numel, int32_t* sizes, size_t& rank) {
  Ints list;
  if (!call.ints(argument, list)) return false;
  if (list.count > kRankLimit) return call.unsupported("its rank is too high");
  rank = list.count;
  size_t known = 1;
  size_t unknown = rank;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t size = list.items[d];
    if (size == -1 && unknown == rank) {
      unknown = d;
    } else if (size < 0 || size > INT32_MAX ||
               (size != 0 && known > SIZE_MAX / 2 / static_cast<size_t>(size))) {
      return call.invalid("a size is out of range");
    } else {
      sizes[d] = static_cast<int32_t>(size);
      known *= static_cast<size_t>(size);
    }
  }
  if (unknown == rank) return true;
  if (known == 0 || numel % known != 0 || numel / known > INT32_MAX) {
    return call.invalid("no size fits the place of -1");
  }
  sizes[unknown] = static_cast<int32_t>(numel / known);
  return true;
}

/// Copies `in` into the part of `out` whose first element is at `offset`.
void place(const Tensor& in, Tensor& out, ptrdiff_t offset) {
  if (in.numel == 0) return;
  copy_strided(out.data + offset * static_cast<ptrdiff_t>(out.element_size), out.strides, in.data,
               in.strides, in.sizes, in.rank, in.element_size);
}

/// One value of any dtype that a constant may have, as its bytes.
bool encode(Call& call, size_t argument, ScalarType type, uint8_t* bytes) {
  const bool whole = type == ScalarType::kLong || type == ScalarType::kInt ||
                     type == ScalarType::kChar || type == ScalarType::kByte;
  if (!whole && type != ScalarType::kFloat && type != ScalarType::kBool) {
    return call.unsupported("no value of its output's dtype can be made");
  }
  double number = 0;
  if (!call.number(argument, number)) return false;
  if (type == ScalarType::kFloat) {
    const float value = static_cast<float>(number);
    std::memcpy(bytes, &value, sizeof(value));
  } else if (type == ScalarType::kBool) {
    bytes[0] = number != 0 ? 1 : 0;
  } else if (number >= -9007199254740992.0 && number <= 9007199254740992.0) {
    const int64_t value = static_cast<int64_t>(number);
    std::memcpy(bytes, &value, sizeof(value));  // little-endian: the low bytes come first
  } else {  // whole numbers may come as Double, too, which holds them up to 2^53
    return call.unsupported("an integer beyond 2^53");
  }
  return true;
}

void fill(Tensor& out, const uint8_t* value) {
  for (size_t i = 0; i < out.numel; ++i) {
    std::memcpy(out.data + i * out.element_size, value, out.element_size);
  }
}

bool filled(Call& call, size_t value_argument, Tensor& out) {
  uint8_t value[8];
  if (!encode(call, value_argument, out.type, value) || !call.work(out.numel)) return false;
  if (!call.checking()) fill(out, value);
  return true;
}

/// A conversion that does not fit is undefined in C++. Here it saturates, and a NaN gives 0.
int64_t saturated(float real) {
  if (std::isnan(real)) return 0;
  if (real >= 9.2233715e18f) return INT64_MAX;
  if (real <= -9.2233715e18f) return INT64_MIN;
  return static_cast<int64_t>(real);
}

/// Stores the one of an element's three values that has the output's dtype.
void store(Tensor& out, ptrdiff_t at, int64_t integer, float real, bool truth) {
  if (out.type == ScalarType::kFloat) {
    out.floats()[at] = real;
  } else if (out.type == ScalarType::kLong) {
    out.as<int64_t>()[at] = integer;
  } else if (out.type == ScalarType::kInt) {
    out.as<int32_t>()[at] = static_cast<int32_t>(integer);
  } else {
    out.data[at] = truth ? 1 : 0;
  }
}

/// out = in, element by element, in another memory order or another dtype.
bool convert(Call& call, const Tensor& in, Tensor& out) {
  if (!call.resize_like(out, in)) return false;
  if (in.type == out.type) return gather(call, out, in.data, in.strides);
  const auto known = [](ScalarType type) {
    return type == ScalarType::kFloat || type == ScalarType::kLong || type == ScalarType::kInt ||
           type == ScalarType::kBool;
  };
  if (!known(in.type) || !known(out.type)) {
    return call.unsupported("a conversion other than among float32, int64, int32 and bool");
  }
  if (!call.work(out.numel)) return false;
  if (call.checking() || out.numel == 0) return true;
  for_each_pair(out, in, [&](ptrdiff_t to, ptrdiff_t from) {
    if (in.type == ScalarType::kFloat) {
      const float real = in.floats()[from];
      store(out, to, saturated(real), real, real != 0.0f);
    } else {
      const int64_t integer = load_integer(in, from);
      store(out, to, integer, static_cast<float>(integer), integer != 0);
    }
  });
  return true;
}

bool convert_arguments(Call& call, size_t out_argument) {
  Tensor in, out;
  return call.tensor(0, in) && call.out(out_argument, out) && convert(call, in, out);
}

bool copy_arguments(Call& call, size_t out_argument) {
  Tensor in, out;
  return call.tensor(0, in) && call.out(out_argument, out) && same_type(call, in, out) &&
         convert(call, in, out);
}

/// The source (argument 1), broadcast to the shape of argument 0, into `out`.
bool copy_into(Call& call, size_t out_argument) {
  Tensor self, source, out;
  ptrdiff_t strides[kRankLimit];
  return call.tensor(0, self) && call.tensor(1, source) && call.out(out_argument, out) &&
         same_type(call, source, out) && call.resize_like(out, self) &&
         broadcast_strides(call, source, out.sizes, out.rank, strides) &&
         gather(call, out, source.data, strides);
}

}  // namespace

bool dim_order_ops_to_dim_order_copy_out(Call& call) {
  return convert_arguments(call, 3);
}
bool dim_order_ops_clone_dim_order_out(Call& call) {
  return copy_arguments(call, 3);
}
bool aten_to_copy_out(Call& call) {
  return convert_arguments(call, 3);
}
bool aten_clone_out(Call& call) {
  return copy_arguments(call, 2);
}
bool aten_alias_copy_out(Call& call) {
  return copy_arguments(call, 1);
}
bool aten_copy_out(Call& call) {
  return copy_into(call, 3);
}
bool aten_copy_(Call& call) {
  return copy_into(call, 0);
}

bool aten_permute_copy_out(Call& call) {
  Tensor in, out;
  Ints dims;
  if (!call.tensor(0, in) || !call.ints(1, dims) || !call.out(2, out)) return false;
  if (dims.count != in.rank) return call.invalid("the order does not name every dimension");
  View view;
  uint32_t seen = 0;
  for (size_t i = 0; i < in.rank; ++i) {
    size_t d = 0;
    if (!call.to_dimension(dims.items[i], in.rank, d)) return false;
    if ((seen >> d & 1u) != 0) return call.invalid("the order names a dimension twice");
    seen |= 1u << d;
    view.add(in, d);
  }
  return copy_view(call, in, view, out);
}

bool aten_view_copy_out(Call& call) {
  Tensor in, out;
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  return call.tensor(0, in) && call.out(2, out) && read_sizes(call, 1, in.numel, sizes, rank) &&
         reshape(call, in, sizes, rank, out);
}

bool executorch_prim_et_view_default(Call& call) {
  Tensor in, out;
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  if (!call.tensor(0, in) || !call.tensor(2, out) || !same_type(call, in, out) ||
      !read_sizes(call, 1, in.numel, sizes, rank)) {
    return false;
  }
  if (out.writable) return reshape(call, in, sizes, rank, out);  // it has memory of its own
  if (!in.contiguous() || !out.contiguous()) {
    return call.unsupported("its input or output is not in row-major order");
  }
  return call.view(2, in, sizes, rank);
}

bool aten_expand_copy_out(Call& call) {
  Tensor in, out;
  Ints list;
  if (!call.tensor(0, in) || !call.ints(1, list) || !call.out(3, out)) return false;
  if (list.count > kRankLimit || list.count < in.rank) {
    return call.invalid("its sizes are fewer than its input's, or too many");
  }
  View view;
  const size_t added = list.count - in.rank;
  for (size_t d = 0; d < list.count; ++d) {
    const int64_t size = list.items[d] == -1 && d >= added ? in.sizes[d - added] : list.items[d];
    if (size < 0 || size > INT32_MAX) return call.invalid("a size is out of range");
    view.add(static_cast<int32_t>(size), 0);
  }
  return broadcast_strides(call, in, view.sizes, view.rank, view.strides) &&
         copy_view(call, in, view, out);
}

bool aten_unsqueeze_copy_out(Call& call) {
  Tensor in, out;
  size_t at = 0;
  if (!call.tensor(0, in) || !call.dimension(1, in.rank + 1u, at) || !call.out(2, out)) {
    return false;
  }
  if (in.rank == kRankLimit) return call.unsupported("its rank is too high");
  View view;
  for (size_t d = 0; d <= in.rank; ++d) {
    if (d == at) view.add(1, 0);
    if (d < in.rank) view.add(in, d);
  }
  return copy_view(call, in, view, out);
}

bool aten_squeeze_copy_dims_out(Call& call) {
  Tensor in, out;
  Ints dims;
  bool marked[kRankLimit] = {};
  if (!call.tensor(0, in) || !call.ints(1, dims) || !call.out(2, out)) return false;
  for (size_t i = 0; i < dims.count; ++i) {
    size_t at = 0;
    if (!call.to_dimension(dims.items[i], in.rank, at)) return false;
    marked[at] = true;
  }
  View view;
  for (size_t d = 0; d < in.rank; ++d) {
    if (!marked[d] || in.sizes[d] != 1) view.add(in, d);
  }
  return copy_view(call, in, view, out);
}

bool aten_select_copy_int_out(Call& call) {
  Tensor in, out;
  size_t dimension = 0;
  int64_t index = 0;
  if (!call.tensor(0, in) || !call.dimension(1, in.rank, dimension) || !call.integer(2, index) ||
      !call.out(3, out)) {
    return false;
  }
  if (in.rank == 0 || index < -int64_t{in.sizes[dimension]} || index >= in.sizes[dimension]) {
    return call.invalid("its index lies outside of the dimension");
  }
  if (index < 0) index += in.sizes[dimension];
  View view;
  for (size_t d = 0; d < in.rank; ++d) {
    if (d != dimension) view.add(in, d);
  }
  view.offset = static_cast<ptrdiff_t>(index) * in.strides[dimension];
  return copy_view(call, in, view, out);
}

bool aten_slice_copy_Tensor_out(Call& call) {
  Tensor in, out;
  size_t dimension = 0;
  int64_t start = 0;
  int64_t end = INT64_MAX;
  int64_t step = 1;
  if (!call.tensor(0, in) || !call.dimension(1, in.rank, dimension) ||
      (!call.is_none(2) && !call.integer(2, start)) ||
      (!call.is_none(3) && !call.integer(3, end)) || !call.integer(4, step) || !call.out(5, out)) {
    return false;
  }
  if (in.rank == 0 || step < 1) return call.invalid("its input is a scalar or its step below 1");
  const int64_t size = in.sizes[dimension];
  const auto clamp = [size](int64_t at) {
    if (at < 0) at = at < -size ? 0 : at + size;
    return at > size ? size : at;
  };
  start = clamp(start);
  end = clamp(end);
  if (end < start) end = start;
  const int64_t length = end - start;
  View view(in);
  view.keep(dimension, start, length / step + (length % step != 0 ? 1 : 0), step);
  return copy_view(call, in, view, out);
}

bool aten_split_with_sizes_copy_out(Call& call) {
  Tensor in;
  size_t dimension = 0;
  uint32_t count = 0;
  uint32_t parts = 0;
  if (!call.tensor(0, in) || !call.list_size(1, count) || !call.dimension(2, in.rank, dimension) ||
      !call.list_size(3, parts)) {
    return false;
  }
  if (in.rank == 0 || count != parts) return call.invalid("there is not one output per size");
  if (!call.work(parts)) return false;
  int64_t start = 0;
  for (uint32_t i = 0; i < parts; ++i) {
    Tensor out;
    int64_t length = 0;
    if (!call.list_out(3, i, out) || !call.int_item(1, i, length)) return false;
    if (length < 0 || length > in.sizes[dimension] - start) {
      return call.invalid("the parts are larger than the whole");
    }
    View view(in);
    view.keep(dimension, start, length, 1);
    if (!copy_view(call, in, view, out)) return false;
    start += length;
  }
  return start == in.sizes[dimension] || call.invalid("the parts are smaller than the whole");
}

bool aten_cat_out(Call& call) {
  Tensor out;
  uint32_t count = 0;
  int64_t number = 0;
  size_t dimension = 0;
  if (!call.list_size(0, count) || !call.integer(1, number) || !call.out(2, out) ||
      !call.to_dimension(number, out.rank, dimension)) {
    return false;
  }
  if (count == 0 || out.rank == 0) return call.invalid("nothing to join");
  if (!call.work(count)) return false;
  int32_t sizes[kRankLimit];
  int64_t total = 0;
  bool first = true;
  // An input of shape [0] is ignored, whatever the others' rank (PyTorch's rule).
  const auto takes_part = [](const Tensor& in) { return in.rank != 1 || in.numel != 0; };
  for (uint32_t i = 0; i < count; ++i) {
    Tensor in;
    if (!call.list_tensor(0, i, in) || !same_type(call, in, out)) return false;
    if (!takes_part(in)) continue;
    if (in.rank != out.rank) return call.invalid("its inputs and output are of different ranks");
    for (size_t d = 0; d < in.rank; ++d) {
      if (first) sizes[d] = in.sizes[d];
      if (d != dimension && sizes[d] != in.sizes[d]) {
        return call.invalid("its inputs differ in another dimension");
      }
    }
    total += in.sizes[dimension];
    first = false;
  }
  if (first) {
    if (out.rank != 1) return call.invalid("its inputs and output are of different ranks");
    sizes[0] = 0;
  } else if (total > INT32_MAX) {
    return call.invalid("the output is too large");
  } else {
    sizes[dimension] = static_cast<int32_t>(total);
  }
  if (!call.resize(out, sizes, out.rank) || !call.work(out.numel)) return false;
  if (call.checking()) return true;
  ptrdiff_t start = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Tensor in;
    if (!call.list_tensor(0, i, in)) return false;
    if (!takes_part(in)) continue;
    place(in, out, start * out.strides[dimension]);
    start += in.sizes[dimension];
  }
  return true;
}

bool aten_full_out(Call& call) {
  Tensor out;
  int32_t sizes[kRankLimit];
  size_t rank = 0;
  return call.out(2, out) && read_sizes(call, 0, out.numel, sizes, rank) &&
         call.resize(out, sizes, rank) && filled(call, 1, out);
}

bool aten_full_like_out(Call& call) {
  Tensor in, out;
  return call.tensor(0, in) && call.out(3, out) && call.resize_like(out, in) &&
         filled(call, 1, out);
}

bool aten_constant_pad_nd_out(Call& call) {
  Tensor in, out;
  Ints pads;
  uint8_t value[8];
  if (!call.tensor(0, in) || !call.ints(1, pads) || !call.out(3, out) ||
      !same_type(call, in, out) || !encode(call, 2, out.type, value)) {
    return false;
  }
  if (pads.count % 2 != 0 || pads.count / 2 > in.rank) {
    return call.invalid("its padding does not fit its input's rank");
  }
  int32_t sizes[kRankLimit];
  int64_t before[kRankLimit] = {};
  for (size_t d = 0; d < in.rank; ++d) {
    const size_t from_end = in.rank - 1u - d;
    int64_t after = 0;
    if (from_end < pads.count / 2) {
      before[d] = pads.items[2 * from_end];
      after = pads.items[2 * from_end + 1];
    }
    if (before[d] < 0 || after < 0) return call.unsupported("negative padding");
    if (before[d] > INT32_MAX || after > INT32_MAX || before[d] + after + in.sizes[d] > INT32_MAX) {
      return call.invalid("its padding is out of range");
    }
    sizes[d] = static_cast<int32_t>(before[d] + after + in.sizes[d]);
  }
  if (!call.resize(out, sizes, in.rank) || !call.work(2 * uint64_t{out.numel})) return false;
  if (call.checking() || out.numel == 0) return true;
  fill(out, value);
  ptrdiff_t offset = 0;
  for (size_t d = 0; d < in.rank; ++d) {
    offset += static_cast<ptrdiff_t>(before[d]) * out.strides[d];
  }
  place(in, out, offset);
  return true;
}

// Pads the last dimension with what lies before its ends, mirrored: argument 1 has how many
// elements before it and after it.
bool aten_reflection_pad1d_out(Call& call) {
  Tensor in, out;
  Ints pads;
  if (!call.tensor(0, in) || !call.ints(1, pads) || !call.out(2, out) ||
      !same_type(call, in, out)) {
    return false;
  }
  if (pads.count != 2 || in.rank == 0) {
    return call.invalid("its padding does not fit its input's rank");
  }
  const size_t last = in.rank - 1u;
  const int64_t length = in.sizes[last], before = pads.items[0], after = pads.items[1];
  // A mirror shows less than there is.
  if (before < 0 || after < 0 || before >= length || after >= length) {
    return call.invalid("its padding is not below its input's length");
  }
  int32_t sizes[kRankLimit];
  std::memcpy(sizes, in.sizes, sizeof sizes);
  if (before + length + after > INT32_MAX) return call.invalid("its padding is out of range");
  sizes[last] = static_cast<int32_t>(before + length + after);
  if (!call.resize(out, sizes, in.rank) || !call.work(out.numel)) return false;
  if (call.checking() || out.numel == 0) return true;
  // Element by element along the last dimension, all others at once.
  const ptrdiff_t element = static_cast<ptrdiff_t>(out.element_size);
  const int32_t padded = sizes[last];
  sizes[last] = 1;
  for (int32_t i = 0; i < padded; ++i) {
    int64_t from = i - before;
    if (from < 0) from = -from;
    if (from >= length) from = 2 * (length - 1) - from;
    copy_strided(out.data + element * out.strides[last] * i, out.strides,
                 in.data + element * in.strides[last] * static_cast<ptrdiff_t>(from), in.strides,
                 sizes, in.rank, in.element_size);
  }
  return true;
}

}  // namespace bpte::reference
