# SPDX-License-Identifier: BSD-3-Clause
"""`bpte reduce`: instructions cut out of their programs, by the real runner."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import bpte
import trace_support as ts
from bpte.cli import main
from bpte.examine import reduce as reducing
from bpte.examine.reproducer import Source
from bpte.pack.convert import unbundle
from bpte.program import CutError, cut, deserialize_pte, inspect, instruction_needs, instructions
from bpte.run import launcher
from bpte.run.outcome import State
from bpte.run.request import Request

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "examples" / "demo" / "mlp.pte"


def metadata(path: str | Path) -> Mapping[str, str]:
    with bpte.open(path) as bundle:
        return bundle.metadata


def allowed(path: Path, place: str, reduced: Path) -> int:
    """How large the bundle of an instruction may be: its constants and values, and 4 KB."""
    with bpte.open(path) as bundle, bpte.open(reduced) as alone:
        listed = instructions(bundle.program)[0]
        chain, _, index = place.partition(":")
        each = listed.at(int(chain), int(index))
        size = 4096
        if each.delegate is not None:
            size += inspect(bundle.program).methods[0].delegates[each.delegate].size
            named = deserialize_pte(alone.program).named_data  # its weights
            size += 0 if named is None else sum(map(len, named.buffers))
        size += sum(
            listed.values[i].info.nbytes or 0
            for i in set(each.reads)
            if listed.values[i].role == "constant"
        )
        (case,) = alone.suites[0].test_cases
        for value in (*case.info.inputs, *case.info.expected_outputs):
            size += getattr(value, "size", 8)
        return size


# --- Each instruction alone -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "examples/cnn_channels_last", "examples/int8_quantized", "examples/xnnpack",
        "examples/dynamic_batch", "runner-models/stateful_net", "runner-models/recurrent",
        "runner-models/control_flow", "runner-models/loop",
    ],
)  # fmt: skip
def test_each_instruction_gives_alone_what_it_gave(
    name: str, here: Path, example_models: Path, awkward_models: Path
) -> None:
    assert check_each(example_models.parent / f"{name}.bpte") >= 2


def test_an_ethos_u_delegate_gives_alone_what_it_gave(here: Path, ethosu_bundle: Path) -> None:
    assert check_each(ethosu_bundle) >= 1


def check_each(bundle: Path) -> int:
    """Cuts each instruction out as it ran the second time, or the only time, in the last execution
    of the first case, and runs it: it gives the same bits. How many there were."""
    bpte.record(None, "m.bpte", source=bundle, trace=True)
    given = reducing._given(reducing._recorded(Request(Path("m.bpte"), case=0), None))
    key = max(key for key in given if key.suite == 0)
    tried = 0
    with bpte.open("m.bpte") as opened:
        source = Source(opened, opened.suites[0].method_name)
        for each in source.method.instructions:
            times = reducing.replay.calls(given[key], reducing.replay.place_of)
            count = sum(call[0].instruction.index == each.index for call in times)
            # Of a list that grows, the instruction reads what it has written before.
            grows = (each.operator or "").startswith("executorch_prim::et_copy_index")
            if each.kind not in ("kernel", "delegate") or not count or grows:
                continue
            place = {"chain": each.chain, "instruction": each.index}
            trace = reducing.Trace(**key._asdict(), **place, output=0, kind=each.kind)
            found = reducing._Found(trace, min(count - 1, 1), {})
            moment = reducing._moment(source, opened, found, given)
            assert source.untraced(*found.place, moment) == []
            exact = dict.fromkeys(moment.gives, bpte.Tolerance(0, 0))
            made = source.alone(*found.place, moment, exact, {})
            made.save("alone.bpte", alignment=128, durable=False)
            run = launcher.run(Request(Path("alone.bpte")))
            assert run.state is State.PASSED, (each, run.message)
            assert Path("alone.bpte").stat().st_size <= allowed(
                Path("m.bpte"), f"{each.chain}:{each.index}", Path("alone.bpte")
            )
            tried += 1
    return tried


def test_what_is_no_call_cannot_be_cut_out(awkward_models: Path) -> None:
    data = (awkward_models / "control_flow.pte").read_bytes()
    pte = deserialize_pte(data)
    (method,) = instructions(data)
    jump = next(each for each in method.instructions if each.kind == "jump")
    with pytest.raises(CutError, match="is a JumpFalseCall: not a call"):
        instruction_needs(pte.program, "forward", jump.chain, jump.index)
    with pytest.raises(CutError, match="no method 'backward'"):
        instruction_needs(pte.program, "backward", 0, 0)
    with pytest.raises(CutError, match="there is no instruction 99 in chain 0"):
        instruction_needs(pte.program, "forward", 0, 99)
    with pytest.raises(CutError, match="sizes of its value"):
        cut(pte, "forward", 0, 0, {}, {})


# --- Faults of the program ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "engine"),
    [("convnet", "executorch"), ("encoder", "reference"), ("stateful_net", "executorch")],
)
def test_a_wrong_weight(
    name: str,
    engine: str,
    reference_models: Any,
    awkward_models: Path,
    bpte_runner: Path,
    here: Path,
) -> None:
    """One weight changed: the instruction that has it is cut out, and fails as in its program."""
    program, suites = ts.one_case(name, reference_models, awkward_models)
    plain = ts.plain_bundle(here / "plain.bpte", program, suites)
    traces = ts.recorded(bpte_runner, plain, "executorch")
    red = 0
    every = list(ts.flipped_weights(program.read_bytes()))
    for flip in every[:: max(1, len(every) // 4)]:
        path = ts.traced_bundle(here / "wrong.bpte", flip.program, suites, traces)
        request = Request(path, engine=engine, trace_rtol=1e-4, trace_atol=1e-5)
        try:
            reduced = reducing.reduce(request, "reduced.bpte")
        except reducing.ReduceError as error:
            assert "no instruction is wrong by itself" in str(error)  # it changes nothing
            continue
        red += 1
        assert reduced.fault == "program"
        about = metadata("reduced.bpte")
        assert about["reduced.instruction"] == f"0:{flip.users[0]}"
        for again in ("executorch", "reference"):
            run = launcher.run(Request(Path("reduced.bpte"), engine=again))
            assert run.state is State.MISMATCH
        size = reduced.saved.file_size
        assert size <= allowed(path, about["reduced.instruction"], Path("reduced.bpte")), size
    assert red >= 2


def test_a_fault_that_the_trace_has_a_gap_for(
    reference_models: Any,
    awkward_models: Path,
    bpte_runner: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is wrong first is not at fault, but was given something wrong: that is not hidden."""
    program, suites = ts.one_case("convnet", reference_models, awkward_models)
    plain = ts.plain_bundle(here / "plain.bpte", program, suites)
    traces = ts.recorded(bpte_runner, plain, "executorch")
    flip = next(ts.flipped_weights(program.read_bytes()))
    for key, entries in traces.items():
        traces[key] = [e for e in entries if e.instruction.index != flip.users[0]]
    path = ts.traced_bundle(here / "wrong.bpte", flip.program, suites, traces)
    assert main(["reduce", str(path), "-o", "reduced.bpte"]) == 0
    assert f"instruction {flip.users[0]} should give" in capsys.readouterr().out
    assert metadata("reduced.bpte")["reduced.untraced"] == f"0:{flip.users[0]}"


