# SPDX-License-Identifier: BSD-3-Clause
"""The first wrong operation inside of an Ethos-U delegate, by traces of the TOSA reference model:
a network that ExecuTorch lowers, with a bias changed in each convolution in turn."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("ethosu.regor", reason="needs ethos-u-vela, which `make test` installs")
pytest.importorskip("tosa_reference_model", reason="needs tosa-tools, which `make test` installs")
pytest.importorskip(
    "executorch.backends.arm", reason="needs executorch, which `make test` installs"
)

import torch
from lowering import lower
from torch import nn

import bpte
import trace_support as ts
from bpte.cli import main
from bpte.examine.tosa_graph import GraphTensors
from bpte.examine.vela_database import read_tables, stated_ofms
from bpte.pack.tensors import PackError
from bpte.program import inspect
from bpte.program.ethosu import read_container
from bpte.program.ethosu.registers import Narrow, Op, Wide
from bpte.program.ethosu.stream import CommandStream
from bpte.run.outcome import Outcome, Verdict
from bpte.run.protocol_keys import Output

ROOT = Path(__file__).parents[3]
TARGETS = ("ethos-u55-128", "ethos-u85-256")
_SCALE_BASE, _DMA0_SRC, _DMA0_DST = 0x22, 0x30, 0x31
_SHAPE = (1, 3, 12, 12)


class Net(nn.Module):
    """Convolutions in a row and side by side, a table, a sum, a product with a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 12, 3, stride=2)
        self.third = nn.Conv2d(12, 12, 1)
        self.last = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x))))
        x = x + torch.sigmoid(self.third(x))
        return self.last(x.mean((2, 3)))  # type: ignore[no-any-return]


class Traced(NamedTuple):
    program: bytes
    artifacts: Path
    tracer: bpte.NpuTracer
    suites: list[bpte.MethodTestSuite]
    traces: ts.Traces


@pytest.fixture(scope="module", params=TARGETS)
def traced(
    request: pytest.FixtureRequest, bpte_runner: Path, tmp_path_factory: pytest.TempPathFactory
) -> Traced:
    folder = tmp_path_factory.mktemp("npu")
    torch.manual_seed(7)
    program = lower(Net(), [_SHAPE], request.param, artifacts=folder).program
    x = np.random.default_rng(5).standard_normal(_SHAPE, np.float32)
    suites = [bpte.MethodTestSuite("forward", [bpte.MethodTestCase([x])])]
    ts.plain_bundle(folder / "plain.bpte", program, suites)
    ((key, values),) = ts.recorded(bpte_runner, folder / "plain.bpte", "reference").items()
    # The instruction before the delegate quantises, the one behind it dequantises.
    quantised, result = (
        next(entry.value for entry in values if entry.instruction.order == (0, index, -1))
        for index in (0, 2)
    )
    tracer = bpte.NpuTracer(program, folder)
    suites[0].test_cases[0].expected_outputs = [result]
    traces = {key: tracer.trace([quantised.array()])}
    return Traced(program, folder, tracer, suites, traces)


def bundle(traced: Traced, path: Path, program: bytes) -> Path:
    names = traced.tracer.traced_method.instructions
    return ts.traced_bundle(path, program, traced.suites, traced.traces, names)


def changed_biases(program: bytes) -> Iterator[tuple[int, bytes]]:
    """For each convolution of the delegate: its command, and the program with another bias of its
    first channel."""
    (info,) = inspect(program).methods[0].delegates
    container = read_container(program[info.offset : info.offset + info.size])
    weights = program.index(bytes(container.weights), info.offset)
    stream = CommandStream(container.commands)
    copies: list[tuple[int, int, int]] = []  # of weights into the scratch memory: from, to, bytes
    for command in stream.operations():
        wide = stream.registers.wide
        if command.op is Op.DMA_START:
            copies.append((wide[_DMA0_SRC], wide[_DMA0_DST], wide[Wide.DMA0_LEN]))
        if command.op in (Op.CONV, Op.DEPTHWISE):
            at = weights + wide[_SCALE_BASE]
            if stream.registers.get(Narrow.SCALE_REGION) != 0:
                source, target, _ = next(
                    each
                    for each in reversed(copies)
                    if each[1] <= wide[_SCALE_BASE] < each[1] + each[2]
                )
                at += source - target
            changed = bytearray(program)
            (bias,) = struct.unpack_from("<i", program, at)
            struct.pack_into("<i", changed, at, bias + 3000)
            yield command.number, bytes(changed)


