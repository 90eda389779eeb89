// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

// The parts of ExecuTorch's program schema (exir/_serialize/program.fbs, file identifier ET12) that
// the engines read: field ids count a table's fields in the order of their declaration (a union
// takes two: its type, then its value). tests/engine/reference/test_program_schema.py compares
// every constant here with the schema in the executorch package.

namespace bpte::program_schema {

inline constexpr char kIdentifier[] = "ET12";
inline constexpr uint32_t kVersion = 0;

// The extended header at byte 8 (schema/extended_header.h): magic, u32 length, u64 program size,
// u64 segment base offset, u64 segment data size (from length 32 on).
inline constexpr char kHeaderMagic[] = "eh00";
inline constexpr size_t kHeaderOffset = 8;
inline constexpr size_t kHeaderMinimumLength = 24;
inline constexpr size_t kHeaderLengthWithDataSize = 32;

namespace Program {
enum : uint16_t {
  version = 0,
  execution_plan = 1,
  constant_buffer = 2,
  backend_delegate_data = 3,
  segments = 4,
  constant_segment = 5,
  mutable_data_segments = 6,
};
}
namespace ExecutionPlan {
enum : uint16_t {
  name = 0,
  values = 2,
  inputs = 3,
  outputs = 4,
  chains = 5,
  operators = 6,
  delegates = 7,
  non_const_buffer_sizes = 8,
  non_const_buffer_device = 9,
};
}
namespace Chain {
enum : uint16_t { instructions = 2 };
}
namespace Instruction {
enum : uint16_t { instr_args_type = 0, instr_args = 1 };
}
namespace KernelCall {
enum : uint16_t { op_index = 0, args = 1 };
}
namespace DelegateCall {
enum : uint16_t { delegate_index = 0, args = 1 };
}
namespace MoveCall {
enum : uint16_t { move_from = 0, move_to = 1 };
}
namespace JumpFalseCall {
enum : uint16_t { cond_value_index = 0, destination_instruction = 1 };
}
namespace FreeCall {
enum : uint16_t { value_index = 0 };
}
namespace Operator {
enum : uint16_t { name = 0, overload = 1 };
}
namespace BackendDelegate {
enum : uint16_t { id = 0, processed = 1, compile_specs = 2 };
}
namespace BackendDelegateDataReference {
enum : uint16_t { location = 0, index = 1 };
}
namespace BackendDelegateInlineData {
enum : uint16_t { data = 0 };
}
namespace CompileSpec {
enum : uint16_t { key = 0, value = 1 };
}
namespace NonConstBufferDevice {
enum : uint16_t { device_type = 1 };
}
namespace EValue {
enum : uint16_t { val_type = 0, val = 1 };
}
namespace Int {
enum : uint16_t { int_val = 0 };
}
namespace Bool {
enum : uint16_t { bool_val = 0 };
}
namespace Double {
enum : uint16_t { double_val = 0 };
}
namespace String {
enum : uint16_t { string_val = 0 };
}
namespace IntList {
enum : uint16_t { items = 0 };
}
namespace TensorList {
enum : uint16_t { items = 0 };
}
namespace Tensor {
enum : uint16_t {
  scalar_type = 0,
  storage_offset = 1,
  sizes = 2,
  dim_order = 3,
  data_buffer_idx = 5,
  allocation_info = 6,
  shape_dynamism = 8,
  extra_tensor_info = 9,
};
}
namespace AllocationDetails {
enum : uint16_t { memory_id = 0, memory_offset_low = 1, memory_offset_high = 2 };
}
namespace ExtraTensorInfo {
enum : uint16_t {
  mutable_data_segments_idx = 0,
  fully_qualified_name = 1,
  location = 2,
  device_type = 3,
};
}
namespace Buffer {
enum : uint16_t { storage = 0 };
}
namespace DataSegment {
enum : uint16_t { offset = 0, size = 1 };
}
namespace SubsegmentOffsets {
enum : uint16_t { segment_index = 0, offsets = 1 };
}

// Union members, counted from 1 (0: none).
enum class KernelTypes : uint8_t {
  NONE = 0,
  Null = 1,
  Int = 2,
  Bool = 3,
  Double = 4,
  Tensor = 5,
  String = 6,
  IntList = 7,
  DoubleList = 8,
  BoolList = 9,
  TensorList = 10,
  OptionalTensorList = 11,
};
enum class InstructionArguments : uint8_t {
  NONE = 0,
  KernelCall = 1,
  DelegateCall = 2,
  MoveCall = 3,
  JumpFalseCall = 4,
  FreeCall = 5,
};
enum class TensorShapeDynamism : int8_t { STATIC = 0, DYNAMIC_BOUND = 1, DYNAMIC_UNBOUND = 2 };
enum class DataLocation : int8_t { INLINE = 0, SEGMENT = 1 };
enum class TensorDataLocation : int8_t { SEGMENT = 0, EXTERNAL = 1 };
enum class DeviceType : int8_t { CPU = 0 };

}  // namespace bpte::program_schema
