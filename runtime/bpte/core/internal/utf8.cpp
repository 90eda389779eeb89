// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/utf8.h>

namespace bpte::internal {

uint32_t take_code_point(const uint8_t*& at, const uint8_t* end) {
  const uint32_t first = *at++;
  if (first < 0x80) {
    return first;
  }
  // How many bytes follow: 110xxxxx one, 1110xxxx two, 11110xxx three.
  const unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC0 || first > 0xF7 || more > static_cast<size_t>(end - at)) {
    return kNotUtf8;
  }
  uint32_t code_point = first & (0x3Fu >> more);
  for (unsigned i = 0; i < more; ++i) {
    if ((at[i] & 0xC0) != 0x80) {
      return kNotUtf8;
    }
    code_point = code_point << 6 | (at[i] & 0x3Fu);
  }
  // The least code point that needs this length: 2^7, 2^11, 2^16.
  const uint32_t least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
  const bool surrogate = (code_point >> 11) == 0x1B;
  if (code_point < least || code_point > 0x10FFFF || surrogate) {
    return kNotUtf8;
  }
  at += more;
  return code_point;
}

bool is_text(const uint8_t* bytes, size_t size) {
  const uint8_t* const end = bytes + size;
  while (bytes != end) {
    const uint32_t code_point = take_code_point(bytes, end);
    if (code_point == 0 || code_point == kNotUtf8) {
      return false;
    }
  }
  return true;
}

}  // namespace bpte::internal
