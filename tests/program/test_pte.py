# SPDX-License-Identifier: BSD-3-Clause
"""Whole files: as executorch's, without its copies; and what cannot be one is told."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import itertools
import logging
import math
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from bpte.program import (
    ProgramError,
    deserialize,
    deserialize_pte,
    inspect,
    serialize,
    serialize_pte,
)
from bpte.program._codec import Binding
from random_programs import RandomPrograms, same

FIXTURES = Path(__file__).parents[1] / "fixtures" / "program"
MLP = FIXTURES / "mlp.pte"


@pytest.fixture(scope="session")
def exir(executorch: Binding) -> Any:
    """executorch's serializer, its classes among its names."""
    module = importlib.import_module("executorch.exir._serialize._program")
    classes = importlib.import_module("executorch.exir.schema")
    store = importlib.import_module("executorch.exir._serialize._named_data_store")

    class Names:
        pass

    names = Names()
    for source in (module, classes, store):
        names.__dict__.update(vars(source))
    return names


def full_file(exir: Any, seed: int = 0) -> Any:
    """A PTEFile with constants, mutable data, delegates (two alike, one empty) and named data."""
    pte = deserialize_pte(MLP)
    program = pte.program
    program.constant_buffer = [
        exir.Buffer(b""), *(exir.Buffer(bytes([i]) * (13 * i + seed)) for i in range(1, 6)),
    ]  # fmt: skip
    plan = program.execution_plan[0]
    second = copy.deepcopy(plan)
    second.name = "second"
    program.execution_plan.append(second)
    for i, data in enumerate([b"delegate" * 20, b"", b"other" * 9, b"delegate" * 20]):
        program.backend_delegate_data.append(exir.BackendDelegateInlineData(data))
        owner = program.execution_plan[i % 2]
        owner.delegates.append(
            exir.BackendDelegate(
                f"backend{i}", exir.BackendDelegateDataReference(exir.DataLocation.INLINE, i), []
            )
        )
    store = exir.NamedDataStore()
    store.add_named_data("a", b"named" * 11, alignment=3)
    store.add_named_data("b", b"more" * 100, alignment=256)
    store.add_named_data("c", b"named" * 11)
    return exir.PTEFile(
        program,
        [exir.Buffer(b""), exir.Buffer(b"mutable" * 5), exir.Buffer(b"m")],
        store.get_named_data_store_output(),
    )


@pytest.mark.parametrize("delegates", [False, True])
@pytest.mark.parametrize("segment", [1, 16, 128, 4096])
@pytest.mark.parametrize("constant, delegate", [(None, None), (64, 32), (1, 1), (256, None)])
def test_as_executorch(
    exir: Any, delegates: bool, segment: int, constant: int | None, delegate: int | None
) -> None:
    pte = full_file(exir)
    before = copy.deepcopy(pte)
    options: dict[str, Any] = {
        "extract_delegate_segments": delegates,
        "segment_alignment": segment,
        "constant_tensor_alignment": constant,
        "delegate_alignment": delegate,
    }
    ours, theirs = (
        bytes(serialize_pte(pte, **options)),
        bytes(exir.serialize_pte_binary(pte, **options)),
    )
    assert same(pte, before), "the original was changed"
    assert len(ours) <= len(theirs)
    # executorch reads ours as its own; we read executorch's as it does.
    assert same(exir.deserialize_pte_binary(ours), exir.deserialize_pte_binary(theirs))
    assert same(deserialize_pte(theirs), exir.deserialize_pte_binary(theirs))
    # Where things are: the segments are those of executorch, in its order, as aligned.
    info, other = inspect(ours), inspect(theirs)
    assert info.header is not None and info.header.segment_base_offset % segment == 0
    assert info.segments == other.segments
    assert info.constants_size == other.constants_size
    named = info.segments[info.named_data["b"]]
    assert named.offset % math.lcm(segment, 256) == 0
    assert info.named_data["a"] == info.named_data["c"]


