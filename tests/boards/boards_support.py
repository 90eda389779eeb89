# SPDX-License-Identifier: BSD-3-Clause
"""What the board tests share: firmware, built once for a board and engine, and bundles to run."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.run import launcher
from bpte.run.build import FIRMWARE

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "test-boards"
#: The bundle that tests/boards/firmware links in.
LINKED = BUILD / "linked.bpte"
FIXTURES = ROOT / "tests" / "fixtures"
CORTEX_M = FIXTURES / "cortex_m"

#: Where an ExecuTorch built for the Cortex-M55 is looked for.
EXECUTORCH_VARIABLE = "BPTE_CORTEX_M55_EXECUTORCH"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Test workers share what is built."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(board: str, engine: str, *definitions: str, target: str = "all") -> Path:
    """Configures and builds the firmware with its test firmwares; gives the folder."""
    name = f"{board}-{engine}"
    if definitions:
        name += "-" + hashlib.sha256("\0".join(definitions).encode()).hexdigest()[:8]
    folder = BUILD / name
    cmake = str(Path(sys.executable).with_name("cmake"))
    if not Path(cmake).is_file():
        cmake = "cmake"
    with locked(name):
        configure = [
            *(cmake, "-S", str(ROOT / FIRMWARE), "-B", str(folder)),
            "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON",
            *(f"-DBPTE_BOARD={board}", f"-DBPTE_BOARD_ENGINE={engine}"),
            *("-DCMAKE_BUILD_TYPE=MinSizeRel", f"-DBPTE_PYTHON={sys.executable}", *definitions),
        ]
        if shutil.which("ninja"):
            configure += ["-G", "Ninja"]
        for command in (configure, [cmake, "--build", str(folder), "--target", target, "-j", "2"]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def require(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def has_ethos_u(prefix: Path) -> bool:
    """Whether an installed ExecuTorch has the Ethos-U delegate and the driver that it wants."""
    libraries = {path.name for path in prefix.rglob("*.a")}
    return {"libexecutorch_delegate_ethos_u.a", "libethosu_core_driver.a"} <= libraries


# --- Bundles ------------------------------------------------------------------------------------


def demo_program() -> Path:
    return ROOT / "examples" / "demo" / "mlp.pte"


def demo_arrays(count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """The committed model's cases, over and over."""
    arrays = np.load(ROOT / "examples" / "demo" / "mlp.npz")
    return [(arrays[f"in{i % 3}"], arrays[f"out{i % 3}"]) for i in range(count)]


def pack(
    path: Path,
    program: Path,
    cases: list[tuple[np.ndarray, np.ndarray]],
    tolerance: bpte.Tolerance | None = None,
) -> Path:
    suite = bpte.MethodTestSuite(
        method_name="forward",
        test_cases=[
            bpte.MethodTestCase(
                inputs=[x], expected_outputs=[y], tolerances=[tolerance] if tolerance else None
            )
            for x, y in cases
        ],
    )
    bpte.BundledProgram(program, [suite]).save(path, fit="relayout")
    return path


def quantised(
    name: str,
) -> tuple[Path, list[tuple[np.ndarray, np.ndarray]], bpte.Tolerance]:
    """A committed int8 model; its outputs may be off by one step of their quantisation."""
    arrays = np.load(CORTEX_M / f"{name}.npz")
    cases = [(arrays[f"in{i}"], arrays[f"out{i}"]) for i in range(3)]
    one_step = bpte.Tolerance(rtol=0, atol=float(arrays["step"]) * 1.01)
    return CORTEX_M / f"{name}.pte", cases, one_step


def changed(cases: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same cases with one expected element of the last one off by a tenth."""
    x, y = cases[-1]
    y = y.copy()
    y.reshape(-1)[y.size // 2] += 0.1
    return [*cases[:-1], (x, y)]


#: As wide as the results on the target may be judged, and no wider.
TOLERANCE = bpte.Tolerance(rtol=1e-4, atol=1e-5)


def run(bundle: Path, elf: Path, **more: object) -> launcher.Run:
    """On the emulated Corstone-300, within a minute."""
    request = launcher.Request(
        bundle,
        board=str(more.pop("board", "corstone-300")),
        simulator=str(more.pop("simulator", "qemu")),
        program=elf,
        timeout=float(str(more.pop("timeout", 60))),
    )
    hooks = {key: more.pop(key) for key in ("on_record", "on_start", "on_text") if key in more}
    return launcher.run(replace(request, **more), **hooks)  # type: ignore[arg-type]
