# SPDX-License-Identifier: BSD-3-Clause
"""The model behind the entry points of Arm's driver, called as ExecuTorch's delegate calls them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from delegate_program import Net, nets

NETS = {net.name: net for net in nets()}
FAST = OWN = 1 << 22


def call(
    tool: Path, folder: Path, net: Net, *, fast: int = FAST, own: int = OWN, npu: bool = False
) -> subprocess.CompletedProcess[str]:
    (folder / "delegate").write_bytes(net.container)
    (folder / "inputs").write_bytes(b"".join(net.inputs))
    command = [tool, *(folder / name for name in ("delegate", "inputs", "outputs"))]
    environment = {**os.environ, "NPU": "1"} if npu else None
    return subprocess.run(
        [*command, str(fast), str(own)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_gives_what_the_reference_model_gives(
    cpp_tool: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    done = call(cpp_tool("driver_tool"), tmp_path, NETS[name])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Ethos-U functional model, not an NPU\n"
    assert (tmp_path / "outputs").read_bytes() == b"".join(NETS[name].outputs)


def test_its_own_memory_is_asked_for_by_name(
    cpp_tool: Callable[[str], Path], tmp_path: Path
) -> None:
    done = call(cpp_tool("driver_tool"), tmp_path, NETS["linear@ethos-u65-256"], own=1000)
    assert done.returncode == 1
    assert done.stderr.startswith("Ethos-U model: ") and "1000 left" in done.stderr


def test_fast_scratch_memory_is_asked_for_by_name(
    cpp_tool: Callable[[str], Path], tmp_path: Path
) -> None:
    done = call(cpp_tool("driver_tool"), tmp_path, NETS["fast@ethos-u85-512"], fast=0)
    assert done.returncode == 1
    assert done.stderr.startswith("Ethos-U model: fast scratch memory, ")
    assert done.stderr.endswith("bytes needed, 0 given\n")


def test_a_bad_stream_is_refused_by_name(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    net = NETS["linear@ethos-u65-256"]
    bad = Net(net.name, net.container.replace(b"COP1", b"COP9"), net.inputs, net.outputs)
    done = call(cpp_tool("driver_tool"), tmp_path, bad)
    assert done.returncode == 1
    assert done.stderr == "Ethos-U delegate: its commands do not begin with COP1\n"


def test_an_npu_that_answers_is_used(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    net = NETS["linear@ethos-u65-256"]
    tool = cpp_tool("driver_tool_wrapped")
    done = call(tool, tmp_path, net, npu=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "NPU invoked\nNPU released\n\n"  # and nothing stood in
    done = call(tool, tmp_path, net)
    assert done.stdout == "Ethos-U functional model, not an NPU\n"
    assert (tmp_path / "outputs").read_bytes() == b"".join(net.outputs)