def test_no_data_no_header(exir: Any) -> None:
    program = deserialize(MLP.read_bytes())
    program.constant_buffer, program.constant_segment, program.segments = [], None, []
    data = bytes(serialize_pte(program))
    assert inspect_header(data) is None
    assert same(deserialize_pte(data), exir.deserialize_pte_binary(data))
    assert data == serialize(program)


def inspect_header(data: bytes) -> Any:
    from bpte.program import _header

    return _header.read(memoryview(data))


def test_random_programs_as_files(exir: Any, executorch: Binding) -> None:
    for seed in range(30):
        program = RandomPrograms(executorch, seed).program()
        program.segments, program.named_data, program.mutable_data_segments = [], [], None
        program.constant_segment = None
        program.execution_plan = program.execution_plan or []
        for plan in program.execution_plan:
            plan.delegates = []  # Theirs would refer to segments that are not there.
        program.constant_buffer = [
            buffer for buffer in program.constant_buffer or [] if buffer.storage is not None
        ]
        ours = bytes(serialize_pte(program))
        theirs = bytes(exir.serialize_pte_binary(exir.PTEFile(program)))
        want = exir.deserialize_pte_binary(theirs)
        assert same(exir.deserialize_pte_binary(ours), want, sign_of_zero=False)
        assert same(deserialize_pte(theirs), want)


