# SPDX-License-Identifier: BSD-3-Clause
"""The Python reader of Ethos-U delegates, against the model's own description, and bad bytes."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.program import ProgramError
from bpte.program.ethosu import FeatureMap, Operation, read_delegate, registers

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "ethosu"
PROGRAM = ROOT / "tests" / "fixtures" / "cortex_m" / "ethos_u55.pte"
DELEGATES = sorted(path.stem for path in FIXTURES.glob("*.npz"))
HEADER = ROOT / "runtime" / "bpte" / "engine" / "ethosu" / "internal"


def container(name: str) -> bytes:
    with np.load(FIXTURES / f"{name}.npz") as arrays:
        return arrays["container"].tobytes()


def told(operation: Operation) -> dict[str, Any]:
    """What the C++ tool lists of an operation."""

    def of_map(found: FeatureMap) -> dict[str, Any]:
        return {
            "shape": [found.height, found.width, found.depth],
            "bytes": found.element_bytes,
            "region": found.region,
        }

    maps = {"ifm": operation.ifm, "ifm2": operation.ifm2, "ofm": operation.ofm}
    return {
        "command": operation.command,
        "name": operation.name,
        "macs": operation.macs,
        "weights": operation.weights,
        "compressed": operation.compressed_weights,
        "read": operation.read,
        "written": operation.written,
        **{name: of_map(found) for name, found in maps.items() if found is not None},
    }


def refusal(tool: Path, folder: Path, data: bytes) -> str:
    (folder / "delegate").write_bytes(data)
    done = subprocess.run([tool, "list", folder / "delegate"], capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr.strip()


@pytest.mark.parametrize("name", DELEGATES)
def test_says_what_the_model_says(
    cpp_tool: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "delegate"
    path.write_bytes(container(name))
    done = subprocess.run(
        [cpp_tool("ethosu_tool"), "list", path], capture_output=True, text=True, check=True
    )
    expected = [json.loads(line) for line in done.stdout.splitlines()]
    for operation in expected:
        del operation["mode"]  # a number there
    delegate = read_delegate(container(name))
    assert [told(operation) for operation in delegate.operations] == expected
    target = name.partition("@")[2].rpartition("-")
    assert (delegate.config.name.lower(), str(delegate.config.macs)) == (target[0], target[2])


@pytest.mark.parametrize("name", DELEGATES)
def test_feature_maps_lie_where_the_container_says(name: str) -> None:
    """What the container binds as inputs and outputs is where operations read and write."""
    delegate = read_delegate(container(name))
    in_scratch = [
        (found is operation.ofm, found.address)
        for operation in delegate.operations
        for found in (operation.ifm, operation.ifm2, operation.ofm)
        if found is not None and found.place == "memory" and found.region == 1
    ]
    bindings = delegate.container
    assert {(False, each.offset) for each in bindings.inputs} <= set(in_scratch)
    assert {(True, each.offset) for each in bindings.outputs} <= set(in_scratch)


def test_its_numbers_are_the_models() -> None:
    header = (HEADER / "registers.h").read_text("utf-8")
    numbers: dict[str, int] = {}
    for body in re.findall(r"^enum class \w+ : \w+ \{\n(.*?)^\};", header, re.M | re.S):
        last = -1
        for name, value in re.findall(r"^  (\w+)(?: = (\w+))?,", body, re.M):
            last = last + 1 if not value else numbers.get(value, -1)
            if value and value not in numbers:
                last = int(value, 0)
            numbers[name] = last
    for kind in (registers.Op, registers.Narrow, registers.Wide):
        for name, member in kind.__members__.items():
            assert numbers[name] == member, name
    rows = re.findall(r"\{(0x\w+), \{(0x\w+), (0x\w+)\}\}", (HEADER / "registers.cpp").read_text())
    found = {int(first, 0): (int(a, 0), int(b, 0)) for first, a, b in rows}
    assert found == {**registers.NARROW_ROWS, **registers.WIDE_ROWS}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"vela_bin_stream", b"vela_bin_strxxx"),
        (b"inputs\0", b"outputs"),
        (b"COP1", b"COP9"),
        (b"scratch_size\0\0\0\0\x04", b"scratch_size\0\0\0\0\x03"),
        (b"\x07\x18\0\0", b"\x03\x18\0\0"),  # 2^3 MACs
        (b"\x01\x60\x06\x10", b"\x01\x60\x06\x30"),  # architecture 3
    ],
)
def test_refuses_in_the_models_words(
    cpp_tool: Callable[[str], Path], tmp_path: Path, old: bytes, new: bytes
) -> None:
    data = container("add_mul@ethos-u55-128")
    assert data.count(old) >= 1
    data = data.replace(old, new, 1)
    with pytest.raises(ProgramError) as error:
        read_delegate(data)
    words = refusal(cpp_tool("ethosu_tool"), tmp_path, data)
    assert words.startswith("Ethos-U delegate: ")
    assert error.value.place == "Ethos-U delegate"
    if "scratch_size, inputs or outputs" not in words:  # where the reader says which
        assert str(error.value) == words


def test_a_mutated_delegate_is_read_or_refused() -> None:
    """Nothing but ProgramError, whatever the bytes are; both ends occur often."""
    source = random.Random(20)
    refused = read = 0
    for name in DELEGATES:
        data = bytearray(container(name)[:6000])  # of the larger ones a part: cut short as well
        for _ in range(12):
            mutant = bytearray(data)
            for _ in range(source.randrange(1, 4)):
                mutant[source.randrange(len(mutant))] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
            if source.random() < 0.1:
                del mutant[source.randrange(len(mutant)) :]
            try:
                delegate = read_delegate(bytes(mutant))
            except ProgramError as error:
                assert str(error)
                refused += 1
            else:
                assert all(sum(op.read) >= 0 for op in delegate.operations)
                read += 1
    assert refused > 50 and read > 50


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: str | Path) -> str:
        capsys.readouterr()
        assert main(["inspect", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return run


def test_inspect_shows_the_operations(inspect: Callable[..., str]) -> None:
    text = inspect(PROGRAM, "--delegates")
    assert "for Ethos-U55 with 128 MACs; 18,944 multiply-adds in 23 operations" in text
    assert "scratch   2,256 bytes" in text
    (convolution,) = (line for line in text.splitlines() if " CONV          8x8x8" in line)
    assert convolution.split()[-5:] == ["13824", "216", "320", "592", "512"]
    assert "int8[8, 8, 8] NHCWB16" in convolution
    (facts,) = json.loads(inspect(PROGRAM, "--delegates", "--json"))
    assert facts["id"] == "EthosUBackend" and facts["method"] == "forward"
    assert facts["ethosu"]["macs"] == sum(op["macs"] for op in facts["ethosu"]["operations"])
    assert facts["ethosu"]["read"]["weights"] == 752 == facts["ethosu"]["weight_data_bytes"]


def test_the_list_of_instructions_goes_into_the_delegate(inspect: Callable[..., str]) -> None:
    lines = inspect(PROGRAM, "--instructions").splitlines()
    at = next(i for i, line in enumerate(lines) if "delegate 0, EthosUBackend" in line)
    operations = [line.split() for line in lines[at:] if " NPU_OP_" in line]
    assert len(operations) == 23
    assert operations[-1][:3] == ["222", "NPU_OP_POOL", "AVERAGE,"]
    convolutions = [line.strip() for line in lines if "NPU_OP_CONV" in line]
    assert convolutions[0] == (
        "121  NPU_OP_CONV, int8[8, 8, 3] NHWC at scratch 0x400 to int8[8, 8, 8] NHCWB16 at scratch "
        "0x0, block 8x8x8, 13824 multiply-adds"
    )
    (method,) = json.loads(inspect(PROGRAM, "--instructions", "--json"))["methods"]
    inside = [each["operations"] for each in method["instructions"]]
    assert [None if each is None else len(each) for each in inside] == [None, 23, None]


def test_inspect_of_a_bundle_shows_its_programs(
    demo_bundle: Path, tmp_path: Path, inspect: Callable[..., str]
) -> None:
    assert inspect(demo_bundle, "--delegates") == "no delegates\n"
    with np.load(PROGRAM.with_suffix(".npz")) as arrays:
        case = bpte.MethodTestCase([arrays["in0"]], [arrays["out0"]])
    suite = bpte.MethodTestSuite("forward", [case])
    bpte.BundledProgram(PROGRAM, [suite]).save(tmp_path / "npu.bpte", fit="relayout")
    assert inspect(tmp_path / "npu.bpte", "--delegates") == inspect(PROGRAM, "--delegates")


def test_inspect_names_what_is_wrong_with_a_delegate(
    tmp_path: Path, inspect: Callable[..., str]
) -> None:
    bad = tmp_path / "bad.pte"
    bad.write_bytes(PROGRAM.read_bytes().replace(b"COP1", b"\x1b[2J"))
    text = inspect(bad, "--delegates")
    assert "cannot be read: Ethos-U delegate: its commands do not begin with COP1" in text
    assert "\x1b" not in text
