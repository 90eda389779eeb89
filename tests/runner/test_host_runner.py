# SPDX-License-Identifier: BSD-3-Clause
"""The host runner with the real ExecuTorch: what it is given, what it says, how it ends."""

from __future__ import annotations

import platform
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from awkward import AWKWARD
from bpte.run.outcome import Outcome, Verdict
from bpte.run.protocol import Parser, Transcript

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo" / "mlp.pte"


class Done:
    """A run's exit code and what it said, which is a whole and valid protocol."""

    def __init__(self, code: int, output: bytes, stderr: str) -> None:
        parser = Parser()
        parser.feed(output)
        self.code = code
        self.transcript: Transcript = parser.finish()
        assert self.transcript.violation is None, (self.transcript.violation, output, stderr)
        assert self.transcript.end is not None
        assert self.transcript.end.outcome == code

    @property
    def why(self) -> str:
        """The error record's rule and message, or the first case's."""
        if self.transcript.error is not None:
            return f"{self.transcript.error.error}: {self.transcript.error.message}"
        case = next(c for c in self.transcript.cases if c.verdict is Verdict.ERROR)
        return f"{case.error}: {case.message}"


def call(runner: Path, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([runner, *words], capture_output=True, check=False, timeout=120)


def run(runner: Path, *words: str | Path) -> Done:
    done = call(runner, *words)
    return Done(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def one_case(path: Path, program: object, inputs: object, outputs: object = None) -> Path:
    """A bundle of one case, fitting or not."""
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase(inputs, outputs)])
    bpte.BundledProgram(program, [suite]).save(path, fit="skip", durable=False)
    return path


def zeros(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.float32)


# --- What is asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("a.bpte", "b.bpte"),
        ("--nonsense",),
        ("--case",),
        ("{demo}", "--case", "x"),
        ("{demo}", "--case", "-1"),
        ("{demo}", "--rtol", "-1"),
        ("{demo}", "--atol", "nan"),
        ("{demo}", "--engine", "nothing"),
        ("{demo}", "--method", "backward"),
        ("{demo}", "--case", "3"),
        ("{demo}", "--method", "forward", "--case", "3", "--source"),
        ("/nowhere/model.bpte",),
        ("/",),
    ],
)
def test_usage(words: tuple[str, ...], bpte_runner: Path, demo_bundle: Path) -> None:
    done = call(bpte_runner, *(word.format(demo=demo_bundle) for word in words))
    assert done.returncode == 2
    assert done.stderr
    assert not done.stdout


def test_help_and_version(bpte_runner: Path) -> None:
    help_text = call(bpte_runner, "--help")
    assert help_text.returncode == 0
    assert b"example:" in help_text.stdout
    version = call(bpte_runner, "--version")
    assert version.stdout.decode().split() == ["bpte-run", bpte.__version__]


@pytest.mark.parametrize("way", [(), ("--source",)])
def test_selection(way: tuple[str, ...], bpte_runner: Path, demo_bundle: Path) -> None:
    done = run(bpte_runner, demo_bundle, *way)
    assert done.code == 0
    assert [case.case for case in done.transcript.cases] == [0, 1, 2]
    assert done.transcript.begin is not None
    assert done.transcript.begin.engine == "executorch"
    assert (done.transcript.begin.program_address is None) == bool(way)
    done = run(bpte_runner, demo_bundle, *way, "--method", "forward", "--case", "1")
    assert [case.case for case in done.transcript.cases] == [1]
    assert done.code == 0


def test_tolerances_from_the_command_line(bpte_runner: Path, demo_bundle: Path) -> None:
    done = run(bpte_runner, demo_bundle, "--rtol", "0", "--atol", "0")
    exact = run(bpte_runner, demo_bundle, "--rtol", "1e9", "--atol", "0.125")
    assert exact.code == 0
    (output,) = exact.transcript.cases[0].outputs
    assert (output.rtol, output.atol) == (1e9, 0.125)
    (output,) = done.transcript.cases[0].outputs
    assert (output.rtol, output.atol) == (0, 0)
    # What differs at all now fails.
    assert (output.verdict is Verdict.FAIL) == ((output.max_abs or 0) > 0)


