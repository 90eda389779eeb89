# SPDX-License-Identifier: BSD-3-Clause
"""The C++ unit tests' macros: a failure, and a test that checks nothing, cannot pass.

One source is built as hosts build it (doctest, discovered by CTest) and as firmware does.
"""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
CASES = {
    "what holds passes": "int a = 2; CHECK(a == 2); CHECK(a != 3);",
    "what does not hold fails": "int a = 2; CHECK(a == 3); CHECK(a == 2);",
    "what checks nothing fails": "",
}
FAILED = ["what checks nothing fails", "what does not hold fails"]
PROJECT = f"""
cmake_minimum_required(VERSION 3.25)
project(sample LANGUAGES CXX)
enable_testing()
include({TESTS}/unit_tests.cmake)
bpte_add_unit_tests(sample_test sample sample.cpp)
"""


def write_source(folder: Path, names: list[str]) -> Path:
    source = folder / "sample.cpp"
    cases = [f'TEST_CASE("{name}") {{\n  {CASES[name]}\n}}\n' for name in names]
    source.write_text('#include "check.h"\n' + "".join(cases))
    return source


def ctest(folder: Path, *options: str) -> dict[str, str]:
    """Builds and runs the project; the status of each test that CTest knows."""
    (folder / "CMakeLists.txt").write_text(PROJECT)
    build = folder / "build"
    subprocess.run(
        ["cmake", "-G", "Ninja", "-S", folder, "-B", build, "-Wno-dev", *options],
        check=True,
        capture_output=True,
    )
    subprocess.run(["cmake", "--build", build], check=True, capture_output=True)
    report = build / "report.xml"
    subprocess.run(
        ["ctest", "--test-dir", build, "--output-junit", report], check=False, capture_output=True
    )
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return {case.attrib["name"]: case.attrib["status"] for case in cases}


@pytest.mark.skipif(
    not Path("/usr/include/doctest/doctest.h").exists(), reason="doctest-dev is not installed"
)
def test_on_a_host(tmp_path: Path) -> None:
    write_source(tmp_path, list(CASES))
    statuses = ctest(tmp_path)
    assert set(statuses) == {f"sample/{name}" for name in CASES}
    failed = sorted(name for name, status in statuses.items() if status != "run")
    assert failed == [f"sample/{name}" for name in FAILED], statuses
    assert statuses[failed[0]] == "fail"
    # One test alone, and how it reads when it fails.
    program = tmp_path / "build" / "sample_test"
    alone = subprocess.run(
        [program, f"--test-case={FAILED[1]}"], capture_output=True, text=True, check=False
    )
    assert alone.returncode == 1 and "values: CHECK( 2 == 3 )" in alone.stdout


def test_without_doctest_a_skipped_test_says_what_to_install(tmp_path: Path) -> None:
    write_source(tmp_path, list(CASES))
    statuses = ctest(tmp_path, "-DCMAKE_DISABLE_FIND_PACKAGE_doctest=ON")
    assert statuses == {"C++ unit tests, which need doctest-dev": "notrun"}


def on_bare_metal(folder: Path, names: list[str]) -> tuple[int, list[str]]:
    """The exit code and the printed lines of the program that firmware contains."""
    source = write_source(folder, names)
    main = TESTS / "boards" / "firmware" / "unit_main.cpp"
    program = folder / "sample"
    subprocess.run(
        [
            *("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti"),
            *(f"-I{TESTS}", "-DBPTE_TEST_BARE_METAL", source, main, "-o", program),
        ],
        check=True,
    )
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_on_bare_metal(tmp_path: Path) -> None:
    code, lines = on_bare_metal(tmp_path, list(CASES))
    assert code == 1
    assert [line for line in lines if line.startswith("test case: ")] == [
        f"test case: {name}" for name in CASES
    ]
    assert f"{tmp_path}/sample.cpp:6: failed: a == 3" in lines
    assert "failed: this test case checks nothing" in lines
    assert lines[-1] == "3 test cases, 4 checks, 2 failed"


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize(
    ("names", "code"),
    [([name], int(name in FAILED)) for name in CASES] + [([], 1)],
)
def test_each_alone_on_bare_metal(tmp_path: Path, names: list[str], code: int) -> None:
    assert on_bare_metal(tmp_path, names)[0] == code
