// SPDX-License-Identifier: BSD-3-Clause
#include "tensor.h"

namespace bpte::reference {

Rows::Rows(const int32_t* sizes, size_t rank)
    : length(rank == 0 ? 1 : sizes[rank - 1]), outer_(rank == 0 ? 0 : rank - 1) {
  for (size_t d = 0; d < outer_; ++d) sizes_[d] = sizes[d];
}

void Rows::operand(size_t k, const ptrdiff_t* strides) {
  for (size_t d = 0; d < outer_; ++d) strides_[k][d] = strides[d];
  step[k] = length > 1 ? strides[outer_] : 0;
}

// No caller may stand in this file: GCC 12.2 for Arm, at -O2, takes next() for a function that does
// not change `offset` (-fipa-modref), and the caller would stay at the first row.
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

}  // namespace bpte::reference
