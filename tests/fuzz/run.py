# SPDX-License-Identifier: BSD-3-Clause
"""Builds the fuzz targets and runs each for a chosen time; reports executions, in all
and for each second of a core, and coverage.

    python tests/fuzz/run.py --seconds 60
    python tests/fuzz/run.py --seconds 1200 --bits 32 fuzz_open fuzz_source

What the fuzzer learns stays in build/fuzz-<bits>/corpus: a later run goes on from there; the
seeds beside this script are never written to. A finding ends the target, leaves its input in
build/fuzz-<bits>/findings and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MAX_LENGTH = 8192


@dataclass
class Outcome:
    target: str
    ok: bool
    executions: int
    seconds: float
    """Of one core, all told: on a busy machine a target runs for less than it was given."""
    edges: int
    all_edges: int
    features: int
    output: str


def targets() -> list[str]:
    return sorted(path.stem for path in HERE.glob("fuzz_*.cpp"))


def build(bits: int, names: list[str]) -> Path:
    folder = ROOT / "build" / f"fuzz-{bits}"
    flags = "-m32" if bits == 32 else ""
    subprocess.run(
        [
            *("cmake", "-S", ROOT, "-B", folder, "-DCMAKE_CXX_COMPILER=clang++"),
            *(f"-DCMAKE_CXX_FLAGS={flags}", "-DBPTE_BUILD_FUZZERS=ON", "-DBPTE_BUILD_TESTS=OFF"),
            *("-DBPTE_ENGINE_EXECUTORCH=OFF", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"),
            *("-DBPTE_BUILD_RUNNER=OFF", "-DBPTE_INSTALL=OFF"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = ["cmake", "--build", folder, "-j", str(os.cpu_count() or 2), "--target", *names]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def fuzz(folder: Path, target: str, seconds: int) -> Outcome:
    corpus = folder / "corpus" / target
    findings = folder / "findings" / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    seeds = HERE / "corpus" / target
    process = subprocess.Popen(
        [
            *(folder / "tests" / "fuzz" / target, corpus, *([seeds] if seeds.is_dir() else [])),
            *(f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", "-timeout=10"),
            *("-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={findings}/"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)

    def last(pattern: str) -> int:
        found = re.findall(pattern, output)
        return int(found[-1]) if found else 0

    return Outcome(
        target,
        process.returncode == 0,
        last(r"number_of_executed_units: (\d+)") or last(r"#(\d+)\s+\w+\s+cov:"),
        usage.ru_utime + usage.ru_stime,
        last(r" cov: (\d+)"),
        last(r"(\d+) inline 8-bit counters"),
        last(r" ft: (\d+)"),
        output,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", nargs="*", help="all: " + ", ".join(targets()))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--bits", type=int, choices=(32, 64), default=64, help="of the build (64)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="targets at a time")
    options = parser.parse_args()
    names = options.target or targets()
    unknown = set(names) - set(targets())
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if options.seconds <= 0:
        parser.error("--seconds: at least 1")

    folder = build(options.bits, names)
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda name: fuzz(folder, name, options.seconds), names))
    print(
        f"{'target':16} {'executions':>12} {'a second':>9} {'edges':>6} {'of':>6} {'features':>9}"
    )
    failed = False
    for outcome in outcomes:
        # A target that executed nothing has not passed.
        ok = outcome.ok and outcome.executions > 0
        failed |= not ok
        print(
            f"{outcome.target:16} {outcome.executions:12,} "
            f"{outcome.executions / outcome.seconds:9,.0f} {outcome.edges:6} "
            f"{outcome.all_edges:6} {outcome.features:9}  {'ok' if ok else 'FINDING'}"
        )
    for outcome in outcomes:
        if not outcome.ok or outcome.executions == 0:
            print(
                f"\n--- {outcome.target}: the end of its output",
                *outcome.output.splitlines()[-40:],
                sep="\n",
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
