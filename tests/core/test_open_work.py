# SPDX-License-Identifier: BSD-3-Clause
"""What opening costs grows with the metadata's size alone: instructions for each byte of it, by
callgrind's count, so the same on every run. benchmarks/open_work.py goes to 32 MB."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import open_work

# For each byte, of any shape but one made to be dear; measured: 12 to 34 (x86-64, GCC 12).
MOST = 60
# Of the dearest that the rules let pass; measured: 350.
MOST_SHARED = 600


def instructions(tool: Path, path: Path) -> int:
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *("--toggle-collect=bpte::Bundle::open(bpte::Span*", tool, path),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"span\t{path}\tok" in done.stdout
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None
    return int(found[1]) // 2  # with and without checksums of the segments, which are small


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.parametrize("shape", ["suites", "keys", "long keys", "shared"])
def test_opening_is_linear(shape: str, cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    tool = cpp_tool("rule_of")
    for_each_byte = []
    for size in (16 << 10, 256 << 10):
        path = tmp_path / f"{size}.bpte"
        metadata = open_work.make(shape, size, path)
        for_each_byte.append(instructions(tool, path) / metadata)
    small, large = for_each_byte
    assert large < 1.2 * small
    assert large < (MOST_SHARED if shape == "shared" else MOST)
