# SPDX-License-Identifier: BSD-3-Clause
"""Where the tests of the reference engine find its tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference_tool(cpp_tool: Callable[[str], Path]) -> Path:
    return cpp_tool("reference_tool")
