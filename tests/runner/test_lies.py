# SPDX-License-Identifier: BSD-3-Clause
"""A kernel that lies by one element, at each instruction in turn: it is named, and no other is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import trace_support as ts
from bpte.run.outcome import Outcome
from bpte.run.protocol import Transcript
from bpte.run.receiver import OnceReceiver

#: By ExecuTorch: optimised kernels, int8 between quantising and dequantising, delegates of
#: XNNPACK, sizes below their bounds, jumps, loops, state, two methods.
BY_EXECUTORCH = [
    "examples/cnn_channels_last", "examples/int8_quantized", "examples/xnnpack",
    "examples/dynamic_batch", "examples/two_methods", "runner-models/control_flow",
    "runner-models/loop", "runner-models/recurrent", "runner-models/stateful_net",
]  # fmt: skip
BY_REFERENCE = ["convnet", "encoder", "mobilenet", "stateful_net"]

Place = tuple[int, int]


class Lied(NamedTuple):
    """A run: where a lie was told, and what the records say."""

    places: set[Place]
    transcript: Transcript


def lie(tool: Path, bundle: Path, engine: str, runs: Sequence[str]) -> list[Lied]:
    """What becomes of each of these runs."""
    words = [tool, bundle, engine, *runs]
    done = subprocess.run(words, capture_output=True, check=True, timeout=300)
    found, places, piece = [], set(), b""
    for line in done.stdout.splitlines(keepends=True):
        if told := re.fullmatch(rb"lies (\d+) (\d+)\n", line):
            places.add((int(told[1]), int(told[2])))
            continue
        piece += line
        if line.startswith(b'#bpte {"event":"end"'):
            receiver = OnceReceiver()
            receiver.feed(piece, 0.0)
            transcript = receiver.finish()
            assert transcript.complete, (transcript.violation, piece[-2000:])
            found.append(Lied(places, transcript))
            places, piece = set(), b""
    assert len(found) == len(runs) and not piece and not places
    return found


def wrong(transcript: Transcript) -> set[Place]:
    return {(t.chain, t.instruction) for t in transcript.traces if ts.is_wrong(t)}


def check_each_lie(tool: Path, bundle: Path, engine: str) -> int:
    """How many instructions lied, one at a time."""
    (truth,) = lie(tool, bundle, engine, ["free:999999999"])
    assert truth.transcript.outcome is Outcome.PASSED and not truth.transcript.traces
    summaries = [case.trace for case in truth.transcript.cases]
    count = max(summary.executed for summary in summaries if summary is not None)
    freely = lie(tool, bundle, engine, [f"free:{k}" for k in range(count)])
    alone = lie(tool, bundle, engine, [f"alone:{k}" for k in range(count)])
    liars = []
    for k in range(count):
        assert freely[k].places == alone[k].places
        if not alone[k].places:  # a jump, a free, a scalar, a view of a constant
            assert not wrong(alone[k].transcript)
            continue
        liars.append(k)
        assert wrong(alone[k].transcript) == alone[k].places
        first = freely[k].transcript.traces[0]
        assert {(first.chain, first.instruction)} <= freely[k].places and first.before == "right"
    if len(liars) >= 3:
        three = (liars[0], liars[len(liars) // 2], liars[-1])
        (at_once,) = lie(tool, bundle, engine, ["alone:" + ",".join(map(str, three))])
        assert wrong(at_once.transcript) == set().union(*(alone[k].places for k in three))
    return len(liars)


@pytest.mark.parametrize("name", BY_EXECUTORCH)
def test_by_executorch(
    name: str,
    example_models: Path,
    awkward_models: Path,
    bpte_runner: Path,
    cpp_tool: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    path = tmp_path / f"{Path(name).name}.bpte"
    ts.retraced(bpte_runner, example_models.parent / f"{name}.bpte", path, "executorch")
    assert check_each_lie(cpp_tool("lying_tool"), path, "executorch") > 0


@pytest.mark.parametrize("name", BY_REFERENCE)
def test_by_the_reference_engine(
    name: str,
    reference_models: Any,
    awkward_models: Path,
    bpte_runner: Path,
    cpp_tool: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Held against what ExecuTorch gave."""
    program, suites = ts.one_case(name, reference_models, awkward_models)
    plain = ts.plain_bundle(tmp_path / "plain.bpte", program, suites)
    traces = ts.recorded(bpte_runner, plain, "executorch")
    path = ts.traced_bundle(tmp_path / f"{name}.bpte", program, suites, traces)
    assert check_each_lie(cpp_tool("lying_tool"), path, "reference") > 5