def test_report_that_cannot_be_written(bpte_runner: Path, demo_bundle: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([bpte_runner, demo_bundle], stdout=full, stderr=-1, check=False)
    assert done.returncode == 4
    assert b"could not be written" in done.stderr


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [(), ("--source",)])
def test_broken_files(
    way: tuple[str, ...], bpte_runner: Path, demo_bundle: Path, tmp_path: Path
) -> None:
    whole = demo_bundle.read_bytes()
    begin = run(bpte_runner, demo_bundle).transcript.begin
    assert begin is not None
    assert begin.program_offset is not None
    flipped = bytearray(whole)
    flipped[begin.program_offset + 100] ^= 0x10
    for data, rule in (
        (b"", "too_short"),
        (b"BPTE", "too_short"),
        (bytes(200), "not_a_bundle"),
        (whole[:-1], "truncated"),
        (whole + b"\0", "trailing_bytes"),
        (bytes(flipped), "segment_checksum"),
    ):
        path = tmp_path / "broken.bpte"
        path.write_bytes(data)
        done = run(bpte_runner, path, *way)
        assert done.code == 3, rule
        assert done.why.startswith(rule)
        assert not done.transcript.cases


def test_alignment_above_a_page(bpte_runner: Path, demo_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "aligned.bpte"
    with bpte.open(demo_bundle) as bundle:
        case = bundle.suites[0].test_cases[0]
        suite = bpte.MethodTestSuite(
            "forward",
            [bpte.MethodTestCase(list(map(np.array, case.inputs)), list(case.expected_outputs))],
        )
        bpte.BundledProgram(DEMO, [suite]).save(path, alignment=1 << 21, durable=False)
    done = run(bpte_runner, path)
    assert done.code == 0
    assert done.transcript.begin is not None
    assert (done.transcript.begin.program_address or 0) % (1 << 21) == 0


def test_bp08_of_devtools(bpte_runner: Path, tmp_path: Path) -> None:
    """A bundle written by ExecuTorch's own devtools runs just the same."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("executorch.devtools")
    from executorch.devtools import BundledProgram
    from executorch.devtools.bundled_program.config import MethodTestCase, MethodTestSuite
    from executorch.devtools.bundled_program.serialize import (
        serialize_from_bundled_program_to_flatbuffer,
    )

    arrays = np.load(ROOT / "examples" / "demo" / "mlp.npz")
    cases = [
        MethodTestCase(
            inputs=[torch.from_numpy(arrays[f"in{i}"])],
            expected_outputs=[torch.from_numpy(arrays[f"out{i}"])],
        )
        for i in range(3)
    ]
    path = tmp_path / "bp08.bpte"
    bundled = BundledProgram(None, [MethodTestSuite("forward", cases)], pte_file_path=str(DEMO))
    path.write_bytes(serialize_from_bundled_program_to_flatbuffer(bundled))
    for way in ((), ("--source",)):
        done = run(bpte_runner, path, *way)
        assert done.code == 0, done.why
        assert done.transcript.begin is not None
        assert done.transcript.begin.format == "BP08"
        assert len(done.transcript.cases) == 3


# --- Inputs that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            [zeros(2, 16).astype(np.float64)],
            "input 0: dtype float32 expected, the case gives float64",
        ),
        ([zeros(16)], "input 0: rank 2 expected, the case gives 1"),
        ([zeros(3, 16)], "input 0: shape [2, 16] expected, the case gives [3, 16]"),
        (
            [np.asfortranarray(zeros(2, 16))],
            "input 0: dim_order [0, 1] expected, the case gives [1, 0]",
        ),
        ([7], "input 0: the method takes tensor, the case gives int"),
        ([zeros(2, 16)] * 2, "the method takes 1 inputs, the case gives 2"),
        ([], "the method takes 1 inputs, the case gives 0"),
    ],
)
def test_input_mismatch(inputs: object, message: str, bpte_runner: Path, tmp_path: Path) -> None:
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", DEMO, inputs, [zeros(2, 4)]))
    assert done.code == 4
    assert done.why == f"invalid_input: {message}"


def test_dim_order_of_sizes_of_one(example_models: Path, bpte_runner: Path, tmp_path: Path) -> None:
    """Where a size is 1 the place of its dimension makes no difference; elsewhere it does."""
    for shape, fits in (((1, 3, 12, 10), False), ((1, 3, 12, 10), True)):
        image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        if fits:  # channels last, with the batch of one last instead of first
            image = image.transpose(2, 3, 1, 0).copy().transpose(3, 2, 0, 1)
        path = one_case(tmp_path / "x.bpte", example_models / "cnn_channels_last.pte", [image])
        done = run(bpte_runner, path)
        assert done.code == 4
        if fits:
            assert done.transcript.cases[0].verdict is Verdict.UNJUDGED
        else:
            assert "dim_order [0, 2, 3, 1] expected, the case gives [0, 1, 2, 3]" in done.why


def test_dynamic_shape_above_its_bound(
    example_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    program = example_models / "dynamic_batch.pte"
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", program, [zeros(9, 16)]))
    assert done.why == "invalid_input: input 0: shape [8, 16] at most, the case gives [9, 16]"
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", program, [zeros(8, 16)]))
    assert done.transcript.cases[0].verdict is Verdict.UNJUDGED


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            (zeros(2, 5), 2.5, 8),
            "input 2: the program was exported for the int 7, the case gives 8",
        ),
        (
            (zeros(2, 5), 2.75, 7),
            "input 1: the program was exported for the double 2.5, the case gives 2.75",
        ),
        ((zeros(2, 5), 2, 7), "input 1: the method takes double, the case gives int"),
    ],
)
def test_scalar_inputs(
    inputs: object, message: str, example_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    program = example_models / "scalar_input.pte"
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", program, inputs))
    assert done.code == 4
    assert done.why == f"invalid_input: {message}"


def test_number_of_outputs(bpte_runner: Path, tmp_path: Path) -> None:
    path = one_case(tmp_path / "x.bpte", DEMO, [zeros(2, 16)], [zeros(2, 4)] * 2)
    done = run(bpte_runner, path)
    assert done.code == 4
    assert done.why == "no_such_output: the method gives 1 outputs, the case expects 2"


@pytest.mark.parametrize(
    ("expected", "reason"),
    [(3, "kind"), (zeros(2, 4).astype(np.int64), "dtype"), (zeros(4, 2), "shape")],
)
def test_output_of_another_kind(
    expected: object, reason: str, bpte_runner: Path, tmp_path: Path
) -> None:
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", DEMO, [zeros(2, 16)], [expected]))
    assert done.code == 1
    (output,) = done.transcript.cases[0].outputs
    assert output.reason == reason


def test_nothing_judged_is_no_pass(bpte_runner: Path, tmp_path: Path) -> None:
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", DEMO, [zeros(2, 16)]))
    assert done.code == 4
    assert done.transcript.cases[0].verdict is Verdict.UNJUDGED


# --- Programs -------------------------------------------------------------------------------------


def test_unknown_method(bpte_runner: Path, tmp_path: Path) -> None:
    suites = [
        bpte.MethodTestSuite(name, [bpte.MethodTestCase([zeros(2, 16)], [zeros(2, 4)])])
        for name in ("forward", "backward")
    ]
    path = tmp_path / "x.bpte"
    bpte.BundledProgram(DEMO, suites).save(path, fit="skip", durable=False)
    done = run(bpte_runner, path)
    assert done.code == 3
    assert done.why.endswith("suite 0: the program has no method 'backward'")
    assert not done.transcript.cases


def test_unregistered_operators_are_named(bpte_runner: Path, tmp_path: Path) -> None:
    program = DEMO.read_bytes()
    for name, other in ((b"aten::addmm", b"aten::adxmm"), (b"aten::relu", b"aten::rexu")):
        assert program.count(name) == 1
        program = program.replace(name, other)
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", program, [zeros(2, 16)], [zeros(2, 4)]))
    assert done.code == 4
    assert done.why == "missing_operator: operator not registered: aten::adxmm.out, aten::rexu.out"


def test_unregistered_backend_is_named(
    example_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    program = (example_models / "xnnpack.pte").read_bytes()
    assert b"XnnpackBackend" in program
    program = program.replace(b"XnnpackBackend", b"YnnpackBackend")
    path = one_case(tmp_path / "x.bpte", program, [zeros(1, 3, 12, 10)], [zeros(1, 5)])
    done = run(bpte_runner, path)
    assert done.code == 4
    assert done.why == "missing_backend: backend not available: YnnpackBackend"


@pytest.mark.parametrize("program", [b"\0" * 4096, b"not a program", DEMO.read_bytes()[:1000]])
def test_no_program(program: bytes, bpte_runner: Path, tmp_path: Path) -> None:
    done = run(bpte_runner, one_case(tmp_path / "x.bpte", program, [zeros(2, 16)], [zeros(2, 4)]))
    assert done.code == 3
    assert done.why.startswith("invalid_program: ")


@pytest.mark.parametrize("way", [(), ("--source",)])
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_models(
    name: str, way: tuple[str, ...], awkward_models: Path, bpte_runner: Path
) -> None:
    done = run(bpte_runner, awkward_models / f"{name}.bpte", *way)
    assert done.code == 0, done.transcript


@pytest.mark.parametrize("way", [(), ("--source",), ("--engine", "reference")])
def test_a_run_that_is_taught_judges_each_step_alone(
    way: tuple[str, ...], awkward_models: Path, bpte_runner: Path
) -> None:
    done = run(bpte_runner, awkward_models / "recurrent.bpte", "--teach", *way)
    assert done.code == Outcome.MISMATCH
    steps = [(case.case, case.step, case.verdict) for case in done.transcript.cases]
    good, bad = Verdict.PASS, Verdict.FAIL
    assert steps == [(i, k, bad if k == 1 else good) for i in range(2) for k in range(3)]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the division traps on x86 only")
def test_a_crash_is_reported(awkward_models: Path, bpte_runner: Path) -> None:
    """The report is whole, and says so, when a kernel brings the process down."""
    done = run(bpte_runner, awkward_models / "crash.bpte")
    assert done.code == 4
    assert [case.verdict for case in done.transcript.cases] == [Verdict.PASS]
    assert done.why == "execution_failed: the program crashed with signal 8"


@pytest.mark.parametrize("name", ["two_methods", "xnnpack", "int8_quantized", "dynamic_batch"])
def test_data_source_gives_the_same(name: str, example_models: Path, bpte_runner: Path) -> None:
    path = example_models / f"{name}.bpte"
    mapped, read = run(bpte_runner, path), run(bpte_runner, path, "--source")
    assert mapped.code == read.code == 0
    assert [c.outputs for c in mapped.transcript.cases] == [
        c.outputs for c in read.transcript.cases
    ]


def test_corrupt_programs_end_in_an_outcome(
    example_models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    """With checksums off: whatever a program says, the runner reports, and is never killed."""
    generator = random.Random(0)
    path = tmp_path / "corrupt.bpte"
    for name in ("mlp", "xnnpack", "dynamic_batch"):
        whole = (example_models / f"{name}.bpte").read_bytes()
        begin = run(bpte_runner, example_models / f"{name}.bpte").transcript.begin
        assert begin is not None
        start = begin.program_offset or 0
        # The program's FlatBuffer; its length stands in the extended header.
        size = int.from_bytes(whole[start + 16 : start + 24], "little")
        for _ in range(60):
            broken = bytearray(whole)
            for _ in range(generator.choice([1, 1, 2, 4])):
                at = start + generator.randrange(size)
                broken[at] = generator.choice([0, 0xFF, 0x80, generator.randrange(256)])
            path.write_bytes(broken)
            done = run(bpte_runner, path, "--no-verify")
            assert done.code in (0, 1, 3, 4)
        if bytes(broken) != whole:  # with checksums on it does not get that far
            assert run(bpte_runner, path).why.startswith("segment_checksum")


def test_first_mismatch(bpte_runner: Path, demo_bundle: Path, tmp_path: Path) -> None:
    with bpte.open(demo_bundle) as bundle:
        case = bundle.suites[0].test_cases[0]
        expected = np.array(case.expected_outputs[0])
        right = float(expected[1, 2])
        expected[1, 2] = np.float32(0.625)
        path = one_case(tmp_path / "x.bpte", DEMO, [np.array(case.inputs[0])], [expected])
    done = run(bpte_runner, path)
    assert done.code == Outcome.MISMATCH
    (output,) = done.transcript.cases[0].outputs
    assert output.mismatches == 1
    assert output.first is not None
    assert output.first.index == (1, 2)
    assert output.first.expected == 0.625
    assert output.first.actual == pytest.approx(right, rel=1e-5)
