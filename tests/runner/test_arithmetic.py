# SPDX-License-Identifier: BSD-3-Clause
"""A runner whose arithmetic is not IEEE 754's says so instead of judging.

The runner, the core and the engine that echoes (runner_tool.cpp) are compiled plainly; then one of
their files, or the link, with flags that bend arithmetic, as a careless build would have it.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.run.outcome import Verdict
from bpte.run.protocol import Transcript, parse

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime"
ARITHMETIC = RUNTIME / "bpte" / "runner" / "arithmetic.cpp"
COMPARE = RUNTIME / "bpte" / "core" / "compare.cpp"
SOURCES = [
    *sorted((RUNTIME / "bpte" / "core").rglob("*.cpp")),
    *sorted((RUNTIME / "bpte" / "engine").glob("*.cpp")),
    *sorted((RUNTIME / "bpte" / "runner").glob("*.cpp")),
    ROOT / "tests" / "runner" / "runner_tool.cpp",
]
#: The core refuses to be compiled with flags that it can see; what is tried here is what remains.
FLAGS = ("-std=c++17", "-O2", f"-I{RUNTIME}", "-DBPTE_ALLOW_FAST_MATH_FOR_TESTS=1")
REORDERING = ("-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math")


def compiled(compiler: str, source: Path, folder: Path, *flags: str) -> Path:
    path = folder / f"{source.stem}-{len(list(folder.iterdir()))}-{abs(hash((source, flags)))}.o"
    command = [compiler, *FLAGS, *flags, "-c", str(source), "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module", params=["g++", "clang++"])
def compiler(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def objects(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """Everything, compiled as it should be."""
    folder = tmp_path_factory.mktemp("objects")
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda source: compiled(compiler, source, folder), SOURCES)
        return dict(zip(SOURCES, made, strict=True))


def run(
    compiler: str,
    objects: list[Path],
    folder: Path,
    *flags: str,
    expected: float = 1,
) -> tuple[int, Transcript]:
    """Links and runs: a case whose first input and output is 1."""
    value = [np.ones(3, np.float32), np.array([1], np.int8), np.array(2.5), 7, 1.5, True]
    wanted = [np.full(3, expected, np.float32), *value[1:]]
    suite = bpte.MethodTestSuite("echo", [bpte.MethodTestCase(value, wanted)])
    bundle = folder / "echo.bpte"
    bpte.BundledProgram(b"no program", [suite]).save(bundle, fit="skip", durable=False)
    tool = folder / "tool"
    subprocess.run([compiler, *flags, *objects, "-o", tool], check=True)
    done = subprocess.run([tool, bundle, "none"], capture_output=True, check=False, timeout=60)
    return done.returncode, parse(done.stdout)


def refused(code: int, transcript: Transcript, message: str) -> None:
    assert code == 4
    assert transcript.complete and not transcript.cases
    assert transcript.error is not None
    assert transcript.error.error == "unsound_arithmetic"
    assert message in transcript.error.message, transcript.error.message
    assert "without -ffast-math" in transcript.error.message


def test_a_plain_build_judges(compiler: str, objects: dict[Path, Path], tmp_path: Path) -> None:
    code, transcript = run(compiler, list(objects.values()), tmp_path)
    assert (code, len(transcript.cases)) == (0, 1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("-ffast-math",), "NaN"),
        (("-Ofast",), "NaN"),
        (("-ffinite-math-only",), "NaN"),
        (REORDERING, "additions are reordered"),
    ],
)
def test_a_careless_runner(
    compiler: str,
    objects: dict[Path, Path],
    tmp_path: Path,
    flags: tuple[str, ...],
    message: str,
) -> None:
    bent = objects | {ARITHMETIC: compiled(compiler, ARITHMETIC, tmp_path, *flags)}
    refused(*run(compiler, list(bent.values()), tmp_path), message)


def test_a_program_that_flushes_denormals(
    compiler: str, objects: dict[Path, Path], tmp_path: Path
) -> None:
    """Every file is compiled as it should be; the link brings start-up code that sets the mode."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("GCC's start-up code for -ffast-math is x86's")
    refused(*run(compiler, list(objects.values()), tmp_path, "-ffast-math"), "denormal")


def test_a_careless_core(compiler: str, objects: dict[Path, Path], tmp_path: Path) -> None:
    """A core that takes a number for the NaN expected is found out by a runner that was compiled as
    it should be; one that fails the case, as it must, may judge."""
    bent = objects | {COMPARE: compiled(compiler, COMPARE, tmp_path, "-ffast-math")}
    code, transcript = run(compiler, list(bent.values()), tmp_path, expected=float("nan"))
    if code == 4:
        refused(code, transcript, "compare()")
    else:
        assert (code, [case.verdict for case in transcript.cases]) == (1, [Verdict.FAIL])
