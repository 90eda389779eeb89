# SPDX-License-Identifier: BSD-3-Clause
"""The list of a program's instructions, over many programs: held against ExecuTorch's own
dataclasses, and what they read and write against the operators' schemas."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bpte.cli import main
from bpte.program import (
    MethodInstructions,
    ProgramError,
    _codec,
    deserialize_pte,
    instructions,
    serialize_pte,
)
from bpte.program._codec import Binding

TESTS = Path(__file__).parents[1]
FIXTURES = TESTS / "fixtures" / "program"
KINDS = {
    "KernelCall": "kernel",
    "DelegateCall": "delegate",
    "MoveCall": "move",
    "JumpFalseCall": "jump",
    "FreeCall": "free",
}


@pytest.fixture(scope="module")
def programs(example_models: Path, awkward_models: Path) -> list[Path]:
    """All programs that the tests have as files."""
    found = [*FIXTURES.glob("*.pte"), *(TESTS / "fuzz" / "corpus").rglob("*.pte")]
    found += [*example_models.glob("*.pte"), *awkward_models.glob("*.pte")]
    assert len(found) > 90
    return sorted(found)


def listing(name: str) -> MethodInstructions:
    (method,) = instructions(FIXTURES / f"{name}.pte")
    return method


def plans(path: Path) -> Iterator[tuple[Any, MethodInstructions]]:
    """Each method as executorch's dataclasses have it, and its list."""
    program = deserialize_pte(path).program
    yield from zip(program.execution_plan, instructions(path), strict=True)


def test_as_the_dataclasses_have_it(executorch: Binding, programs: list[Path]) -> None:
    seen = set()
    for path in programs:
        for plan, method in plans(path):
            assert method.name == plan.name
            assert (list(method.inputs), list(method.outputs)) == (plan.inputs, plan.outputs)
            assert len(method.values) == len(plan.values)
            flat = [
                (c, i, instruction.instr_args)
                for c, chain in enumerate(plan.chains)
                for i, instruction in enumerate(chain.instructions)
            ]
            for (chain, index, arguments), each in zip(flat, method.instructions, strict=True):
                kind = type(arguments).__name__
                seen.add(kind)
                assert (each.chain, each.index, each.kind) == (chain, index, KINDS[kind])
                assert method.at(chain, index) is each
                if kind == "KernelCall":
                    operator = plan.operators[arguments.op_index]
                    name = ".".join(filter(None, (operator.name, operator.overload)))
                    assert (each.operator, list(each.arguments)) == (name, arguments.args)
                elif kind == "DelegateCall":
                    assert each.backend == plan.delegates[arguments.delegate_index].id
                    assert list(each.arguments) == arguments.args
                elif kind == "MoveCall":
                    assert each.reads == (arguments.move_from,)
                    assert each.writes == (arguments.move_to,)
                elif kind == "JumpFalseCall":
                    assert each.reads == (arguments.cond_value_index,)
                    assert each.destination == arguments.destination_instruction
    assert seen >= {"KernelCall", "DelegateCall", "MoveCall", "JumpFalseCall"}


def schema(name: str) -> Any:
    """An operator's schema as torch has it; None for those that only the runtime has."""
    import torch

    namespace, _, rest = name.partition("::")
    base, _, overload = rest.partition(".")
    try:
        packet = getattr(getattr(torch.ops, namespace), base)
        return getattr(packet, overload or "default")._schema
    except AttributeError:
        return None


def test_what_is_written_is_what_the_schema_says(executorch: Binding, programs: list[Path]) -> None:
    importlib.import_module("executorch.kernels.quantized")
    importlib.import_module("executorch.exir.passes._quant_patterns_and_replacements")
    checked = set()
    for path in programs:
        for plan, method in plans(path):
            for each in method.instructions:
                stated = schema(each.operator) if each.operator else None
                if stated is None:
                    continue
                written = []
                for argument, index in zip(stated.arguments, each.arguments, strict=False):
                    alias = argument.alias_info
                    if argument.is_out or (alias is not None and alias.is_write):
                        items = getattr(plan.values[index].val, "items", [index])
                        written += items
                if any(argument.is_out for argument in stated.arguments) or written:
                    assert list(each.writes) == written, (path, each)
                    checked.add(each.operator)
                outs = {
                    i for i, a in zip(each.arguments, stated.arguments, strict=False) if a.is_out
                }
                assert set(each.reads) == set(each.arguments[: len(stated.arguments)]) - outs
    assert len(checked) > 60, sorted(checked)


def test_a_delegate_writes_what_has_no_value_yet() -> None:
    forward = next(m for m in instructions(FIXTURES / "methods.pte") if m.name == "forward")
    (call,) = (each for each in forward.instructions if each.kind == "delegate")
    # The state comes first, then what the delegate gives for it.
    assert forward.values[call.reads[0]].role == "state"
    assert [forward.values[i].info.sizes for i in call.writes] == [(1,), (2, 4)]
    assert forward.values[call.writes[1]].is_output
    assert set(call.reads) | set(call.writes) == set(call.arguments)


