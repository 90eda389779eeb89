# SPDX-License-Identifier: BSD-3-Clause
"""A project of somebody else's builds on an installed bpte, and on its sources."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "tests" / "consumer"


def run(*command: str | Path) -> str:
    """Standard output of a command; its whole output is shown when it fails."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def build_tools() -> list[str | Path]:
    """Definitions that every configuration here wants; skips where nothing can be built."""
    if shutil.which("cmake") is None and not (Path(sys.executable).parent / "cmake").is_file():
        pytest.skip("cmake is not installed")
    if importlib.util.find_spec("executorch") is None:
        pytest.skip("executorch is not installed")
    return [f"-DBPTE_PYTHON={sys.executable}", "-DCMAKE_BUILD_TYPE=Release"]


def build(source: Path, folder: Path, *definitions: str | Path) -> None:
    run("cmake", "-S", source, "-B", folder, *definitions)
    run("cmake", "--build", folder, "-j", "2")


def check(folder: Path, bundle: Path) -> None:
    lines = run(folder / "consumer", bundle).splitlines()
    size = (ROOT / "examples" / "demo" / "mlp.pte").stat().st_size
    assert lines[0].startswith(f"program: {size} bytes at 0x")
    assert int(lines[0].rsplit("0x")[1], 16) % 128 == 0
    assert lines[1:] == ["forward: 3 cases"]
    assert '"outcome":0' in run(folder / "consumer_runner", bundle).splitlines()[-1]


def test_find_package(build_tools: list[str | Path], demo_bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    build(
        ROOT,
        tmp_path / "bpte",
        *build_tools,
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DBPTE_BUILD_TESTS=OFF",
    )
    run("cmake", "--install", tmp_path / "bpte")
    shutil.rmtree(tmp_path / "bpte")  # nothing of the build is needed any more
    build(CONSUMER, tmp_path / "consumer", *build_tools, f"-DCMAKE_PREFIX_PATH={prefix}")
    check(tmp_path / "consumer", demo_bundle)
    assert "usage: bpte-run" in run(prefix / "bin" / "bpte-run", "--help")
    assert '"outcome":0' in run(prefix / "bin" / "bpte-run", demo_bundle)


def test_add_subdirectory(build_tools: list[str | Path], demo_bundle: Path, tmp_path: Path) -> None:
    build(CONSUMER, tmp_path / "consumer", *build_tools, f"-DCONSUMER_SOURCE_DIR={ROOT}")
    check(tmp_path / "consumer", demo_bundle)
