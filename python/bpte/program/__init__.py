# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch programs: what is in a ``.pte`` file, and ``Program`` objects to files and back.

``inspect`` needs neither torch nor executorch; the rest needs executorch, which is imported when
it is first called.
"""

from bpte.program._dropin import Patch, UnsupportedExecuTorchError, patch_executorch
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
from bpte.program._pte import PteData, deserialize_pte, serialize_pte
from bpte.program._serialize import deserialize, serialize

__all__ = [
    "DelegateInfo",
    "ExtendedHeader",
    "MethodInfo",
    "Patch",
    "ProgramError",
    "ProgramInfo",
    "PteData",
    "SchemaError",
    "SegmentInfo",
    "UnsupportedExecuTorchError",
    "ValueInfo",
    "deserialize",
    "deserialize_pte",
    "inspect",
    "patch_executorch",
    "serialize",
    "serialize_pte",
]
