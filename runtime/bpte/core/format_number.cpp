// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/format_number.h>

#include <cstring>

namespace bpte {
namespace {

// One digit more than a double needs, so that rounding to 17 digits sees what follows.
constexpr int kKept = 18;

// The leading digits of an exact decimal: 0.d0 d1 d2 ... * 10^exponent, d0 != 0. `more`: digits
// other than zero follow the kept ones.
struct Decimal {
  uint8_t digits[kKept] = {};
  int exponent = 0;
  bool more = false;
};

// m * 2^e exactly, for m > 0 and e in [-1076, 971]. Computed as an integer in base 10^9; where e <
// 0, times 10^e, since 2^e = 5^-e * 10^e. The leading digits are kept. The largest integer is m *
// 5^1076, below 10^770.
Decimal exact_decimal(uint64_t m, int e) {
  constexpr uint32_t kBase = 1000000000u;
  constexpr size_t kWords = 87;
  uint32_t words[kWords];  // least significant first
  size_t count = 0;
  while (m != 0) {
    words[count++] = static_cast<uint32_t>(m % kBase);
    m /= kBase;
  }

  const uint32_t factor_step = e < 0 ? 1220703125u /* 5^13 */ : 1u << 29;
  const int exponent_step = e < 0 ? 13 : 29;
  for (int left = e < 0 ? -e : e; left > 0;) {
    const int now = left < exponent_step ? left : exponent_step;
    uint32_t factor = factor_step;
    if (now < exponent_step) {
      factor = 1;
      for (int i = 0; i < now; ++i) factor *= e < 0 ? 5 : 2;
    }
    uint64_t carry = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t product = static_cast<uint64_t>(words[i]) * factor + carry;
      words[i] = static_cast<uint32_t>(product % kBase);
      carry = product / kBase;
    }
    while (carry != 0 && count < kWords) {
      words[count++] = static_cast<uint32_t>(carry % kBase);
      carry /= kBase;
    }
    left -= now;
  }

  Decimal decimal;
  int kept = 0;
  int total = 0;
  for (size_t i = count; i-- > 0;) {
    uint32_t divisor = kBase / 10;
    if (i + 1 == count) {  // no leading zeros
      while (divisor > 1 && words[i] < divisor) divisor /= 10;
    }
    for (; divisor != 0; divisor /= 10) {
      const uint8_t digit = static_cast<uint8_t>(words[i] / divisor % 10);
      ++total;
      if (kept < kKept) {
        decimal.digits[kept++] = digit;
      } else if (digit != 0) {
        decimal.more = true;
      }
    }
  }
  decimal.exponent = total + (e < 0 ? e : 0);
  return decimal;
}

// Rounds to `count` digits, half to even.
Decimal round_to(const Decimal& decimal, int count) {
  Decimal rounded;
  rounded.exponent = decimal.exponent;
  std::memcpy(rounded.digits, decimal.digits, static_cast<size_t>(count));
  bool beyond_half = decimal.more;
  for (int i = count + 1; i < kKept; ++i) beyond_half = beyond_half || decimal.digits[i] != 0;
  const uint8_t next = decimal.digits[count];
  const bool odd = (decimal.digits[count - 1] & 1) != 0;
  if (next > 5 || (next == 5 && (beyond_half || odd))) {
    int i = count - 1;
    while (i >= 0 && rounded.digits[i] == 9) rounded.digits[i--] = 0;
    if (i >= 0) {
      ++rounded.digits[i];
    } else {
      rounded.digits[0] = 1;
      ++rounded.exponent;
    }
  }
  return rounded;
}

// -1, 0, 1 as a < b, a == b, a > b. At most one of them has `more`.
int compare(const Decimal& a, const Decimal& b) {
  if (a.exponent != b.exponent) return a.exponent < b.exponent ? -1 : 1;
  const int order = std::memcmp(a.digits, b.digits, kKept);
  if (order != 0) return order < 0 ? -1 : 1;
  return static_cast<int>(a.more) - static_cast<int>(b.more);
}

class Writer {
 public:
  explicit Writer(Span<char> buffer) : buffer_(buffer) {}
  void put(char c) {
    if (size_ < buffer_.size()) buffer_[size_++] = c;
  }
  void put(const char* text) {
    while (*text != '\0') put(*text++);
  }
  size_t size() const { return size_; }

