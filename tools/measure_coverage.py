# SPDX-License-Identifier: BSD-3-Clause
"""Which lines and branches the tests reach, in C++ (gcov) and in Python (coverage.py).

    make coverage
    python tools/measure_coverage.py [--tests tests/core tests/format ...]

Builds the CMake preset `host-coverage`, runs its tests and pytest with its runner and tools, and
writes docs/coverage.md. What runs on emulators is not counted: there the same sources are compiled
without counters.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "host-coverage"
PAGE = ROOT / "docs" / "coverage.md"
PYTHON = BUILD / "python"
#: Tests that say nothing of what is counted: emulated boards, builds of other projects.
LEFT_OUT = {"boards", "consumer", "fixtures", "fuzz"}


@dataclass
class Counts:
    lines: int = 0
    lines_hit: int = 0
    branches: int = 0
    branches_hit: int = 0

    def add(self, lines: int, lines_hit: int, branches: int, branches_hit: int) -> None:
        self.lines += lines
        self.lines_hit += lines_hit
        self.branches += branches
        self.branches_hit += branches_hit


def run(*command: object, **environment: str) -> None:
    print("+", *command, flush=True)
    words = [str(word) for word in command]
    subprocess.run(words, cwd=ROOT, env={**os.environ, **environment}, check=True)


def room(path: Path) -> str:
    """The folder below `bpte` that a file lies in: `core`, `engine/reference`, `bundle.py`."""
    parts = path.parts[path.parts.index("bpte") + 1 :]
    depth = 2 if parts[0] in ("engine", "platform") and len(parts) > 2 else 1
    return "/".join(parts[:depth])


def measure(tests: list[str]) -> None:
    """Runs everything once, with the counters on."""
    run("cmake", "--preset", "host-coverage")
    run("cmake", "--build", "--preset", "host-coverage")
    for counters in BUILD.rglob("*.gcda"):
        counters.unlink()
    shutil.rmtree(PYTHON, ignore_errors=True)
    PYTHON.mkdir(parents=True)
    run("ctest", "--test-dir", BUILD, "--output-on-failure")
    settings = PYTHON / "coveragerc"
    settings.write_text(
        f"[run]\nbranch = true\nparallel = true\nsource_pkgs = bpte\ndata_file = {PYTHON}/data\n"
        "patch = subprocess\n[report]\nexclude_also =\n    if TYPE_CHECKING:\n    @overload\n"
        "    assert_never\n"
    )
    coverage = [sys.executable, "-m", "coverage"]
    run(
        *(*coverage, "run", f"--rcfile={settings}", "-m", "pytest", "-q", *tests),
        *("-n", os.cpu_count() or 2, "--dist", "loadfile"),
        BPTE_BUILD=str(BUILD),
        BPTE_RUNNER=str(BUILD / "bin" / "bpte-run"),
    )
    run(*coverage, "combine", f"--rcfile={settings}", "--quiet")
    run(*coverage, "json", f"--rcfile={settings}", "--quiet", "-o", PYTHON / "coverage.json")
    # Branches that only an exception takes are not counted: the core has none, and the compiler
    # makes two for each call of a library.
    run(
        *("gcovr", "--root", ROOT, "--filter", "runtime/bpte/", "--object-directory", BUILD),
        *(BUILD / "runtime", BUILD / "tests"),  # CMake's own probes, beside them, have no sources
        # The core's variants are the same files, with other functions under #if.
        *("--exclude-throw-branches", "--exclude-unreachable-branches"),
        "--merge-mode-functions=separate",
        *("--json-summary", BUILD / "coverage.json", "--gcov-ignore-parse-errors=all"),
    )


def cpp_counts() -> dict[str, Counts]:
    found: dict[str, Counts] = defaultdict(Counts)
    for file in json.loads((BUILD / "coverage.json").read_text())["files"]:
        found[room(Path(file["filename"]))].add(
            file["line_total"], file["line_covered"], file["branch_total"], file["branch_covered"]
        )
    return found


def python_counts() -> dict[str, Counts]:
    found: dict[str, Counts] = defaultdict(Counts)
    for name, file in json.loads((PYTHON / "coverage.json").read_text())["files"].items():
        total = file["summary"]
        found[room(Path(name))].add(
            total["num_statements"],
            total["covered_lines"],
            total["num_branches"],
            total["covered_branches"],
        )
    return found


def table(counts: dict[str, Counts]) -> str:
    def share(hit: int, total: int) -> str:
        return f"{100 * hit / total:.1f} %" if total else ""

    rows = ["| room | lines | reached | branches | reached |", "|---|---|---|---|---|"]
    everything = Counts()
    for count in counts.values():
        everything.add(count.lines, count.lines_hit, count.branches, count.branches_hit)
    for name, count in [*sorted(counts.items()), ("**all**", everything)]:
        rows.append(
            f"| {name} | {count.lines:,} | {share(count.lines_hit, count.lines)} "
            f"| {count.branches:,} | {share(count.branches_hit, count.branches)} |"
        )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Coverage of the tests, in C++ and Python.")
    parser.add_argument("--tests", nargs="+", help="folders of tests; default: all that count")
    options = parser.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    tests = options.tests or [
        f"tests/{path.name}"
        for path in sorted((ROOT / "tests").iterdir())
        if path.is_dir() and path.name not in LEFT_OUT and any(path.rglob("test_*.py"))
    ]
    measure(tests)
    PAGE.write_text(
        "# Coverage\n\nWritten by `make coverage`: lines and branches that the host's tests reach. "
        "What runs on\nemulated boards, and what the fuzzers reach, is not counted.\n\n"
        f"## C++ (gcov)\n\n{table(cpp_counts())}\n\n## Python (coverage.py)\n\n"
        f"{table(python_counts())}\n",
        "utf-8",
    )
    print(PAGE.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
