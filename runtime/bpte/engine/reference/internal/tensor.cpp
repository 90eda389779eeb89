// SPDX-License-Identifier: BSD-3-Clause
#include "tensor.h"

#include <cstring>

namespace bpte::reference {

Rows::Rows(const int32_t* sizes, size_t rank) : outer_(rank == 0 ? 0 : rank - 1) {
  if (rank == 0) return;
  for (size_t d = 0; d < outer_; ++d) sizes_[d] = sizes[d];
  length = static_cast<size_t>(sizes[outer_]);
}

void Rows::operand(size_t k, const ptrdiff_t* strides) {
  for (size_t d = 0; d < outer_; ++d) strides_[k][d] = strides[d];
  step[k] = length > 1 ? strides[outer_] : 0;
}

bool Rows::next() {
  for (size_t d = outer_; d-- > 0;) {
    if (++index_[d] < sizes_[d]) {
      for (size_t k = 0; k < 3; ++k) offset[k] += strides_[k][d];
      return true;
    }
    for (size_t k = 0; k < 3; ++k) offset[k] -= strides_[k][d] * (sizes_[d] - 1);
    index_[d] = 0;
  }
  return false;
}

namespace {

// A memcpy of constant size is one load and one store, whatever the element's type is.
template <size_t kSize>
void copy_row(uint8_t* to, ptrdiff_t to_step, const uint8_t* from, ptrdiff_t from_step,
              size_t length) {
  const ptrdiff_t count = static_cast<ptrdiff_t>(length);
  const ptrdiff_t size = static_cast<ptrdiff_t>(kSize);
  for (ptrdiff_t i = 0; i < count; ++i) {
    std::memcpy(to + i * to_step * size, from + i * from_step * size, kSize);
  }
}

}  // namespace

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
      std::memmove(target, source, rows.length * element_size);
    } else if (element_size == 4) {
      copy_row<4>(target, rows.step[0], source, rows.step[1], rows.length);
    } else if (element_size == 8) {
      copy_row<8>(target, rows.step[0], source, rows.step[1], rows.length);
    } else if (element_size == 2) {
      copy_row<2>(target, rows.step[0], source, rows.step[1], rows.length);
    } else {
      copy_row<1>(target, rows.step[0], source, rows.step[1], rows.length);
    }
  } while (rows.next());
}

}  // namespace bpte::reference
