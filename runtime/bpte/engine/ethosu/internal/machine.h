// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/ethosu/operation.h>
#include <bpte/engine/report.h>

#include <cstddef>
#include <cstdint>

#include "command_stream.h"
#include "registers.h"
#include "weights.h"

namespace bpte::ethosu {

/// Through so many feature maps the Ethos-U85 hands one operation's OFM to the next.
inline constexpr uint32_t kChains = 6;

/// What a command stream needs of its caller, in bytes. A first pass over the stream finds it.
struct Needs {
  uint64_t fast = 0;          ///< fast scratch memory (region 2), whose size no container states
  uint64_t work = 0;          ///< one OFM block's weights and one window of the IFM
  uint64_t accumulators = 0;  ///< of an OFM, where an operation goes on with another's sums
  uint64_t chains[kChains] = {};
};

/// The memories that a stream's regions stand for.
struct Memories {
  Span<const uint8_t> weights;  ///< region 0
  Span<uint8_t> scratch;        ///< region 1, inputs and outputs too
  Span<uint8_t> fast;           ///< region 2
  Span<uint8_t> tables;         ///< the part of the internal memory that holds tables
  Span<int16_t> work;
  Span<int64_t> accumulators;
  Span<uint8_t> chains[kChains];
};

/// Bytes [first, end) that an operation touches.
struct Extent {
  int64_t first = 0;
  int64_t end = 0;
};

/// The state that the units share: registers, memories, and how the present command is refused.
///
/// A unit checks all that its registers say, then returns true when checking(), before it reads or
/// writes any data. A stream runs only after every command of it was checked.
class Machine {
 public:
  /// Of a pass that checks. `scratch_size` is the container's.
  void begin_check(const Config& config, size_t weights_size, uint64_t scratch_size,
                   uint64_t work_limit, Report& report);
  /// Of a pass that runs; the memories have the sizes that were checked and found.
  void begin_run(const Memories& memories, Report& report);

  bool checking() const { return checking_; }
  bool u85() const { return kHasU85 && config_.generation == Generation::kU85; }
  const Config& config() const { return config_; }
  const Needs& needs() const { return needs_; }
  Registers& registers() { return registers_; }
  const Registers& registers() const { return registers_; }
  const Memories& memories() const { return memories_; }
  uint64_t work_done() const { return work_; }
  /// One core's weights. It stands here, as it is too large for a small target's stack.
  WeightStream& stream(int32_t core) { return streams_[core]; }

  void begin_command(uint32_t number, Op op, uint16_t parameter);
  /// The present operation, as far as its unit has described it.
  EthosUOperation& operation() { return operation_; }
  const EthosUOperation& operation() const { return operation_; }
  /// Starts a message "Ethos-U command 12, NPU_OP_CONV: ".
  Report& invalid() { return refuse(EngineError::kInvalidProgram); }
  Report& unsupported() { return refuse(EngineError::kUnsupported); }
  /// While running: what the data itself does wrong.
  Report& failed() { return refuse(EngineError::kExecutionFailed); }

  /// Counts bytes of the present operation.
  void count_read(uint32_t region, uint64_t bytes);
  void count_written(uint32_t region, uint64_t bytes);

  /// Where region `region` begins, when all of `extent` lies in it; `what` is for the message. When
  /// checking, `base` is nullptr.
  [[nodiscard]] bool readable(const char* what, uint32_t region, const Extent& extent,
                              const uint8_t*& base);
  [[nodiscard]] bool writable(const char* what, uint32_t region, const Extent& extent,
                              uint8_t*& base);
  /// Chain buffer `number`, of which that many bytes are used.
  [[nodiscard]] bool chain(const char* what, uint32_t number, uint64_t bytes, uint8_t*& base);
  /// Counts elementary operations against the limit: up to three factors.
  [[nodiscard]] bool count(uint64_t a, uint64_t b, uint64_t c);
  /// Asks for room for that many numbers of 16 bits.
  void need_work(uint64_t numbers);
  /// Asks for that many accumulators.
  void need_accumulators(uint64_t count);

 private:
  Report& refuse(EngineError error);
  [[nodiscard]] bool reach(const char* what, uint32_t region, const Extent& extent);

  Config config_;
  Registers registers_;
  WeightStream streams_[kMostCores];
  Memories memories_;
  Needs needs_;
  Report* report_ = nullptr;
  uint64_t weights_size_ = 0;
  uint64_t scratch_size_ = 0;
  uint64_t work_limit_ = 0;
  uint64_t work_ = 0;
  EthosUOperation operation_;
  bool checking_ = true;
};

/// The units. Each does one operation, or only checks it.
[[nodiscard]] bool convolve(Machine& machine, bool depthwise, uint16_t parameter);
[[nodiscard]] bool pool(Machine& machine, uint16_t mode);
[[nodiscard]] bool combine(Machine& machine, uint16_t mode);
[[nodiscard]] bool copy(Machine& machine);
[[nodiscard]] bool resize(Machine& machine, uint16_t mode);

/// The present operation's OFM, as NHWC. False: it has none.
[[nodiscard]] bool copy_ofm(Machine& machine, uint8_t* to);
/// Writes other elements over it, likewise.
[[nodiscard]] bool replace_ofm(Machine& machine, const uint8_t* from);

}  // namespace bpte::ethosu
