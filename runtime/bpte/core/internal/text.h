// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpte::internal {

/// Whether the bytes are UTF-8 (RFC 3629: no overlong form, no surrogate, nothing past U+10FFFF)
/// without a NUL.
bool is_text(const uint8_t* bytes, size_t size);

}  // namespace bpte::internal
