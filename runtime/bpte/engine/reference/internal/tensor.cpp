// SPDX-License-Identifier: BSD-3-Clause
#include "tensor.h"

#include <cstring>

namespace bpte::reference {

bool is_integer(ScalarType type) {
  return type == ScalarType::kLong || type == ScalarType::kInt || type == ScalarType::kShort ||
         type == ScalarType::kChar || type == ScalarType::kByte;
}

int64_t load_integer(const Tensor& in, ptrdiff_t at) {
  if (in.type == ScalarType::kLong) return in.as<int64_t>()[at];
  if (in.type == ScalarType::kInt) return in.as<int32_t>()[at];
  if (in.type == ScalarType::kShort) return in.as<int16_t>()[at];
  if (in.type == ScalarType::kChar) return in.as<int8_t>()[at];
  if (in.type == ScalarType::kByte) return in.data[at];
  return in.data[at] != 0 ? 1 : 0;
}

void store_integer(Tensor& out, ptrdiff_t at, int64_t value) {
  // Little-endian: the low bytes come first.
  std::memcpy(out.data + at * static_cast<ptrdiff_t>(out.element_size), &value, out.element_size);
}

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
