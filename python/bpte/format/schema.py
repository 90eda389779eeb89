# SPDX-License-Identifier: BSD-3-Clause
"""schema/bpte.fbs as numbers: each table's fields by their index, the union's members, and the
structs. ``core/internal/schema.h`` has the same for C++. A test compares both with the schema."""

from __future__ import annotations

import struct

PROGRAM_VERSION = 0
PROGRAM_METHOD_TEST_SUITES = 1
PROGRAM_PROGRAM = 2
PROGRAM_SEGMENTS = 3
PROGRAM_PROGRAM_SEGMENT = 4
PROGRAM_NAMED_DATA = 5
PROGRAM_METADATA = 6

SUITE_METHOD_NAME = 0
SUITE_TEST_CASES = 1
SUITE_TOLERANCES = 2

CASE_INPUTS = 0
CASE_EXPECTED_OUTPUTS = 1
CASE_NAME = 2
CASE_TOLERANCES = 3

TOLERANCE_RTOL = 0
TOLERANCE_ATOL = 1
TOLERANCE_MAX_OUTLIER_SHARE = 2
TOLERANCE_MIN_SQNR_DB = 3
TOLERANCE_MIN_COSINE = 4
TOLERANCE_NAN_POLICY = 5
TOLERANCE_NOT_COMPARED = 6

# The union: its type first, then its table.
VALUE_VAL_TYPE = 0
VALUE_VAL = 1

TENSOR_SCALAR_TYPE = 0
TENSOR_SIZES = 1
TENSOR_DATA = 2
TENSOR_DIM_ORDER = 3
TENSOR_PAYLOAD = 4

INT_INT_VAL = 0
BOOL_BOOL_VAL = 0
DOUBLE_DOUBLE_VAL = 0

NAMED_DATA_KEY = 0
NAMED_DATA_SEGMENT = 1

KEY_VALUE_KEY = 0
KEY_VALUE_VALUE = 1

MAX_FIELDS = 7
"""As many as any table has."""

# ValueUnion.
UNION_TENSOR = 1
UNION_INT = 2
UNION_BOOL = 3
UNION_DOUBLE = 4

PAYLOAD_REF = struct.Struct("<QQI4x")
"""offset, size, segment"""

SEGMENT = struct.Struct("<QQII")
"""offset, size, alignment, crc32"""
