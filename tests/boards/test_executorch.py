# SPDX-License-Identifier: BSD-3-Clause
"""The real ExecuTorch on the emulated Cortex-M55, where one built for bare metal is at hand.

The firmware is built twice: with the operators that the test's programs use, and, slower, with all.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from boards_support import (
    CORTEX_M,
    TOLERANCE,
    build,
    changed,
    demo_program,
    has_ethos_u,
    pack,
    quantised,
    run,
)
from bpte.run.outcome import State

Models = Callable[[str], tuple[Path, list[tuple[np.ndarray, np.ndarray]]]]

NAMES = ("mlp", "convnet", "mobilenet", "encoder")


@pytest.fixture(scope="session")
def selective(bare_metal_executorch: Path, reference_models: Models) -> Path:
    programs = [reference_models(name)[0] for name in NAMES]
    programs += [CORTEX_M / "cmsis_nn.pte", CORTEX_M / "ethos_u55.pte"]
    folder = build(
        "corstone-300",
        "executorch",
        f"-DCMAKE_PREFIX_PATH={bare_metal_executorch}",
        f"-DBPTE_BOARD_PROGRAMS={';'.join(map(str, programs))}",
        target="bpte-firmware",
    )
    return folder / "bpte-firmware.elf"


@pytest.mark.parametrize("name", NAMES)
def test_float_models(name: str, reference_models: Models, selective: Path, tmp_path: Path) -> None:
    program, cases = reference_models(name)
    bundle = pack(tmp_path / f"{name}.bpte", program, cases, tolerance=TOLERANCE)
    for from_file in (False, True):
        result = run(bundle, selective, from_file=from_file)
        assert result.state is State.PASSED, result.message
        begin = result.transcript.begin
        assert begin is not None and begin.engine == "executorch"
    wrong = pack(tmp_path / "wrong.bpte", program, changed(cases), tolerance=TOLERANCE)
    result = run(wrong, selective)
    assert (result.state, result.outcome) == (State.MISMATCH, 1), result.message
    assert result.transcript.cases[-1].outputs[0].mismatches == 1


def test_int8_with_cmsis_nn(selective: Path, tmp_path: Path) -> None:
    program, cases, one_step = quantised("cmsis_nn")
    bundle = pack(tmp_path / "cmsis_nn.bpte", program, cases, tolerance=one_step)
    result = run(bundle, selective)
    assert result.state is State.PASSED, result.message
    assert len(result.transcript.cases) == 3
    x, y = cases[0]
    two_steps_off = pack(
        tmp_path / "off.bpte", program, [(x, y + 3 * one_step.atol)], tolerance=one_step
    )
    assert run(two_steps_off, selective).outcome == 1


def test_an_install_without_the_delegate_is_known(tmp_path: Path) -> None:
    """What the next test is skipped by."""
    (tmp_path / "lib").mkdir()
    assert not has_ethos_u(tmp_path)
    (tmp_path / "lib" / "libexecutorch_delegate_ethos_u.a").touch()
    assert not has_ethos_u(tmp_path)
    (tmp_path / "lib" / "libethosu_core_driver.a").touch()
    assert has_ethos_u(tmp_path)


def test_an_absent_npu_is_said_to_be(
    bare_metal_executorch: Path, selective: Path, tmp_path: Path
) -> None:
    if not has_ethos_u(bare_metal_executorch):
        pytest.skip(f"the ExecuTorch in {bare_metal_executorch} has no Ethos-U delegate")
    program, cases, one_step = quantised("ethos_u55")
    bundle = pack(tmp_path / "ethos_u55.bpte", program, cases, tolerance=one_step)
    result = run(bundle, selective, timeout=30)
    assert (result.state, result.outcome) == (State.NOT_RUN, 4), result.message
    assert "NPU absent" in result.message
    assert result.seconds < 30


def test_an_operator_left_out_is_named(bare_metal_executorch: Path, demo: Path) -> None:
    folder = build(
        "corstone-300",
        "executorch",
        f"-DCMAKE_PREFIX_PATH={bare_metal_executorch}",
        f"-DBPTE_BOARD_PROGRAMS={CORTEX_M / 'cmsis_nn.pte'}",
        target="bpte-firmware",
    )
    result = run(demo, folder / "bpte-firmware.elf")
    assert (result.state, result.outcome) == (State.NOT_RUN, 4)
    assert "missing_operator" in result.message
    assert "aten::" in result.message


def test_an_operator_that_no_library_has_is_named(
    bare_metal_executorch: Path, tmp_path: Path
) -> None:
    program = tmp_path / "renamed.pte"
    data = demo_program().read_bytes()
    assert b"aten::addmm" in data
    program.write_bytes(data.replace(b"aten::addmm", b"aten::bddmm"))
    with pytest.raises(AssertionError, match=r"no operator aten::bddmm\.out"):
        build(
            "corstone-300",
            "executorch",
            f"-DCMAKE_PREFIX_PATH={bare_metal_executorch}",
            f"-DBPTE_BOARD_PROGRAMS={program}",
        )


@pytest.mark.skipif(
    os.environ.get("BPTE_SLOW_TESTS", "") == "", reason="slow; set BPTE_SLOW_TESTS=1"
)
def test_with_every_operator(
    bare_metal_executorch: Path, reference_models: Models, tmp_path: Path
) -> None:
    folder = build(
        "corstone-300",
        "executorch",
        f"-DCMAKE_PREFIX_PATH={bare_metal_executorch}",
        target="bpte-firmware",
    )
    elf = folder / "bpte-firmware.elf"
    for name in NAMES:
        bundle = pack(tmp_path / f"{name}.bpte", *reference_models(name), tolerance=TOLERANCE)
        result = run(bundle, elf)
        assert result.state is State.PASSED, result.message
    program, cases, one_step = quantised("cmsis_nn")
    bundle = pack(tmp_path / "cmsis_nn.bpte", program, cases, tolerance=one_step)
    assert run(bundle, elf).state is State.PASSED
    size = subprocess.run(
        ["arm-none-eabi-size", elf], capture_output=True, text=True, check=True
    ).stdout
    assert int(size.splitlines()[1].split()[0]) > 1_000_000
