# SPDX-License-Identifier: BSD-3-Clause
"""What the tests share: where the built C++ programs are.

Programs are looked for in the build folders that CMakePresets.json names; BPTE_BUILD names another
one, BPTE_RUNNER a runner.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import bpte

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "bpte"

# How long an example takes says more of a shared machine than of the code.
settings.register_profile(
    "shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared-machine")

#: The files that take a minute or so, the slowest first. A worker takes whole files: one of these,
#: begun last, would keep one worker busy when the others have nothing left.
SLOWEST = (
    "boards/test_results.py",
    "consumer/test_consumer.py",
    "boards/test_page_commands.py",
    "consumer/test_embedding.py",
    "engine/reference/test_programs.py",
    "engine/ethosu/test_random_graphs.py",
    "engine/reference/test_operators.py",
    "consumer/test_install.py",
    "core/test_compare.py",
    "pack/test_digits.py",
    "wire/test_outputs.py",
    "boards/test_kept_outputs.py",
    "core/test_open_work.py",
    "examine/test_eager.py",
    "boards/test_external_weights.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of xdist's workers, which run in this order
        rank = {ROOT / "tests" / name: number for number, name in enumerate(SLOWEST)}
        items.sort(key=lambda item: rank.get(item.path, len(rank)))


def find_built(name: str) -> Path | None:
    """The newest executable of this name in the build folder of the preset `host`."""
    build = Path(os.environ.get("BPTE_BUILD", ROOT / "build" / "host"))
    found = [p for p in build.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    return max(found, key=lambda p: p.stat().st_mtime, default=None)


@pytest.fixture(scope="session")
def cpp_tool(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a test program of tests by its name; built here when no build has it."""

    def get(name: str) -> Path:
        built = find_built(name)
        if built is not None:
            return built
        folder = tmp_path_factory.mktemp("build")
        configure = [
            *("cmake", "-S", ROOT, "-B", folder, "-DBPTE_ENGINE_EXECUTORCH=OFF"),
            *("-DBPTE_BUILD_RUNNER=OFF", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"),
        ]
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        subprocess.run(configure, check=True, env=environment)
        build = ["cmake", "--build", folder, "--target", name, "-j", "2"]
        subprocess.run(build, check=True, env=environment)
        (tool,) = (p for p in folder.rglob(name) if p.is_file())
        return tool

    return get


@pytest.fixture(scope="session")
def bpte_runner() -> Path:
    """The host runner, `bpte-run`; the test is skipped where none was built."""
    named = os.environ.get("BPTE_RUNNER")
    runner = Path(named) if named else find_built("bpte-run")
    if runner is None:
        pytest.skip("bpte-run is not built (cmake --build --preset host)")
    return runner


@pytest.fixture(scope="session")
def demo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed demo model (examples/demo) and its three cases: needs no torch."""
    demo = ROOT / "examples" / "demo"
    arrays = np.load(demo / "mlp.npz")
    cases = [
        bpte.MethodTestCase(inputs=[arrays[f"in{i}"]], expected_outputs=[arrays[f"out{i}"]])
        for i in range(3)
    ]
    path = tmp_path_factory.mktemp("demo") / "mlp.bpte"
    suite = bpte.MethodTestSuite(method_name="forward", test_cases=cases)
    bpte.BundledProgram(demo / "mlp.pte", [suite]).save(path)
    return path


@pytest.fixture(scope="session")
def ethosu_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed Ethos-U55 program and its three cases, which may be off by one step."""
    program = ROOT / "tests" / "fixtures" / "cortex_m" / "ethos_u55.pte"
    with np.load(program.with_suffix(".npz")) as arrays:
        one_step = bpte.Tolerance(rtol=0, atol=float(arrays["step"]) * 1.01)
        cases = [
            bpte.MethodTestCase([arrays[f"in{k}"]], [arrays[f"out{k}"]], tolerances=[one_step])
            for k in range(3)
        ]
    path = tmp_path_factory.mktemp("ethosu") / "ethos_u55.bpte"
    bpte.BundledProgram(program, [bpte.MethodTestSuite("forward", cases)]).save(
        path, fit="relayout"
    )
    return path


@pytest.fixture(scope="session")
def example_models() -> Path:
    """The folder with what examples/export_models.py makes: NAME.pte and NAME.bpte.

    Exported once for a state of the script and of the package's writers, and kept in
    build/examples: exporting takes longer than the tests that use it. Skips where torch or
    executorch is missing.
    """
    pytest.importorskip("torch", reason="exporting the example models needs torch")
    pytest.importorskip("executorch.exir", reason="exporting the example models needs executorch")
    return _made_by(ROOT / "examples" / "export_models.py", ROOT / "build" / "examples", _writers())


@pytest.fixture(scope="session")
def awkward_models() -> Path:
    """The folder with what tests/runner/runner_models.py makes, kept as the example models are."""
    pytest.importorskip("torch", reason="exporting models needs torch")
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    script = ROOT / "tests" / "runner" / "runner_models.py"
    return _made_by(script, ROOT / "build" / "runner-models")


@pytest.fixture(scope="session")
def made_by() -> Callable[[Path, Path], Path]:
    """Runs a script of the repository with a folder to write into, which is kept for as long as the
    script stays the same."""
    return _made_by


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bpte_runner: Path) -> Path:
    """A folder to work in; the host's program is the one that was built."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BPTE_RUNNER", str(bpte_runner))
    return tmp_path


@pytest.fixture(scope="session")
def reference_models() -> Callable[[str], tuple[Path, list[tuple[np.ndarray, np.ndarray]]]]:
    """The models that the reference engine is meant for (examples/reference_models.py), each with
    inputs and expected outputs."""
    pytest.importorskip("torch", reason="exporting the reference engine's models needs torch")
    pytest.importorskip("executorch.exir", reason="exporting them needs executorch")
    script = ROOT / "examples" / "reference_models.py"
    folder = _made_by(script, ROOT / "build" / "reference-models")

    def get(name: str) -> tuple[Path, list[tuple[np.ndarray, np.ndarray]]]:
        cases = []
        for path in sorted(folder.glob(f"{name}.case*.input0.npy")):
            expected = path.with_name(path.name.replace("input0", "expected0"))
            cases.append((np.load(path), np.load(expected)))
        assert cases
        return folder / f"{name}.pte", cases

    return get


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder with what examples/speech/make.py makes, kept as the example models are."""
    for package in ("torch", "executorch", "silero_vad"):  # importing them takes seconds
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"exporting the model of speech needs {package}, which is not installed")
    if not Path("/usr/share/pocketsphinx/test/data").is_dir():
        pytest.skip("the speech is Debian's pocketsphinx-testdata, which is not installed")
    script = ROOT / "examples" / "speech" / "make.py"
    return _made_by(script, ROOT / "build" / "speech", _writers())


def _writers() -> list[Path]:
    """What writes bundles: those that a script made are only as new as this."""
    return [p for room in ("format", "pack") for p in sorted(PACKAGE.joinpath(room).glob("*.py"))]


def _made_by(script: Path, folder: Path, also: Sequence[Path] = ()) -> Path:
    """What a script writes into a folder, anew when it or one of the other files has changed."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "made-from.sha256"
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in [script, *also])).hexdigest()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers share the folder
        if not stamp.exists() or stamp.read_text() != digest:
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
            subprocess.run([sys.executable, script, folder], check=True, env=environment)
            stamp.write_text(digest)
    return folder
