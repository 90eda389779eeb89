// SPDX-License-Identifier: BSD-3-Clause
//
// Stands in for the header that flatc makes from ExecuTorch's schema of bundled programs. It has as
// much as ExecuTorch's BundledModule and its Python bindings use of it: where a bundle's program
// lies. It reads BP08 and BP09, and checks them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bundled_program_flatbuffer {

/// The bytes of the program in a bundle. As flatc's classes, this is a view: `this` is the address
/// of the bundle's first byte, and the class has no member.
class ProgramBytes {
 public:
  ProgramBytes() = delete;
  /// Null when the bundle cannot be read; ExecuTorch's log names the broken rule.
  const uint8_t* data() const;
  /// In bytes; 0 when the bundle cannot be read.
  size_t size() const;
};

class BundledProgram {
 public:
  BundledProgram() = delete;
  const ProgramBytes* program() const { return reinterpret_cast<const ProgramBytes*>(this); }
};

/// `buffer` as for load_bundled_input(). Checks nothing yet.
inline const BundledProgram* GetBundledProgram(const void* buffer) {
  return static_cast<const BundledProgram*>(buffer);
}

/// Whether the buffer begins as a bundle does. Reads 8 bytes.
bool BundledProgramBufferHasIdentifier(const void* buffer);

}  // namespace bundled_program_flatbuffer
