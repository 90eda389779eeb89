# SPDX-License-Identifier: BSD-3-Clause
"""The package as people get it: a wheel, built from an sdist, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import bpte

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m build` makes: an sdist, and a wheel out of that sdist."""
    pytest.importorskip("build", reason="the build package (of the dev extra) is not installed")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, distribution: Path) -> Path:
    """A virtual environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=True)
    (wheel,) = distribution.glob("bpte-*.whl")
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input", wheel]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
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


def test_what_is_packaged(distribution: Path) -> None:
    """Every source of the runtime, the boards' data, and nothing of builds or of the system."""
    (wheel,) = distribution.glob("bpte-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {name.removeprefix("bpte/_sources/") for name in names if "_sources" in name}
    tracked = subprocess.run(
        ["git", "ls-files", "CMakeLists.txt", "cmake", "runtime", "boards", "schema"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tracked.returncode == 0 and tracked.stdout:
        assert sources - {"LICENSE"} == set(tracked.stdout.split())
    assert any(name.startswith("bpte/program/_native") and ".so" in name for name in names)
    assert not [name for name in names if "__pycache__" in name or "/build/" in name]


def test_versions_are_one() -> None:
    header = (ROOT / "runtime" / "bpte" / "core" / "version.h").read_text()
    assert f'kVersion[] = "{bpte.__version__}"' in header


def test_the_command_starts(environment: Path) -> None:
    done = in_environment(environment, "bpte", "--version")
    assert (done.returncode, done.stdout) == (0, f"bpte {bpte.__version__}\n")


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


def test_the_plugin_as_ci_uses_it(environment: Path, distribution: Path, tmp_path: Path) -> None:
    """The steps of the job `plugin` of ci.yml after the installation, with the reference engine."""
    yaml = pytest.importorskip("yaml", reason="reads ci.yml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step["run"] for step in workflow["jobs"]["plugin"]["steps"] if "run" in step]
    installs = [step for step in steps if step.startswith("pip install")]
    assert len(installs) == 2
    pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input"]
    subprocess.run([*pip, "pytest", "cmake>=3.28", "ninja"], check=True)
    (tmp_path / "bpte").symlink_to(ROOT)
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    variables["PATH"] = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    for step in steps:
        if step in installs:
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", step],
            cwd=tmp_path, env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
