# SPDX-License-Identifier: BSD-3-Clause
"""Which lines and branches the tests reach, in C++ (gcov) and in Python (coverage.py).

    make coverage
    python tools/measure_coverage.py [--tests tests/core tests/format ...] [--seconds 900]

Builds the CMake preset `host-coverage`, runs its tests, then pytest folder by folder with its
runner and tools, and writes docs/coverage.md. Each folder is a part with a time limit. When a part
takes longer or the command is ended, the next call goes on with what is missing, unless the sources
have changed. A test that fails has counted what it reached: whether tests pass is `make test`'s
question. What runs on emulators is not counted: there the same sources are compiled without
counters.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "host-coverage"
PAGE = ROOT / "docs" / "coverage.md"
PYTHON = BUILD / "python"
SETTINGS = PYTHON / "coveragerc"
SOURCES = ("CMakeLists.txt", "CMakePresets.json", "cmake", "python", "runtime", "schema", "tests")
#: Tests that say nothing of what is counted: emulated boards, builds of other projects.
LEFT_OUT = {"boards", "consumer", "fixtures", "fuzz"}
#: Tests of C++ that run next to nothing of the Python package.
CPP_ALONE = {"core", "engine"}
#: The part that is the C++ tests.
CTEST = "ctest"
JOBS = str(os.cpu_count() or 2)
BUILD_SECONDS = 1200


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


def run(
    *command: object, limit: float | None = None, quiet: bool = False, **environment: str
) -> None:
    """Raises CalledProcessError, and TimeoutExpired after `limit` seconds, when all that it started
    is ended. `quiet`: its output goes to build/host-coverage/python/log.txt."""
    words = [str(word) for word in command]
    log = (PYTHON / "log.txt").open("a") if quiet else None
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=log,
        stderr=subprocess.STDOUT if quiet else None,
        start_new_session=True,
    )
    try:
        status = process.wait(limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if log is not None:
            log.close()
    if status != 0:
        raise subprocess.CalledProcessError(status, words)


def room(path: Path) -> str:
    """The folder below `bpte` that a file lies in: `core`, `engine/reference`, `bundle.py`."""
    parts = path.parts[path.parts.index("bpte") + 1 :]
    depth = 2 if parts[0] in ("engine", "platform") and len(parts) > 2 else 1
    return "/".join(parts[:depth])


def state() -> str:
    """What would be measured: the sources as they are. Another state begins anew."""
    command = ["git", "ls-files", "-co", "--exclude-standard", *SOURCES]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256()
    for name in sorted(set(names.splitlines())):
        path = ROOT / name
        if path.is_file() and path.suffix != ".md":
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def prepare() -> None:
    """Builds with counters, and forgets what another state of the sources has counted."""
    stamp = PYTHON / "state"
    now = state()
    if stamp.is_file() and stamp.read_text() == now:
        return
    shutil.rmtree(PYTHON, ignore_errors=True)
    run("cmake", "--preset", "host-coverage", limit=BUILD_SECONDS)
    run("cmake", "--build", "--preset", "host-coverage", limit=BUILD_SECONDS)
    for counters in BUILD.rglob("*.gcda"):
        counters.unlink()
    PYTHON.mkdir(parents=True)
    SETTINGS.write_text(
        f"[run]\nbranch = true\nparallel = true\nsource_pkgs = bpte\ndata_file = {PYTHON}/data\n"
        "patch = subprocess\n[report]\nexclude_also =\n    if TYPE_CHECKING:\n    @overload\n"
        "    assert_never\n"
    )
    stamp.write_text(now)


#: Exit codes that say no more than that a test failed.
CTEST_FAILED = 8
PYTEST_FAILED = 1


def measure_part(name: str, seconds: int) -> str:
    """Runs the C++ tests, or a folder of Python's, with the counters on. Says so when tests
    failed."""
    if name == CTEST:
        command: list[object] = ["ctest", "--test-dir", BUILD, "--output-on-failure", "-j", JOBS]
        return run_tests(command, CTEST_FAILED, seconds)
    # Where nothing of Python's is counted, its counters would only take time.
    counted = Path(name).name not in CPP_ALONE
    command = [sys.executable, "-m"]
    if counted:
        command += ["coverage", "run", f"--rcfile={SETTINGS}", "-m"]
    command += ["pytest", "-q", name, "-n", JOBS, "--dist", "loadfile"]
    variables = {"BPTE_BUILD": str(BUILD), "BPTE_RUNNER": str(BUILD / "bin" / "bpte-run")}
    return run_tests(command, PYTEST_FAILED, seconds, **variables)


def run_tests(command: list[object], tests_failed: int, seconds: int, **variables: str) -> str:
    try:
        run(*command, limit=seconds, quiet=True, **variables)
    except subprocess.CalledProcessError as error:
        if error.returncode != tests_failed:
            raise
        return f", with tests that failed ({PYTHON / 'log.txt'})"
    return ""


def measure(parts: list[str], seconds: int) -> bool:
    """Measures what was not measured yet, a part at a time; False where one failed or took too
    long. Parts that were measured stay so."""
    prepare()
    failed = []
    for number, name in enumerate(parts, 1):
        done = PYTHON / f"{name.replace('/', '-')}.done"
        start = time.monotonic()
        what = "measured before"
        if not done.is_file():
            try:
                failures = measure_part(name, seconds)
                done.touch()
                what = f"{time.monotonic() - start:.0f} s{failures}"
            except subprocess.TimeoutExpired:
                failed.append(name)
                what = f"did not end within {seconds} s"
            except subprocess.CalledProcessError as error:
                failed.append(name)
                what = f"failed with exit code {error.returncode}"
        print(f"[{number}/{len(parts)}] {name}: {what}", flush=True)
    if failed:
        print(f"{', '.join(failed)}: not measured (see {PYTHON / 'log.txt'}); nothing written")
    return not failed


def collect() -> None:
    """What was counted, as JSON."""
    coverage = [sys.executable, "-m", "coverage"]
    if any(PYTHON.glob("data.*")):  # none where a call before this one was ended below
        run(*coverage, "combine", f"--rcfile={SETTINGS}", "--quiet", "--append")
    run(*coverage, "json", f"--rcfile={SETTINGS}", "--quiet", "-o", PYTHON / "coverage.json")
    # Branches that only an exception takes are not counted: the core has none, and the compiler
    # makes two for each call of a library.
    run(
        *("gcovr", "--root", ROOT, "--filter", "runtime/bpte/", "--object-directory", BUILD),
        *(BUILD / "runtime", BUILD / "tests"),  # CMake's own probes, beside them, have no sources
        # The core's variants are the same files, with other functions under #if.
        *("--exclude-throw-branches", "--exclude-unreachable-branches", "-j", JOBS),
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
    parser.add_argument("--seconds", type=int, default=900, help="for each folder (900)")
    options = parser.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    tests = options.tests or [
        f"tests/{path.name}"
        for path in sorted((ROOT / "tests").iterdir())
        if path.is_dir() and path.name not in LEFT_OUT and any(path.rglob("test_*.py"))
    ]
    if not measure([CTEST, *tests], options.seconds):
        return 1
    collect()
    PAGE.write_text(
        "# Coverage\n\nWritten by `make coverage`: lines and branches that the host's tests reach. "
        "What runs on\nemulated boards, and what the fuzzers reach, is not counted.\n\n"
        f"## C++ (gcov)\n\n{table(cpp_counts())}\n\n## Python (coverage.py)\n\n"
        f"{table(python_counts())}\n",
        "utf-8",
    )
    (PYTHON / "state").unlink()  # the next call measures anew
    print(PAGE.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
