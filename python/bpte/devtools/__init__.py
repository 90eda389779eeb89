# SPDX-License-Identifier: BSD-3-Clause
"""``executorch.devtools``' bundled programs, by the same names: code moves over by writing
``bpte.devtools`` where it says ``executorch.devtools``.

It writes BP08, which ExecuTorch 1.x reads, and takes numpy arrays as well as torch tensors. New
code should use ``bpte.BundledProgram``, which has more: BP09, tolerances, names, streaming to a
file.
"""

from bpte.devtools.bundled_program.config import MethodTestCase, MethodTestSuite
from bpte.devtools.bundled_program.core import BundledProgram
from bpte.devtools.bundled_program.serialize import (
    deserialize_from_flatbuffer_to_bundled_program,
    serialize_from_bundled_program_to_flatbuffer,
)

__all__ = [
    "BundledProgram",
    "MethodTestCase",
    "MethodTestSuite",
    "deserialize_from_flatbuffer_to_bundled_program",
    "serialize_from_bundled_program_to_flatbuffer",
]
