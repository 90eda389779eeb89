# SPDX-License-Identifier: BSD-3-Clause
"""The core judges by IEEE 754 arithmetic: it refuses compilers that were told to ignore it, and
CMake's own target overrules what a surrounding project says."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from test_compare import FAIL, NAN, PASS, Tensor, Tolerance, Tool

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime"
SOURCE = RUNTIME / "bpte" / "core" / "compare.cpp"
ALLOW = "-DBPTE_ALLOW_FAST_MATH_FOR_TESTS"

# Clang's macros tell of the first three alone.
FLAGS = {
    "-ffast-math": ("g++", "clang++"),
    "-Ofast": ("g++", "clang++"),
    "-ffinite-math-only": ("g++", "clang++"),
    "-funsafe-math-optimizations": ("g++",),
    "-freciprocal-math": ("g++",),
    "-fno-signed-zeros": ("g++",),
}


def compile_compare(compiler: str, *flags: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, "-std=c++17", "-O2", *flags, f"-I{RUNTIME}", "-fsyntax-only", SOURCE]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("compiler", "flag"),
    [(compiler, flag) for flag, compilers in FLAGS.items() for compiler in compilers],
)
def test_refused_with_a_sentence(compiler: str, flag: str) -> None:
    refused = compile_compare(compiler, flag)
    assert refused.returncode != 0
    (error,) = (line for line in refused.stderr.splitlines() if "error:" in line)
    assert "bpte" in error
    assert ": compile it with -f" in error
    assert compile_compare(compiler, flag, ALLOW).returncode == 0


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_what_the_error_says_to_do_helps(compiler: str) -> None:
    for flag in FLAGS:
        flags = [flag]  # one that stands for several may take several
        while len(flags) < 6 and (refused := compile_compare(compiler, *flags)).returncode != 0:
            flags.append(refused.stderr.split("compile it with ")[1].split('"')[0])
        assert compile_compare(compiler, *flags).returncode == 0
    assert compile_compare(compiler).returncode == 0


def test_cmake_overrules_the_flags_around_it(tmp_path: Path) -> None:
    """-Ofast for everything, and NaN is still unequal to a number."""
    configure = [
        *("cmake", "-S", ROOT, "-B", tmp_path, "-DBPTE_ENGINE_EXECUTORCH=OFF"),
        *("-DBPTE_ENGINE_REFERENCE=OFF", "-DBPTE_BUILD_RUNNER=OFF"),
        "-DCMAKE_CXX_FLAGS=-Ofast -ffinite-math-only -freciprocal-math",
    ]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    build = ["cmake", "--build", tmp_path, "--target", "compare_tool", "-j", "2"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (program,) = (p for p in tmp_path.rglob("compare_tool") if p.is_file())
    tool = Tool(program)
    for dtype, numpy_type in ((6, np.float32), (7, np.float64)):
        good = np.ones(1000, numpy_type)
        bad = good.copy()
        bad[500] = math.nan
        assert tool.compare(Tensor(dtype, good), Tensor(dtype, good)).verdict == PASS
        for pair in ((good, bad), (bad, good), (bad, bad)):
            for rtol in (NAN, 0.0, math.inf):
                tensors = [Tensor(dtype, array) for array in pair]
                answer = tool.compare(*tensors, Tolerance(rtol, 0.0))
                assert (answer.verdict, answer.nonfinite) == (FAIL, 1)
    tool.close()
