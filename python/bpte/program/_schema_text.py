# SPDX-License-Identifier: BSD-3-Clause
"""The schema of ExecuTorch's Program, reduced to its declarations.

Made from executorch/schema/program.fbs and scalar_type.fbs by ``python -m bpte.program._schema``;
do not edit.
"""

# ruff: noqa: E501
TEXT = """\
file_identifier "ET12";
root_type Program;
enum ScalarType: byte { BYTE = 0, CHAR = 1, SHORT = 2, INT = 3, LONG = 4, HALF = 5, FLOAT = 6, DOUBLE = 7, BOOL = 11, QINT8 = 12, QUINT8 = 13, QINT32 = 14, BFLOAT16 = 15, QUINT4X2 = 16, QUINT2X4 = 17, BITS16 = 22, FLOAT8E5M2 = 23, FLOAT8E4M3FN = 24, FLOAT8E5M2FNUZ = 25, FLOAT8E4M3FNUZ = 26, UINT16 = 27, UINT32 = 28, UINT64 = 29 }
enum TensorShapeDynamism: byte { STATIC = 0, DYNAMIC_BOUND = 1, DYNAMIC_UNBOUND = 2 }
enum TensorDataLocation: byte { SEGMENT = 0, EXTERNAL = 1 }
enum DeviceType: byte { CPU = 0, CUDA = 1 }
enum DataLocation: byte { INLINE = 0, SEGMENT = 1 }
union KernelTypes { Null, Int, Bool, Double, Tensor, String, IntList, DoubleList, BoolList, TensorList, OptionalTensorList }
union InstructionArguments { KernelCall, DelegateCall, MoveCall, JumpFalseCall, FreeCall }
table ContainerMetadata {
  encoded_inp_str: string;
  encoded_out_str: string;
}
table Null {
}
table AllocationDetails {
  memory_id: uint;
  memory_offset_low: uint;
  memory_offset_high: uint;
}
table ExtraTensorInfo {
  mutable_data_segments_idx: ulong;
  fully_qualified_name: string;
  location: TensorDataLocation;
  device_type: DeviceType;
  device_index: byte;
}
table Tensor {
  scalar_type: ScalarType;
  storage_offset: int;
  sizes: [int];
  dim_order: [ubyte];
  requires_grad: bool;
  data_buffer_idx: uint;
  allocation_info: AllocationDetails;
  layout: byte;
  shape_dynamism: TensorShapeDynamism;
  extra_tensor_info: ExtraTensorInfo;
}
table Int {
  int_val: long;
}
table Bool {
  bool_val: bool;
}
table Double {
  double_val: double;
}
table String {
  string_val: string;
}
table IntList {
  items: [long];
}
table DoubleList {
  items: [double];
}
table BoolList {
  items: [bool];
}
table TensorList {
  items: [int];
}
table OptionalTensorList {
  items: [int];
}
table EValue {
  val: KernelTypes;
}
table Operator {
  name: string;
  overload: string;
}
table KernelCall {
  op_index: int;
  args: [int];
}
table DelegateCall {
  delegate_index: int;
  args: [int];
}
table MoveCall {
  move_from: int;
  move_to: int;
}
table JumpFalseCall {
  cond_value_index: int;
  destination_instruction: int;
}
table FreeCall {
  value_index: int;
}
table Instruction {
  instr_args: InstructionArguments;
}
table Frame {
  filename: string;
  lineno: int;
  name: string;
  context: string;
}
table FrameList {
  items: [Frame];
}
table BackendDelegateDataReference {
  location: DataLocation;
  index: uint;
}
table CompileSpec {
  key: string;
  value: [ubyte];
}
table BackendDelegate {
  id: string;
  processed: BackendDelegateDataReference;
  compile_specs: [CompileSpec];
}
table Chain {
  inputs: [int];
  outputs: [int];
  instructions: [Instruction];
  stacktrace: [FrameList];
}
table ExecutionPlan {
  name: string;
  container_meta_type: ContainerMetadata;
  values: [EValue];
  inputs: [int];
  outputs: [int];
  chains: [Chain];
  operators: [Operator];
  delegates: [BackendDelegate];
  non_const_buffer_sizes: [long];
  non_const_buffer_device: [NonConstBufferDevice];
}
table NonConstBufferDevice {
  buffer_idx: int;
  device_type: DeviceType;
  device_index: byte;
}
table Buffer {
  storage: [ubyte] (force_align: 16);  // @executorch-tensor-alignment
}
table BackendDelegateInlineData {
  data: [ubyte] (force_align: 16);  // @executorch-delegate-alignment
}
table DataSegment {
  offset: ulong;
  size: ulong;
}
table SubsegmentOffsets {
  segment_index: uint;
  offsets: [ulong];
}
table NamedData {
  key: string;
  segment_index: uint;
}
table Program {
  version: uint;
  execution_plan: [ExecutionPlan];
  constant_buffer: [Buffer];
  backend_delegate_data: [BackendDelegateInlineData];
  segments: [DataSegment];
  constant_segment: SubsegmentOffsets;
  mutable_data_segments: [SubsegmentOffsets];
  named_data: [NamedData];
}
"""
