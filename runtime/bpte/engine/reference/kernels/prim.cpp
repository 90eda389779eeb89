// SPDX-License-Identifier: BSD-3-Clause
// Integers that a program with dynamic shapes computes on the way.

#include "../internal/call.h"

namespace bpte::reference {
namespace {

/// out = function(a, b), in two's complement without overflow.
template <typename F>
bool integers(Call& call, F&& function) {
  int64_t a = 0;
  int64_t b = 0;
  int64_t result = 0;
  return call.integer(0, a) && call.integer(1, b) && function(a, b, result) &&
         call.set_integer(2, result);
}

uint64_t bits(int64_t number) {
  return static_cast<uint64_t>(number);
}

}  // namespace

bool aten_sym_size_int(Call& call) {
  Tensor in;
  size_t dimension = 0;
  if (!call.tensor(0, in) || !call.dimension(1, in.rank, dimension)) return false;
  if (in.rank == 0) return call.invalid("a scalar has no size");
  return call.set_integer(2, in.sizes[dimension]);
}

bool executorch_prim_add_Scalar(Call& call) {
  return integers(call, [](int64_t a, int64_t b, int64_t& result) {
    result = static_cast<int64_t>(bits(a) + bits(b));
    return true;
  });
}

bool executorch_prim_sub_Scalar(Call& call) {
  return integers(call, [](int64_t a, int64_t b, int64_t& result) {
    result = static_cast<int64_t>(bits(a) - bits(b));
    return true;
  });
}

bool executorch_prim_mul_Scalar(Call& call) {
  return integers(call, [](int64_t a, int64_t b, int64_t& result) {
    result = static_cast<int64_t>(bits(a) * bits(b));
    return true;
  });
}

// Python's floor division.
bool executorch_prim_floordiv_Scalar(Call& call) {
  return integers(call, [&call](int64_t a, int64_t b, int64_t& result) {
    if (b == 0 || (a == INT64_MIN && b == -1)) return call.failed("its quotient does not exist");
    result = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
    return true;
  });
}

}  // namespace bpte::reference
