// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/profiler.h>

#if BPTE_RUNNER_TRACE

namespace bpte {

EngineError Profiler::step_through(uint32_t run) {
  run_ = run;
  time_ = 0;
  resumed_ = clock_.now();
  const EngineError error = options_.stepping->step_through(*this);
  time_ += clock_.now() - resumed_;
  return error;
}

bool Profiler::executed(ExecutedInstruction& instruction) {
  time_ += clock_.now() - resumed_;
  records_.begin_record(event::kProfile);
  writer_.field(key::kRun, run_);
  write_instruction(writer_, instruction);
  writer_.field(key::kTime, ended_ - started_);
  const bool go_on = records_.end_record({});
  resumed_ = clock_.now();
  return go_on;
}

}  // namespace bpte

#endif  // BPTE_RUNNER_TRACE
