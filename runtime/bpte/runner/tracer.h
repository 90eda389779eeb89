// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/engine/stepping.h>
#include <bpte/runner/instruction_record.h>
#include <bpte/runner/runner.h>

#include <cstdint>

#if BPTE_RUNNER_TRACE

namespace bpte {

/// Runs a method instruction by instruction, holds what each gives against the case's trace, and
/// writes the records `trace` (docs/result-protocol.md). It needs the memory of one expected value,
/// and of that only where the bundle comes from a data source.
class Tracer final : public InstructionObserver {
 public:
  Tracer(const Bundle& bundle, const TraceOptions& options, RecordWriter& writer, Clock& clock,
         InstructionRecords& records)
      : bundle_(bundle), options_(options), writer_(writer), clock_(clock), records_(records) {}

  /// The method was loaded: nothing is known to be wrong.
  void begin_method() { before_ = Before::kRight; }
  /// Executes the method once, in place of Engine::execute(). The values of what was executed stay
  /// in the engine. Check fault() and stopped() as well.
  [[nodiscard]] EngineError run(const TestSuite& suite, const TestCase& test_case);

  /// Why the trace could not be read; kOk: it could.
  const Fault& fault() const { return fault_; }
  /// Whether the run cannot go on.
  bool stopped() const { return stopped_; }
  /// Of the instructions alone.
  uint64_t time() const { return time_; }
  /// Whether something was wrong, or was not executed although the trace has it.
  bool found_wrong() const { return wrong_ != 0 || missed_ != 0; }
  /// Writes the member `trace` of the case's record.
  void write_summary();

  void starts() override { started_ = clock_.now(); }
  void ends() override { time_ += clock_.now() - started_; }
  bool wants_operations() const override { return true; }
  [[nodiscard]] bool executed(ExecutedInstruction& instruction) override;

 private:
  /// What is known of the instructions before the present one, since the method was loaded.
  enum class Before : uint8_t {
    kRight,    ///< all were compared, and were right or put right
    kUnknown,  ///< not all were compared
    kWrong,    ///< one was wrong
  };

  bool hold(ExecutedInstruction& instruction);
  bool compare_output(ExecutedInstruction& instruction, uint32_t listed, const TraceValue& expected,
                      Before before);
  bool record(ExecutedInstruction& instruction);
  void put_right(ExecutedInstruction& instruction, const TraceValue& expected, bool wrong);
  void begin_record(const ExecutedInstruction& instruction, uint32_t output, uint32_t listed);
  uint32_t find_listed(const ExecutedInstruction& instruction);
  /// What an entry of the trace is about, without its value.
  struct Entry {
    uint32_t number = kNoIndex;
    uint32_t instruction = 0;  ///< its index among the suite's
    uint32_t output = 0;
  };
  const Entry& peek(uint32_t entry);
  uint32_t find_entry(uint32_t listed);
  void pass_over(uint32_t end);
  /// What is known, of what comes before this instruction or operation.
  Before before(const ExecutedInstruction& instruction) const;
  /// Notes what is known once this instruction or operation is done. What is wrong inside of a
  /// delegate spoils its other operations; whether it spoilt what follows, its outputs show.
  void learn(const ExecutedInstruction& instruction, Before what);
  static bool is_operation(const ExecutedInstruction& instruction) {
    return instruction.kind == InstructionKind::kOperation;
  }

  const Bundle& bundle_;
  const TraceOptions& options_;
  RecordWriter& writer_;
  Clock& clock_;
  InstructionRecords& records_;

  TestSuite suite_;
  TestCase case_;
  uint32_t next_ = 0;   // the entry of the trace that comes next
  uint32_t count_ = 0;  // of its entries
  // What was looked at last, as it is mostly what is looked at next: reading either takes as long
  // as comparing a small value.
  Entry peeked_;
  uint32_t listed_ = kNoIndex;
  Before before_ = Before::kRight;
  Before inside_ = Before::kRight;  // likewise of the operations of the delegate that runs
  bool shows_operations_ = false;   // the engine has shown one since the run began
  Fault fault_;
  bool stopped_ = false;

  // Instructions that were executed; of them and their operations outputs that were compared, those
  // that were wrong, and entries of the trace that nothing was there for.
  uint64_t executed_ = 0;
  uint64_t compared_ = 0;
  uint64_t wrong_ = 0;
  uint64_t missed_ = 0;
  uint64_t unseen_ = 0;  // of the trace's entries, those inside of delegates that no one could see
  uint64_t started_ = 0;
  uint64_t time_ = 0;
};

/// How close an instruction's output must be to its expected value.
Tolerance trace_tolerance(const Value& expected, const TraceOptions& options);

}  // namespace bpte

#endif  // BPTE_RUNNER_TRACE
