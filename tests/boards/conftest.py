# SPDX-License-Identifier: BSD-3-Clause
"""Firmware and bundles that the board tests share."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from boards_support import (
    EXECUTORCH_VARIABLE,
    LINKED,
    ROOT,
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


@pytest.fixture(scope="session")
def reference_models() -> Callable[[str], tuple[Path, list[tuple[np.ndarray, np.ndarray]]]]:
    """The models that the reference engine is meant for (examples/reference_models.py)."""
    pytest.importorskip("torch", reason="exporting the reference engine's models needs torch")
    pytest.importorskip("executorch.exir", reason="exporting them needs executorch")
    script = ROOT / "examples" / "reference_models.py"
    folder = ROOT / "build" / "reference-models"
    stamp = folder / "made-from.sha256"
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    with locked("reference-models"):
        if not stamp.exists() or stamp.read_text() != digest:
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
            stamp.write_text(digest)

    def get(name: str) -> tuple[Path, list[tuple[np.ndarray, np.ndarray]]]:
        cases = []
        for path in sorted(folder.glob(f"{name}.case*.input0.npy")):
            expected = path.with_name(path.name.replace("input0", "expected0"))
            cases.append((np.load(path), np.load(expected)))
        assert cases
        return folder / f"{name}.pte", cases

    return get
