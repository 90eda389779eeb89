# SPDX-License-Identifier: BSD-3-Clause
"""Objects to bytes and back: both paths give the same, and executorch agrees."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest

from bpte.program import ProgramError, _codec, deserialize, serialize
from bpte.program._codec import Binding
from random_programs import RandomPrograms, same

FIXTURES = Path(__file__).parents[1] / "fixtures" / "program"


def upstream(name: str) -> Any:
    return getattr(importlib.import_module("executorch.exir._serialize._flatbuffer_program"), name)


def table_class(binding: Binding, name: str) -> Any:
    return next(table.cls for table in binding.tables if table.name == name)


def programs(binding: Binding, count: int) -> list[Any]:
    return [RandomPrograms(binding, seed).program() for seed in range(count)]


def test_random_programs(executorch: Binding) -> None:
    """The same bytes on both paths; read back equal by both, and by executorch; not longer.

    Not longer up to alignment: a constant's 16 bytes fall where they fall. That files of real
    programs are never longer is the corpus's part.
    """
    ours, others = 0, 0
    alignments = executorch.alignments(None, None)
    paths = [False, True] if _codec.native_available() else [False]
    for seed, program in enumerate(programs(executorch, 80)):
        files = [_codec.encode(executorch, program, alignments, native=path) for path in paths]
        assert len(set(files)) == 1, seed
        for path in paths:
            back, unknown = _codec.decode(executorch, memoryview(files[0]), native=path)
            assert same(back, program) and not unknown, seed
        theirs = upstream("_program_to_flatbuffer")(program).data
        assert len(files[0]) <= len(theirs) + 64, seed
        ours, others = ours + len(files[0]), others + len(theirs)
        assert same(upstream("_flatbuffer_to_program")(files[0]), program), seed
        for path in paths:
            back, _ = _codec.decode(executorch, memoryview(theirs), native=path)
            # executorch drops the sign of -0.0.
            assert same(back, program, sign_of_zero=False), seed
    assert ours < 0.75 * others


@pytest.mark.parametrize("constant", [None, 1, 4, 64, 1024])
@pytest.mark.parametrize("delegate", [None, 2, 256])
def test_alignment(
    executorch: Binding, native: bool, constant: int | None, delegate: int | None
) -> None:
    program = deserialize(serialize(RandomPrograms(executorch, 3).program()))
    buffer = table_class(executorch, "Buffer")
    inline = table_class(executorch, "BackendDelegateInlineData")
    constants = [bytes([i]) * (40 + i) for i in range(1, 6)]
    delegates = [bytes([i]) * (50 + i) for i in range(6, 11)]
    program.constant_buffer = [buffer(data) for data in constants]
    program.backend_delegate_data = [inline(data) for data in delegates]
    alignments = executorch.alignments(constant, delegate)
    data = _codec.encode(executorch, program, alignments, native=native)
    for blobs, alignment in ((constants, constant or 16), (delegates, delegate or 16)):
        for blob in blobs:
            assert data.index(blob) % alignment == 0
    assert len(data) % max(alignments.values()) == 0
    assert same(deserialize(data), program)


@pytest.mark.parametrize("alignment", [0, -1, 3, 2.0, True, 2**31])
def test_bad_alignment(executorch: Binding, alignment: Any) -> None:
    program = RandomPrograms(executorch, 0).program()
    with pytest.raises(ValueError, match="alignment"):
        serialize(program, constant_tensor_alignment=alignment)
    with pytest.raises(ValueError, match="alignment"):
        serialize(program, delegate_alignment=alignment)


def test_large_inline_data_is_not_copied_twice(executorch: Binding, native: bool) -> None:
    import tracemalloc

    program = deserialize(serialize(RandomPrograms(executorch, 3).program()))
    buffer = table_class(executorch, "Buffer")
    size = 1 << 23
    program.constant_buffer = [buffer(bytearray(size)), buffer(memoryview(bytes(size)))]
    alignments = executorch.alignments(None, None)
    tracemalloc.start()
    try:
        data = _codec.encode(executorch, program, alignments, native=native)
        assert tracemalloc.get_traced_memory()[1] < len(data) + (1 << 20)
    finally:
        tracemalloc.stop()
    assert len(data) > 2 * size


class Odd:
    """Not a number, whatever it says."""

    def __index__(self) -> int:
        raise RuntimeError("I will not tell")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

# Path, what is put there, and what the message must say.
BROKEN: list[tuple[str, Any, str]] = [
    ("version", -1, "-1 is outside of 0 ... 4294967295"),
    ("version", 2**32, "4294967296 is outside"),
    ("version", "1", "expected an int, found '1'"),
    ("version", None, "expected an int"),
    ("version", 1.0, "expected an int, found 1.0"),
    ("version", Odd(), "I will not tell"),
    ("execution_plan", 3, "expected a list, found 3"),
    ("execution_plan", CYCLE, "expected a ExecutionPlan, found a list"),
    ("execution_plan[0]", None, "expected a ExecutionPlan"),
    ("execution_plan[0].name", b"forward", "expected a str, found b'forward'"),
    ("execution_plan[0].name", "\ud800", "not Unicode"),
    ("execution_plan[0].values[1].val", 3, "expected one of Null, Int"),
    ("execution_plan[0].values[1].val", Odd(), "found a Odd"),
    ("execution_plan[0].values[0].val.sizes[1]", 2**31, "2147483648 is outside"),
    ("execution_plan[0].values[0].val.sizes[1]", 2.5, "expected an int, found 2.5"),
    ("execution_plan[0].values[0].val.sizes", CYCLE, "expected an int, found a list"),
    ("execution_plan[0].values[0].val.dim_order[0]", 256, "256 is outside of 0 ... 255"),
    ("execution_plan[0].values[0].val.scalar_type", 99, "99 is not a ScalarType"),
    ("execution_plan[0].values[0].val.requires_grad", 2, "expected a bool, found 2"),
    ("execution_plan[0].values[0].val.requires_grad", "no", "expected an int, found 'no'"),
    ("execution_plan[0].non_const_buffer_sizes[0]", 2**63, "is outside"),
    ("execution_plan[0].chains[0].instructions[0].instr_args.args[0]", None, "expected an int"),
    ("constant_buffer", [None], "expected a Buffer"),
    ("constant_segment", "no", "expected a SubsegmentOffsets, found 'no'"),
    ("constant_segment.offsets", [-1], "-1 is outside"),
]


def put(program: Any, path: str, value: Any) -> None:
    """Replaces a part of a program by its path."""
    owner, _, last = path.rpartition(".")
    scope = {"program": program, "value": value}
    exec(f"program.{owner + '.' if owner else ''}{last} = value", scope)


@pytest.mark.parametrize("path, value, message", BROKEN)
def test_broken_objects(
    executorch: Binding, native: bool, path: str, value: Any, message: str
) -> None:
    program = deserialize((FIXTURES / "mlp.pte").read_bytes())
    put(program, path, value)
    with pytest.raises(ProgramError) as caught:
        _codec.encode(executorch, program, executorch.alignments(None, None), native=native)
    assert message in caught.value.rule
    assert caught.value.place.startswith(path)


def test_missing_attribute(executorch: Binding, native: bool) -> None:
    program = deserialize((FIXTURES / "mlp.pte").read_bytes())
    del program.execution_plan[0].chains[0].inputs
    with pytest.raises(ProgramError, match=r"execution_plan\[0\]\.chains\[0\]\.inputs: .*missing"):
        _codec.encode(executorch, program, executorch.alignments(None, None), native=native)


def test_list_that_changes(executorch: Binding, native: bool) -> None:
    """An item whose conversion shortens its own list: an error or a file, never a crash."""

    class Shortens:
        def __init__(self, items: list[Any]) -> None:
            self.items = items

        def __index__(self) -> int:
            self.items.clear()
            return 1

    program = deserialize((FIXTURES / "mlp.pte").read_bytes())
    inputs = program.execution_plan[0].inputs
    inputs[:] = [Shortens(inputs), *range(50)]
    try:
        data = _codec.encode(executorch, program, executorch.alignments(None, None), native=native)
    except ProgramError:
        return
    _codec.decode(executorch, memoryview(data), native=native)


def test_numpy_and_tuples_are_welcome(executorch: Binding, native: bool) -> None:
    numpy = pytest.importorskip("numpy")
    program = deserialize((FIXTURES / "mlp.pte").read_bytes())
    alignments = executorch.alignments(None, None)
    want = _codec.encode(executorch, program, alignments, native=native)
    other = copy.deepcopy(program)
    tensor = other.execution_plan[0].values[0].val
    tensor.sizes = tuple(numpy.int64(size) for size in tensor.sizes)
    tensor.requires_grad = numpy.bool_(tensor.requires_grad)
    tensor.scalar_type = int(tensor.scalar_type)
    other.version = numpy.uint8(other.version)
    assert _codec.encode(executorch, other, alignments, native=native) == want


@pytest.mark.parametrize("name", ["mlp.pte", "dynamic.pte", "methods.pte"])
def test_readers_agree_on_damage(executorch: Binding, name: str) -> None:
    """Both readers refuse the same files and read the same from the others."""
    if not _codec.native_available():
        pytest.skip("the native accelerator is not built")
    data = (FIXTURES / name).read_bytes()
    size = int.from_bytes(data[16:24], "little")
    pick = random.Random(name)
    outcomes = {True: 0, False: 0}
    for _ in range(1200):
        damaged = bytearray(data[:size])
        for _ in range(pick.choice((1, 1, 2, 5))):
            damaged[pick.randrange(size)] = pick.choice((0, 1, 4, 0x80, 0xFF, pick.randrange(256)))
        results = []
        for native in (False, True):
            try:
                results.append(_codec.decode(executorch, memoryview(damaged), native=native)[0])
            except ProgramError as error:
                results.append(str(error))
        pure, fast = results
        assert same(pure, fast) if not isinstance(pure, str) else pure == fast
        outcomes[isinstance(pure, str)] += 1
    assert min(outcomes.values()) > 100


def test_many_tables_from_few_bytes(executorch: Binding, native: bool) -> None:
    """Vectors whose items are all one table that has such a vector...: 200^4 objects in 4 kB."""
    import struct

    out = bytearray(b"\0\0\0\0ET12")

    def table(slot: int, target: int) -> int:
        """A table with one offset, forwards to a place that is patched in later."""
        vtable = struct.pack(f"<{slot + 3}H", 2 * slot + 6, 8, *[0] * slot, 4)
        out.extend(vtable + bytes(-len(vtable) % 4))
        place = len(out)
        out.extend(struct.pack("<iI", (len(vtable) + 3) // 4 * 4, 0))
        return place + 4 if target < 0 else place

    # Program.execution_plan, ExecutionPlan.chains, Chain.instructions; leaf: an empty table.
    fields = [table(slot, -1) for slot in (1, 5, 2)]
    out[0:4] = (fields[0] - 4).to_bytes(4, "little")
    nodes = [*(field - 4 for field in fields[1:])]
    leaf_vtable = len(out)
    out.extend(struct.pack("<HH", 4, 4))
    leaf = len(out)
    out.extend(struct.pack("<i", leaf - leaf_vtable))
    # Tables must lie behind the vectors, so copy them there.
    for field, node in zip(fields, [*nodes, leaf], strict=True):
        vector = len(out)
        out[field : field + 4] = (vector - field).to_bytes(4, "little")
        out.extend(struct.pack("<I", 200) + bytes(800))
        copy_at = len(out)
        soffset = struct.unpack_from("<i", out, node)[0]
        out.extend(struct.pack("<iI", copy_at - (node - soffset), 0)[: 4 if node == leaf else 8])
        for i in range(200):
            at = vector + 4 + 4 * i
            out[at : at + 4] = (copy_at - at).to_bytes(4, "little")
        if node != leaf:
            fields[fields.index(node + 4)] = copy_at + 4
    with pytest.raises(ProgramError, match="tables"):
        _codec.decode(executorch, memoryview(bytes(out)), native=native)


def test_odd_objects(executorch: Binding) -> None:
    """Rounds of the fuzzer, with fixed seeds: both writers agree on whatever they are given."""
    path = Path(__file__).parents[1] / "fuzz" / "fuzz_program.py"
    spec = importlib.util.spec_from_file_location("fuzz_program", path)
    assert spec is not None and spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    for fuzzer, expected in ((fuzz.Writing(), "written"), (fuzz.Reading(), "read")):
        outcomes = [fuzzer.round(seed) for seed in range(250)]
        assert outcomes.count("refused") > 50 and outcomes.count(expected) > 10
