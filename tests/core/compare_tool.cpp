// SPDX-License-Identifier: BSD-3-Clause
//
// Lets a test in another language call compare() and crc32(): reads requests from stdin, writes one
// answer for each to stdout, until the end of input. All little-endian, nothing padded:
//
//   request   'C' value value tolerance, expected first      | 'Z' u32 previous, u64 size, bytes
//   value     u8 kind, then for a tensor: i8 dtype, u8 rank, i32 sizes[rank],
//             u8 length, u8 dim_order[length], u8 skew, u64 size, data[size];
//             for a scalar: 8 bytes of int64, double or (the first byte) bool; nothing for none
//   tolerance f64 rtol, atol, max_outlier_share, min_sqnr_db, min_cosine, u8 nan_policy,
//             u8 not_compared
//   answer    u8 verdict, u8 reason, u64 numel, mismatches, nonfinite, first_mismatch,
//             number expected, number actual, f64 rtol, atol, max_abs_error, mean_abs_error,
//             max_rel_error, mean_rel_error, sqnr_db, cosine                     | u32 crc
//   number    u8 kind, 8 bytes of double, int64 or uint64
//
// The data lies in memory of exactly its size, `skew` bytes after an aligned address, so that a
// sanitizer sees any access outside of it. Exit code 1: the input ended within a request.

#include <bpte/core/compare.h>
#include <bpte/core/crc32.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

bool g_ended = false;

void get(void* to, size_t size) {
  if (size != 0 && std::fread(to, 1, size, stdin) != size) {
    g_ended = true;
    std::memset(to, 0, size);
  }
}

template <typename T>
T get() {
  T value{};
  get(&value, sizeof(value));
  return value;
}

template <typename T>
void put(T value) {
  std::fwrite(&value, sizeof(value), 1, stdout);
}

// A Value and what it refers to.
struct Owned {
  bpte::Value value;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;
  std::unique_ptr<uint8_t[]> memory;
};

void get_tensor(Owned& owned) {
  bpte::TensorView& view = owned.value.tensor;
  view.scalar_type = static_cast<bpte::ScalarType>(get<int8_t>());
  owned.sizes.resize(get<uint8_t>());
  get(owned.sizes.data(), owned.sizes.size() * sizeof(int32_t));
  owned.dim_order.resize(get<uint8_t>());
  get(owned.dim_order.data(), owned.dim_order.size());
  const size_t skew = get<uint8_t>();
  const size_t size = static_cast<size_t>(get<uint64_t>());
  owned.memory = std::make_unique<uint8_t[]>(skew + size);
  get(owned.memory.get() + skew, size);
  view.sizes = {owned.sizes.data(), owned.sizes.size()};
  view.dim_order = {owned.dim_order.data(), owned.dim_order.size()};
  view.data = {owned.memory.get() + skew, size};
}

void get_value(Owned& owned) {
  bpte::Value& value = owned.value;
  value.kind = static_cast<bpte::ValueKind>(get<uint8_t>());
  switch (value.kind) {
    case bpte::ValueKind::kNone:
      break;
    case bpte::ValueKind::kTensor:
      get_tensor(owned);
      break;
    case bpte::ValueKind::kInt:
      value.int_value = get<int64_t>();
      break;
    case bpte::ValueKind::kDouble:
      value.double_value = get<double>();
      break;
    case bpte::ValueKind::kBool:
      value.bool_value = get<uint64_t>() != 0;
      break;
  }
}

bpte::Tolerance get_tolerance() {
  bpte::Tolerance tolerance;
  tolerance.rtol = get<double>();
  tolerance.atol = get<double>();
  tolerance.max_outlier_share = get<double>();
  tolerance.min_sqnr_db = get<double>();
  tolerance.min_cosine = get<double>();
  tolerance.nan_policy = static_cast<bpte::NanPolicy>(get<uint8_t>());
  tolerance.not_compared = get<uint8_t>() != 0;
  return tolerance;
}

void put_number(const bpte::Number& number) {
  put(static_cast<uint8_t>(number.kind));
  switch (number.kind) {
    case bpte::Number::Kind::kDouble:
      return put(number.as_double);
    case bpte::Number::Kind::kInt:
      return put(number.as_int);
    case bpte::Number::Kind::kUInt:
      return put(number.as_uint);
  }
}

void put_comparison(const bpte::Comparison& c) {
  put(static_cast<uint8_t>(c.verdict));
  put(static_cast<uint8_t>(c.reason));
  for (uint64_t count : {c.numel, c.mismatches, c.nonfinite, c.first_mismatch}) {
    put(count);
  }
  put_number(c.first_expected);
  put_number(c.first_actual);
  for (double x : {c.rtol, c.atol, c.max_abs_error, c.mean_abs_error, c.max_rel_error,
                   c.mean_rel_error, c.sqnr_db, c.cosine}) {
    put(x);
  }
}

}  // namespace

int main() {
  for (;;) {
    const int request = std::getchar();
    if (request == EOF) {
      return 0;
    }
    if (request == 'C') {
      Owned expected;
      Owned actual;
      get_value(expected);
      get_value(actual);
      const bpte::Tolerance tolerance = get_tolerance();
      if (g_ended) {
        return 1;
      }
      put_comparison(bpte::compare(expected.value, actual.value, tolerance));
    } else if (request == 'Z') {
      const uint32_t previous = get<uint32_t>();
      std::vector<uint8_t> bytes(static_cast<size_t>(get<uint64_t>()));
      get(bytes.data(), bytes.size());
      if (g_ended) {
        return 1;
      }
      put(bpte::crc32({bytes.data(), bytes.size()}, previous));
    } else {
      return 1;
    }
    std::fflush(stdout);
  }
}
