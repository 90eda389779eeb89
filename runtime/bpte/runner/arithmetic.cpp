// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/compare.h>
#include <bpte/runner/arithmetic.h>

#include <cstdint>
#include <cstring>

namespace bpte {

namespace {

constexpr uint64_t kNan = 0x7FF8000000000000;
constexpr uint64_t kInfinity = 0x7FF0000000000000;
constexpr uint64_t kMinusInfinity = 0xFFF0000000000000;
constexpr uint64_t kOne = 0x3FF0000000000000;
constexpr uint64_t kLargest = 0x7FEFFFFFFFFFFFFF;
constexpr uint64_t kSmallestNormal = 0x0010000000000000;
constexpr uint64_t kHalfOfIt = 0x0008000000000000;  // a denormal
constexpr uint64_t kTwoTo100 = 0x4630000000000000;
constexpr uint32_t kDenormal32 = 0x00400000;

// The compiler cannot know these numbers, so that it has to compute with them.
double number(uint64_t bits) {
  volatile uint64_t hidden = bits;
  const uint64_t seen = hidden;
  double value;
  std::memcpy(&value, &seen, sizeof value);
  return value;
}

bool has_bits(double value, uint64_t bits) {
  uint64_t seen;
  std::memcpy(&seen, &value, sizeof seen);
  return seen == bits;
}

// Tests the arithmetic of this file.
const char* program_fault() {
  const double nan = number(kNan);
  if (nan == nan || !(nan != nan)) return "a NaN equals itself";
  if (nan < 1 || nan >= 1) return "a NaN is ordered";
  const double infinity = number(kInfinity);
  if (!(infinity > number(kLargest)) || !has_bits(number(kLargest) * 2, kInfinity)) {
    return "infinity is a number like others";
  }
  if (!has_bits(number(kSmallestNormal) / 2, kHalfOfIt)) return "denormal results become zero";
  if (number(kHalfOfIt) == 0) return "denormal numbers are taken for zero";
  const double large = number(kTwoTo100);
  if ((large + number(kOne)) - large != 0) return "additions are reordered";
  return nullptr;
}

template <typename T>
Comparison compare_one(ScalarType type, const T& expected, const T& actual) {
  Value values[2];
  const T* const numbers[] = {&expected, &actual};
  for (int i = 0; i < 2; ++i) {
    values[i].kind = ValueKind::kTensor;
    values[i].tensor.scalar_type = type;
    values[i].tensor.data = {reinterpret_cast<const uint8_t*>(numbers[i]), sizeof(T)};
  }
  Tolerance exactly;
  exactly.rtol = exactly.atol = 0;
  return compare(values[0], values[1], exactly);
}

// Tests compare(), which may be built with other options than this file.
const char* compare_fault() {
  const struct {
    uint64_t expected;
    uint64_t actual;
    Verdict verdict;
    uint64_t nonfinite;
    const char* fault;
  } trials[] = {
      {kNan, kOne, Verdict::kFail, 1, "compare() takes a number for the NaN expected"},
      {kOne, kNan, Verdict::kFail, 1, "compare() takes a NaN for the number expected"},
      {kInfinity, kInfinity, Verdict::kPass, 1, "compare() refuses an infinity for itself"},
      {kInfinity, kMinusInfinity, Verdict::kFail, 1, "compare() takes infinities for equal"},
      {kLargest, kInfinity, Verdict::kFail, 1, "compare() takes an infinity for a number"},
      {0, kHalfOfIt, Verdict::kFail, 0, "compare() takes a denormal for zero"},
      {kOne, kOne, Verdict::kPass, 0, "compare() refuses a number for itself"},
  };
  for (const auto& trial : trials) {
    const Comparison result = compare_one(ScalarType::kDouble, trial.expected, trial.actual);
    if (result.verdict != trial.verdict || result.nonfinite != trial.nonfinite) return trial.fault;
  }
  const Comparison small = compare_one(ScalarType::kFloat, uint32_t{0}, kDenormal32);
  if (small.verdict != Verdict::kFail) return "compare() takes a denormal float32 for zero";
  return nullptr;
}

}  // namespace

const char* arithmetic_fault() {
  const char* const fault = program_fault();
  return fault != nullptr ? fault : compare_fault();
}

}  // namespace bpte
