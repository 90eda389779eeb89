// SPDX-License-Identifier: BSD-3-Clause
//
// What benchmarks/compare.py times, called from Python on the same memory.

#include <bpte/core/compare.h>

#include <cmath>
#include <cstring>

extern "C" {

void copy_bytes(void* to, const void* from, size_t size) {
  std::memcpy(to, from, size);
}

/// Two tensors of `rank` dimensions; false on a fault in the structure.
bool judge(int dtype, size_t rank, const int32_t* sizes, const uint8_t* expected_order,
           const void* expected, const uint8_t* actual_order, const void* actual, size_t bytes,
           uint64_t* mismatches) {
  bpte::Value e;
  bpte::Value a;
  e.kind = a.kind = bpte::ValueKind::kTensor;
  e.tensor = {static_cast<bpte::ScalarType>(dtype),
              {sizes, rank},
              {expected_order, rank},
              {static_cast<const uint8_t*>(expected), bytes}};
  a.tensor = {static_cast<bpte::ScalarType>(dtype),
              {sizes, rank},
              {actual_order, rank},
              {static_cast<const uint8_t*>(actual), bytes}};
  const bpte::Comparison result = bpte::compare(e, a, {});
  *mismatches = result.mismatches;
  return result.reason == bpte::Reason::kNone || result.reason == bpte::Reason::kElements;
}

/// The same statistics over float32 as one would write them down.
uint64_t plain_loop(const float* expected, const float* actual, size_t count, double rtol,
                    double atol, double* statistics) {
  uint64_t mismatches = 0;
  double sum_abs = 0, sum_rel = 0, error2 = 0, expected2 = 0, actual2 = 0, dot = 0;
  double max_abs = 0, max_rel = 0;
  for (size_t i = 0; i < count; ++i) {
    const double e = expected[i];
    const double a = actual[i];
    const double error = std::fabs(a - e);
    mismatches += error <= atol + rtol * std::fabs(e) ? 0 : 1;
    if (!std::isfinite(e) || !std::isfinite(a)) {
      continue;
    }
    max_abs = error > max_abs ? error : max_abs;
    sum_abs += error;
    if (e != 0) {
      const double relative = error / std::fabs(e);
      max_rel = relative > max_rel ? relative : max_rel;
      sum_rel += relative;
    }
    error2 += error * error;
    expected2 += e * e;
    actual2 += a * a;
    dot += e * a;
  }
  const double all[] = {max_abs, sum_abs, max_rel, sum_rel, error2, expected2, actual2, dot};
  std::memcpy(statistics, all, sizeof(all));
  return mismatches;
}

}  // extern "C"