def test_every_output_is_written_or_there(executorch: Binding, programs: list[Path]) -> None:
    for path in programs:
        for method in instructions(path):
            written = {index for each in method.instructions for index in each.writes}
            for index in method.outputs:
                value = method.values[index]
                there = value.role in ("input", "constant", "state") or value.info.kind != "tensor"
                assert value.is_output and (index in written or there), (path, index)


def test_no_two_living_values_share_memory(executorch: Binding, programs: list[Path]) -> None:
    """The memory planner gives a place again when its value is not needed any more: where two
    values overlap in memory, their lives do not. (An operator may write over what it reads, and
    the outputs that nothing reads may share a place.)"""
    pairs = 0
    for path in programs:
        for method in instructions(path):
            if any(each.operator and "view" in each.operator for each in method.instructions):
                continue  # two values in one place, on purpose
            at = {(each.chain, each.index): n for n, each in enumerate(method.instructions)}
            spans = []
            for value in method.values:
                if value.info.memory is None or not value.info.nbytes:
                    continue
                first = -1 if value.first is None else at[value.first]
                last = len(at) if value.last is None else at[value.last]
                number, offset = value.info.memory
                spans.append((number, offset, offset + value.info.nbytes, first, last))
            for i, (number, low, high, first, last) in enumerate(spans):
                for other, low2, high2, first2, last2 in spans[:i]:
                    if number == other and low < high2 and low2 < high:
                        pairs += 1
                        assert first >= last2 or first2 >= last, (path, spans)
    assert pairs > 20


def test_a_loop_keeps_what_it_needs() -> None:
    method = listing("dynamic")
    names = [each.name for each in method.instructions]
    assert names[3] == "jump" and method.instructions[3].destination == 7
    scaled = method.instructions[0].writes[0]
    assert method.values[scaled].last == (0, 7)  # in the branch that is not taken, too


class Mapped:
    """A module with a loop, exported where torch is there."""

    @staticmethod
    def program() -> Any:
        import torch
        from executorch.exir import to_edge
        from functorch.experimental.control_flow import map as loop
        from torch.export import export

        class Module(torch.nn.Module):
            def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
                scale = y * 2
                return loop(lambda row, s: row * s, x, scale)

        inputs = torch.ones(4, 3), torch.ones(3)
        return to_edge(export(Module(), inputs)).to_executorch()


@pytest.fixture(scope="module")
def mapped(executorch: Binding) -> MethodInstructions:
    (method,) = instructions(Mapped.program().buffer)
    return method


def test_a_loop(mapped: MethodInstructions) -> None:
    jump = next(each for each in mapped.instructions if each.kind == "jump")
    assert jump.destination is not None and jump.destination < jump.index
    (copy,) = (
        e for e in mapped.instructions if e.operator == "executorch_prim::et_copy_index.tensor"
    )
    assert mapped.values[copy.writes[0]].is_output  # its first argument, not its last
    assert mapped.values[copy.reads[-1]].info.kind == "int"
    product = next(
        each
        for each in mapped.instructions
        if each.operator == "aten::mul.out" and jump.destination < each.index < jump.index
    )
    scale = max(product.reads, key=lambda index: mapped.values[index].last or (0, 0))
    assert mapped.values[scale].info.sizes == (3,)
    assert mapped.values[scale].first < (0, jump.destination)
    assert mapped.values[scale].last == (jump.chain, jump.index)  # each turn reads it again
    assert mapped.values[product.writes[0]].last == (copy.chain, copy.index)


def test_needs_neither_torch_nor_executorch() -> None:
    code = (
        "import sys; from bpte.program import instructions;"
        f"instructions({str(FIXTURES / 'mlp.pte')!r});"
        "assert not {'torch', 'executorch', 'numpy'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lists_that_many_share_are_refused(executorch: Binding) -> None:
    """A small file cannot make a long answer."""
    pte = deserialize_pte(FIXTURES / "mlp.pte")
    schema = importlib.import_module("executorch.exir.schema")
    plan = pte.program.execution_plan[0]
    count = len(plan.values)
    plan.values += [plan.values[18]] * 10_000
    plan.values.append(schema.EValue(schema.TensorList(list(range(count, count + 10_000)))))
    call = plan.chains[0].instructions[0].instr_args
    call.args = [*call.args[:-1], len(plan.values) - 1]
    plan.chains[0].instructions *= 1_000
    data = bytes(serialize_pte(pte))
    with pytest.raises(ProgramError, match="more values than the file can describe"):
        instructions(data)


def test_loops_without_end_are_refused(executorch: Binding) -> None:
    pte = deserialize_pte(FIXTURES / "dynamic.pte")
    schema = importlib.import_module("executorch.exir.schema")
    plan = pte.program.execution_plan[0]
    count = len(plan.values)
    plan.values += [plan.values[17]] * 5000
    reads_all = schema.KernelCall(0, list(range(count, count + 5000)))
    plan.chains[0].instructions.append(schema.Instruction(reads_all))
    jump = schema.Instruction(schema.JumpFalseCall(17, 0))
    plan.chains[0].instructions += [jump] * 10_000
    with pytest.raises(ProgramError, match="loops over"):
        instructions(bytes(serialize_pte(pte)))


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["inspect", *map(str, words), "--instructions"])
    out, err = capsys.readouterr()
    return code, out, err


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = printed(capsys, FIXTURES / "mlp.pte")
    assert (code, err) == (0, "")
    assert "method forward, 5 instructions, 20 values" in out
    assert "    1  aten::addmm.out\n" in out
    assert "v8 int_list [1, 0]\n" in out  # the numbers, which are values of their own in the file
    assert "v9 float32[2, 16], memory 1 from 512 to 640, lives from 1 to 2\n" in out
    assert "v17 float32[2, 4], output, memory 1 from 512 to 544, lives from 4 to the end" in out
    assert "v4 float32[2, 8], input, memory 1 from 640 to 704, lives from the start to 1" in out


