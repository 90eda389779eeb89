// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Arm's semihosting (github.com/ARM-software/abi-aa, semihosting): calls to the target's debugger
// or simulator. Without one, every call fails; see semihosting_absent().

#include <bpte/core/data_source.h>
#include <bpte/core/span.h>
#include <bpte/runner/runner.h>

#include <cstdint>

namespace bpte_board {

/// Whether nothing answered a call: its breakpoint raised a HardFault, which the fault handler
/// stepped over.
bool semihosting_absent();

/// Fills `buffer` with the command line, NUL-terminated. False when there is none, or it does not
/// fit.
bool semihosting_command_line(bpte::Span<char> buffer);

/// Ends the simulation with this exit status (8 bits). Returns when nothing answers.
void semihosting_exit(int status);

#if BPTE_RUNNER_WIRE
/// Waits for a byte that is typed at the debugger's console, for as long as the debugger waits.
/// False when nothing answers, or the console has ended.
[[nodiscard]] bool semihosting_read(uint8_t& byte);
#endif

/// Writes to the debugger's console.
class SemihostingOutput final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override;

 private:
  int32_t handle_ = -1;
};

/// A file of the host, read piece by piece: for bundles larger than memory.
class SemihostingFile final : public bpte::DataSource {
 public:
  /// `path` is NUL-terminated. False when the host cannot open it.
  [[nodiscard]] bool open(const char* path);
  uint64_t size() const override { return size_; }
  [[nodiscard]] bool read(uint64_t offset, bpte::Span<uint8_t> buffer) override;

 private:
  int32_t handle_ = -1;
  uint64_t size_ = 0;
};

}  // namespace bpte_board
