// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte_board {

/// The exit status after a fault. It is not an outcome of docs/result-protocol.md.
inline constexpr int kFaultStatus = 70;

/// Enables the configurable faults, so that each is taken with its cause and not as a HardFault.
void enable_faults();

/// Reads a word at an address that may not exist: false when the access faults.
bool probe_read(uintptr_t address, uint32_t& value);

extern "C" {
/// Not 0 after a semihosting call that nothing answered.
extern volatile uint32_t fault_semihosting_absent;

/// Handles every unexpected exception: reports the registers on the console in one line that begins
/// with "bpte-fault: ", and exits with kFaultStatus.
void fault_entry();
}

}  // namespace bpte_board
