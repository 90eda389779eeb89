# SPDX-License-Identifier: BSD-3-Clause
"""``bpte.program.inspect`` needs no executorch, trusts nothing and never reads the weights."""

from __future__ import annotations

import mmap
import os
import random
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from bpte.program import ProgramError, deserialize_pte, inspect

FIXTURES = Path(__file__).parents[1] / "fixtures" / "program"


def test_mlp() -> None:
    info = inspect(FIXTURES / "mlp.pte")
    (method,) = info.methods
    assert method.name == "forward"
    assert method.operators == ("aten::permute_copy.out", "aten::addmm.out", "aten::relu.out")
    assert method.instruction_kinds == {"KernelCall": 5}
    (source,), (result,) = method.inputs, method.outputs
    assert (source.kind, source.scalar_type, source.scalar_type_name) == ("tensor", 6, "FLOAT")
    assert (source.sizes, source.dim_order, source.dynamism) == ((2, 8), (0, 1), "static")
    assert (source.nbytes, source.constant) == (64, False)
    assert result.sizes == (2, 4)
    # Two weights and two biases, padded to 16 bytes each but the last.
    assert info.constants == 4
    assert info.constants_size >= 4 * (8 * 16 + 16 + 16 * 4 + 4)
    assert [segment.use for segment in info.segments] == ["constants"]
    assert info.header is not None and info.header.program_size == info.program_size
    assert info.file_size == (FIXTURES / "mlp.pte").stat().st_size


def test_dynamic() -> None:
    method = inspect(FIXTURES / "dynamic.pte").method("forward")
    tensor, scale = method.inputs
    assert (tensor.sizes, tensor.dynamism) == ((7, 5), "dynamic_bound")
    assert (scale.kind, scale.value) == ("double", 2.0)
    assert method.instruction_kinds["JumpFalseCall"] == 2


def test_methods_and_delegates() -> None:
    info = inspect(FIXTURES / "methods.pte")
    assert sorted(method.name for method in info.methods) == ["clamp", "forward"]
    (delegate,) = info.method("forward").delegates
    assert delegate.id == "XnnpackBackend"
    assert delegate.segment is not None
    assert info.segments[delegate.segment].size == delegate.size > 0
    assert info.segments[delegate.segment].use == "delegate"
    assert set(info.named_data.values()) == {3, 4}
    with pytest.raises(KeyError, match="'clamp'"):
        info.method("backward")


def test_sources_agree() -> None:
    path = FIXTURES / "mlp.pte"
    data = path.read_bytes()
    want = inspect(path)
    assert inspect(str(path)) == inspect(data) == inspect(bytearray(data)) == want
    assert inspect(memoryview(data)) == want
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
        assert inspect(mapping) == want  # and leaves nothing behind that keeps it from closing


def test_needs_no_executorch() -> None:
    code = (
        "import sys; from bpte.program import inspect;"
        f"inspect({str(FIXTURES / 'mlp.pte')!r});"
        "assert not {'torch', 'executorch', 'numpy'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_cost_is_not_that_of_the_weights(tmp_path: Path) -> None:
    """Eight gigabytes of constants (a hole in the file) cost no memory."""
    data = bytearray((FIXTURES / "mlp.pte").read_bytes())
    info = inspect(data)
    assert info.header is not None
    old = struct.pack("<Q", info.segments[0].size)
    program = bytes(data[: info.program_size])
    assert program.count(old) == 2  # in the header and in segments[0].size
    huge = 8 << 30
    path = tmp_path / "huge.pte"
    with path.open("wb") as file:
        file.write(program.replace(old, struct.pack("<Q", huge)))
        file.truncate(info.header.segment_base_offset + huge)
    tracemalloc.start()
    try:
        assert inspect(path).constants_size == huge
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["mlp.pte", "dynamic.pte", "methods.pte"])
def test_truncated(name: str) -> None:
    data = (FIXTURES / name).read_bytes()
    for size in range(len(data)):
        with pytest.raises(ProgramError):
            inspect(data[:size])


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.pte").write_bytes(b"")
    with pytest.raises(ProgramError, match="empty"):
        inspect(tmp_path / "empty.pte")
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "none.pte")


def test_names_the_place() -> None:
    data = bytearray((FIXTURES / "mlp.pte").read_bytes())
    at = data.index(b"aten::relu")
    data[at - 4 : at] = (2**31).to_bytes(4, "little")
    with pytest.raises(ProgramError) as caught:
        inspect(data)
    assert caught.value.place.startswith("execution_plan[0].operators[")
    assert caught.value.place.endswith("].name")


@pytest.mark.parametrize("name", ["mlp.pte", "dynamic.pte", "methods.pte"])
def test_damaged(name: str) -> None:
    """Whatever the damage: a description or a ProgramError."""
    data = (FIXTURES / name).read_bytes()
    info = inspect(data)
    random_ = random.Random(name)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(random_.choice((1, 1, 2, 8))):
            at = random_.randrange(info.program_size)
            damaged[at] = random_.choice((0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)))
        try:
            inspect(damaged)
        except ProgramError as error:
            refused += 1
            assert error.rule
    assert refused > 300


@pytest.mark.parametrize("name", ["cmsis_nn", "ethos_u55"])
def test_tables_of_different_sizes_may_share_a_vtable(name: str) -> None:
    """As FlatBuffers' Python builder 25.2.10, which wrote these, lets them."""
    info = inspect(FIXTURES.parent / "cortex_m" / f"{name}.pte")
    operators = info.method("forward").operators
    namespaces = {"cmsis_nn": {"cortex_m"}, "ethos_u55": {"quantized_decomposed"}}
    assert {operator.partition("::")[0] for operator in operators} == namespaces[name]


def test_the_accelerator_can_be_switched_off() -> None:
    code = (
        "from bpte.program import _codec, inspect;"
        "assert not _codec.native_available();"
        f"print(inspect({str(FIXTURES / 'mlp.pte')!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "BPTE_NATIVE": "0"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(inspect(FIXTURES / "mlp.pte"))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (inspect, deserialize_pte):
        with pytest.raises(OSError, match="a pipe, not a regular file"):
            read(tmp_path / "pipe")
