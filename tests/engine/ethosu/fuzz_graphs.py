# SPDX-License-Identifier: BSD-3-Clause
"""The model against the TOSA reference model, over random graphs that Vela compiles.

    make ethosu-fuzz
    python tests/engine/ethosu/fuzz_graphs.py --graphs 1000 ethos-u55-128 ethos-u85-256
    python tests/engine/ethosu/fuzz_graphs.py --seed 4711 --graphs 1 --keep FOLDER ethos-u55-128

Graph `seed` with options number `seed` of the target is one case. Any difference, and any refusal
by the model that KNOWN does not explain, is an error; the line that reports it names the seed.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from random_graphs import RandomGraph
from vela import (
    FEATURES,
    MEMORY_MODES,
    TARGETS,
    NotCompiled,
    Options,
    compile_graph,
    reference_outputs,
)

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "build" / "host" / "tests" / "engine" / "ethosu" / "ethosu_tool"

# What the model refuses and should: a pattern of its message, and why.
KNOWN = {
    "copies into the internal memory beside its tables": "Vela: a table in a transposition",
}


def pairwise(target: str) -> list[Options]:
    """Options so that every pair of choices occurs together, greedily."""
    choices: list[tuple[object, ...]] = [
        MEMORY_MODES[target.split("-")[1]],
        ("Performance", "Size"),
        ("HillClimb", "Greedy", "LinearAlloc"),
        (1 << 31, 100_000, 20_000),
        *((False, True) for _ in FEATURES),
    ]
    rows: list[tuple[object, ...]] = []
    wanted = {
        (i, a, j, b)
        for i, j in itertools.combinations(range(len(choices)), 2)
        for a in choices[i]
        for b in choices[j]
    }
    random = np.random.default_rng(1)
    while wanted:
        tries = [tuple(c[int(random.integers(len(c)))] for c in choices) for _ in range(30)]

        def pairs(row: tuple[object, ...]) -> set[tuple[int, object, int, object]]:
            indices = itertools.combinations(range(len(row)), 2)
            return {(i, row[i], j, row[j]) for i, j in indices}

        best = max(tries, key=lambda row: len(pairs(row) & wanted))
        if pairs(best) & wanted:
            rows.append(best)
            wanted -= pairs(best)
    return [
        Options(
            target,
            memory_mode=str(mode),
            optimise=str(optimise),
            allocator=str(allocator),
            cache_size=int(str(cache)),
            disabled=tuple(f for f, off in zip(FEATURES, flags, strict=True) if off),
        )
        for mode, optimise, allocator, cache, *flags in rows
    ]


@dataclass
class Tally:
    equal: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # graphs that say nothing, by reason
    wrong: list[str] = field(default_factory=list)


def run_model(tool: Path, folder: Path, container: bytes, inputs: bytes) -> tuple[str, bytes]:
    """What the model says when it refuses, or "", and the outputs."""
    (folder / "delegate").write_bytes(container)
    (folder / "inputs").write_bytes(inputs)
    command = [tool, "run", folder / "delegate", folder / "inputs", folder / "outputs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 0:
        return "", (folder / "outputs").read_bytes()
    return done.stderr.strip() or f"exit code {done.returncode}", b""


def check(tool: Path, folder: Path, seed: int, options: Options, tally: Tally) -> None:
    graph = RandomGraph(seed)
    flatbuffer, inputs = graph.flatbuffer(), graph.input_values()
    try:
        container = compile_graph(flatbuffer, options)
    except NotCompiled as error:
        tally.counts[f"Vela: {re.sub('[0-9]+', 'N', str(error))}"] += 1
        return
    try:
        outputs = reference_outputs(flatbuffer, inputs)
    except ValueError as error:
        tally.counts[str(error)] += 1
        return
    expected = b"".join(output.tobytes() for output in outputs)
    refusal, found = run_model(tool, folder, container, b"".join(i.tobytes() for i in inputs))
    explained = next((why for pattern, why in KNOWN.items() if re.search(pattern, refusal)), None)
    if refusal and explained:
        tally.counts[explained] += 1
    elif refusal or found != expected:
        differing = sum(a != b for a, b in zip(found, expected, strict=False))
        what = refusal or f"{differing} of {len(expected)} bytes differ"
        tally.wrong.append(f"{options.target} seed {seed} {graph.dtype} {graph.layers}: {what}")
        print(tally.wrong[-1], flush=True)
    else:
        tally.equal += 1


def fuzz(tool: Path, target: str, seeds: range, folder: Path) -> Tally:
    tally = Tally()
    options = pairwise(target)
    for seed in seeds:
        check(tool, folder, seed, options[seed % len(options)], tally)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description="The Ethos-U model over random graphs.")
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}; default: each")
    parser.add_argument("--graphs", type=int, default=1000, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="of the first graph")
    parser.add_argument("--tool", type=Path, default=TOOL)
    parser.add_argument("--keep", type=Path, help="the folder for a graph's delegate and inputs")
    arguments = parser.parse_args()
    failed = False
    for target in arguments.target or TARGETS:
        seeds = range(arguments.seed, arguments.seed + arguments.graphs)
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            tally = fuzz(arguments.tool, target, seeds, folder)
        print(f"{target}: {tally.equal} equal, {len(tally.wrong)} wrong, of {len(seeds)} graphs")
        for reason, count in tally.counts.most_common():
            print(f"    {count} not compared: {reason}")
        failed |= bool(tally.wrong) or tally.equal == 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