 private:
  Span<char> buffer_;
  size_t size_ = 0;
};

// Writes m * 2^e in the fewest digits that lie nearer to it than to its neighbours. The next number
// up is 2^e away; so is the next one down, or half of that when `narrow_below` (m is the smallest
// of its binade). A decimal half-way between two numbers is read as the even one.
void put_shortest(uint64_t m, int e, bool narrow_below, int max_digits, Writer& out) {
  const Decimal value = exact_decimal(m, e);
  const Decimal above = exact_decimal(2 * m + 1, e - 1);
  const Decimal below =
      narrow_below ? exact_decimal(4 * m - 1, e - 2) : exact_decimal(2 * m - 1, e - 1);
  const int half_way = m % 2 == 0 ? 0 : -1;
  Decimal shortest;
  int count = 1;
  for (;; ++count) {
    shortest = round_to(value, count);
    if (count == max_digits) break;
    if (compare(below, shortest) <= half_way && compare(shortest, above) <= half_way) break;
  }
  while (count > 1 && shortest.digits[count - 1] == 0) --count;

  const int scientific = shortest.exponent - 1;
  const auto digit = [&](int i) {
    return static_cast<char>('0' + (i < count ? shortest.digits[i] : 0));
  };
  if (scientific < -4 || scientific >= 16) {
    out.put(digit(0));
    if (count > 1) {
      out.put('.');
      for (int i = 1; i < count; ++i) out.put(digit(i));
    }
    out.put('e');
    out.put(scientific < 0 ? '-' : '+');
    const int magnitude = scientific < 0 ? -scientific : scientific;
    if (magnitude >= 100) out.put(static_cast<char>('0' + magnitude / 100));
    out.put(static_cast<char>('0' + magnitude / 10 % 10));
    out.put(static_cast<char>('0' + magnitude % 10));
  } else if (scientific < 0) {
    out.put("0.");
    for (int i = scientific + 1; i < 0; ++i) out.put('0');
    for (int i = 0; i < count; ++i) out.put(digit(i));
  } else {
    for (int i = 0; i <= scientific; ++i) out.put(digit(i));
    out.put('.');
    if (count <= scientific + 1) out.put('0');
    for (int i = scientific + 1; i < count; ++i) out.put(digit(i));
  }
}

// A binary floating-point number of `mantissa_bits` stored bits and an exponent of `exponent_bits`.
size_t format_binary(uint64_t bits, int mantissa_bits, int exponent_bits, int max_digits,
                     Span<char> buffer) {
  Writer out(buffer);
  const uint64_t fraction = bits & ((uint64_t{1} << mantissa_bits) - 1);
  const int exponent_mask = (1 << exponent_bits) - 1;
  const int biased = static_cast<int>(bits >> mantissa_bits) & exponent_mask;
  const bool negative = (bits >> (mantissa_bits + exponent_bits) & 1) != 0;
  if (biased == exponent_mask && fraction != 0) {
    out.put("nan");
    return out.size();
  }
  if (negative) out.put('-');
  if (biased == exponent_mask) {
    out.put("inf");
  } else if (biased == 0 && fraction == 0) {
    out.put("0.0");
  } else {
    const uint64_t m = biased == 0 ? fraction : fraction | uint64_t{1} << mantissa_bits;
    const int e = (biased == 0 ? 1 : biased) - (exponent_mask >> 1) - mantissa_bits;
    put_shortest(m, e, fraction == 0 && biased > 1, max_digits, out);
  }
  return out.size();
}

}  // namespace

size_t format_uint(uint64_t value, Span<char> buffer) {
  char reversed[20];
  size_t count = 0;
  do {
    // Long division in steps of 32 bits: a 64-bit division is a library call on small targets.
    uint64_t quotient = 0;
    uint32_t remainder = 0;
    for (int shift = 48; shift >= 0; shift -= 16) {
      const uint32_t part = remainder << 16 | static_cast<uint32_t>(value >> shift & 0xFFFF);
      quotient = quotient << 16 | part / 10;
      remainder = part % 10;
    }
    reversed[count++] = static_cast<char>('0' + remainder);
    value = quotient;
  } while (value != 0);
  Writer out(buffer);
  while (count > 0) out.put(reversed[--count]);
  return out.size();
}

size_t format_int(int64_t value, Span<char> buffer) {
  if (value >= 0) return format_uint(static_cast<uint64_t>(value), buffer);
  if (buffer.empty()) return 0;
  buffer[0] = '-';
  return 1 + format_uint(uint64_t{0} - static_cast<uint64_t>(value),
                         buffer.subspan(1, buffer.size() - 1));
}

size_t format_hex(uint64_t value, size_t min_digits, Span<char> buffer) {
  size_t digits = 1;
  while (digits < 16 && (digits < min_digits || (value >> (4 * digits)) != 0)) ++digits;
  Writer out(buffer);
  while (digits > 0) out.put("0123456789abcdef"[value >> (4 * --digits) & 0xF]);
  return out.size();
}

size_t format_double(double value, Span<char> buffer) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return format_binary(bits, 52, 11, 17, buffer);
}

size_t format_float(float value, Span<char> buffer) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return format_binary(bits, 23, 8, 9, buffer);
}

}  // namespace bpte