def test_json_has_what_the_list_has(
    capsys: pytest.CaptureFixture[str], executorch: Binding, programs: list[Path]
) -> None:
    for path in programs[::7]:
        code, out, _ = printed(capsys, path, "--json")
        assert code == 0
        for method, found in zip(instructions(path), json.loads(out)["methods"], strict=True):
            assert found["name"] == method.name
            for each, facts in zip(method.instructions, found["instructions"], strict=True):
                assert (facts["chain"], facts["index"]) == (each.chain, each.index)
                assert tuple(facts["reads"]) == each.reads
                assert tuple(facts["writes"]) == each.writes
                assert facts["operator"] == each.operator
                assert facts["source"] is None  # a .pte does not say it
            for value, facts in zip(method.values, found["values"], strict=True):
                assert facts["kind"] == value.info.kind
                if value.info.memory is not None:
                    place = {"id": value.info.memory[0], "offset": value.info.memory[1]}
                    assert facts["memory"] == place
                assert facts["last"] == (None if value.last is None else list(value.last))


def test_of_a_bundle_with_what_its_traces_say(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import numpy as np

    import bpte
    from bpte.format.trace import Instruction, TracedMethod, TraceOrigin

    known = Instruction(0, 1, None, "aten::addmm.out", "addmm", "first", "model.py:41\x1b[2J")
    suite = bpte.MethodTestSuite(
        "forward",
        [bpte.MethodTestCase([np.ones((2, 8), np.float32)])],
        traced_method=TracedMethod(TraceOrigin.EAGER, [known]),
    )
    path = tmp_path / "m.bpte"
    bpte.BundledProgram(FIXTURES / "mlp.pte", [suite]).save(path)
    code, out, _ = printed(capsys, path)
    assert code == 0
    assert "    1  aten::addmm.out (first, model.py:41\\x1b[2J)\n" in out
    _, out, _ = printed(capsys, path, "--json")
    (method,) = json.loads(out)["methods"]
    assert method["instructions"][1]["module_path"] == "first"
    assert method["instructions"][0]["module_path"] is None


def test_damage_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "mlp.pte").read_bytes())
    at = data.index(b"aten::relu")
    data[at - 4 : at] = (2**31).to_bytes(4, "little")
    path = tmp_path / "damaged.pte"
    path.write_bytes(data)
    code, out, err = printed(capsys, path)
    assert (code, out) == (3, "")
    assert err.startswith(f"bpte inspect: {path}: execution_plan[0].operators[")
    _, out, _ = printed(capsys, path, "--json")
    assert json.loads(out)["ok"] is False


@pytest.mark.parametrize("name", ["mlp", "dynamic", "methods"])
def test_whatever_the_damage(name: str) -> None:
    import random

    data = (FIXTURES / f"{name}.pte").read_bytes()
    size = _program_size(data)
    choice = random.Random(name)
    read = 0
    for _ in range(400):
        damaged = bytearray(data)
        damaged[choice.randrange(size)] = choice.choice((0, 1, 0x7F, 0xFF, choice.randrange(256)))
        try:
            instructions(damaged)
            read += 1
        except ProgramError:
            pass
    assert read > 40


def _program_size(data: bytes) -> int:
    from bpte.program import inspect

    return inspect(data).program_size


def test_native_and_pure_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    if not _codec.native_available():
        pytest.skip("the native accelerator is not built")
    fast = [instructions(path) for path in sorted(FIXTURES.glob("*.pte"))]
    monkeypatch.setattr(_codec, "_NATIVE", None)
    assert [instructions(path) for path in sorted(FIXTURES.glob("*.pte"))] == fast
    assert sys.modules["bpte.program._reader"]
