// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte_board {

/// The exit status after a fault; no outcome of docs/result-protocol.md.
inline constexpr int kFaultStatus = 70;

/// Lets the configurable faults be taken as such, with their cause, instead of all as HardFault.
void enable_faults();

/// Reads a word that may not be there: false when the access faults.
bool probe_read(uintptr_t address, uint32_t& value);

extern "C" {
/// Not 0 once a semihosting call turned out to have nobody to answer it.
extern volatile uint32_t fault_semihosting_absent;

/// Every exception that is not expected: reports the registers on the console as one line that
/// begins with "bpte-fault: ", and exits with kFaultStatus.
void fault_entry();
}

}  // namespace bpte_board
