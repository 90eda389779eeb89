# SPDX-License-Identifier: BSD-3-Clause
"""What a step costs over a case: a stateless program run 1,000 times, both ways.

    python benchmarks/steps.py [--count 1000] [--rounds 9] [--runner BPTE_RUN]

Both bundles hold the same values. Every round runs both in turn, by each engine. The least
processor time of each is compared, as what else runs on the machine only adds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import bpte

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo"
RUNNER = ROOT / "build" / "host" / "bin" / "bpte-run"


def bundle(path: Path, count: int, as_steps: bool) -> None:
    arrays = np.load(DEMO / "mlp.npz")
    runs = [
        bpte.MethodTestCase([arrays[f"in{i % 3}"]], [arrays[f"out{i % 3}"]]) for i in range(count)
    ]
    cases = [bpte.MethodTestCase(steps=runs)] if as_steps else runs
    suite = bpte.MethodTestSuite("forward", cases, bpte.Tolerance(rtol=1e-4, atol=1e-5))
    bpte.BundledProgram(DEMO / "mlp.pte", [suite]).save(path, durable=False)


def processor_seconds(runner: Path, path: Path, engine: str) -> float:
    """Of one run, which must pass."""
    child = subprocess.Popen([runner, path, "--engine", engine], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{path.name} on {engine} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runner", type=Path, default=RUNNER)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: Path(folder) / f"{kind}.bpte" for kind in ("cases", "steps")}
        for kind, path in paths.items():
            bundle(path, options.count, kind == "steps")
        for engine in ("executorch", "reference"):
            least = dict.fromkeys(paths, float("inf"))
            for _ in range(options.rounds):
                for kind, path in paths.items():
                    seconds = processor_seconds(options.runner, path, engine)
                    least[kind] = min(least[kind], seconds)
            print(
                f"{engine:12} {options.count} cases {least['cases'] * 1e3:8.2f} ms, "
                f"as steps {least['steps'] * 1e3:8.2f} ms, {least['steps'] / least['cases']:.3f}x"
            )


if __name__ == "__main__":
    main()
