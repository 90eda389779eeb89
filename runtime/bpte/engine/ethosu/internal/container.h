// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/engine/report.h>

#include <cstddef>
#include <cstdint>

namespace bpte::ethosu {

/// One input or output of a delegate, as the container describes it.
struct Binding {
  uint64_t bytes = 0;          ///< elements times their size
  uint32_t element_bytes = 0;  ///< 1, 2 or 4
  uint32_t offset = 0;         ///< where it lies in the scratch memory
};

/// Inputs or outputs, read where they lie.
class Bindings {
 public:
  Bindings() = default;
  explicit Bindings(Span<const uint8_t> block) : block_(block) {}

  uint32_t count() const;
  /// Checks entry `index` against `scratch_size`; `what` is "input" or "output".
  [[nodiscard]] bool get(uint32_t index, const char* what, uint64_t scratch_size, Binding& binding,
                         Report& report) const;
  /// Whether the block has the size that its count asks for.
  bool well_formed() const;

 private:
  Span<const uint8_t> block_;
};

/// What ExecuTorch's Arm backend hands to its delegate: named blocks in the order vela_bin_stream,
/// cmd_data, weight_data, scratch_size, inputs, outputs, vela_end_stream. Views into its bytes.
struct Container {
  Span<const uint8_t> commands;
  Span<const uint8_t> weights;
  uint64_t scratch_size = 0;
  Bindings inputs;
  Bindings outputs;

  [[nodiscard]] bool open(Span<const uint8_t> bytes, Report& report);
};

}  // namespace bpte::ethosu
