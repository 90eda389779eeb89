// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/instruction_record.h>

#if BPTE_RUNNER_TRACE

#include <bpte/engine/message.h>

namespace bpte {

void write_instruction(RecordWriter& writer, const ExecutedInstruction& instruction) {
  if (instruction.chain != 0) writer.field(key::kChain, instruction.chain);
  writer.field(key::kInstruction, instruction.index);
  if (instruction.kind == InstructionKind::kOperation) {
    writer.field(key::kOperation, instruction.operation);
  }
  writer.field(key::kKind, to_string(instruction.kind));
  if (instruction.name.size == 0) return;
  Message name;
  name << Span<const char>(instruction.name.data, instruction.name.size);
  if (instruction.overload.size > 0) {
    name << "." << Span<const char>(instruction.overload.data, instruction.overload.size);
  }
  writer.field(key::kOperator, name.c_str());
}

}  // namespace bpte

#endif  // BPTE_RUNNER_TRACE
