# SPDX-License-Identifier: BSD-3-Clause
"""The tables of ExecuTorch's Program: rows as ``_schema.py`` describes them.

Made by ``python -m bpte.program._reflect``; do not edit.
"""

# fmt: off
# ruff: noqa: E501
IDENTIFIER = b'ET12'
FINGERPRINT = "8f451d40f330296ad0b56e96643fc3913f17d5b8eec0ac9d965c7879eae7c1ab"
ENUMS = {
    "DataLocation": {'INLINE': 0, 'SEGMENT': 1},
    "DeviceType": {'CPU': 0, 'CUDA': 1},
    "ScalarType": {'BYTE': 0, 'CHAR': 1, 'SHORT': 2, 'INT': 3, 'LONG': 4, 'HALF': 5, 'FLOAT': 6, 'DOUBLE': 7, 'BOOL': 11, 'QINT8': 12, 'QUINT8': 13, 'QINT32': 14, 'BFLOAT16': 15, 'QUINT4X2': 16, 'QUINT2X4': 17, 'BITS16': 22, 'FLOAT8E5M2': 23, 'FLOAT8E4M3FN': 24, 'FLOAT8E5M2FNUZ': 25, 'FLOAT8E4M3FNUZ': 26, 'UINT16': 27, 'UINT32': 28, 'UINT64': 29},
    "TensorDataLocation": {'SEGMENT': 0, 'EXTERNAL': 1},
    "TensorShapeDynamism": {'STATIC': 0, 'DYNAMIC_BOUND': 1, 'DYNAMIC_UNBOUND': 2},
}
ROWS = (
    ("ContainerMetadata", (  # 0
        ('encoded_inp_str', 0, 1, '', 0, (), 0, '', 0, ''),
        ('encoded_out_str', 1, 1, '', 0, (), 1, '', 0, ''),
    )),
    ("Null", (  # 1
    )),
    ("Int", (  # 2
        ('int_val', 0, 0, 'q', 0, (), 0, '', 0, ''),
    )),
    ("Bool", (  # 3
        ('bool_val', 0, 0, '?', False, (), 0, '', 0, ''),
    )),
    ("Double", (  # 4
        ('double_val', 0, 0, 'd', 0.0, (), 0, 'text', 0, ''),
    )),
    ("AllocationDetails", (  # 5
        ('memory_id', 0, 0, 'I', 0, (), 0, '', 0, ''),
        ('memory_offset_low', 1, 0, 'I', 0, (), 1, '', 0, ''),
        ('memory_offset_high', 2, 0, 'I', 0, (), 2, '', 0, ''),
    )),
    ("ExtraTensorInfo", (  # 6
        ('mutable_data_segments_idx', 0, 0, 'Q', 0, (), 0, '', 0, ''),
        ('fully_qualified_name', 1, 1, '', 0, (), 1, '', 0, ''),
        ('location', 2, 0, 'b', 0, (), 2, 'TensorDataLocation', 0, ''),
        ('device_type', 3, 0, 'b', 0, (), 3, 'DeviceType', 0, ''),
        ('device_index', 4, 0, 'b', 0, (), 4, '', 0, ''),
    )),
    ("Tensor", (  # 7
        ('scalar_type', 0, 0, 'b', 0, (), 0, 'ScalarType', 0, ''),
        ('storage_offset', 1, 0, 'i', 0, (), 1, '', 0, ''),
        ('sizes', 2, 4, 'i', 0, (), 2, '', 0, ''),
        ('dim_order', 3, 4, 'B', 0, (), 3, '', 0, ''),
        ('requires_grad', 4, 0, '?', False, (), 4, '', 0, ''),
        ('data_buffer_idx', 5, 0, 'I', 0, (), 6, '', 0, ''),
        ('allocation_info', 6, 2, '', 0, (5,), 7, '', 0, ''),
        ('layout', 7, 0, 'b', 0, (), 5, '', 0, ''),
        ('shape_dynamism', 8, 0, 'b', 0, (), 8, 'TensorShapeDynamism', 0, ''),
        ('extra_tensor_info', 9, 2, '', 0, (6,), 9, '', 0, ''),
    )),
    ("String", (  # 8
        ('string_val', 0, 1, '', 0, (), 0, '', 0, ''),
    )),
    ("IntList", (  # 9
        ('items', 0, 4, 'q', 0, (), 0, '', 0, ''),
    )),
    ("DoubleList", (  # 10
        ('items', 0, 4, 'd', 0, (), 0, '', 0, ''),
    )),
    ("BoolList", (  # 11
        ('items', 0, 4, '?', 0, (), 0, '', 0, ''),
    )),
    ("TensorList", (  # 12
        ('items', 0, 4, 'i', 0, (), 0, '', 0, ''),
    )),
    ("OptionalTensorList", (  # 13
        ('items', 0, 4, 'i', 0, (), 0, '', 0, ''),
    )),
    ("EValue", (  # 14
        ('val', 1, 3, '', 0, (1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13), 0, '', 0, ''),
    )),
    ("KernelCall", (  # 15
        ('op_index', 0, 0, 'i', 0, (), 0, '', 0, ''),
        ('args', 1, 4, 'i', 0, (), 1, '', 0, ''),
    )),
    ("DelegateCall", (  # 16
        ('delegate_index', 0, 0, 'i', 0, (), 0, '', 0, ''),
        ('args', 1, 4, 'i', 0, (), 1, '', 0, ''),
    )),
    ("MoveCall", (  # 17
        ('move_from', 0, 0, 'i', 0, (), 0, '', 0, ''),
        ('move_to', 1, 0, 'i', 0, (), 1, '', 0, ''),
    )),
    ("JumpFalseCall", (  # 18
        ('cond_value_index', 0, 0, 'i', 0, (), 0, '', 0, ''),
        ('destination_instruction', 1, 0, 'i', 0, (), 1, '', 0, ''),
    )),
    ("FreeCall", (  # 19
        ('value_index', 0, 0, 'i', 0, (), 0, '', 0, ''),
    )),
    ("Instruction", (  # 20
        ('instr_args', 1, 3, '', 0, (15, 16, 17, 18, 19), 0, '', 0, ''),
    )),
    ("Frame", (  # 21
        ('filename', 0, 1, '', 0, (), 0, '', 0, ''),
        ('lineno', 1, 0, 'i', 0, (), 1, '', 0, ''),
        ('name', 2, 1, '', 0, (), 2, '', 0, ''),
        ('context', 3, 1, '', 0, (), 3, '', 0, ''),
    )),
    ("FrameList", (  # 22
        ('items', 0, 5, '', 0, (21,), 0, '', 0, ''),
    )),
    ("Chain", (  # 23
        ('inputs', 0, 4, 'i', 0, (), 0, '', 0, ''),
        ('outputs', 1, 4, 'i', 0, (), 1, '', 0, ''),
        ('instructions', 2, 5, '', 0, (20,), 2, '', 0, ''),
        ('stacktrace', 3, 5, '', 0, (22,), 3, '', 0, ''),
    )),
    ("Operator", (  # 24
        ('name', 0, 1, '', 0, (), 0, '', 0, ''),
        ('overload', 1, 1, '', 0, (), 1, '', 0, ''),
    )),
    ("BackendDelegateDataReference", (  # 25
        ('location', 0, 0, 'b', 0, (), 0, 'DataLocation', 0, ''),
        ('index', 1, 0, 'I', 0, (), 1, '', 0, ''),
    )),
    ("CompileSpec", (  # 26
        ('key', 0, 1, '', 0, (), 0, '', 0, ''),
        ('value', 1, 4, 'B', 0, (), 1, 'bytes', 0, ''),
    )),
    ("BackendDelegate", (  # 27
        ('id', 0, 1, '', 0, (), 0, '', 0, ''),
        ('processed', 1, 2, '', 0, (25,), 1, '', 0, ''),
        ('compile_specs', 2, 5, '', 0, (26,), 2, '', 0, ''),
    )),
    ("NonConstBufferDevice", (  # 28
        ('buffer_idx', 0, 0, 'i', 0, (), 0, '', 0, ''),
        ('device_type', 1, 0, 'b', 0, (), 1, 'DeviceType', 0, ''),
        ('device_index', 2, 0, 'b', 0, (), 2, '', 0, ''),
    )),
    ("ExecutionPlan", (  # 29
        ('name', 0, 1, '', 0, (), 0, '', 0, ''),
        ('container_meta_type', 1, 2, '', 0, (0,), 1, '', 0, ''),
        ('values', 2, 5, '', 0, (14,), 2, '', 0, ''),
        ('inputs', 3, 4, 'i', 0, (), 3, '', 0, ''),
        ('outputs', 4, 4, 'i', 0, (), 4, '', 0, ''),
        ('chains', 5, 5, '', 0, (23,), 5, '', 0, ''),
        ('operators', 6, 5, '', 0, (24,), 6, '', 0, ''),
        ('delegates', 7, 5, '', 0, (27,), 7, '', 0, ''),
        ('non_const_buffer_sizes', 8, 4, 'q', 0, (), 8, '', 0, ''),
        ('non_const_buffer_device', 9, 5, '', 0, (28,), 9, '', 0, ''),
    )),
    ("Buffer", (  # 30
        ('storage', 0, 4, 'B', 0, (), 0, 'bytes', 16, 'constant_tensor'),
    )),
    ("BackendDelegateInlineData", (  # 31
        ('data', 0, 4, 'B', 0, (), 0, 'bytes', 16, 'delegate'),
    )),
    ("DataSegment", (  # 32
        ('offset', 0, 0, 'Q', 0, (), 0, '', 0, ''),
        ('size', 1, 0, 'Q', 0, (), 1, '', 0, ''),
    )),
    ("SubsegmentOffsets", (  # 33
        ('segment_index', 0, 0, 'I', 0, (), 0, '', 0, ''),
        ('offsets', 1, 4, 'Q', 0, (), 1, '', 0, ''),
    )),
    ("NamedData", (  # 34
        ('key', 0, 1, '', 0, (), 0, '', 0, ''),
        ('segment_index', 1, 0, 'I', 0, (), 1, '', 0, ''),
    )),
    ("Program", (  # 35
        ('version', 0, 0, 'I', 0, (), 0, '', 0, ''),
        ('execution_plan', 1, 5, '', 0, (29,), 1, '', 0, ''),
        ('constant_buffer', 2, 5, '', 0, (30,), 2, '', 0, ''),
        ('backend_delegate_data', 3, 5, '', 0, (31,), 3, '', 0, ''),
        ('segments', 4, 5, '', 0, (32,), 4, '', 0, ''),
        ('constant_segment', 5, 2, '', 0, (33,), 5, '', 0, ''),
        ('mutable_data_segments', 6, 5, '', 0, (33,), 6, '', 0, ''),
        ('named_data', 7, 5, '', 0, (34,), 7, '', 0, ''),
    )),
)
