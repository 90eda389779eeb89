# SPDX-License-Identifier: BSD-3-Clause
"""The model against the TOSA reference model, over networks that ExecuTorch lowers.

    make ethosu-nets
    python tests/engine/ethosu/compare_nets.py [NETWORK...]

Each network is quantised by ExecuTorch's Arm quantizer, lowered by its partitioner and compiled by
Vela as its Arm backend does, for FIRST; then with a sample of the other NPUs and of Vela's options,
so that all rows of `fuzz_graphs.pairwise` come up. Each delegate must give every byte that the TOSA
reference model gives for its graph. Networks of one operator are also held against torch.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fuzz_graphs import KNOWN, TOOL, pairwise, run_model
from lowering import Lowered, input_scales, lower, output_scale
from networks import LAYERS, NETWORKS
from random_inputs import graph_inputs
from vela import TARGETS, NotCompiled, Options, compile_graph, reference_outputs

# Whose graph another NPU's is: an Ethos-U65 has the operators of an Ethos-U55.
FIRST = {"ethos-u55-128": ("u55", "u65"), "ethos-u85-256": ("u85",)}
SAMPLES = 2  # of the other NPUs and options, for each of FIRST


@dataclass(frozen=True)
class Result:
    network: str
    how: str
    verdict: str  # "equal", "within 1 of torch", "skipped" or "wrong"
    why: str = ""


def rows(first: str) -> list[Options]:
    """One after another of each NPU of the families."""
    targets = [t for t in TARGETS if t.split("-")[1] in FIRST[first]]
    each = [pairwise(target) for target in targets]
    return [options[k % len(options)] for k in range(max(map(len, each))) for options in each]


def described(options: Options) -> str:
    told = [options.target, options.memory_mode, options.optimise, options.allocator]
    told += [f"no {feature}" for feature in options.disabled]
    if options.cache_size < 1 << 31:
        told.append(f"{options.cache_size} bytes")
    return " ".join(filter(None, told))


class Delegate:
    """One of a network's graphs, its inputs, and what the reference model gives for them."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.flatbuffer = flatbuffer
        self.inputs = graph_inputs(flatbuffer)
        self.outputs = reference_outputs(flatbuffer, self.inputs)

    def check(self, tool: Path, folder: Path, container: bytes) -> tuple[str, str]:
        given, expected = (
            b"".join(a.tobytes() for a in part) for part in (self.inputs, self.outputs)
        )
        refusal, found = run_model(tool, folder, container, given)
        if not refusal and found == expected:
            return "equal", ""
        for pattern, why in KNOWN.items():
            if refusal and pattern in refusal:
                return "skipped", why
        differing = sum(a != b for a, b in zip(found, expected, strict=False))
        return "wrong", refusal or f"{differing} of {len(expected)} bytes differ"


def against_torch(tool: Path, folder: Path, lowered: Lowered) -> tuple[str, str]:
    """One delegate against the quantised module: within 1 of the last place."""
    ((flatbuffer, container),) = lowered.delegates
    scales, scale = input_scales(lowered.quantised), output_scale(lowered.quantised)
    numbers = [
        array.clip(s.low, s.high) for array, s in zip(graph_inputs(flatbuffer), scales, strict=True)
    ]
    with torch.no_grad():
        values = [
            torch.from_numpy((n.astype(np.float32) - s.zero_point) * np.float32(s.scale))
            for n, s in zip(numbers, scales, strict=True)
        ]
        expected = lowered.quantised(*values).numpy() / np.float32(scale.scale) + scale.zero_point
    refusal, found = run_model(tool, folder, container, b"".join(n.tobytes() for n in numbers))
    if refusal:
        return "wrong", refusal
    kind: type[np.signedinteger] = np.int8 if scale.high < 256 else np.int16
    given = np.frombuffer(found, kind).reshape(expected.shape).astype(np.int64)
    difference = int(np.abs(given - np.rint(expected).astype(np.int64)).max())
    if difference <= 1:
        return "within 1 of torch", ""
    return "wrong", f"{difference} away from torch"


def compare(
    name: str, first: str, sample: Sequence[Options], tool: Path, folder: Path
) -> Iterator[Result]:
    net = NETWORKS[name]
    torch.manual_seed(7)
    lowered = lower(net.make(), net.shapes, first, bits=net.bits)
    if not lowered.delegates:
        yield Result(name, first, "wrong", "nothing was delegated")
    if name in LAYERS:
        yield Result(name, first, *against_torch(tool, folder, lowered))
    for number, (flatbuffer, container) in enumerate(lowered.delegates):
        which = f"{name}, delegate {number}" if len(lowered.delegates) > 1 else name
        delegate = Delegate(flatbuffer)
        yield Result(which, first, *delegate.check(tool, folder, container))
        for options in sample:
            try:
                other = compile_graph(flatbuffer, options, len(delegate.outputs))
            except NotCompiled as error:
                yield Result(which, described(options), "skipped", f"Vela: {error}")
                continue
            yield Result(which, described(options), *delegate.check(tool, folder, other))


def compare_all(
    names: Sequence[str], samples: int, tool: Path, folder: Path, firsts: Sequence[str] = (*FIRST,)
) -> Iterator[Result]:
    """`samples` of the rows for each network, other ones for the next network."""
    every = list(NETWORKS)
    for name in names:
        for first in firsts:
            all_rows = rows(first)
            at = every.index(name) * samples
            sample: list[Options] = [all_rows[(at + k) % len(all_rows)] for k in range(samples)]
            try:
                yield from compare(name, first, sample, tool, folder)
            except Exception as error:
                yield Result(name, first, "wrong", f"{type(error).__name__}: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(description="The Ethos-U model over ExecuTorch's networks.")
    parser.add_argument("network", nargs="*", help=f"of {', '.join(NETWORKS)}; default: each")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--tool", type=Path, default=TOOL)
    arguments = parser.parse_args()
    # For the whole process, which is this script's own: the exporters say much.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    names = arguments.network or list(NETWORKS)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        for result in compare_all(names, arguments.samples, arguments.tool, Path(temporary)):
            print(f"{result.network} ({result.how}): {result.verdict} {result.why}", flush=True)
            counts[result.verdict] += 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    print(f"{len(names)} networks: {told}")
    return 1 if counts["wrong"] or not counts["equal"] else 0


if __name__ == "__main__":
    sys.exit(main())
