// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/program_check.h>

// Empty without stepping, so that a plain list of all sources builds.
#if BPTE_ENGINE_STEPPING

namespace bpte {

using flatbuffer::Position;
using flatbuffer::shape;
using flatbuffer::Vector;

namespace schema = program_schema;
using schema::InstructionArguments;
using schema::KernelTypes;

namespace {

// It puts a row into the result of a loop. All other operators write their last argument.
constexpr char kWritesFirst[] = "executorch_prim::et_copy_index";

// KernelCall and DelegateCall have their callee and arguments in the same fields.
constexpr uint16_t kCallee = schema::KernelCall::op_index;
constexpr uint16_t kArguments = schema::KernelCall::args;
static_assert(schema::DelegateCall::delegate_index == 0 && schema::DelegateCall::args == 1);

InstructionKind kind_of(uint8_t type) {
  switch (InstructionArguments{type}) {
    case InstructionArguments::DelegateCall:
      return InstructionKind::kDelegate;
    case InstructionArguments::MoveCall:
      return InstructionKind::kMove;
    case InstructionArguments::JumpFalseCall:
      return InstructionKind::kJump;
    case InstructionArguments::FreeCall:
      return InstructionKind::kFree;
    default:
      return InstructionKind::kKernel;
  }
}

}  // namespace

Vector ProgramView::instructions(uint32_t chain) {
  const Vector chains = reader_.vector(plan_, schema::ExecutionPlan::chains, shape(4, 4));
  if (chain >= chains.count) return {};
  return reader_.vector(reader_.element(chains, chain), schema::Chain::instructions, shape(4, 4));
}

uint32_t ProgramView::chain_count() {
  return reader_.vector(plan_, schema::ExecutionPlan::chains, shape(4, 4)).count;
}

uint32_t ProgramView::output_value(uint32_t index) {
  const Vector outputs = reader_.vector(plan_, schema::ExecutionPlan::outputs, shape(4, 4));
  return index < outputs.count ? item(outputs, index) : UINT32_MAX;
}

uint32_t ProgramView::item(const Vector& values, uint32_t index) const {
  return reader_.load<uint32_t>(values.at + 4 * index);
}

Text ProgramView::text_of(Position table, uint16_t field) {
  const Vector string = reader_.string(table, field);
  if (!string) return {};
  return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
}

ProgramView::Instruction ProgramView::instruction(uint32_t chain, uint32_t index,
                                                  uint16_t* outputs) {
  Instruction found;
  const Position table = reader_.element(instructions(chain), index);
  found.kind = kind_of(reader_.scalar<uint8_t>(table, schema::Instruction::instr_args_type, 0));
  const Position call = reader_.table(table, schema::Instruction::instr_args);
  const auto callee = reader_.scalar<uint32_t>(call, kCallee, 0);
  switch (found.kind) {
    case InstructionKind::kKernel: {
      const Vector operators = reader_.vector(plan_, schema::ExecutionPlan::operators, shape(4, 4));
      const Position op = reader_.element(operators, callee);
      found.name = text_of(op, schema::Operator::name);
      found.overload = text_of(op, schema::Operator::overload);
      const Vector arguments = reader_.vector(call, kArguments, shape(4, 4));
      if (arguments.count == 0) break;
      found.outputs.at = arguments.at;
      if (!(found.name == kWritesFirst)) found.outputs.at += 4 * (arguments.count - 1);
      found.outputs.count = 1;
      KernelTypes type = KernelTypes::NONE;
      const Position last = value_of(item(found.outputs, 0), type);
      if (type == KernelTypes::TensorList) {
        found.outputs = reader_.vector(last, schema::TensorList::items, shape(4, 4));
      }
      break;
    }
    case InstructionKind::kDelegate: {
      const Vector delegates = reader_.vector(plan_, schema::ExecutionPlan::delegates, shape(4, 4));
      found.name = text_of(reader_.element(delegates, callee), schema::BackendDelegate::id);
      const Vector arguments = reader_.vector(call, kArguments, shape(4, 4));
      uint32_t first = arguments.count;
      if (outputs != nullptr && *outputs != kNotFoundYet) {
        first -= *outputs;
      } else {
        while (first > 0 && is_given_by_delegate(item(arguments, first - 1), chain, index)) --first;
      }
      found.outputs.at = arguments.at + 4 * first;
      found.outputs.count = arguments.count - first;
      if (outputs != nullptr && found.outputs.count < kNotFoundYet) {
        *outputs = static_cast<uint16_t>(found.outputs.count);
      }
      break;
    }
    case InstructionKind::kMove:
      found.moved_to = reader_.scalar<uint32_t>(call, schema::MoveCall::move_to, 0);
      break;
    case InstructionKind::kJump:
      found.condition = reader_.scalar<uint32_t>(call, schema::JumpFalseCall::cond_value_index, 0);
      found.destination =
          reader_.scalar<uint32_t>(call, schema::JumpFalseCall::destination_instruction, 0);
      break;
    case InstructionKind::kFree:
    case InstructionKind::kOperation:  // inside of a delegate, of no program
      break;
  }
  return found;
}

uint32_t ProgramView::output_count(const Instruction& instruction) const {
  return instruction.kind == InstructionKind::kMove ? 1 : instruction.outputs.count;
}

uint32_t ProgramView::output_of(const Instruction& instruction, uint32_t index) const {
  if (index >= output_count(instruction)) return UINT32_MAX;
  return instruction.kind == InstructionKind::kMove ? instruction.moved_to
                                                    : item(instruction.outputs, index);
}

// Whether a delegate's argument is what it gives: a tensor that is neither an input nor a constant
// nor state, and that comes up in no other instruction as an output, nor in an earlier delegate.
bool ProgramView::is_given_by_delegate(uint32_t value, uint32_t chain, uint32_t index) {
  KernelTypes type = KernelTypes::NONE;
  const Position tensor = value_of(value, type);
  if (type != KernelTypes::Tensor) return false;
  const Position extra = reader_.table(tensor, schema::Tensor::extra_tensor_info);
  if (reader_.scalar<uint32_t>(tensor, schema::Tensor::data_buffer_idx, 0) != 0 ||
      reader_.scalar<int8_t>(extra, schema::ExtraTensorInfo::location, 0) != 0) {
    return false;
  }
  for (uint32_t i = 0; i < inputs_.count; ++i) {
    if (item(inputs_, i) == value) return false;
  }
  for (uint32_t c = 0; c < chain_count(); ++c) {
    const uint32_t count = instructions(c).count;
    for (uint32_t i = 0; i < count; ++i) {
      const bool itself = c == chain && i == index;
      const bool earlier = c < chain || (c == chain && i < index);
      if (!itself && touches(c, i, value, earlier)) return false;
    }
  }
  return true;
}

bool ProgramView::touches(uint32_t chain, uint32_t index, uint32_t value, bool earlier) {
  const Position table = reader_.element(instructions(chain), index);
  const auto kind =
      kind_of(reader_.scalar<uint8_t>(table, schema::Instruction::instr_args_type, 0));
  if (kind == InstructionKind::kDelegate) {
    if (!earlier) return false;
    const Vector arguments = reader_.vector(reader_.table(table, schema::Instruction::instr_args),
                                            kArguments, shape(4, 4));
    for (uint32_t i = 0; i < arguments.count; ++i) {
      if (item(arguments, i) == value) return true;
    }
    return false;
  }
  const Instruction other = instruction(chain, index);
  for (uint32_t i = 0; i < output_count(other); ++i) {
    if (output_of(other, i) == value) return true;
  }
  return false;
}

}  // namespace bpte

#endif  // BPTE_ENGINE_STEPPING