def test_writes_without_copies(exir: Any, tmp_path: Path) -> None:
    """Constants are neither copied to make the file nor to write it, and once to read it."""
    pte = deserialize_pte(MLP)
    size = 1 << 24
    pte.program.constant_buffer[1:] = [exir.Buffer(bytes([i]) * size) for i in range(4)]
    path = tmp_path / "large.pte"
    importlib.import_module("bpte.files.atomic")  # Loading it is not part of writing.
    tracemalloc.start()
    try:
        serialize_pte(pte).save(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.reset_peak()
        back = deserialize_pte(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * size + (1 << 20)
    finally:
        tracemalloc.stop()
    assert same(back, pte)
    assert [item.name for item in tmp_path.iterdir()] == ["large.pte"]


def test_pte_data(exir: Any, tmp_path: Path) -> None:
    data = serialize_pte(full_file(exir))
    joined = bytes(data)
    assert len(data) == len(joined) == sum(len(chunk) for chunk in data.chunks)
    stream = io.BytesIO()
    data.write_to_file(stream)
    assert stream.getvalue() == joined
    data.save(tmp_path / "file.pte")
    assert (tmp_path / "file.pte").read_bytes() == joined
    assert same(deserialize_pte(tmp_path / "file.pte"), deserialize_pte(joined))


def test_save_leaves_nothing_behind(exir: Any, tmp_path: Path) -> None:
    class Fails:
        def __len__(self) -> int:
            return 10

        def to_bytes(self) -> bytes:
            raise OSError("gone")

        def write_to_file(self, outfile: Any) -> None:
            raise OSError("gone")

    pte = deserialize_pte(MLP)
    pte.program.constant_buffer.append(exir.Buffer(Fails()))
    target = tmp_path / "file.pte"
    target.write_bytes(b"before")
    with pytest.raises(OSError, match="gone"):
        serialize_pte(pte).save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["file.pte"]
    assert target.read_bytes() == b"before"


def test_data_from_files(exir: Any, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights" * 100)
    backed = importlib.import_module("executorch.exir._serialize._cord").FileBackedData(
        str(tmp_path / "weights")
    )
    pte = deserialize_pte(MLP)
    pte.program.constant_buffer.append(exir.Buffer(backed))
    data = bytes(serialize_pte(pte))
    assert deserialize_pte(data).program.constant_buffer[-1].storage == b"weights" * 100


@pytest.mark.parametrize(
    "change, place, rule",
    [
        ("plan.delegates[0].processed.index = 9", "delegates[0].processed.index", "outside"),
        ("plan.delegates[0].processed.location = 1", "processed.location", "not inline"),
        ("plan.delegates.pop()", "backend_delegate_data[2]", "no delegate"),
        ("program.named_data = [None]", "named_data", "already"),
        ("program.constant_buffer[1].storage = 7", "constant_buffer[1].storage", "bytes"),
        ("program.constant_buffer[1] = None", "constant_buffer[1]", "expected a Buffer"),
        ("program.execution_plan = None", "", ""),
        ("pte.named_data.buffers.clear()", "named data 'a'", "outside"),
        ("program.segments.append(DataSegment(0, 1))", "segments[0]", "already"),
    ],
)
def test_broken_files_are_not_written(exir: Any, change: str, place: str, rule: str) -> None:
    pte = full_file(exir)
    scope = {"pte": pte, "program": pte.program, "plan": pte.program.execution_plan[0]}
    exec(change, {**scope, "DataSegment": exir.DataSegment})
    with pytest.raises((ProgramError, TypeError)) as caught:
        serialize_pte(pte, extract_delegate_segments=True)
    if place:
        assert isinstance(caught.value, ProgramError)
        assert place in caught.value.place and rule in caught.value.rule


@pytest.mark.parametrize("segment", [0, -1, 1.5, None])
def test_bad_segment_alignment(executorch: Binding, segment: Any) -> None:
    with pytest.raises(ValueError, match="segment_alignment"):
        serialize_pte(deserialize_pte(MLP), segment_alignment=segment)


def test_damaged_files(exir: Any) -> None:
    """Cut or overwritten anywhere: an object or a ProgramError."""
    data = bytes(serialize_pte(full_file(exir), extract_delegate_segments=True))
    info = inspect(data)
    for size in itertools.chain(range(0, info.program_size, 7), [len(data) - 1]):
        with pytest.raises(ProgramError):
            deserialize_pte(data[:size])
    for at in range(info.program_size):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        with contextlib.suppress(ProgramError):
            deserialize_pte(damaged)


def test_falls_back_to_json(exir: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What only JSON can express is logged with its place, and written by flatc."""
    pte = deserialize_pte(MLP)
    values = pte.program.execution_plan[0].values
    values.append(exir.EValue(exir.DoubleList([1.5, "inf"])))
    with caplog.at_level(logging.WARNING, logger="bpte.program"):
        data = bytes(serialize_pte(pte))
    assert "execution_plan[0].values[20].val.items[1]: expected a float" in caplog.text
    back = exir.deserialize_pte_binary(data)
    assert back.program.execution_plan[0].values[20].val.items == [1.5, math.inf]
    assert back.program.constant_buffer == pte.program.constant_buffer
    # ... and by the function without segments.
    caplog.clear()
    values[20].val.items[1] = "-inf"
    assert (
        deserialize(serialize(pte.program)).execution_plan[0].values[20].val.items[1] == -math.inf
    )
    assert "falling back" in caplog.text


@pytest.mark.parametrize(
    "change, place, json",
    [
        ("plan.values[1].val = None or object()", "execution_plan[0].values[1].val", "JSON"),
        ("plan.inputs.append(2**40)", "execution_plan[0].inputs[1]", "flatc"),
        ("plan.inputs.append(plan.inputs)", "execution_plan[0].inputs[1]", "JSON"),
        ("plan.values[0].val.scalar_type = 99", "val.scalar_type", "read back"),
    ],
)
def test_both_errors(
    exir: Any, caplog: pytest.LogCaptureFixture, change: str, place: str, json: str
) -> None:
    pte = deserialize_pte(MLP)
    exec(change, {"plan": pte.program.execution_plan[0]})
    with pytest.raises(ProgramError) as caught:
        serialize_pte(pte)
    assert place in caught.value.place
    assert "the JSON path failed as well" in caught.value.rule and json in caught.value.rule
    assert len(caplog.records) == 2
