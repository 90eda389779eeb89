// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpte::internal {

/// What take_code_point() returns for bytes that are not UTF-8.
inline constexpr uint32_t kNotUtf8 = 0xFFFFFFFFu;

/// Takes one code point off the front of [at, end), which is not empty. UTF-8 is RFC 3629's: no
/// overlong form, no surrogate, nothing past U+10FFFF. Takes one byte when it is not UTF-8.
uint32_t take_code_point(const uint8_t*& at, const uint8_t* end);

/// Whether the bytes are UTF-8 without a NUL.
bool is_text(const uint8_t* bytes, size_t size);

}  // namespace bpte::internal
