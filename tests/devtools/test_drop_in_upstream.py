# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch's own programs, unchanged but for the library that reads bundles: bpte::devtools.

BPTE_EXECUTORCH_SOURCE names a source tree of ExecuTorch whose version is near the package's. gflags
and GoogleTest are needed, too (libgflags-dev, libgtest-dev).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bpte

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"
SOURCE = os.environ.get("BPTE_EXECUTORCH_SOURCE", "")

pytestmark = pytest.mark.skipif(
    not SOURCE, reason="BPTE_EXECUTORCH_SOURCE names no source tree of ExecuTorch"
)
FORMATS = ("bp08", "bp09")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built programs."""
    folder = tmp_path_factory.mktemp("upstream")
    package = Path(pytest.importorskip("executorch.exir").__file__).parents[1]
    configure = [
        *("cmake", "-G", "Ninja", "-S", ROOT / "tests" / "devtools" / "upstream", "-B", folder),
        *(f"-DEXECUTORCH_SOURCE={SOURCE}", f"-DBPTE_SOURCE={ROOT}"),
        *(f"-Dexecutorch_DIR={package}/share/cmake", f"-DBPTE_PYTHON={sys.executable}"),
    ]
    for command in (configure, ["cmake", "--build", folder, "-j", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """right-FORMAT.bpte and wrong-FORMAT.bpte."""
    torch = pytest.importorskip("torch")
    bindings = pytest.importorskip("executorch.extension.pybindings.portable_lib")
    folder = tmp_path_factory.mktemp("bundles")
    x = torch.from_numpy(np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8))
    program = MLP.read_bytes()
    module = bindings._load_for_executorch_from_buffer(program)
    y = module.run_method("forward", (x,))[0].clone()
    for name, expected in {"right": y, "wrong": y + 1}.items():
        suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([x], [expected])])
        for format in FORMATS:
            bundle = bpte.BundledProgram(MLP, [suite])
            bundle.save(folder / f"{name}-{format}.bpte", format=format)
    return folder


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )


@pytest.mark.parametrize("format", FORMATS)
def test_example_runner(programs: Path, bundles: Path, tmp_path: Path, format: str) -> None:
    for name, passes in (("right", True), ("wrong", False)):
        done = run(
            programs / "example_runner",
            f"--bundled_program_path={bundles / f'{name}-{format}.bpte'}",
            *("--output_verification", f"--etdump_path={tmp_path / 'etdump'}"),
        )
        text = done.stdout + done.stderr
        assert (done.returncode == 0) == passes == ("Model verified successfully" in text), text


@pytest.mark.parametrize("format", FORMATS)
def test_executor_runner(programs: Path, bundles: Path, tmp_path: Path, format: str) -> None:
    for name, passes in (("right", True), ("wrong", False)):
        done = run(
            *(programs / "executor_runner", "--bundleio_rtol=1e-3", "--bundleio_atol=1e-5"),
            f"--model_path={bundles / f'{name}-{format}.bpte'}",
            f"--etdump_path={tmp_path / 'etdump'}",
        )
        text = done.stdout + done.stderr
        assert ("Test_result: PASS" in text) == passes == ("Test_result: FAIL" not in text), text


@pytest.mark.parametrize("format", FORMATS)
def test_bundled_module(programs: Path, bundles: Path, tmp_path: Path, format: str) -> None:
    """ExecuTorch's GoogleTest of its BundledModule."""
    data = (bundles / f"right-{format}.bpte").read_bytes()
    (tmp_path / "bundled_program.bpte").write_bytes(data)
    done = run(
        programs / "bundled_module_test",
        RESOURCES_PATH=str(tmp_path),
        ET_MODULE_PTE_PATH=str(MLP),
    )
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr
    assert "[  PASSED  ] 7 tests" in done.stdout
