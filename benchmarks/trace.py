# SPDX-License-Identifier: BSD-3-Clause
"""What a traced run costs, and what tracing costs a run that is not traced.

    python benchmarks/trace.py [PTE ...] [--rounds 200]

For each program (without any: those of examples/) and each engine that runs it, the least time of
a case in one process: at once, stepped through, and traced; and of comparing the trace's values
apart from that. A traced run should take at most 1.5 times what stepping and comparing take.

Then the demo's program 2,000 times, by a runner that can trace and by one built without
(BPTE_ENGINE_STEPPING=OFF): the least processor time of each. They should not differ but by noise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from steps import DEMO, ROOT, bundle, processor_seconds

import bpte

BUILD = ROOT / "build" / "benchmark-trace"
PROGRAMS = (DEMO / "mlp.pte", *(ROOT / "examples/digits" / f"digits{s}.pte" for s in ("", "_int8")))
RUNNER_ROUNDS = 15


def build(name: str, stepping: str, target: str) -> Path:
    folder = BUILD / name
    configure = [
        *("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"),
        *("-DBPTE_BUILD_TESTS=OFF", "-DBPTE_BUILD_BENCHMARKS=ON"),
        f"-DBPTE_ENGINE_STEPPING={stepping}",
    ]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    make = ["cmake", "--build", folder, "-j", str(os.cpu_count() or 2), "--target", target]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    return next(path for path in folder.rglob(target) if path.is_file())


def traced_cases(programs: list[Path], rounds: int, folder: Path) -> None:
    tool = build("stepping", "ON", "trace_benchmark")
    print("program          engine      values  at once  stepped  compared   traced  traced / both")
    for program in programs:
        path = folder / f"{program.stem}.bpte"
        bpte.record(program, path, cases=1, trace=True)
        for engine in ("executorch", "reference"):
            command = [tool, path, engine, str(rounds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print(f"{program.stem:16} {engine:10} not measured: {done.stderr.strip()[:60]}")
                continue
            found = json.loads(done.stdout)
            share = found["traced"] / (found["stepped"] + found["compared"])
            times = [found[key] / 1e3 for key in ("at_once", "stepped", "compared", "traced")]
            cells = "  ".join(f"{time:7.1f}" for time in times)
            print(f"{program.stem:16} {engine:10} {found['values']:7}  {cells}  {share:.2f}x")
    print("times in microseconds")


def plain_runs(folder: Path) -> None:
    runners = {
        name: build(name, how, "bpte-run") for name, how in (("stepping", "ON"), ("plain", "OFF"))
    }
    path = folder / "cases.bpte"
    bundle(path, 2000, False)
    for engine in ("executorch", "reference"):
        least = dict.fromkeys(runners, float("inf"))
        for _ in range(RUNNER_ROUNDS):
            for name, runner in runners.items():
                least[name] = min(least[name], processor_seconds(runner, path, engine))
        stepping, plain = least["stepping"], least["plain"]
        print(
            f"{engine:12} 2,000 cases, not traced: {stepping * 1e3:8.2f} ms; built without tracing "
            f"{plain * 1e3:8.2f} ms; {stepping / plain:.3f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programs", type=Path, nargs="*", metavar="PTE")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        traced_cases(options.programs or list(PROGRAMS), options.rounds, Path(folder))
        plain_runs(Path(folder))


if __name__ == "__main__":
    main()
