# SPDX-License-Identifier: BSD-3-Clause
"""A project of somebody else's builds on an installed bpte, and takes in its sources.

tests/consumer has a program for each target that is exported. Builds without CMake are in
test_embedding.py.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "tests" / "consumer"
PROGRAMS = {"core", "engine", "runner", "reference", "ethosu", "executorch", "devtools"}
DELEGATE = ROOT / "tests" / "fixtures" / "ethosu" / "linear@ethos-u65-256.npz"
NINJA = importlib.util.find_spec("ninja") or shutil.which("ninja")
WITHOUT_EXECUTORCH = "-DBPTE_ENGINE_EXECUTORCH=OFF"
#: Where no other build compiles alike (`make test` has ccache): a third of the time.
UNOPTIMISED = "-DCMAKE_BUILD_TYPE=Debug"


def start(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """This Python's folder comes first, for cmake and ninja."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def run(*command: str | Path) -> str:
    """Standard output of a command; its whole output is shown when it fails."""
    done = start(*command)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def configure(source: Path, folder: Path, *definitions: str | Path) -> None:
    generator = ["-G", "Ninja"] if NINJA else []
    run("cmake", "-S", source, "-B", folder, *generator, "-DCMAKE_BUILD_TYPE=Release", *definitions)


def build(source: Path, folder: Path, *definitions: str | Path) -> None:
    configure(source, folder, *definitions)
    run("cmake", "--build", folder, "-j", "2")


@pytest.fixture(scope="module")
def executorch() -> list[str]:
    """The definitions with which an ExecuTorch is found; skips where there is none."""
    if importlib.util.find_spec("executorch") is None:
        pytest.skip("executorch is not installed")
    return [f"-DBPTE_PYTHON={sys.executable}", "-DBPTE_ENGINE_EXECUTORCH=ON"]


@pytest.fixture(scope="module", autouse=True)
def cmake() -> None:
    if shutil.which("cmake") is None and not Path(sys.executable).with_name("cmake").is_file():
        pytest.skip("cmake is not installed")


def programs(folder: Path) -> set[str]:
    return {path.name.removeprefix("consumer_") for path in folder.glob("consumer_*[a-z]")}


def check(folder: Path, bundle: Path) -> None:
    """Every program that was built does what its source says."""
    built = programs(folder)
    lines = run(folder / "consumer_core", bundle).splitlines()
    size = (ROOT / "examples" / "demo" / "mlp.pte").stat().st_size
    assert lines[0].startswith(f"program: {size} bytes at 0x")
    assert int(lines[0].rsplit("0x")[1], 16) % 128 == 0
    assert lines[1:] == ["forward: 3 cases"]
    assert run(folder / "consumer_engine") == "missing_operator\n"
    refused = start(folder / "consumer_runner", bundle)
    assert refused.returncode == 4, refused.stderr
    assert refused.stdout.startswith("rtti\n")
    assert f"{size} bytes refused" in refused.stdout
    for engine in built & {"reference", "executorch"}:
        assert '"outcome":0' in run(folder / f"consumer_{engine}", bundle).splitlines()[-1]
    if "ethosu" in built:
        check_ethosu(folder)
    if "devtools" in built:
        assert run(folder / "consumer_devtools", bundle) == f"Error::Ok: {size} bytes\n"


