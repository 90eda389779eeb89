// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte {

/// This library's version, "major.minor.patch". CMake reads it from here.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace bpte
