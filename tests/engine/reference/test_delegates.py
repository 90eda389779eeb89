# SPDX-License-Identifier: BSD-3-Clause
"""Programs with delegates on the reference engine, which has the model of the Ethos-U."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reference_engine import Answer, ReferenceEngine

PROGRAM = Path(__file__).parents[2] / "fixtures" / "cortex_m" / "ethos_u55.pte"


@pytest.fixture
def program() -> bytearray:
    return bytearray(PROGRAM.read_bytes())


def answer(tool: Path, folder: Path, program: bytes, *memory: int | str) -> Answer:
    path = folder / "program.pte"
    path.write_bytes(program)
    with np.load(PROGRAM.with_suffix(".npz")) as arrays:
        x = arrays["in0"]
    with ReferenceEngine(tool, path, *memory) as engine:
        return engine.run([x])


def test_an_ethos_u_program(reference_tool: Path) -> None:
    """Within a step of the quantised model in PyTorch, whose convolutions round otherwise."""
    with (
        np.load(PROGRAM.with_suffix(".npz")) as arrays,
        ReferenceEngine(reference_tool, PROGRAM) as engine,
    ):
        for k in range(3):
            got = engine.run([arrays[f"in{k}"]])
            assert (got.error, got.message) == ("ok", "")
            (output,) = got.outputs
            assert isinstance(output, np.ndarray)
            steps = np.rint((output - arrays[f"out{k}"]) / arrays["step"])
            assert np.abs(steps).max() <= 1
            assert np.abs(steps).mean() < 0.25
            assert len(np.unique(output)) > 10


def test_the_same_method_runs_again(reference_tool: Path) -> None:
    with (
        np.load(PROGRAM.with_suffix(".npz")) as arrays,
        ReferenceEngine(reference_tool, PROGRAM) as engine,
    ):
        first = engine.run([arrays["in0"]])
        engine.run([arrays["in1"]], keep_state=True)
        again = engine.run([arrays["in0"]], keep_state=True)
    assert np.array_equal(first.outputs[0], again.outputs[0])


def test_its_memory_counts_as_planned(
    reference_tool: Path, tmp_path: Path, program: bytearray
) -> None:
    needed = answer(reference_tool, tmp_path, program).planned_bytes
    assert needed > 4096  # the plan itself takes 2 KB
    got = answer(reference_tool, tmp_path, program, needed - 1)
    assert got.error == "out_of_memory"
    assert got.message.startswith("planned memory: ")


def test_another_backend_is_named(reference_tool: Path, tmp_path: Path, program: bytearray) -> None:
    changed = program.replace(b"EthosUBackend", b"EthosXBackend")
    got = answer(reference_tool, tmp_path, changed)
    assert got.error == "missing_backend"
    assert got.message == (
        "the method needs the backend EthosXBackend; "
        "this engine runs operators, and EthosUBackend by a functional model"
    )


def test_an_npu_that_is_there_is_not_stood_in_for(
    reference_tool: Path, tmp_path: Path, program: bytearray
) -> None:
    got = answer(reference_tool, tmp_path, program, 1 << 20, 1 << 20, "an Ethos-U is there")
    assert got.error == "missing_backend"
    assert got.message == "the method has delegates: an Ethos-U is there"


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (b"vela_bin_stream", b"vela_bin_strxxx", "invalid_program", "vela_bin_stream is missing"),
        (b"COP1", b"COP9", "invalid_program", "its commands do not begin with COP1"),
    ],
)
def test_a_spoilt_delegate_is_refused_when_loaded(
    reference_tool: Path,
    tmp_path: Path,
    program: bytearray,
    old: bytes,
    new: bytes,
    error: str,
    message: str,
) -> None:
    got = answer(reference_tool, tmp_path, program.replace(old, new))
    assert got.error == error
    assert message in got.message


def test_any_byte_of_a_delegate_changed(
    reference_tool: Path, tmp_path: Path, program: bytearray
) -> None:
    """Refused with a message, or run: never a crash."""
    start = program.index(b"cmd_data")
    errors = set()
    for at in range(start, program.index(b"scratch_size"), 149):
        changed = bytearray(program)
        changed[at] ^= 0xFF
        got = answer(reference_tool, tmp_path, changed)
        assert (got.error == "ok") == (got.message == "")
        errors.add(got.error)
    assert {"ok", "invalid_program"} <= errors
