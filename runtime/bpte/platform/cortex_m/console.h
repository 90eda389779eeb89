// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/runner/runner.h>

#include <cstddef>
#include <cstdint>

namespace bpte_board {

/// The UART of Arm's CMSDK (DDI0479, 4.3), which all MPS2, MPS3 and Corstone boards have. A board
/// with another one replaces uart.cpp.
class Uart final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override;
};

/// Where the firmware writes its output: to the UART, or, after use_semihosting_console(), to the
/// debugger's console.
bpte::Output& console();
void use_semihosting_console();

/// Ends the simulation with this exit status. Where no simulator or debugger answers, sleeps for
/// ever.
[[noreturn]] void stop(int status);

/// A short line, made without printf and without heap. Text that does not fit is cut off.
class Text {
 public:
  Text& put(const char* text);
  Text& put_hex(uint32_t value);  ///< 0x and 8 digits
  Text& put_decimal(uint32_t value);
  const char* data() const { return buffer_; }
  size_t size() const { return size_; }

 private:
  Text& put(const char* text, size_t size);

  char buffer_[320];
  size_t size_ = 0;
};

}  // namespace bpte_board
