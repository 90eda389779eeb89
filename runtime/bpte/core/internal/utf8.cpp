// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/utf8.h>

namespace bpte::internal {

uint32_t take_code_point(const uint8_t*& at, const uint8_t* end) {
  const uint32_t first = *at++;
  if (first < 0x80) {
    return first;
  }
  // How many bytes follow, and the least code point that needs them: 2^7, 2^11, 2^16.
  unsigned more = 1;  // 110xxxxx
  uint32_t least = 0x80;
  if (first >= 0xF0) {  // 11110xxx
    more = 3;
    least = 0x10000;
  } else if (first >= 0xE0) {  // 1110xxxx
    more = 2;
    least = 0x800;
  }
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
