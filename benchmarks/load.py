# SPDX-License-Identifier: BSD-3-Clause
"""How long it takes to open a bundle, locate its program and read its first case, and how much
memory: against ExecuTorch's bindings.

    python benchmarks/load.py [--sizes 1,256,1024] [--rounds 7] [--folder DIR]

The bundle is made from a real program padded to each size (MiB), with ten cases. All rules are
checked but the checksums of the segments that are not read.

- "bpte, C++": Bundle::open on a mapping, the median of many in one process.
- "bpte, Python": bpte.open after imports, likewise; "first": the first one in a process.
- "executorch": its bindings' _load_bundled_program_from_buffer, the file read first, as they take
  bytes; on the same bundle in BP08, where it is below 2 GiB.

Times are medians over the rounds, each way in a process of its own; memory is the peak over what
was there after imports.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bundle import ROOT, make_program, measured, with_bpte

BUILD = ROOT / "build" / "benchmark"
MIB = 1 << 20


def build() -> Path:
    configure = [
        *("cmake", "-S", ROOT, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo"),
        *("-DBPTE_ENGINE_EXECUTORCH=OFF", "-DBPTE_ENGINE_REFERENCE=OFF"),
        *("-DBPTE_BUILD_RUNNER=OFF", "-DBPTE_BUILD_TESTS=OFF"),
        "-DBPTE_BUILD_BENCHMARKS=ON",
    ]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    make = ["cmake", "--build", BUILD, "-j", str(os.cpu_count() or 2), "--target", "load_benchmark"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    (tool,) = BUILD.rglob("load_benchmark")
    return tool


def with_python(path: Path) -> Callable[[], None]:
    import numpy  # noqa: F401  (imported before the clock starts)

    import bpte
    from bpte.format import decode, scalar_type  # noqa: F401
    from bpte.pack import tensors  # noqa: F401

    def work() -> None:
        with bpte.open(path) as bundle:
            bundle.program[0]
            for array in bundle.suites[0].test_cases[0].inputs:
                array[0, 0]

    return work


def with_executorch(path: Path) -> Callable[[], None]:
    from executorch.extension.pybindings import portable_lib

    kept: list[Any] = []

    def work() -> None:
        kept.append(portable_lib._load_bundled_program_from_buffer(path.read_bytes()))

    return work


def worker(way: str, path: Path) -> None:
    work = with_executorch(path) if way == "executorch" else with_python(path)
    figures = measured(work)
    if way == "bpte, Python":
        runs = [measured(work)["time"] for _ in range(200)]
        figures["time"] = statistics.median(runs)
    print(json.dumps(figures))


def run(way: str, path: Path, tool: Path) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    words: list[str | Path] = [sys.executable, __file__, "--worker", way, path]
    if way == "bpte, C++":
        words = [tool, path, "1000"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def benchmark(size: int, rounds: int, folder: Path, tool: Path) -> None:
    source = folder / "program.pte"
    make_program(source, size * MIB)
    new, old = folder / "new.bpte", folder / "old.bpte"
    with_bpte(source, new, durable=False)()
    ways = {"bpte, C++": new, "bpte, Python": new, "bpte, Python, first": new}
    if size < 2000:
        with_bpte(source, old, durable=False, format="bp08")()
        try:
            import executorch  # noqa: F401

            ways["executorch"] = old
        except ImportError:
            print("executorch is not installed: without its figures", file=sys.stderr)
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, path in ways.items():
            runs[way].append(run(way, path, tool))
    print(f"\n{size} MiB, median of {rounds}")
    print(f"{'':24}{'time':>12}{'memory':>10}")
    medians = {}
    for way, figures in runs.items():
        medians[way] = statistics.median(f["time"] for f in figures)
        peak = statistics.median(f["memory"] for f in figures)
        print(f"{way:24}{medians[way] * 1e6:10.0f}us{peak / MIB:8.1f}MB")
    for way in list(ways)[:-1] if "executorch" in ways else []:
        print(f"{way}: {medians['executorch'] / medians[way]:.0f}x as fast as executorch")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,256,1024", help="in MiB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--folder", type=Path, help="where to write (default: the temporary folder)"
    )
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker[0], Path(options.worker[1]))
        return
    tool = build()
    folder = Path(tempfile.mkdtemp(prefix="bpte-benchmark-", dir=options.folder))
    try:
        for size in map(int, options.sizes.split(",")):
            benchmark(size, options.rounds, folder, tool)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
