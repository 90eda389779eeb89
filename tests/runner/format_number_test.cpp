// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/format_number.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "check.h"

namespace {

// A small generator (xorshift), so that every platform tests the same numbers.
uint64_t next_random() {
  static uint64_t state = 0x9E3779B97F4A7C15u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

struct Text {
  char data[bpte::kMaxNumberLength + 1];
  size_t size;
};

Text text_of(double value) {
  Text text;
  text.size = bpte::format_double(value, bpte::Span<char>(text.data, bpte::kMaxNumberLength));
  text.data[text.size] = '\0';
  return text;
}

Text text_of(float value) {
  Text text;
  text.size = bpte::format_float(value, bpte::Span<char>(text.data, bpte::kMaxNumberLength));
  text.data[text.size] = '\0';
  return text;
}

int significant_digits(const char* text) {
  int count = 0;
  int zeros = 0;
  for (; *text != '\0' && *text != 'e'; ++text) {
    if (*text < '0' || *text > '9') continue;
    if (*text == '0') {
      if (count > 0) ++zeros;
    } else {
      count += zeros + 1;
      zeros = 0;
    }
  }
  return count;
}

bool same_bits(double a, double b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}
bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// The fewest digits of printf's that read back.
int fewest(double value) {
  char text[64];
  for (int digits = 1; digits < 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
    if (std::strtod(text, nullptr) == value) return significant_digits(text);
  }
  return 17;
}

void check_double(double value) {
  const Text text = text_of(value);
  const bool ok = text.size < bpte::kMaxNumberLength &&
                  same_bits(std::strtod(text.data, nullptr), value) &&
                  significant_digits(text.data) <= fewest(value);
  if (!ok) std::printf("%.17g is written as %s\n", value, text.data);
  CHECK(ok);
}

void check_float(float value) {
  const Text text = text_of(value);
  const bool ok =
      same_bits(std::strtof(text.data, nullptr), value) && significant_digits(text.data) <= 9;
  if (!ok) std::printf("%.9g is written as %s\n", static_cast<double>(value), text.data);
  CHECK(ok);
}

void check_text(double value, const char* expected) {
  const Text text = text_of(value);
  CHECK(std::string(text.data) == expected);
}

TEST_CASE("known numbers have known texts") {
  check_text(0.0, "0.0");
  check_text(-0.0, "-0.0");
  check_text(1.0, "1.0");
  check_text(-1.5, "-1.5");
  check_text(0.1, "0.1");
  check_text(1e-5, "1e-05");
  check_text(0.0001, "0.0001");
  check_text(123456.0, "123456.0");
  check_text(1e15, "1000000000000000.0");
  check_text(1e16, "1e+16");
  check_text(1e22, "1e+22");
  check_text(5e-324, "5e-324");
  check_text(1.7976931348623157e308, "1.7976931348623157e+308");
  check_text(2.2250738585072014e-308, "2.2250738585072014e-308");
  check_text(9007199254740993.0, "9007199254740992.0");
  check_text(std::numeric_limits<double>::quiet_NaN(), "nan");
  check_text(std::numeric_limits<double>::infinity(), "inf");
  check_text(-std::numeric_limits<double>::infinity(), "-inf");
  CHECK(std::strcmp(text_of(0.1f).data, "0.1") == 0);
  CHECK(std::strcmp(text_of(16777216.0f).data, "16777216.0") == 0);
  CHECK(std::strcmp(text_of(std::numeric_limits<float>::denorm_min()).data, "1e-45") == 0);
}

TEST_CASE("numbers read back from the fewest digits") {
  for (int exponent = -1074; exponent <= 1023; ++exponent) {
    const double power = std::ldexp(1.0, exponent);
    check_double(power);
    check_double(std::nextafter(power, 0.0));
    check_double(std::nextafter(power, 1e308));
  }
  for (int exponent = -323; exponent <= 308; ++exponent) {
    char text[16];
    std::snprintf(text, sizeof text, "1e%d", exponent);
    check_double(std::strtod(text, nullptr));
  }
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = next_random();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) check_double(value);
    const uint32_t half = static_cast<uint32_t>(bits >> 32);
    float single;
    std::memcpy(&single, &half, sizeof single);
    if (std::isfinite(single)) check_float(single);
    check_float(static_cast<float>(static_cast<int32_t>(half)) / 1000.0f);
  }
}

TEST_CASE("integers and hexadecimal stay within the buffer") {
  char text[bpte::kMaxNumberLength];
  const bpte::Span<char> buffer(text);
  const auto is = [&](size_t size, const char* expected) {
    return size == std::strlen(expected) && std::memcmp(text, expected, size) == 0;
  };
  CHECK(is(bpte::format_int(0, buffer), "0"));
  CHECK(is(bpte::format_int(-7, buffer), "-7"));
  CHECK(is(bpte::format_int(INT64_MIN, buffer), "-9223372036854775808"));
  CHECK(is(bpte::format_int(INT64_MAX, buffer), "9223372036854775807"));
  CHECK(is(bpte::format_uint(UINT64_MAX, buffer), "18446744073709551615"));
  CHECK(is(bpte::format_hex(0, 1, buffer), "0"));
  CHECK(is(bpte::format_hex(0xBEEF, 8, buffer), "0000beef"));
  CHECK(is(bpte::format_hex(UINT64_MAX, 1, buffer), "ffffffffffffffff"));
  // Never past the buffer.
  char small[3] = {'x', 'x', 'x'};
  CHECK(bpte::format_uint(12345, bpte::Span<char>(small, 2)) == 2);
  CHECK(small[2] == 'x');
}

}  // namespace