def test_a_wrong_delegate(here: Path, example_models: Path, bpte_runner: Path) -> None:
    """It is cut out whole, with the weights that its data names."""
    bundle = example_models / "xnnpack.bpte"
    traces = ts.recorded(bpte_runner, bundle, "executorch")
    with bpte.open(bundle) as opened:
        program = bytearray(opened.program)
        about = inspect(bytes(program))
        delegate = about.methods[0].delegates[0]
        assert delegate.segment is not None
        base = delegate.offset - about.segments[delegate.segment].offset
        for segment in about.segments:
            if segment.use == "named data":
                at = base + segment.offset + segment.size // 2 // 4 * 4
                struct.pack_into("<f", program, at, 50.0)
        suites = unbundle(opened).method_test_suites
        path = ts.traced_bundle(here / "m.bpte", bytes(program), suites, traces)
    reduced = reducing.reduce(Request(path), "reduced.bpte")
    assert reduced.fault == "program" and "XnnpackBackend" in reduced.instruction
    assert launcher.run(Request(Path("reduced.bpte"))).state is State.MISMATCH
    place = metadata("reduced.bpte")["reduced.instruction"]
    assert reduced.saved.file_size <= allowed(path, place, Path("reduced.bpte"))


# --- Faults of the target -------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lying_target(tmp_path_factory: pytest.TempPathFactory, bpte_runner: Path) -> Path:
    """The host's runner with a wrong mathematical library: its exponential is half too large."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a wrong library needs a C compiler")
    folder = tmp_path_factory.mktemp("lying")
    source = folder / "wrong.c"
    source.write_text(
        "#include <dlfcn.h>\n"
        "float expf(float x) { return x < -0.5f ? 0.5f : 1.0f + x; }\n"
        "double exp(double x) { return x < -0.5 ? 0.5 : 1.0 + x; }\n"
    )
    library = folder / "wrong.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    target = folder / "target"
    target.write_text(f'#!/bin/sh\nLD_PRELOAD={library} exec {bpte_runner} "$@"\n')
    target.chmod(0o755)
    return target


def test_a_wrong_kernel(here: Path, lying_target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", str(MLP), "-o", "m.bpte", "--trace", "--engine", "reference"]) == 0
    words = ["--engine", "reference", "--elf", str(lying_target)]
    assert main(["run", "m.bpte", *words]) == 1
    capsys.readouterr()
    assert main(["reduce", "m.bpte", "-o", "reduced.bpte", *words, "--json"]) == 0
    printed = capsys.readouterr()
    assert "first wrong: instruction" in printed.err
    told = json.loads(printed.out)
    assert told["fault"] == "target" and "aten::_softmax.out" in told["instruction"]
    assert told["file_size"] == Path("reduced.bpte").stat().st_size
    assert main(["run", "reduced.bpte", *words]) == 1
    assert main(["run", "reduced.bpte"]) == 0
    about = metadata("reduced.bpte")
    assert (about["reduced.operator"], about["reduced.fault"]) == ("aten::_softmax.out", "target")
    capsys.readouterr()
    assert main(["reduce", "m.bpte", "-o", "again.bpte", *words]) == 0
    assert "The fault is the target's" in capsys.readouterr().out
    assert Path("again.bpte").read_bytes() == Path("reduced.bpte").read_bytes()


@pytest.mark.parametrize("model", ["mlp", "encoder"])
def test_a_wrong_kernel_in_a_gap_of_the_trace(
    model: str,
    reference_models: Any,
    here: Path,
    lying_target: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the desk gives fills the gap, with a traced instruction after it (encoder) or none."""
    program = MLP if model == "mlp" else reference_models("encoder")[0]
    engine = ["--engine", "reference"]
    drawn = "normal" if model == "mlp" else "integers(0,8)"
    bpte.record(program, "whole.bpte", inputs=drawn, trace=True, engine="reference")
    with bpte.open("whole.bpte") as bundle:
        content = unbundle(bundle)
        for case in content.method_test_suites[0].test_cases:
            names = [each.instruction.operator_name for each in case.trace]
            case.trace = [e for e, name in zip(case.trace, names, strict=True) if not exp(name)]
            assert 0 < len(case.trace) < len(names) and exp(names[-1]) == (model == "mlp")
        content.save("m.bpte")
    words = [*engine, "--elf", str(lying_target)]
    capsys.readouterr()
    assert main(["reduce", "m.bpte", "-o", "reduced.bpte", *words]) == 0
    printed = capsys.readouterr()
    assert "the trace has gaps" in printed.err and "aten::_softmax.out" in printed.out
    about = metadata("reduced.bpte")
    assert (about["reduced.fault"], about["reduced.from"]) == ("target", "m.bpte")
    assert main(["run", "reduced.bpte", *words]) == 1
    assert main(["run", "reduced.bpte"]) == 0


def exp(operator: str | None) -> bool:
    """Whether an operator uses the exponential."""
    return operator == "aten::_softmax.out"


# --- What cannot be reduced -----------------------------------------------------------------------


def test_nothing_is_written_where_nothing_is_wrong(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", str(MLP), "-o", "m.bpte", "--trace", "--cases", "1"]) == 0
    assert main(["record", str(MLP), "-o", "plain.bpte", "--cases", "1"]) == 0
    before = sorted(here.iterdir())
    for words, code, message in (
        (["m.bpte"], 4, "no instruction is wrong by itself"),
        (["plain.bpte"], 2, "plain.bpte has no trace"),
        (["m.bpte", "--case", "7"], 2, "no suite has a case of this index"),
        (["m.bpte", "--board", "moon"], 2, "moon"),
        (["none.bpte"], 2, "none.bpte"),
        ([str(MLP)], 3, "mlp.pte"),
    ):
        capsys.readouterr()
        assert main(["reduce", *words, "-o", "reduced.bpte"]) == code, words
        assert message in capsys.readouterr().err
    assert sorted(here.iterdir()) == before
