# SPDX-License-Identifier: BSD-3-Clause
"""Every test of the project, stage by stage; a tally and the list of what was skipped at the end.

    make test                       all stages
    make test STAGES="lint python"  some

A stage that fails does not stop the others; the exit code tells whether any did. Each stage's
output goes through; JUnit reports are left in build/reports.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
JOBS = str(os.cpu_count() or 2)
#: One more than there are cores: many tests wait, for a target's time limit or for one program.
WORKERS = str((os.cpu_count() or 2) + 1)
#: For every build by CMake, those of the tests too: many compile the same sources alike.
CCACHE = {
    "CMAKE_CXX_COMPILER_LAUNCHER": "ccache",
    "CCACHE_DIR": str(ROOT / "build" / "ccache"),
    "CCACHE_NOHASHDIR": "1",  # builds in different folders share
}
SOURCES = ("runtime", "tests", "boards", "examples", "benchmarks")


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def fail(self, name: str) -> None:
        self.failed += 1
        self.broken.append(name)

    def add_report(self, title: str, path: Path, ok: bool) -> None:
        """Counts the test cases of a JUnit report. `ok` says whether its program exited with 0.

        A program that fails without a failed test in its report (it could not start a test, or it
        wrote no report) is itself counted as one failure.
        """
        before = self.failed
        cases = ElementTree.parse(path).getroot().iter("testcase") if path.exists() else ()
        for case in cases:
            name = case_name(case)
            skip = case.find("skipped")
            if skip is not None:
                self.skipped.append((f"{title}: {name}", skip_reason(case, skip)))
            elif case.find("failure") is not None or case.find("error") is not None:
                self.fail(f"{title}: {name}")
            else:
                self.passed += 1
        if not ok and self.failed == before:
            self.fail(title)


def case_name(case: ElementTree.Element) -> str:
    """`class::name` of pytest's reports; in CTest's, the class repeats the name."""
    name, classname = case.get("name", ""), case.get("classname", "")
    return name if classname in ("", name) else f"{classname}::{name}"


def skip_reason(case: ElementTree.Element, skip: ElementTree.Element) -> str:
    """CTest says only that the output matched an expression: the output is the reason."""
    reason = skip.get("message") or (skip.text or "").strip()
    output = (case.findtext("system-out") or "").strip()
    return output if reason == "SKIP_REGULAR_EXPRESSION_MATCHED" and output else reason


class Stages:
    """The stages, in the order in which they run: what is quick to fail comes first."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def run(self, *command: str | Path, **environment: str) -> bool:
        print("+", " ".join(str(word) for word in command), flush=True)
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False)
        return done.returncode == 0

    def check(self, name: str, *command: str | Path) -> bool:
        """A command that is one test."""
        ok = self.run(*command)
        if ok:
            self.tally.passed += 1
        else:
            self.tally.fail(name)
        return ok

    def skip(self, name: str, reason: str) -> bool:
        self.tally.skipped.append((name, reason))
        return True

    def lint(self) -> bool:
        python = sys.executable
        ok = self.check("ruff check", python, "-m", "ruff", "check", ".")
        ok &= self.check("ruff format", python, "-m", "ruff", "format", "--check", ".")
        ok &= self.check("mypy", python, "-m", "mypy")
        ok &= self.check("import-linter", "lint-imports", "--no-cache")
        sources = [
            path
            for folder in SOURCES
            for pattern in ("*.h", "*.cpp", "*.c")
            for path in sorted((ROOT / folder).rglob(pattern))
        ]
        names = REPORTS / "clang-format.txt"
        names.write_text("".join(f"{path}\n" for path in sources))
        command = ("clang-format", "--dry-run", "-Werror", f"--files={names}")
        return self.check("clang-format", *command) and ok

    def preset(self, name: str) -> bool:
        """Configures, builds and tests a CMake preset."""
        report = REPORTS / f"ctest-{name}.xml"
        if not (
            self.check(f"configure {name}", "cmake", "--preset", name)
            and self.check(f"build {name}", "cmake", "--build", "--preset", name, "-j", JOBS)
        ):
            return False
        ok = self.run(
            *("ctest", "--preset", name, "-j", JOBS, "--output-on-failure"),
            *("--output-junit", report),
        )
        self.tally.add_report(f"ctest {name}", report, ok)
        return ok

    def cpp(self) -> bool:
        return self.preset("host")

    def sanitizers(self) -> bool:
        return self.preset("host-asan-ubsan")

    def cpp32(self) -> bool:
        probe = subprocess.run(
            ["g++", "-m32", "-fsanitize=address,undefined", "-x", "c++", "-", "-o", os.devnull],
            input=b"#include <cstdio>\nint main() {}",
            capture_output=True,
            check=False,
        )
        if probe.returncode != 0:
            return self.skip("32-bit tests", "g++ -m32 does not link here (g++-NN-multilib)")
        return self.preset("host-32-asan-ubsan")

    def tidy(self) -> bool:
        if shutil.which("clang-tidy") is None:
            return self.skip("clang-tidy", "clang-tidy is not installed")
        return self.check("clang-tidy", sys.executable, "tools/tidy.py")

    def docs(self) -> bool:
        if shutil.which("doxygen") is None or find_spec("mkdocs") is None:
            return self.skip("docs", "doxygen, or mkdocs (of the docs extra), is not installed")
        return self.check("docs", sys.executable, "tools/docs.py")

    def fuzz(self) -> bool:
        if shutil.which("clang++") is None:
            return self.skip("fuzz smoke", "clang is not installed")
        return self.check("fuzz smoke", sys.executable, "tests/fuzz/run.py", "--seconds", "5")

    def python(self) -> bool:
        report = REPORTS / "pytest.xml"
        ok = self.run(
            *(sys.executable, "-m", "pytest", "-q", "-n", WORKERS, "--dist", "loadfile"),
            # In the order of tests/conftest.py: the slowest files first.
            *("--no-loadscope-reorder", f"--junitxml={report}", "tests"),
        )
        self.tally.add_report("pytest", report, ok)
        return ok

    ORDER = ("lint", "docs", "tidy", "cpp", "sanitizers", "cpp32", "fuzz", "python")


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the project's tests.")
    parser.add_argument("stage", nargs="*", default=None, help=", ".join(Stages.ORDER))
    options = parser.parse_args()
    for stage in options.stage:
        if stage not in Stages.ORDER:
            parser.error(f"no such stage: {stage} (there are: {', '.join(Stages.ORDER)})")

    # The environment's own cmake and ninja come first: executorch's package wants cmake >= 3.28.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if shutil.which("ccache"):
        os.environ.update(CCACHE)
    REPORTS.mkdir(parents=True, exist_ok=True)
    for report in REPORTS.glob("*.xml"):
        report.unlink()

    tally = Tally()
    stages = Stages(tally)
    outcome: list[tuple[str, bool, float]] = []
    for name in options.stage or Stages.ORDER:
        print(f"\n===== {name} =====", flush=True)
        start = time.monotonic()
        stage: Callable[[], bool] = getattr(stages, name)
        outcome.append((name, stage(), time.monotonic() - start))

    print("\n===== summary =====")
    for name, ok, seconds in outcome:
        print(f"{name:12} {'ok' if ok else 'FAILED':6} {seconds:6.0f} s")
    for name in tally.broken:
        print(f"failed: {name}")
    for name, reason in tally.skipped:
        print(f"skipped: {name}: {reason}")
    print(f"{tally.passed} passed, {tally.failed} failed, {len(tally.skipped)} skipped")
    ran_something = tally.passed > 0
    return 0 if ran_something and tally.failed == 0 and all(ok for _, ok, _ in outcome) else 1


if __name__ == "__main__":
    sys.exit(main())
