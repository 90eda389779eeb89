// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/stepping.h>
#include <bpte/runner/config.h>
#include <bpte/runner/record_writer.h>
#include <bpte/runner/value_source.h>

#if BPTE_RUNNER_TRACE

namespace bpte {

/// What observers of instructions need of their run to write records.
class InstructionRecords {
 public:
  /// Begins a record of this name, and writes which case or step it is about.
  virtual void begin_record(const char* event) = 0;
  /// Ends it; `values` go with it. False when the run cannot go on.
  [[nodiscard]] virtual bool end_record(const ValueSource& values) = 0;

 protected:
  ~InstructionRecords() = default;
};

/// Writes which instruction a record is about, and what it is.
void write_instruction(RecordWriter& writer, const ExecutedInstruction& instruction);

}  // namespace bpte

#endif  // BPTE_RUNNER_TRACE
