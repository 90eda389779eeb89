// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/report.h>

#include <cstddef>
#include <cstdint>

#include "registers.h"

namespace bpte::ethosu {

inline constexpr int32_t kMostCores = 4;

/// The NPU that a command stream was compiled for.
struct Config {
  Generation generation = Generation::kU55;
  uint32_t macs = 0;  ///< per cycle, of all cores
  int32_t cores = 1;  ///< each has a stream of weights of its own
  /// Where the tables of the activation functions lie in the internal memory, kTableBytes.
  uint32_t tables = 0;
};
/// Bytes of the internal memory that hold tables. The rest (feature map and accumulator buffers)
/// holds nothing between two operations, and is not modelled.
inline constexpr uint32_t kTableBytes = 2048;

/// A driver payload "COP1": which NPU it is for, and the NPU's commands.
class CommandStream {
 public:
  [[nodiscard]] bool open(Span<const uint8_t> bytes, Report& report);

  const Config& config() const { return config_; }
  /// Back to the first command.
  void rewind() {
    at_ = 0;
    number_ = 0;
  }
  /// The operation that comes next, with all registers set up to it. False at STOP, and on errors.
  [[nodiscard]] bool next(Registers& registers, Op& op, uint16_t& parameter, Report& report);
  /// Of the command that was last read, from 0 on.
  uint32_t number() const { return number_ - 1; }

 private:
  [[nodiscard]] bool set_config(uint32_t config, uint32_t id, Report& report);

  Config config_;
  Span<const uint8_t> words_;
  size_t at_ = 0;  // bytes
  uint32_t number_ = 0;
};

/// "NPU_OP_CONV", "NPU_OP_DMA_START", ...; nullptr when there is no such operation.
const char* name_of(Op op);

}  // namespace bpte::ethosu
