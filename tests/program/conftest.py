# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the program tests; those that need executorch skip where it is not installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from bpte.program import _codec


@pytest.fixture(scope="session")
def executorch() -> Any:
    """The binding to the installed executorch."""
    if importlib.util.find_spec("executorch") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("executorch and torch are not installed")
    return _codec.executorch()


@pytest.fixture(params=["pure", "native"])
def native(request: pytest.FixtureRequest) -> bool:
    """Both paths, one after the other."""
    if request.param == "native" and not _codec.native_available():
        pytest.skip("the native accelerator is not built")
    return bool(request.param == "native")
