// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// What a board's own init.cpp may define. Each function has a weak definition. The numbers of
/// [peripherals] in the board.toml are macros: BPTE_BOARD_UART, BPTE_BOARD_CLOCK_HZ, and any other
/// that the board states.
extern "C" {

/// Called once, after variables have their values and before constructors and main(): sets up
/// clocks and pins, up to what the UART needs. After it, the processor's clock must be
/// peripherals.clock_hz. Does nothing by default.
void board_init();

/// Called for every interrupt of a device (numbers 0 to 63). Reports a fault by default.
void board_interrupt();

}  // extern "C"
