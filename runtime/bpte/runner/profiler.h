// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/stepping.h>
#include <bpte/runner/instruction_record.h>
#include <bpte/runner/runner.h>

#include <cstdint>

#if BPTE_RUNNER_TRACE

namespace bpte {

/// Runs a method instruction by instruction, takes the time of each, and writes the records
/// `profile` (docs/result-protocol.md). It keeps nothing: a record is written as soon as its
/// instruction was executed, while the clock is not looked at.
class Profiler final : public InstructionObserver {
 public:
  Profiler(const TraceOptions& options, RecordWriter& writer, Clock& clock,
           InstructionRecords& records)
      : options_(options), writer_(writer), clock_(clock), records_(records) {}

  /// Executes the method once, in place of Engine::execute(). `run` counts the executions of a
  /// case. When a record could not be written the run cannot go on, and it ends early with kOk.
  [[nodiscard]] EngineError step_through(uint32_t run);

  /// What the last execution took, without the writing of records.
  uint64_t time() const { return time_; }

  void starts() override { started_ = clock_.now(); }
  void ends() override { ended_ = clock_.now(); }
  [[nodiscard]] bool executed(ExecutedInstruction& instruction) override;

 private:
  const TraceOptions& options_;
  RecordWriter& writer_;
  Clock& clock_;
  InstructionRecords& records_;

  uint32_t run_ = 0;
  uint64_t started_ = 0;  // of the present instruction
  uint64_t ended_ = 0;
  uint64_t resumed_ = 0;  // after the last record
  uint64_t time_ = 0;
};

}  // namespace bpte

#endif  // BPTE_RUNNER_TRACE
