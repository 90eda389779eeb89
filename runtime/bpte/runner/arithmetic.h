// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte {

/// Tests the arithmetic that every verdict depends on: NaN, infinities, denormals and the order of
/// additions, by IEEE 754, in this program and in compare(). A build with -ffast-math or one of its
/// parts breaks it. So does a processor that flushes denormals to zero (GCC links code that sets
/// this mode into a program linked with -ffast-math). Returns nullptr, or what is wrong, for
/// people. Takes microseconds.
const char* arithmetic_fault();

}  // namespace bpte
