// SPDX-License-Identifier: BSD-3-Clause
#include "console.h"

// CMSDK APB UART (DDI0479, 4.3): DATA, STATE, CTRL, INTSTATUS, BAUDDIV.

namespace bpte_board {
namespace {

struct Registers {
  volatile uint32_t data, state, control, interrupt, baud_divider;
};
constexpr uint32_t kTransmitFull = 1;
constexpr uint32_t kReceiveFull = 2;
// Both ways, if anything is read.
constexpr uint32_t kEnable = BPTE_RUNNER_WIRE ? 3 : 1;
// The smallest divisor of the UART. Simulators ignore it; on a board, set the terminal to clock /
// 16 baud.
constexpr uint32_t kBaudDivider = 16;
// "Must not block for ever": a UART that never drains loses characters instead.
constexpr uint32_t kPatience = 10'000'000;
#if BPTE_RUNNER_WIRE
// How often it is asked whether something came, before nobody is there: ten seconds or more.
constexpr uint32_t kReadPatience = 200'000'000;
#endif

Registers& registers() {
  return *reinterpret_cast<Registers*>(BPTE_BOARD_UART);
}

}  // namespace

void Uart::write(const char* data, size_t size) {
  Registers& uart = registers();
  if (uart.control != kEnable) {
    uart.baud_divider = kBaudDivider;
    uart.control = kEnable;
  }
  for (size_t i = 0; i < size; ++i) {
    for (uint32_t tries = 0; (uart.state & kTransmitFull) != 0; ++tries) {
      if (tries == kPatience) return;
    }
    uart.data = static_cast<uint8_t>(data[i]);
  }
}

#if BPTE_RUNNER_WIRE
bool Uart::read(uint8_t& byte) {
  Registers& uart = registers();
  for (uint32_t tries = 0; (uart.state & kReceiveFull) == 0; ++tries) {
    if (tries == kReadPatience) return false;
  }
  byte = static_cast<uint8_t>(uart.data);
  return true;
}
#endif

}  // namespace bpte_board
