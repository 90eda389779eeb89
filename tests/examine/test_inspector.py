# SPDX-License-Identifier: BSD-3-Clause
"""A run as an ETDump, read by ExecuTorch's own Inspector: times, values, outputs."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

import bpte
import transcripts as t
from bpte.bundle import open_bundle
from bpte.cli import run as cli
from bpte.pack.convert import unbundle
from bpte.program import instructions
from bpte.run import judge, launcher
from bpte.run.etdump import Etdump, EtdumpError, etdump
from bpte.run.outcome import State
from bpte.run.outputs_file import kept_of
from bpte.run.protocol import parse
from bpte.run.records import CaseKey
from bpte.run.request import Request
from logged_values import logged

torch = pytest.importorskip("torch", reason="ExecuTorch's Inspector needs torch")
pytest.importorskip("executorch.devtools", reason="there is no ExecuTorch to read an ETDump")

if TYPE_CHECKING:
    from executorch.devtools.inspector import EventBlock


def read(made: Etdump, folder: Path, **more: Any) -> list[EventBlock]:
    from executorch.devtools import Inspector

    values = folder / "values.bin"
    values.write_bytes(made.values)
    inspector = Inspector(etdump_data=made.data, debug_buffer_path=str(values), **more)
    found: list[EventBlock] = inspector.event_blocks
    return found


def test_times(demo_bundle: Path, bpte_runner: Path, tmp_path: Path) -> None:
    run = launcher.run(Request(demo_bundle, program=bpte_runner, profile=3, timeout=60))
    blocks = read(etdump(run), tmp_path)
    cases = run.transcript.cases
    assert [(b.name, b.bundled_input_index) for b in blocks] == [
        (case.method, case.case) for case in cases
    ]
    for block, case in zip(blocks, cases, strict=True):
        whole, *parts = block.events
        at_once = [
            each.time / 1e6
            for each in run.transcript.executions
            if each.case == case.case and not each.stepped
        ]
        assert (whole.name, whole.perf_data.raw) == ("Method::execute", pytest.approx(at_once))
        times: dict[tuple[int, str | None], list[float]] = {}
        for each in run.transcript.times:
            if each.case == case.case:
                times.setdefault((each.instruction, each.operator), []).append(each.time / 1e6)
        assert len(times) > 2 and all(len(taken) == 3 for taken in times.values())
        assert [(event._instruction_id, event.name) for event in parts] == list(times)
        for event, taken in zip(parts, times.values(), strict=True):
            assert event.perf_data.raw == pytest.approx(taken)


@pytest.mark.parametrize(
    "name",
    [
        "examples/cnn_channels_last", "examples/dynamic_batch", "examples/xnnpack",
        "runner-models/control_flow",
    ],
)  # fmt: skip
def test_values_are_those_that_executorch_logs(
    name: str, example_models: Path, awkward_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    bundle = example_models.parent / f"{name}.bpte"
    with open_bundle(bundle) as opened:
        (suite,) = unbundle(opened).method_test_suites
        cases = [
            tuple(torch.from_numpy(value.array().copy(order="K")) for value in case.inputs)
            for case in suite.test_cases
        ]
    program = Path(f"{bundle.with_suffix('')}.pte").read_bytes()
    run = launcher.run(Request(bundle, program=bpte_runner, trace="record", timeout=60))
    blocks = read(etdump(replace(run, state=State.PASSED)), tmp_path)  # nothing was judged
    (method,) = instructions(program)
    assert [block.bundled_input_index for block in blocks] == list(range(len(cases)))
    compared = 0
    for block, inputs in zip(blocks, cases, strict=True):
        gold = logged(program, "forward", inputs, tmp_path)
        for event in block.events:
            instruction = method.at(0, event._instruction_id)
            assert event.name in (instruction.operator, instruction.backend, instruction.kind)
            if event._instruction_id not in gold:
                continue
            # The runtime logs the inputs, too, and as they lie in memory: what is written is last.
            expected = gold[event._instruction_id][-len(event.debug_data) :]
            for number, value in enumerate(event.debug_data):
                if not isinstance(value, torch.Tensor):
                    continue
                order = method.values[instruction.writes[number]].info.dim_order
                laid_out = value.numpy().transpose(order).ravel()
                assert np.allclose(laid_out, expected[number].numpy().ravel(), 1e-5, 1e-6), event
                compared += 1
    assert compared >= 2 * len(blocks)


def test_with_an_etrecord(bpte_runner: Path, tmp_path: Path) -> None:
    """Instructions find their nodes, and thereby their modules."""
    from executorch.devtools import generate_etrecord

    import traced_models

    model = traced_models.model("encoder")
    record = tmp_path / "etrecord.bin"
    generate_etrecord(str(record), copy.deepcopy(model.edge), model.program)
    cases = [bpte.MethodTestCase(list(inputs)) for inputs in model.inputs["forward"]]
    path = tmp_path / "model.bpte"
    suites = [bpte.MethodTestSuite("forward", cases)]
    bpte.BundledProgram(model.program, suites).save(path, durable=False)
    run = launcher.run(Request(path, program=bpte_runner, profile=2, keep_outputs=True, timeout=60))
    made = etdump(replace(run, state=State.PASSED))  # nothing was judged
    block, _ = read(made, tmp_path, etrecord=str(record))
    norm = {event.name: event for event in block.events}["aten::native_layer_norm.out"]
    assert norm.op_types == ["aten.native_layer_norm.default"]
    assert "norm" in str(norm.module_hierarchy)
    (output,) = block.run_output
    (kept,) = run.kept[CaseKey(0, 0)]
    assert np.array_equal(output.numpy(), kept.array())


def shown(*values: Any, transcript: list[dict[str, Any]] | None = None) -> judge.Run:
    """A run that kept these outputs."""
    records = transcript or [t.begin(1), t.case(0)]
    records = [record for record in records if record["event"] != "end"]
    kept = {CaseKey(0, 0): [kept_of(value) for value in values]}
    said = parse(t.lines([*records, t.end(records)]))
    assert said.violation is None
    return judge.Run(State.PASSED, "", Path("a.bpte"), "host", transcript=said, kept=kept)


def test_every_kind_of_value(tmp_path: Path) -> None:
    from bpte.pack.tensors import from_numpy

    square = np.arange(6, dtype=np.int16).reshape(2, 3)
    values: list[Any] = [-7, 1.5, True, from_numpy(square, (1, 0)), from_numpy(square[:0])]
    values += [from_numpy(np.array(2.5, np.float16)), from_numpy(np.array([True, False]))]
    unread: list[Any] = [float("nan"), from_numpy(np.zeros(2, ml_dtypes.bfloat16))]
    made = etdump(shown(*values, *unread))
    assert made.left_out == 2
    (block,) = read(made, tmp_path)
    integer, real, boolean, tensor, empty, scalar, booleans = block.run_output
    assert (integer, real, boolean) == (-7, 1.5, True)
    assert np.array_equal(tensor.numpy(), square) and tensor.dtype.itemsize == 2
    assert tuple(empty.shape) == (0, 3)
    assert scalar.item() == 2.5 and booleans.tolist() == [True, False]
    with pytest.raises(EtdumpError, match="neither times"):
        etdump(shown(*unread))


def test_cycles_steps_and_loops(tmp_path: Path) -> None:
    from executorch.devtools.inspector import TimeScale

    records = t.profiled(7, 9)
    for record in records:
        if record["event"] in ("profile", "execution", "case"):
            record["step"] = 4
    records[2]["operator"] = records[6]["operator"] = "\x1b[31m"
    made = etdump(shown(5, transcript=records))
    scales = {"source_time_scale": TimeScale.CYCLES, "target_time_scale": TimeScale.CYCLES}
    made_with = etdump(replace(shown(transcript=records), kept={CaseKey(0, 0, 4): [kept_of(5)]}))
    (block,) = read(made, tmp_path, **scales)
    assert block.name == "forward, step 4" and not block.run_output
    assert [(e.name, e.perf_data.raw) for e in block.events] == [
        ("Method::execute", [15.0, 19.0]),
        (r"\x1b[31m", [7.0, 9.0]),
        ("aten::add.out", [7.0, 9.0]),
    ]
    (block,) = read(made_with, tmp_path, **scales)
    assert block.run_output == [5]


def test_what_cannot_be_written() -> None:
    with pytest.raises(EtdumpError, match="neither times of instructions nor values"):
        etdump(shown())
    for state in (State.DIED, State.CONTRADICTORY, State.ANOTHER_BUNDLE):
        with pytest.raises(EtdumpError, match="did not end by its verdicts"):
            etdump(replace(shown(5), state=state))
    records = t.profiled(7)
    records[2]["instruction"] = 2**31
    with pytest.raises(EtdumpError, match="does not fit an ETDump"):
        etdump(shown(transcript=records))


def test_the_command(
    demo_bundle: Path, bpte_runner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, values = tmp_path / "run.etdp", tmp_path / "run.etdp.bin"
    words = [str(demo_bundle), "--elf", str(bpte_runner), "--etdump", str(path)]
    assert cli.main(words) == 2
    assert "--etdump: of what?" in capsys.readouterr().err and not path.exists()
    assert cli.main([*words, "--profile=2"]) == 0
    assert path.read_bytes()[8:12] == b"ED00" and not values.exists()
    size = int.from_bytes(path.read_bytes()[:4], "little")
    assert size == path.stat().st_size - 4
    assert cli.main([*words, "--keep-outputs"]) == 0
    made = Etdump(path.read_bytes(), values.read_bytes(), 0)
    assert all(len(block.run_output) == 1 for block in read(made, tmp_path))
    # A recorded output says the same; one without times says so.
    log = tmp_path / "log.txt"
    log.write_bytes(t.lines(t.profiled(7)))
    path.unlink()
    assert cli.main(["--log", str(log), "--etdump", str(path)]) == 0
    assert path.exists()
    log.write_bytes(t.whole("pass"))
    capsys.readouterr()
    assert cli.main(["--log", str(log), "--etdump", str(path)]) == 0
    assert "no ETDump was written: the run reported neither" in capsys.readouterr().err
