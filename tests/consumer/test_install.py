# SPDX-License-Identifier: BSD-3-Clause
"""The package as people get it: `pip install .` into an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the package and what it asks for."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input"]
    done = subprocess.run([*pip, ROOT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def in_environment(
    environment: Path, *command: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [environment / "bin" / command[0], *command[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd=environment,  # not the checkout, from which nothing may be taken
        env={**clean, **variables},
    )


def test_the_command_starts(environment: Path) -> None:
    done = in_environment(environment, "bpte", "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "bpte")


def test_the_package_is_typed(environment: Path) -> None:
    program = (
        "import bpte, pathlib; print(pathlib.Path(bpte.__file__).with_name('py.typed').is_file())"
    )
    assert in_environment(environment, "python", "-c", program).stdout.strip() == "True"


def test_it_needs_neither_torch_nor_executorch(environment: Path) -> None:
    program = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('executorch'))"
    assert in_environment(environment, "python", "-c", program).stdout.split() == ["None", "None"]


def test_packs_and_runs_with_the_reference_engine(environment: Path, tmp_path: Path) -> None:
    """The runner is built from the sources that came with the package, without ExecuTorch."""
    demo = ROOT / "examples" / "demo"
    bundle = tmp_path / "mlp.bpte"
    packed = in_environment(
        environment, "bpte", "pack", demo / "mlp.pte", "--suite", demo / "suite.toml", "-o", bundle
    )
    assert packed.returncode == 0, packed.stderr
    tools = Path(sys.executable).parent  # cmake and ninja of the environment that tests
    run = in_environment(
        *(environment, "bpte", "run", bundle, "--engine", "reference"),
        PATH=f"{tools}{os.pathsep}{os.environ['PATH']}",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "engine reference" in run.stdout
