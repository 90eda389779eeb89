# SPDX-License-Identifier: BSD-3-Clause
"""The measurement that docs/architecture.md quotes can be repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import flatbuffers_reader

ROOT = Path(__file__).parents[2]


def test_both_writers_say_the_same(tmp_path: Path) -> None:
    try:
        flatbuffers_reader.generate(flatbuffers_reader.SCHEMA, tmp_path)
    except flatbuffers_reader.Unavailable as reason:
        pytest.skip(str(reason))
    command = [sys.executable, ROOT / "benchmarks" / "metadata.py", "--cases", "20"]
    out = subprocess.check_output(command, text=True)
    assert out.startswith("20 cases: bpte ")
