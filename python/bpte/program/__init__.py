# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch programs: what is in a ``.pte`` file, and ``Program`` objects to files and back.

``inspect`` needs neither torch nor executorch.
"""

from bpte.program._errors import ProgramError, SchemaError
from bpte.program._header import ExtendedHeader
from bpte.program._inspect import (
    DelegateInfo,
    MethodInfo,
    ProgramInfo,
    SegmentInfo,
    ValueInfo,
    inspect,
)

__all__ = [
    "DelegateInfo",
    "ExtendedHeader",
    "MethodInfo",
    "ProgramError",
    "ProgramInfo",
    "SchemaError",
    "SegmentInfo",
    "ValueInfo",
    "inspect",
]
