# SPDX-License-Identifier: BSD-3-Clause
"""Seeded faults on emulated Cortex-M55 and Cortex-M7: their first wrong instruction is named, and
cut out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import bpte
import trace_support as ts
from boards_support import build, require, run
from bpte.examine.reduce import reduce
from bpte.run.outcome import State
from bpte.run.request import Request

#: How many of a program's weights are changed, one at a time.
TRIED = 3


@pytest.mark.parametrize("board", ["corstone-300", "mps2-an500"])
def test_seeded_faults(
    board: str, reference_models: Any, awkward_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    require("arm-none-eabi-g++", "qemu-system-arm")
    folder = build(board, "reference", "-DBPTE_ENGINE_STEPPING=ON", target="bpte-firmware")
    elf = folder / "bpte-firmware.elf"
    for name in ("convnet", "encoder", "stateful_net"):
        program, suites = ts.one_case(name, reference_models, awkward_models)
        plain = ts.plain_bundle(tmp_path / "plain.bpte", program, suites)
        traces = ts.recorded(bpte_runner, plain, "executorch")
        path = tmp_path / "traced.bpte"
        ts.traced_bundle(path, program, suites, traces)
        right = run(path, elf, board=board, trace="strict")
        assert right.state is State.PASSED, right.message
        every = list(ts.flipped_weights(program.read_bytes()))
        flips = every[:: max(1, len(every) // TRIED)][:TRIED]
        for flip in flips:
            ts.traced_bundle(path, flip.program, suites, traces)
            free = run(path, elf, board=board, trace="first")
            assert free.state in (State.PASSED, State.MISMATCH), free.message
            first = free.transcript.traces[0]
            assert (first.instruction, first.before) == (flip.users[0], "right"), name
        check_reduced(board, elf, path, flips[-1])
        together = ts.all_at_once(program.read_bytes(), flips)
        ts.traced_bundle(path, together, suites, traces)
        alone = run(path, elf, board=board, trace="all", isolate=True)
        assert alone.state is State.MISMATCH, alone.message
        assert ts.wrong(alone.transcript) == sorted({flip.users[0] for flip in flips}), name


def check_reduced(board: str, elf: Path, path: Path, flip: ts.Flip) -> None:
    """The instruction that has the changed weight fails alone, there and on the desk."""
    small = path.with_name("reduced.bpte")
    request = Request(path, board, program=elf, trace_rtol=1e-4, trace_atol=1e-5)
    reduced = reduce(request, small)
    assert reduced.fault == "program" and reduced.target.startswith(f"{board}, reference")
    with bpte.open(small) as bundle:
        assert bundle.metadata["reduced.instruction"] == f"0:{flip.users[0]}"
    assert run(small, elf, board=board).state is State.MISMATCH
