# SPDX-License-Identifier: BSD-3-Clause
"""How long bundling takes and how much memory, against ExecuTorch's devtools and a bare copy.

    python benchmarks/bundle.py [--sizes 1,32,256,1024] [--rounds 7] [--folder DIR]

A real program is padded with random bytes to each size (MiB) and bundled with ten cases. Every
round runs everything in turn, each in a process of its own; medians are printed, as ratios to the
bare copy_file_range of the same file in the same round:

- "copy_file_range", "cp": the program's file copied, no more; "+ fsync": and waited for the disk.
- "bpte": BundledProgram(...).save(..., durable=False), which does not wait for the disk, as the
  bare copy does not; "bpte + fsync": the default, which does; "bpte, BP08": in the old format.
- "bpte pack": the whole command, interpreter and imports included.
- "devtools": executorch.devtools, whose direct path is that of executorch 1.5; "devtools JSON": the
  path of the versions before, through flatc. They hold the program in memory, so they stop at
  2 GiB, and take minutes long before: sizes are left out where that is known.

"time" is without imports, "process" with all. "memory" is the peak over what the imports left.
Needs executorch (its rivals are left out without) and a folder with five times the largest size.
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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"
CASES = 10
MIB = 1 << 20

# Name -> (largest size in MiB, rounds at most).
WAYS: dict[str, tuple[int, int]] = {
    "copy_file_range": (1 << 20, 99),
    "copy_file_range + fsync": (1 << 20, 99),
    "cp": (1 << 20, 99),
    "bpte": (1 << 20, 99),
    "bpte + fsync": (1 << 20, 99),
    "bpte, BP08": (2000, 99),
    "bpte pack": (1 << 20, 99),
    "devtools": (1100, 3),
    "devtools JSON": (32, 1),
}


def memory(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def measured(work: Callable[[], None]) -> dict[str, float]:
    """Time of the work, and its peak memory over what there was before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory("VmRSS")
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    return {"time": seconds, "memory": memory("VmHWM") - before}


def inputs() -> list[Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return [
        (rng.random((2, 8), dtype=np.float32), rng.random((2, 4), dtype=np.float32))
        for _ in range(CASES)
    ]


def bare_copy(source: Path, target: Path, fsync: bool) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        left = os.fstat(read.fileno()).st_size
        while left:
            left -= os.copy_file_range(read.fileno(), write.fileno(), left)
        if fsync:
            os.fsync(write.fileno())


def with_bpte(source: Path, target: Path, **options: Any) -> Callable[[], None]:
    import bpte
    from bpte.files import checksum  # noqa: F401  (before the clock starts)
    from bpte.pack import producer, program_source  # noqa: F401

    arrays = inputs()

    def work() -> None:
        cases = [bpte.MethodTestCase([x], [y]) for x, y in arrays]
        bundled = bpte.BundledProgram(source, [bpte.MethodTestSuite("forward", cases)])
        bundled.save(target, **options)

    return work


def with_devtools(source: Path, target: Path, through_json: bool) -> Callable[[], None]:
    import torch
    from executorch.devtools.bundled_program import serialize
    from executorch.devtools.bundled_program.config import MethodTestCase, MethodTestSuite
    from executorch.devtools.bundled_program.core import BundledProgram

    arrays = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in inputs()]

    def work() -> None:
        cases = [MethodTestCase([x], [y]) for x, y in arrays]
        bundled = BundledProgram(None, [MethodTestSuite("forward", cases)], str(source))
        if through_json:
            text = serialize.serialize_from_bundled_program_to_json(bundled.serialize_to_schema())
            data = serialize.convert_to_flatbuffer(text)
        else:
            data = serialize.serialize_from_bundled_program_to_flatbuffer(bundled)
        target.write_bytes(data)

    return work


def worker(way: str, source: Path, target: Path) -> None:
    """Runs one way, in this process; its figures go to stdout."""
    if way.startswith("copy_file_range"):
        work = lambda: bare_copy(source, target, "fsync" in way)  # noqa: E731
    elif way.startswith("bpte"):
        work = with_bpte(
            source,
            target,
            durable="fsync" in way,
            format="bp08" if "BP08" in way else "bp09",
        )
    else:
        work = with_devtools(source, target, "JSON" in way)
    print(json.dumps(measured(work)))


