// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/message.h>
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

/// Writes a line, made without printf and without heap.
void say(const bpte::Message& line);

/// Written as 0x and 8 digits.
struct Hex {
  uint32_t value;
};
bpte::Message& operator<<(bpte::Message& line, Hex number);

}  // namespace bpte_board
