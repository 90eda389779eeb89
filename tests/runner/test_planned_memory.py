# SPDX-License-Identifier: BSD-3-Clause
"""A program's memory plan is a number in a file, which may be damaged: it has a limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.run.protocol import Parser, Transcript, Verdict
from changed_plan import with_planned_memory

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
GIB = 1 << 30


def planning(path: Path, size: int) -> Path:
    """The demo's bundle, whose program plans this much."""
    program = with_planned_memory(DEMO / "mlp.pte", size)
    arrays = np.load(DEMO / "mlp.npz")
    cases = [bpte.MethodTestCase([arrays[f"in{i}"]], [arrays[f"out{i}"]]) for i in range(3)]
    bundle = bpte.BundledProgram(program, [bpte.MethodTestSuite("forward", cases)])
    bundle.save(path, fit="skip", durable=False)
    return path


#: A new process inherits the peak of the one that starts it, and a test worker is large. So a small
#: one starts the runner and reports its peak.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def run(runner: Path, *words: str | Path) -> tuple[int, Transcript, int]:
    """Exit code, what it said, and the most memory that it had, in bytes."""
    command = [sys.executable, "-S", "-c", _MEASURE, runner, *words]
    done = subprocess.run(command, capture_output=True, check=False)
    parser = Parser()
    parser.feed(done.stdout)
    return done.returncode, parser.finish(), int(done.stderr.split()[-1]) * 1024


@pytest.mark.parametrize("engine", ["executorch", "reference"])
@pytest.mark.parametrize("size", [8_400_000_000, 1 << 46, (1 << 63) - 1])
def test_an_absurd_plan_is_refused(
    bpte_runner: Path, tmp_path: Path, engine: str, size: int
) -> None:
    bundle = planning(tmp_path / "m.bpte", size)
    code, said, memory = run(bpte_runner, bundle, "--engine", engine)
    assert code in ((4,) if size < 1 << 62 else (3, 4))  # then it is no size at all
    for case in said.cases:
        assert case.verdict is Verdict.ERROR and case.message is not None
        if size < 1 << 62:
            assert case.error == "out_of_memory"
            assert "planned memory: " in case.message
            assert f"{4 * GIB}" in case.message and "--max-planned-memory" in case.message
        assert "18446744073709551615" not in case.message
    assert memory < GIB / 2


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_memory_is_touched_when_it_is_used(bpte_runner: Path, tmp_path: Path, engine: str) -> None:
    bundle = planning(tmp_path / "m.bpte", 8_400_000_000)
    limit = ("--max-planned-memory", str(16 * GIB))
    code, said, memory = run(bpte_runner, bundle, "--engine", engine, *limit)
    assert code == 0 and [case.verdict for case in said.cases] == [Verdict.PASS] * 3
    assert memory < GIB / 2


@pytest.mark.parametrize("engine", ["executorch", "reference"])
def test_what_the_plan_needs_and_no_less(bpte_runner: Path, tmp_path: Path, engine: str) -> None:
    bundle = planning(tmp_path / "m.bpte", 1 << 20)
    for limit, code in ((1 << 20, 0), ((1 << 20) - 1, 4), (0, 4)):
        words = (bundle, "--engine", engine, "--max-planned-memory", str(limit))
        assert run(bpte_runner, *words)[0] == code


def test_where_addresses_are_scarce(bpte_runner: Path, tmp_path: Path) -> None:
    """Under a limit on addresses there is as much as the system gives."""
    bundle = planning(tmp_path / "m.bpte", 1 << 20)
    script = f"ulimit -v 3000000; exec '{bpte_runner}' '{bundle}'"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [("-1",), ("x",), ("4G",), ("99999999999999999999",), ()])
def test_usage(bpte_runner: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    bundle = planning(tmp_path / "m.bpte", 1 << 20)
    command = [bpte_runner, bundle, "--max-planned-memory", *words]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_a_fifo_is_not_waited_for(bpte_runner: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = subprocess.run(
        [bpte_runner, tmp_path / "fifo"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2 and "Not a regular file" in done.stderr
