# SPDX-License-Identifier: BSD-3-Clause
"""The first call in a process: ``to_executorch()`` is called once.

Each measurement is a process of its own, which imports executorch, takes the objects of one
program out of a pickle, and then times the first call; for this package, the import of
``bpte.program`` as well. Upstream's functions are already imported then: they come with
executorch. Times are CPU time, the best of some processes, in milliseconds.
"""

from __future__ import annotations

import compileall
import json
import math
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "python" / "bpte"

TABLE = ("mlp", "cnn", "gpt, 2 layers", "resnet50")
CORPUS = (
    "layer_residual_xnnpack", "shape_split_float32", "methods_linear_conv2d", "mutable_float32_7",
    "dynamic_size_33", "cast_linear_bfloat16", "control_nested_2d", "wide_9",
)  # fmt: skip

CHILD = """
import gc, json, pickle, sys, time
import executorch.exir
from executorch.exir._serialize._program import serialize_pte_binary
with open(sys.argv[1], "rb") as file:
    pte = pickle.load(file)
gc.collect()
clock = time.process_time_ns
start = middle = clock()
if sys.argv[2] == "upstream":
    data = serialize_pte_binary(pte)
else:
    import bpte.program
    middle = clock()
    data = bpte.program.serialize_pte(pte)
print(json.dumps([(middle - start) / 1e6, (clock() - middle) / 1e6]))
"""


def files(folder: Path) -> dict[str, Path]:
    """The ``.pte`` files of the twelve programs, exported where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "program")]
    result = {}
    for name in (*TABLE, *CORPUS):
        path = result[name] = folder / f"{name.replace(', ', '_').replace(' ', '_')}.pte"
        if path.exists():
            continue
        if name in TABLE:
            import program_models

            path.write_bytes(program_models.export_pte(name))
        else:
            import corpus

            cases = {case.name: case for case in corpus.cases()}
            path.write_bytes(corpus.export(cases[name])[0])
    return result


def measure(objects: Path, path: str, processes: int) -> tuple[float, float]:
    """Milliseconds of the import and of the first call, each the best of some processes."""
    environment = {**os.environ, "BPTE_NATIVE": "0" if path == "pure" else "1"}
    best = [math.inf, math.inf]
    for _ in range(processes):
        out = subprocess.run(
            [sys.executable, "-c", CHILD, objects, path],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout
        best = [min(pair) for pair in zip(best, json.loads(out.splitlines()[-1]), strict=True)]
    return best[0], best[1]


def main(folder: Path, processes: int) -> None:
    from executorch.exir._serialize._program import deserialize_pte_binary

    # As any installed package is; in a checkout, nothing else may have done it.
    compileall.compile_dir(PACKAGE, quiet=1)
    rows: dict[str, list[float]] = {}
    print(f"{'program':24}{'upstream':>10} |{'import':>8}{'native':>8}{'ratio':>7} |"
          f"{'import':>8}{'pure':>8}{'ratio':>7}")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in files(folder).items():
            objects = Path(scratch) / "objects.pickle"
            objects.write_bytes(pickle.dumps(deserialize_pte_binary(path.read_bytes())))
            _, upstream = measure(objects, "upstream", processes)
            line = f"{name:24}{upstream:10.2f} |"
            rows.setdefault("upstream", []).append(upstream)
            for kind in ("native", "pure"):
                imported, called = measure(objects, kind, processes)
                ratio = upstream / (imported + called)
                line += f"{imported:8.2f}{called:8.2f}{ratio:7.1f} |"
                for key, value in (("import", imported), ("call", called), ("ratio", ratio)):
                    rows.setdefault(f"{kind} {key}", []).append(value)
            print(line, flush=True)
    for name, values in rows.items():
        print(
            f"{name:16} geometric mean {statistics.geometric_mean(values):6.2f}, mean "
            f"{statistics.fmean(values):6.2f}, {min(values):.2f} ... {max(values):.2f}"
        )
    for kind in ("native", "pure"):
        total = sum(rows[f"{kind} import"]) + sum(rows[f"{kind} call"])
        print(f"{kind}: {sum(rows['upstream']) / total:.1f} times over the sum of all programs")