def test_the_model_gives_what_the_reference_model_gives(
    traced: Traced, bpte_runner: Path, tmp_path: Path
) -> None:
    (entries,) = traced.traces.values()
    assert len(entries) == len(traced.tracer.tensors) >= 8
    path = bundle(traced, tmp_path / "right.bpte", traced.program)
    outcome, transcript = ts.traced(bpte_runner, path, "reference", "--trace=all")
    (case,) = transcript.cases
    assert outcome is Outcome.PASSED and case.trace is not None
    assert (case.trace.compared, case.trace.wrong, case.trace.missed) == (len(entries), 0, 0)
    assert case.trace.executed == 3  # operations are no instructions
    assert {each.operation: each.node for each in transcript.traces} == traced.tracer.tensors
    assert {each.kind for each in transcript.traces} == {"operation"}


def test_an_engine_that_shows_no_operations_says_so(
    traced: Traced, bpte_runner: Path, tmp_path: Path
) -> None:
    (entries,) = traced.traces.values()
    path = bundle(traced, tmp_path / "right.bpte", traced.program)
    outcome, transcript = ts.traced(bpte_runner, path, "executorch", "--trace=strict")
    (case,) = transcript.cases
    assert outcome is Outcome.PASSED and case.trace is not None
    assert (case.trace.compared, case.trace.missed, case.trace.unseen) == (0, 0, len(entries))


def test_a_changed_bias_is_found_where_it_is(
    traced: Traced, bpte_runner: Path, tmp_path: Path
) -> None:
    tried = 0
    for command, program in changed_biases(traced.program):
        if command not in traced.tracer.tensors:
            continue
        tried += 1
        path = bundle(traced, tmp_path / "wrong.bpte", program)
        outcome, free = ts.traced(bpte_runner, path, "reference", "--trace")
        assert ts.wrong_operations(free) == [command]
        assert free.traces[0].node == traced.tracer.tensors[command]
        assert ts.traced(bpte_runner, path, "reference", "--trace=strict")[0] is Outcome.MISMATCH
        # Put right, it spoils nothing: what follows had wrong inputs before, and is right now.
        spoilt = ts.wrong_operations(ts.traced(bpte_runner, path, "reference", "--trace=all")[1])
        assert len(spoilt) > 1 or command == max(traced.tracer.tensors)
        outcome, alone = ts.traced(bpte_runner, path, "reference", "--trace=all", "--isolate")
        assert outcome is Outcome.MISMATCH
        assert ts.wrong_operations(alone) == [command]
    assert tried >= 3


def test_a_value_that_lies_is_found_at_each_operation(
    traced: Traced, bpte_runner: Path, tmp_path: Path
) -> None:
    """Where an operation gives another element than the trace has, it is that operation."""
    ((key, entries),) = traced.traces.items()
    for number, entry in enumerate(entries):
        value = np.array(entry.value)
        value.flat[-1] ^= 1
        lying = [*entries[:number], entry._replace(value=value), *entries[number + 1 :]]
        names = traced.tracer.traced_method.instructions
        path = ts.traced_bundle(
            tmp_path / "lie.bpte", traced.program, traced.suites, {key: lying}, names
        )
        _, transcript = ts.traced(bpte_runner, path, "reference", "--trace=all")
        assert ts.wrong_operations(transcript) == [entry.instruction.operation]
        (result,) = filter(is_failure, (each.result for each in transcript.traces))
        assert result is not None and result.mismatches == 1 and result.first is not None
        assert result.first.index == tuple(size - 1 for size in value.shape)


