# SPDX-License-Identifier: BSD-3-Clause
"""As ``executorch.devtools.bundled_program.version``."""

from bpte.format.metadata import SCHEMA_VERSION as BUNDLED_PROGRAM_SCHEMA_VERSION

__all__ = ["BUNDLED_PROGRAM_SCHEMA_VERSION"]
