// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// Numbers as text, without printf: a board's C library may lack %lld or %zu, and its
/// floating-point printf costs more flash than all of the runner. Each function writes to `buffer`,
/// which must hold kMaxNumberLength characters, and returns how many it wrote; no NUL is added.
inline constexpr size_t kMaxNumberLength = 32;

size_t format_int(int64_t value, Span<char> buffer);
size_t format_uint(uint64_t value, Span<char> buffer);

/// Lower-case hexadecimal without a prefix, padded with zeros to `min_digits` (at most 16).
size_t format_hex(uint64_t value, size_t min_digits, Span<char> buffer);

/// The shortest decimal that strtod() reads back as the same value (at most 17 significant digits),
/// written as JSON and Python do: "1.5", "3.0", "-0.0", "1e-07"; "nan", "inf" and "-inf" where
/// there is no number.
size_t format_double(double value, Span<char> buffer);
/// As above, for strtof(): at most 9 significant digits.
size_t format_float(float value, Span<char> buffer);

}  // namespace bpte
