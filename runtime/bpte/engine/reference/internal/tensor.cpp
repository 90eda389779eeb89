// SPDX-License-Identifier: BSD-3-Clause
#include "tensor.h"

#include <cstring>

namespace bpte::reference {

Rows::Rows(const int32_t* sizes, size_t rank)
    : length(rank == 0 ? 1 : sizes[rank - 1]), outer_(rank == 0 ? 0 : rank - 1) {
  for (size_t d = 0; d < outer_; ++d) sizes_[d] = sizes[d];
}

void Rows::operand(size_t k, const ptrdiff_t* strides) {
  for (size_t d = 0; d < outer_; ++d) strides_[k][d] = strides[d];
  step[k] = length > 1 ? strides[outer_] : 0;
}

bool Rows::next() {
  for (size_t d = outer_; d-- > 0;) {
    if (++index_[d] < sizes_[d]) {
      for (size_t k = 0; k < kOperands; ++k) offset[k] += strides_[k][d];
      return true;
    }
    for (size_t k = 0; k < kOperands; ++k) offset[k] -= strides_[k][d] * (sizes_[d] - 1);
    index_[d] = 0;
  }
  return false;
}

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

}  // namespace bpte::reference