def is_failure(result: Output | None) -> bool:
    return result is not None and result.verdict is Verdict.FAIL


def test_the_command_names_the_operation(
    traced: Traced, bpte_runner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, program = next(
        each for each in changed_biases(traced.program) if each[0] in traced.tracer.tensors
    )
    path = str(bundle(traced, tmp_path / "wrong.bpte", program))
    words = ["run", path, "--elf", str(bpte_runner), "--trace"]
    assert main([*words, "--engine", "reference"]) == Outcome.MISMATCH
    said = " ".join(capsys.readouterr().out.split())
    tensor = traced.tracer.tensors[command]
    assert f"first wrong: instruction 1, operation {command}, NPU_OP_CONV ({tensor}), " in said
    none = tmp_path / "none.bpte"
    words_of_reduce = ["reduce", path, "--elf", str(bpte_runner), "-o", str(none)]
    assert main([*words_of_reduce, "--engine", "reference"]) == Outcome.INFRASTRUCTURE
    said = " ".join(capsys.readouterr().err.split())
    assert f"a delegate cannot be cut out: instruction 1, operation {command}" in said
    assert not none.exists()
    assert main([*words, "--engine", "executorch"]) == Outcome.MISMATCH
    said = " ".join(capsys.readouterr().out.split())
    count = len(traced.tracer.tensors)
    assert f"{count} values inside of delegates were not compared: this engine does not" in said
    assert "first wrong" not in said


def test_what_is_no_trace_of_this_program(traced: Traced, tmp_path: Path) -> None:
    other = next(program for _, program in changed_biases(traced.program))
    bpte.NpuTracer(other, traced.artifacts)  # other weights, by the same commands
    with pytest.raises(PackError, match="no delegate of the program was made from"):
        bpte.NpuTracer(ROOT / "tests/fixtures/cortex_m/ethos_u55.pte", traced.artifacts)
    with pytest.raises(PackError, match="no such method"):
        bpte.NpuTracer(traced.program, traced.artifacts, "backward")
    with pytest.raises(FileNotFoundError):
        bpte.NpuTracer(traced.program, tmp_path)
    stream = tmp_path / "output" / "out_vela.npz"
    stream.parent.mkdir()
    whole = (traced.artifacts / "output" / stream.name).read_bytes()
    for spoilt in (b"", whole[:-10], b"no archive"):
        stream.write_bytes(spoilt)
        with pytest.raises(PackError, match=r"out_vela\.npz is not what Vela writes"):
            bpte.NpuTracer(traced.program, tmp_path)
    with pytest.raises(PackError, match=r"input 0: float32\[1\], the graph's is int8\["):
        traced.tracer.trace([np.zeros(1, np.float32)])
    with pytest.raises(PackError, match="0 inputs, the graph has 1"):
        traced.tracer.trace([])


def test_a_graph_and_a_database_that_are_none() -> None:
    with pytest.raises(PackError, match="not a TOSA graph"):
        GraphTensors(b"\0" * 64)
    with pytest.raises(PackError, match="the TOSA graph cannot be read"):
        GraphTensors(b"\x10\0\0\0TOSA")
    with pytest.raises(PackError, match="not a debug database"):
        stated_ofms(read_tables("<debug></debug>"))
    table = '<table name="{}">\n<![CDATA[\n{}\n]]>\n</table>\n'
    text = table.format("perf", '"id","name"\n3,"a"\n4,"b"\n5,"c"')
    text += table.format("queue", '"offset","scheduled_id"\n8,3\n40,4\n40,5')
    assert stated_ofms(read_tables(text)) == {8: "a"}  # one of b and c came to nothing
