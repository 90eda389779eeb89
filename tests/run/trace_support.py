# SPDX-License-Identifier: BSD-3-Clause
"""Traces for tests: recorded from a run, put into a bundle, and programs with seeded faults."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bpte
from bpte.bundle import open_bundle
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.pack.convert import unbundle
from bpte.program import deserialize
from bpte.program._header import parse as parse_header
from bpte.run.instructions import is_wrong
from bpte.run.kept import KeptOutput
from bpte.run.outcome import Outcome
from bpte.run.outputs_file import value_of
from bpte.run.protocol import Transcript
from bpte.run.receiver import OnceReceiver
from bpte.run.records import CaseKey

Traces = dict[CaseKey, list[TraceValue]]


class Said(NamedTuple):
    outcome: Outcome
    transcript: Transcript
    dumped: Mapping[int, KeptOutput]


def say(command: Sequence[str | Path], **environment: str) -> Said:
    """What a runner says; it must be whole, and mean what its exit status does."""
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=120, env=os.environ | environment
    )
    receiver = OnceReceiver()
    receiver.feed(done.stdout, 0.0)
    transcript = receiver.finish()
    assert transcript.complete, (transcript.violation, done.stdout[-2000:], done.stderr)
    assert receiver.lost is None
    assert transcript.outcome == done.returncode
    return Said(Outcome(done.returncode), transcript, receiver.dumped)


def recorded(runner: Path, bundle: Path, engine: str) -> Traces:
    """What the instructions of each case or step give, as an engine on this host computes it."""
    words = (runner, bundle, "--engine", engine, "--trace=record", "--outputs", "once")
    said = say(words)
    transcript = said.transcript
    traces: Traces = {CaseKey.of(case): [] for case in transcript.cases}
    for number, trace in enumerate(transcript.traces):
        at = Instruction(trace.chain, trace.instruction, trace.operation)
        value = value_of(said.dumped[number])
        traces[CaseKey.of(trace)].append(TraceValue(at, trace.output, value))
    return traces


def with_trace(case: bpte.MethodTestCase, key: CaseKey, traces: Traces) -> bpte.MethodTestCase:
    """A case that has its trace, or whose steps have theirs."""
    steps = [with_trace(step, key._replace(step=i), traces) for i, step in enumerate(case.steps)]
    made = bpte.MethodTestCase(
        case.inputs,
        case.expected_outputs,
        name=case.name,
        tolerances=case.tolerances,
        steps=steps,
        carry=case.carry,
        trace=[] if steps else traces[key],
    )
    return made


def traced_bundle(
    path: Path,
    program: object,
    suites: Sequence[bpte.MethodTestSuite],
    traces: Traces,
    names: Sequence[Instruction] = (),
) -> Path:
    """A bundle of these suites, whose cases have these traces, in the order of the suites' names
    that a file has."""
    origin = TracedMethod(TraceOrigin.EXECUTORCH, names)
    made = []
    for number, suite in enumerate(sorted(suites, key=lambda suite: suite.method_name)):
        cases = [
            with_trace(case, CaseKey(number, index), traces)
            for index, case in enumerate(suite.test_cases)
        ]
        made.append(replace(suite, test_cases=cases, traced_method=origin))
    bpte.BundledProgram(program, made).save(path, fit="skip", durable=False)
    return path


def plain_bundle(path: Path, program: Path | bytes, suites: Sequence[bpte.MethodTestSuite]) -> Path:
    bpte.BundledProgram(program, list(suites)).save(path, fit="skip", durable=False)
    return path


def retraced(runner: Path, bundle: Path, path: Path, engine: str) -> Path:
    """The bundle with a trace of each case, as an engine on this host computes it."""
    traces = recorded(runner, bundle, engine)
    with open_bundle(bundle) as opened:
        content = unbundle(opened)
        return traced_bundle(path, content.program, content.method_test_suites, traces)


def traced(runner: Path, bundle: Path, engine: str, *options: str) -> tuple[Outcome, Transcript]:
    """A run of a bundle that has traces."""
    said = say((runner, bundle, "--engine", engine, *options))
    return said.outcome, said.transcript


def wrong_operations(transcript: Transcript) -> list[int]:
    """The operations inside of delegates that were reported as wrong, in their order."""
    found = [trace.operation for trace in transcript.traces if is_wrong(trace)]
    return [operation for operation in found if operation is not None]


def wrong(transcript: Transcript) -> list[int]:
    """The instructions that were reported as wrong, in their order, each once."""
    found = [trace.instruction for trace in transcript.traces if is_wrong(trace)]
    return list(dict.fromkeys(found))


class Flip(NamedTuple):
    """A program with one weight changed, and the instructions that have its tensor."""

    users: list[int]
    program: bytes


def flipped_weights(program: bytes) -> Iterator[Flip]:
    """The program with one weight changed, for each constant tensor of float32 in turn."""
    parsed = deserialize(program)
    found = parse_header(program)
    assert found is not None and parsed.constant_segment is not None
    plan = parsed.execution_plan[0]
    users: dict[int, tuple[int, list[int]]] = {}  # by buffer: elements, and instructions
    for index, instruction in enumerate(plan.chains[0].instructions):
        call: Any = instruction.instr_args
        for argument in getattr(call, "args", ()):
            tensor: Any = plan.values[argument].val
            buffer = getattr(tensor, "data_buffer_idx", 0)
            if buffer and tensor.allocation_info is None and int(tensor.scalar_type) == 6:
                users.setdefault(buffer, (int(np.prod(tensor.sizes)), []))[1].append(index)
    start = found[1].segment_base_offset
    start += parsed.segments[parsed.constant_segment.segment_index].offset
    for buffer, (count, instructions) in sorted(users.items(), key=lambda item: item[1][1]):
        at = start + parsed.constant_segment.offsets[buffer] + 4 * (count // 2)
        (weight,) = struct.unpack_from("<f", program, at)
        changed = bytearray(program)
        struct.pack_into("<f", changed, at, -4.0 * weight - 1.0)
        yield Flip(sorted(set(instructions)), bytes(changed))


#: As wide as the results of two engines may differ.
CLOSE = bpte.Tolerance(rtol=1e-4, atol=1e-5)


def one_case(
    name: str, reference_models: Callable[[str], Any], awkward_models: Path
) -> tuple[Path, list[bpte.MethodTestSuite]]:
    """A model that seeded faults are tried on, with one case: the stateful one's has steps."""
    if name == "stateful_net":
        program = awkward_models / f"{name}.pte"
        with open_bundle(awkward_models / f"{name}.bpte") as bundle:
            steps = [
                bpte.MethodTestCase(step.inputs, step.expected_outputs)
                for step in bundle.suites[0].test_cases[0].steps
            ]
        cases = [bpte.MethodTestCase(steps=steps)]
    else:
        program, values = reference_models(name)
        cases = [bpte.MethodTestCase([x], [y]) for x, y in values[:1]]
    return program, [bpte.MethodTestSuite("forward", cases, tolerances=CLOSE)]


def all_at_once(program: bytes, flips: Sequence[Flip]) -> bytes:
    """The program with what each of these changes; no two change the same weight."""
    right = np.frombuffer(program, np.uint8)
    changed = right.copy()
    for flip in flips:
        changed ^= np.frombuffer(flip.program, np.uint8) ^ right
    return changed.tobytes()
