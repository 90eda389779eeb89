# SPDX-License-Identifier: BSD-3-Clause
"""How long packing a program with external weights takes, against a bare copy of the weights.

    python benchmarks/weights.py [--size 1024] [--rounds 7] [--folder DIR]

The weights are one tensor of random bytes in a data file (`.ptd`) of that size (MiB). Every round
runs the copy (copy_file_range) and the packing (without waiting for the disk) in turn, each in a
process of its own; medians are printed, and what the packing's memory grew by over its imports.
Then the bundle is opened, in Python, and the least time of many is printed. Needs a folder with
three times the size.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from data_file_writer import data_file  # noqa: E402

from bundle import MIB, PROGRAM, bare_copy, measured  # noqa: E402

FRONT = 384
"""Where the segments of `small` begin: what lies there may become longer."""


def make_weights(path: Path, size: int) -> None:
    """A data file with one blob of about `size` bytes."""
    small = data_file({"weights": b""}, longer=size - FRONT, header={"base": FRONT})
    small = small[:40] + (size - FRONT).to_bytes(8, "little") + small[48:]
    with path.open("wb") as file:
        file.write(small.ljust(FRONT, b"\0")[:FRONT])
        left = size - FRONT
        while left:
            left -= file.write(os.urandom(min(left, 8 * MIB)))


def packing(weights: Path, target: Path) -> Callable[[], None]:
    import bpte
    from bpte.files import checksum  # noqa: F401  (before the clock starts)
    from bpte.pack import external, fit, producer  # noqa: F401
    from bpte.program import inspect

    inspect(PROGRAM)
    x, y = np.zeros((2, 8), np.float32), np.zeros((2, 4), np.float32)
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([x], [y])])

    def work() -> None:
        program = bpte.BundledProgram(PROGRAM, [suite], weights={"w.ptd": weights})
        program.save(target, durable=False)

    return work


def run(way: str, weights: Path, target: Path) -> dict[str, float]:
    target.unlink(missing_ok=True)
    os.sync()  # nobody pays for what another one wrote
    command = [sys.executable, __file__, "--worker", way, weights, target]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def opening(path: Path) -> float:
    import bpte

    times = []
    for _ in range(200):
        begun = time.perf_counter()
        bpte.open(path).close()
        times.append(time.perf_counter() - begun)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024, help="in MiB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where to write")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        way, source, target = options.worker[0], *map(Path, options.worker[1:])
        copy = lambda: bare_copy(source, target, fsync=False)  # noqa: E731
        print(json.dumps(measured(copy if way == "copy" else packing(source, target))))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        weights, target = Path(name) / "w.ptd", Path(name) / "out"
        make_weights(weights, options.size * MIB)
        runs: dict[str, list[dict[str, float]]] = {"copy": [], "pack": []}
        for _ in range(options.rounds):
            for way, figures in runs.items():
                figures.append(run(way, weights, target))
        copy, pack = (statistics.median(f["time"] for f in figures) for figures in runs.values())
        memory = statistics.median(f["memory"] for f in runs["pack"])
        print(
            f"{options.size} MiB: copied in {copy:.3f} s, packed in {pack:.3f} s, "
            f"{pack / copy:.2f}x"
        )
        print(
            f"memory {memory / MIB:.1f} MB over imports, opened in {opening(target) * 1e3:.3f} ms"
        )


if __name__ == "__main__":
    main()
