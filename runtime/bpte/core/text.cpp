// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/text.h>

namespace bpte::internal {

bool is_text(const uint8_t* bytes, size_t size) {
  const uint8_t* const end = bytes + size;
  while (bytes != end) {
    const uint32_t first = *bytes++;
    if (first == 0) {
      return false;
    }
    if (first < 0x80) {
      continue;
    }
    // Leading ones tell how many bytes follow: 110xxxxx one, 1110xxxx two, 11110xxx three.
    const unsigned more = static_cast<unsigned>(__builtin_clz(~(first << 24))) - 1;
    if (more < 1 || more > 3 || more > static_cast<size_t>(end - bytes)) {
      return false;
    }
    uint32_t code = first & (0x3Fu >> more);
    for (unsigned k = 0; k < more; ++k) {
      const uint32_t next = *bytes++;
      if ((next & 0xC0) != 0x80) {
        return false;
      }
      code = code << 6 | (next & 0x3F);
    }
    // The least code that needs this length: 2^7, 2^11, 2^16.
    const uint32_t least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    if (code < least || code > 0x10FFFF || (code >> 11) == 0x1B) {
      return false;
    }
  }
  return true;
}

}  // namespace bpte::internal