def check_ethosu(folder: Path) -> None:
    """The outputs are those of the TOSA reference model."""
    with np.load(DELEGATE) as arrays:
        (folder / "delegate").write_bytes(arrays["container"].tobytes())
        (folder / "inputs").write_bytes(arrays["in0"].tobytes())
        expected = arrays["out0"].tobytes()
        assert sorted(arrays) == ["container", "in0", "out0"]
    command = [folder / "consumer_ethosu", folder / "delegate", folder / "inputs"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == expected
    refused = start(folder / "consumer_ethosu", folder / "inputs", folder / "inputs")
    assert refused.returncode == 1 and refused.stderr.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, executorch: list[str]) -> Path:
    """The prefix that docs/embedding.md's commands install to, with both engines."""
    folder = tmp_path_factory.mktemp("installed")
    page = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    (commands,) = re.findall(r"^## Installed.*?^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (folder / "bpte").symlink_to(ROOT)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "VIRTUAL_ENV": sys.prefix,  # where an executorch is looked for
        "CMAKE_GENERATOR": "Ninja" if NINJA else "Unix Makefiles",
    }
    done = subprocess.run(
        ["sh", "-ec", commands],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    shutil.rmtree(folder / "build")  # nothing of the build is needed any more
    return folder / ".local"


def test_find_package(
    installed: Path, executorch: list[str], demo_bundle: Path, tmp_path: Path
) -> None:
    build(CONSUMER, tmp_path, *executorch, f"-DCMAKE_PREFIX_PATH={installed}")
    assert programs(tmp_path) == PROGRAMS
    check(tmp_path, demo_bundle)
    assert "usage: bpte-run" in run(installed / "bin" / "bpte-run", "--help")
    assert '"outcome":0' in run(installed / "bin" / "bpte-run", demo_bundle)


def test_every_exported_target_has_a_program(installed: Path) -> None:
    exported = set()
    for path in (installed / "lib").rglob("*argets.cmake"):
        exported |= set(re.findall(r"^add_library\(bpte::(\w+)", path.read_text(), re.MULTILINE))
    assert exported == PROGRAMS | {"executorch_kernels"}
    linked = set(re.findall(r"bpte::(\w+)", (CONSUMER / "CMakeLists.txt").read_text()))
    assert linked == exported


def test_components(installed: Path, demo_bundle: Path, tmp_path: Path) -> None:
    """What is asked for is there; ExecuTorch is not looked for when it is not asked for."""
    build(
        *(CONSUMER, tmp_path, f"-DCMAKE_PREFIX_PATH={installed}"),
        *("-DCONSUMER_COMPONENTS=core;reference", "-DBPTE_PYTHON=/nonexistent"),
    )
    assert programs(tmp_path) == PROGRAMS - {"executorch", "devtools"}
    assert "executorch" not in (tmp_path / "CMakeCache.txt").read_text()
    check(tmp_path, demo_bundle)


def test_a_component_that_does_not_exist(installed: Path, tmp_path: Path) -> None:
    done = start(
        *("cmake", "-S", CONSUMER, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={installed}"),
        "-DCONSUMER_COMPONENTS=reference;qualcomm",
    )
    assert done.returncode != 0
    assert 'without the component "qualcomm"' in " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of C++20 that takes the sources in and asks for nothing else."""
    folder = tmp_path_factory.mktemp("taken-in")
    build(
        *(CONSUMER, folder, f"-DCONSUMER_SOURCE_DIR={ROOT}"),
        *("-DBPTE_PYTHON=/nonexistent", "-DCMAKE_CXX_STANDARD=20", UNOPTIMISED),
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
    )
    return folder


def test_add_subdirectory(taken_in: Path, demo_bundle: Path) -> None:
    """No ExecuTorch is wanted, no model, no runner and no tests are made, the standard is the
    project's."""
    assert programs(taken_in) == PROGRAMS - {"executorch", "devtools", "ethosu"}
    check(taken_in, demo_bundle)
    assert not [*taken_in.rglob("bpte-run*"), *taken_in.rglob("*_test")]
    assert "-std=c++20" in (taken_in / "compile_commands.json").read_text()


def test_add_subdirectory_with_everything(
    installed: Path, executorch: list[str], demo_bundle: Path, tmp_path: Path
) -> None:
    """The sources by the name that they were installed from: ccache has compiled most of them."""
    sources = f"-DCONSUMER_SOURCE_DIR={installed.parent / 'bpte'}"
    build(CONSUMER, tmp_path, *executorch, sources, "-DBPTE_ETHOSU_MODEL=ON")
    assert programs(tmp_path) == PROGRAMS
    check(tmp_path, demo_bundle)


@pytest.mark.parametrize("strict", [False, True])
def test_warnings_bind_nobody(strict: bool, tmp_path: Path) -> None:
    """A warning of a compiler that we have never seen stops only who asks for that."""
    shutil.copytree(ROOT / "runtime", tmp_path / "runtime")
    shutil.copy(ROOT / "CMakeLists.txt", tmp_path)
    with (tmp_path / "runtime" / "bpte" / "engine" / "engine.cpp").open("a") as file:
        file.write('#pragma GCC warning "new in a later compiler"\n')
    configure(
        *(tmp_path, tmp_path / "b", WITHOUT_EXECUTORCH, UNOPTIMISED, "-DBPTE_INSTALL=OFF"),
        *(
            "-DBPTE_BUILD_TESTS=OFF",
            f"-DCMAKE_COMPILE_WARNING_AS_ERROR={'ON' if strict else 'OFF'}",
        ),
    )
    done = start("cmake", "--build", tmp_path / "b", "--target", "bpte_engine", "-j", "2")
    assert "new in a later compiler" in done.stdout
    assert (done.returncode != 0) == strict


def test_cross_build(tmp_path: Path) -> None:
    """On its own, with nothing but a toolchain file; then found by a project."""
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("arm-none-eabi-g++ is not installed")
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'boards' / 'mps2-an500' / 'toolchain.cmake'}"
    prefix = tmp_path / "prefix"
    build(
        ROOT,
        tmp_path / "b",
        *(toolchain, UNOPTIMISED),
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DBPTE_PYTHON=/nonexistent",
    )
    run("cmake", "--install", tmp_path / "b")
    assert not (prefix / "bin").exists()
    project = tmp_path / "project"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(firmware LANGUAGES CXX)\n"
        "find_package(bpte REQUIRED)\nadd_library(firmware OBJECT main.cpp)\n"
        "target_link_libraries(firmware PRIVATE bpte::runner bpte::reference)\n"
    )
    (project / "main.cpp").write_text(
        "#include <bpte/engine/reference/reference_engine.h>\n#include <bpte/runner/runner.h>\n"
        "bpte::ReferenceEngine engine({});\n"
    )
    build(
        project,
        tmp_path / "f",
        toolchain,
        f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_FIND_ROOT_PATH={prefix}",
    )


@pytest.mark.parametrize(
    ("wrong", "status"),
    [("absent", 2), ("empty", 2), ("folder", 2), ("no word", 2), ("malformed", 3)],
)
def test_what_readme_shows_survives(
    wrong: str, status: int, taken_in: Path, tmp_path: Path
) -> None:
    path = tmp_path / wrong
    if wrong == "folder":
        path.mkdir()
    elif wrong in ("empty", "malformed"):
        path.write_bytes(b"" if wrong == "empty" else b"no bundle" * 100)
    words = [] if wrong == "no word" else [path]
    done = start(taken_in / "consumer_core", *words)
    assert done.returncode == status, done.stderr
    assert (done.stdout if status == 3 else done.stderr).strip()
