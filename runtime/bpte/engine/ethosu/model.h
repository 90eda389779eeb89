// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/scalar_type.h>
#include <bpte/core/span.h>
#include <bpte/engine/ethosu/internal/command_stream.h>
#include <bpte/engine/ethosu/internal/container.h>
#include <bpte/engine/ethosu/internal/machine.h>
#include <bpte/engine/ethosu/operation.h>
#include <bpte/engine/report.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// The name of the backend whose delegates the model executes.
inline constexpr char kEthosUBackend[] = "EthosUBackend";
/// What every record that it had a part in says of it.
inline constexpr char kEthosUModelNote[] = "Ethos-U functional model, not an NPU";

/// The memory of a delegate's regions, for a caller that has it in parts, as an NPU's driver has.
struct EthosURegions {
  Span<const uint8_t> weights;  ///< region 0
  Span<uint8_t> scratch;        ///< region 1: inputs and outputs, too
  Span<uint8_t> fast;           ///< region 2, the fast scratch memory of some memory modes
};

/// A functional model of Arm's Ethos-U55, Ethos-U65 and Ethos-U85: executes the register command
/// streams that Vela compiles and ExecuTorch's Arm backend puts into delegates, and gives the NPU's
/// numbers (docs/ethos-u.md says how far that was shown). It knows nothing of time.
///
/// Trusts a delegate with nothing: open() checks every command, so that run() reads and writes the
/// given memory only. No heap, no exceptions. Everything it refuses, it refuses before it runs.
class EthosUModel {
 public:
  /// Is told of each operation that computes or copies, in order. False: no more, and all is well.
  using Observer = bool (*)(void* context, EthosUModel& model, const EthosUOperation& operation);

  /// Reads a delegate's bytes, which stay valid while the model is used, and checks all commands.
  /// More elementary operations than `work_limit` are refused; 0: no limit.
  [[nodiscard]] bool open(Span<const uint8_t> delegate, uint64_t work_limit, Report& report);

  /// The same of a command stream alone, as a driver is given it. There are no inputs and outputs
  /// then: their places within `regions.scratch` are the caller's to know. All of `regions` stay
  /// valid until the run is over.
  [[nodiscard]] bool open(Span<const uint8_t> commands, const EthosURegions& regions,
                          uint64_t work_limit, Report& report);

  const ethosu::Config& config() const { return stream_.config(); }
  /// Elementary operations of one run: multiply-adds, elements written, bytes copied.
  uint64_t work() const { return work_; }
  /// What run() needs, and prepare() takes: scratch and fast scratch memory, tables, room for one
  /// OFM block's weights; of an Ethos-U85 also what operations hand to each other. Any alignment
  /// will do.
  uint64_t memory_bytes() const;
  /// The part of it that is not the delegate's scratch or fast scratch memory.
  uint64_t own_bytes() const;

  uint32_t input_count() const { return container_.inputs.count(); }
  uint32_t output_count() const { return container_.outputs.count(); }
  /// Where an input goes or an output comes from, in the memory that prepare() took. `index` is
  /// below the count.
  Span<uint8_t> input(uint32_t index);
  Span<uint8_t> output(uint32_t index);
  /// Whether a tensor of this type and size can be that input or output, by the rules of
  /// ExecuTorch's own delegate: what that refuses on an NPU must not pass here. Needs open() only.
  [[nodiscard]] bool check_input(uint32_t index, ScalarType type, uint64_t bytes,
                                 Report& report) const;
  [[nodiscard]] bool check_output(uint32_t index, ScalarType type, uint64_t bytes,
                                  Report& report) const;

  /// Takes at least memory_bytes() bytes, which stay the model's until the run is over.
  [[nodiscard]] bool prepare(Span<uint8_t> memory, Report& report);
  /// Takes the regions' memory, and at least own_bytes() beside it.
  [[nodiscard]] bool prepare(const EthosURegions& regions, Span<uint8_t> own, Report& report);
  /// Runs the commands on the inputs that were put in place.
  [[nodiscard]] bool run(Report& report);
  /// The same; `observer` is told of each operation when its OFM is there.
  [[nodiscard]] bool run(Report& report, Observer observer, void* context);
  /// Tells `observer` of each operation without running any. Needs open() only.
  [[nodiscard]] bool describe(Report& report, Observer observer, void* context);
  /// For an observer of run(): the OFM's elements in the order NHWC. `to` has ofm.bytes() bytes.
  /// False: of another size, or there is no OFM to be had.
  [[nodiscard]] bool copy_ofm(Span<uint8_t> to);
  /// For an observer of run(): writes these elements over the OFM, which the operations that follow
  /// then read. Likewise.
  [[nodiscard]] bool replace_ofm(Span<const uint8_t> from);

 private:
  [[nodiscard]] bool check(uint64_t work_limit, Report& report);
  [[nodiscard]] bool pass(Report& report, Observer observer, void* context);
  [[nodiscard]] bool execute(ethosu::Op op, uint16_t parameter);
  /// Whether there is an OFM now, of so many bytes.
  [[nodiscard]] bool has_ofm(size_t bytes) const;

  ethosu::Container container_;
  ethosu::CommandStream stream_;
  ethosu::Machine machine_;
  ethosu::Memories memories_;
  uint64_t work_ = 0;
};

}  // namespace bpte
