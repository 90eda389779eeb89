# SPDX-License-Identifier: BSD-3-Clause
"""Too little memory and failing reads end in an error that says so, at every size and every read
(resources_tool.cpp)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["mlp", "cnn_channels_last", "two_methods", "xnnpack"])
def test_every_size_and_every_read(
    name: str, example_models: Path, cpp_tool: Callable[[str], Path]
) -> None:
    command = [cpp_tool("resources_tool"), example_models / f"{name}.bpte"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    enough = {arena: int(size) for arena, size in map(str.split, done.stdout.splitlines())}
    assert enough["method"] > 100
    # What the exporter's plan states, and through a data source the whole program.
    assert enough["program"] >= (example_models / f"{name}.pte").stat().st_size // 2
    assert enough["reads"] >= 2  # header, FlatBuffer, constants
    assert enough["all"] >= max(enough["method"], enough["planned"])
