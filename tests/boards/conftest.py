# SPDX-License-Identifier: BSD-3-Clause
"""Firmware and bundles that the board tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from boards_support import (
    EXECUTORCH_VARIABLE,
    LINKED,
    build,
    demo_arrays,
    demo_program,
    locked,
    pack,
    require,
)


@pytest.fixture(scope="session")
def corstone_300() -> Path:
    """The folder with bpte-firmware.elf (reference engine) and, under tests/, what goes wrong."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    with locked("linked"):
        if not LINKED.is_file():
            pack(LINKED, demo_program(), demo_arrays())
    return build(
        "corstone-300", "reference", "-DBPTE_BOARD_TESTS=ON", f"-DBPTE_TEST_BUNDLE={LINKED}"
    )


@pytest.fixture(scope="session")
def with_everything() -> Path:
    """A firmware (reference engine) that reads data files and measures metrics."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    switches = ("-DBPTE_ENGINE_DATA_FILES=ON", "-DBPTE_RUNNER_METRICS=ON")
    folder = build("corstone-300", "reference", *switches, target="bpte-firmware")
    return folder / "bpte-firmware.elf"


@pytest.fixture(scope="session")
def bare_metal_executorch() -> Path:
    """The prefix of an ExecuTorch installed for the Cortex-M55."""
    require("arm-none-eabi-g++", "qemu-system-arm")
    named = os.environ.get(EXECUTORCH_VARIABLE)
    prefixes = os.environ.get("CMAKE_PREFIX_PATH", "").split(os.pathsep)
    for prefix in [named] if named else prefixes:
        config = Path(prefix) / "lib" / "cmake" / "ExecuTorch" / "executorch-config.cmake"
        if prefix and config.is_file():
            return Path(prefix)
    pytest.skip(
        f"no ExecuTorch for the Cortex-M55: ${EXECUTORCH_VARIABLE} does not name one, "
        "nor does $CMAKE_PREFIX_PATH"
    )


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A bundle of the committed model, to be spoilt at will."""
    return pack(tmp_path / "mlp.bpte", demo_program(), demo_arrays())
