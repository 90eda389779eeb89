# SPDX-License-Identifier: BSD-3-Clause
"""The model against the TOSA reference model, over random graphs that Vela compiles.

    make ethosu-fuzz
    python tests/engine/ethosu/fuzz_graphs.py --graphs 1000 ethos-u55-128 ethos-u85-256
    python tests/engine/ethosu/fuzz_graphs.py --seed 4711 --graphs 1 --keep FOLDER ethos-u55-128

Graph `seed` with options number `seed` of the target is one case. A refusal that KNOWN names is
skipped. Any other one, and any difference, is an error unless a known defect of Vela explains it
(known_defects.py); the line that reports it names the seed.

Nearly all of the time goes to Vela and the TOSA reference model. With --corpus FOLDER what they
give is kept, and another run over the same graphs takes it from there.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import astuple, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from known_defects import known_defect
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
    known: Counter[str] = field(default_factory=Counter)  # that differ, by the defect of Vela
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


@dataclass(frozen=True)
class Case:
    """A graph that Vela compiled, and what the reference model makes of it."""

    container: bytes
    inputs: bytes
    expected: bytes
    description: str


def prepare(seed: int, options: Options) -> Case | str:
    """The case, or why there is none."""
    graph = RandomGraph(seed, options.family)
    flatbuffer, inputs = graph.flatbuffer(), graph.input_values()
    try:
        container = compile_graph(flatbuffer, options, len(graph.graph.outputs))
        outputs = reference_outputs(flatbuffer, inputs)
    except NotCompiled as error:
        return f"Vela: {re.sub('[0-9]+', 'N', str(error).strip())}"
    except ValueError as error:
        return str(error)
    expected, given = (b"".join(a.tobytes() for a in part) for part in (outputs, inputs))
    description = f"{options.target} seed {seed} {graph.dtype} {graph.layers}"
    return Case(container, given, expected, description)


def prepare_apart(seed: int, options: Options) -> Case | str:
    """In a process of its own: Vela and the reference model are C++, and do crash."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "wb") as answer:
            pickle.dump(prepare(seed, options), answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        given = answer.read()
    os.waitpid(child, 0)
    return pickle.loads(given) if given else "Vela, or the TOSA reference model, crashes"


class Corpus:
    """Cases in a folder, one file each; only those that the same sources and versions made."""

    def __init__(self, folder: Path | None) -> None:
        made_by = [
            Path(__file__).parent / f"{n}.py" for n in ("random_graphs", "tosa_graph", "vela")
        ]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in made_by))
        for package in ("ethos-u-vela", "tosa-tools", "numpy"):
            digest.update(f"{package} {version(package)}".encode())
        self._folder = folder and folder / digest.hexdigest()[:16]

    def case(self, seed: int, options: Options) -> Case | str:
        if self._folder is None:
            return prepare_apart(seed, options)
        path = self._folder / options.target / str(seed)
        if path.exists():
            kept, case = pickle.loads(path.read_bytes())
            if kept == options:
                return case if isinstance(case, str) else Case(*case)
        case = prepare_apart(seed, options)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        # Not as a Case, which has another name where this file is the program.
        fields = case if isinstance(case, str) else astuple(case)
        unfinished.write_bytes(pickle.dumps((options, fields)))
        unfinished.replace(path)
        return case


def check(tool: Path, folder: Path, case: Case) -> tuple[str, str]:
    """ "equal", "skipped" or "wrong", and why."""
    refusal, found = run_model(tool, folder, case.container, case.inputs)
    if refusal:
        for pattern, why in KNOWN.items():
            if pattern in refusal:
                return "skipped", why
    if not refusal and found == case.expected:
        return "equal", ""
    differing = sum(a != b for a, b in zip(found, case.expected, strict=False))
    what = refusal or f"{differing} of {len(case.expected)} bytes differ"
    return "wrong", f"{case.description}: {what}"


def fuzz(tool: Path, target: str, seeds: range, folder: Path, corpus: Corpus) -> Tally:
    tally = Tally()
    rows = pairwise(target)
    for seed in seeds:
        options = rows[seed % len(rows)]
        case = corpus.case(seed, options)
        verdict, why = ("skipped", case) if isinstance(case, str) else check(tool, folder, case)
        if verdict == "equal":
            tally.equal += 1
        elif verdict == "skipped":
            tally.counts[why] += 1
        elif defect := known_defect(RandomGraph(seed, options.family).graph, options):
            tally.known[defect] += 1
            print(f"{why}; known defect of Vela: {defect}", flush=True)
        else:
            tally.wrong.append(why)
            print(f"{why}; WRONG", flush=True)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description="The Ethos-U model over random graphs.")
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}; default: each")
    parser.add_argument("--graphs", type=int, default=1000, help="for each target")
    parser.add_argument("--seed", type=int, help="of the first graph")
    parser.add_argument("--tool", type=Path, default=TOOL)
    parser.add_argument("--keep", type=Path, help="the folder for a graph's delegate and inputs")
    parser.add_argument("--corpus", type=Path, help="the folder where compiled graphs are kept")
    parser.add_argument("--compile-only", action="store_true", help="fill the corpus, run nothing")
    arguments = parser.parse_args()
    if arguments.compile_only and arguments.corpus is None:
        parser.error("--compile-only wants --corpus")
    corpus = Corpus(arguments.corpus)
    failed = False
    for target in arguments.target or TARGETS:
        first = arguments.seed
        if first is None:  # other graphs for each target
            first = list(TARGETS).index(target) * 1_000_000
        seeds = range(first, first + arguments.graphs)
        if arguments.compile_only:
            options = pairwise(target)
            for seed in seeds:
                corpus.case(seed, options[seed % len(options)])
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            tally = fuzz(arguments.tool, target, seeds, folder, corpus)
        print(
            f"{target}: {tally.equal} equal, known defect of Vela: {tally.known.total()}, "
            f"{len(tally.wrong)} wrong, of {len(seeds)} graphs"
        )
        for defect, count in tally.known.most_common():
            print(f"    {count} with a known defect of Vela: {defect}")
        for reason, count in tally.counts.most_common():
            print(f"    {count} not compared: {reason}")
        failed |= bool(tally.wrong) or tally.equal == 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
