// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte {

/// Tries what every verdict rests on: NaN, infinities, denormals and the order of additions, as
/// IEEE 754 has them, in this program and as compare() judges them. A build with -ffast-math or one
/// of its parts loses them, and so does a processor that was told to flush denormals to zero (GCC
/// links code that does so into a program linked with -ffast-math). Returns nullptr, or what is
/// wrong, for people. Takes microseconds.
const char* arithmetic_fault();

}  // namespace bpte