def command(way: str, source: Path, target: Path, folder: Path) -> list[str | Path]:
    if way == "cp":
        return ["cp", "--reflink=auto", source, target]
    if way == "bpte pack":
        cases: list[str | Path] = []
        for index in range(CASES):
            cases += ["--case", f"in={folder}/x{index}.npy", f"out={folder}/y{index}.npy"]
        main = "import sys; from bpte.cli import main; sys.exit(main())"
        return [sys.executable, "-c", main, "pack", source, *cases, "-o", target, "--no-sync"]
    return [sys.executable, __file__, "--worker", way, source, target]


def run(way: str, source: Path, target: Path, folder: Path) -> dict[str, float] | None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    target.unlink(missing_ok=True)
    os.sync()  # nobody pays for what another one wrote
    words = command(way, source, target, folder)
    begun = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    process = time.perf_counter() - begun
    if done.returncode != 0:
        print(f"  {way} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    figures: dict[str, float] = {"process": process}
    if "--worker" in words:
        figures |= json.loads(done.stdout.splitlines()[-1])
    elif way == "cp":
        figures["time"] = process
    return figures


def make_program(path: Path, size: int) -> None:
    with path.open("wb") as file:
        left = size - file.write(PROGRAM.read_bytes())
        while left > 0:
            left -= file.write(os.urandom(min(left, 8 * MIB)))


def median(runs: list[dict[str, float]], key: str) -> float | None:
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def benchmark(size: int, rounds: int, folder: Path, ways: list[str]) -> None:
    source, target = folder / "program.pte", folder / "bundle.bpte"
    make_program(source, size * MIB)
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            largest, most = WAYS[way]
            if size > largest or number >= most * (1 if size >= 256 else 99):
                continue
            figures = run(way, source, target, folder)
            if figures is not None:
                runs[way].append(figures)
    base = median(runs.get("copy_file_range", []), "time")
    print(f"\n{size} MiB, {CASES} cases, median of {rounds}")
    print(f"{'':26}{'time':>10}{'ratio':>8}{'process':>10}{'memory':>10}")
    for way, figures_of_all in runs.items():
        if not figures_of_all:
            print(f"{way:26}{'-':>10}")
            continue
        seconds = median(figures_of_all, "time")
        peak = median(figures_of_all, "memory")
        process = median(figures_of_all, "process")
        print(
            f"{way:26}"
            + (f"{seconds:9.3f}s" if seconds is not None else f"{'-':>10}")
            + (f"{seconds / base:8.2f}" if seconds is not None and base else f"{'-':>8}")
            + f"{process:9.3f}s"
            + (f"{peak / MIB:8.1f}MB" if peak is not None else f"{'-':>10}")
        )
    for ours, theirs in (
        ("bpte", "copy_file_range"),
        ("bpte + fsync", "copy_file_range + fsync"),
        ("bpte pack", "devtools"),
    ):
        key = "process" if theirs == "devtools" else "time"
        mine, other = median(runs.get(ours, []), key), median(runs.get(theirs, []), key)
        if mine and other:
            text = f"{other / mine:.1f}x as fast" if other > mine * 2 else f"{mine / other:.2f}x"
            print(f"{ours} against {theirs} ({key}): {text}")
    sys.stdout.flush()
    source.unlink()
    target.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,32,256,1024", help="in MiB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ways", default=",".join(WAYS).replace("bpte, BP08", "bpte; BP08"))
    parser.add_argument(
        "--folder", type=Path, help="where to write (default: the temporary folder)"
    )
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        way, source, target = options.worker
        worker(way, Path(source), Path(target))
        return
    import numpy as np

    folder = Path(tempfile.mkdtemp(prefix="bpte-benchmark-", dir=options.folder))
    try:
        for index, (x, y) in enumerate(inputs()):
            np.save(folder / f"x{index}.npy", x)
            np.save(folder / f"y{index}.npy", y)
        ways = [way.replace(";", ",") for way in options.ways.split(",")]
        for size in map(int, options.sizes.split(",")):
            benchmark(size, options.rounds, folder, ways)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
