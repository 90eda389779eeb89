# SPDX-License-Identifier: BSD-3-Clause
"""Every field of every kind of file that is written here, read by FlatBuffers' own Python code.

flatc generates the reader from the schema; nothing of bpte takes part in reading. What it reads is
held against what was put in, and each field of the schema must have been there once.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bpte
import flatbuffers_reader
from bpte.files.checksum import crc32
from bpte.format.layout import PAYLOAD_ALIGNMENT

FIXTURES = Path(__file__).parents[1] / "fixtures" / "program"
MLP = FIXTURES / "mlp.pte"
BP08_ONLY = {("Tensor", "data"), ("BundledProgram", "program")}


def generated(schema: Path, folder: Path) -> ModuleType:
    try:
        return flatbuffers_reader.generate(schema, folder)
    except flatbuffers_reader.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What reads a bundle's root table into plain values."""
    folder = tmp_path_factory.mktemp("generated")
    module = generated(flatbuffers_reader.SCHEMA, folder)

    def read(data: bytes) -> dict[str, Any]:
        table = module.BundledProgram.GetRootAs(bytearray(data))
        _, fields = flatbuffers_reader.plain(module.BundledProgramT.InitFromObj(table))
        return dict(fields)

    read.module = module  # type: ignore[attr-defined]
    return read


X = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
Y = np.array([[-1, 2], [3, -4]], dtype=np.int8)
TOLERANCE = bpte.Tolerance(
    rtol=0.5,
    atol=0.25,
    max_outlier_share=0.125,
    min_sqnr_db=20.0,
    min_cosine=0.75,
    nan_policy=bpte.NanPolicy.IGNORE,
    not_compared=True,
)
TOLERANCE_FIELDS = {
    "rtol": 0.5,
    "atol": 0.25,
    "max_outlier_share": 0.125,
    "min_sqnr_db": 20.0,
    "min_cosine": 0.75,
    "nan_policy": 2,
    "not_compared": True,
}
OPEN_TOLERANCE_FIELDS = {
    "rtol": None,
    "atol": 0.5,
    "max_outlier_share": 0.0,
    "min_sqnr_db": None,
    "min_cosine": None,
    "nan_policy": 0,
    "not_compared": False,
}


def bundle(*, everything: bool) -> bpte.BundledProgram:
    """Two suites with every kind of value; ``everything``: also what BP08 has no place for."""
    extra: dict[str, Any] = {}
    if everything:
        extra = {"name": "first", "tolerances": [TOLERANCE] * 2}
    cases = [
        bpte.MethodTestCase((X, 7, True), expected_outputs=[Y, 0.5], **extra),
        bpte.MethodTestCase((X, -8, False), expected_outputs=[Y, -0.0]),
    ]
    suites = [
        bpte.MethodTestSuite(
            "forward", cases, **({"tolerances": bpte.Tolerance(atol=0.5)} if everything else {})
        ),
        bpte.MethodTestSuite("other", []),
    ]
    more: dict[str, Any] = {}
    if everything:
        more = {"named_data": {"key": b"named data"}, "metadata": {"model": "mlp", "ä": "ö"}}
    return bpte.BundledProgram(MLP, suites, **more)


def tensor(array: np.ndarray[Any, Any], code: int, **stored: Any) -> tuple[str, dict[str, Any]]:
    order = list(range(array.ndim))
    fields = {"scalar_type": code, "sizes": list(array.shape), "dim_order": order}
    return "Tensor", {**fields, "data": None, "payload": None, **stored}


def value(kind: int, table: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return "Value", {"val_type": kind, "val": table}


def case(x: Any, y: Any, scalars: tuple[int, bool, float], **more: Any) -> Any:
    number, flag, real = scalars
    inputs = [value(1, x), value(2, ("Int", {"int_val": number}))]
    inputs.append(value(3, ("Bool", {"bool_val": flag})))
    outputs = [value(1, y), value(4, ("Double", {"double_val": real}))]
    fields = {"inputs": inputs, "expected_outputs": outputs, "name": None, "tolerances": None}
    return "BundledMethodTestCase", {**fields, **NO_PARTS, **more}


NO_PARTS = {"steps": None, "carries": None, "labels": None, "trace": None}


def suite(name: str, cases: list[Any], tolerances: Any) -> Any:
    fields = {"method_name": name, "test_cases": cases, "tolerances": tolerances}
    return "BundledMethodTestSuite", {**fields, "metrics": None, "traced_method": None}


def test_bp09(root: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.bpte"
    bundle(everything=True).save(path, fit="skip")
    data = path.read_bytes()
    assert root.module.BundledProgram.BundledProgramBufferHasIdentifier(bytearray(data), 0)
    read = root(data)

    base = int.from_bytes(data[32:40], "little")  # segment_base_offset
    contents = []
    for table, fields in read["segments"]:
        start = base + fields["offset"]
        contents.append(data[start : start + fields["size"]])
        assert table == "Segment" and start % fields["alignment"] == 0
        assert crc32(contents[-1]) == fields["crc32"]
    assert contents[read["program_segment"]] == MLP.read_bytes()
    named = [i for i, content in enumerate(contents) if content == b"named data"]

    def stored(array: np.ndarray[Any, Any], found: Any) -> dict[str, Any]:
        """The payload's place, once its bytes have been looked at."""
        place = found[1]["payload"][1]
        content = contents[place["segment"]][place["offset"] :][: place["size"]]
        assert content == array.tobytes() and place["offset"] % PAYLOAD_ALIGNMENT == 0
        return {"payload": ("PayloadRef", place)}

    cases = []
    scalars = ((7, True, 0.5), (-8, False, -0.0))
    for index, (_, found) in enumerate(read["method_test_suites"][0][1]["test_cases"]):
        x = tensor(X, 6, **stored(X, found["inputs"][0][1]["val"]))
        y = tensor(Y, 1, **stored(Y, found["expected_outputs"][0][1]["val"]))
        more: dict[str, Any] = {}
        if index == 0:
            more = {"name": "first", "tolerances": [("Tolerance", TOLERANCE_FIELDS)] * 2}
        cases.append(case(x, y, scalars[index], **more))
    open_tolerance = ("Tolerance", OPEN_TOLERANCE_FIELDS)
    suites = [suite("forward", cases, [open_tolerance]), suite("other", [], None)]
    assert read["method_test_suites"] == suites
    fields = {"key": "key", "segment": named[0], "role": 0, "file_name": None}
    assert read["named_data"] == [("NamedData", fields)]
    assert read["budgets"] is None
    assert read["metadata"] == [
        ("KeyValue", {"key": "model", "value": "mlp"}),
        ("KeyValue", {"key": "producer", "value": f"bpte {bpte.__version__}"}),
        ("KeyValue", {"key": "ä", "value": "ö"}),
    ]
    assert (read["version"], read["program"]) == (2, None)
    seen: set[tuple[str, str]] = set()
    flatbuffers_reader.fields_seen(("BundledProgram", read), seen)
    # Zero in every file that has its program first.
    seen |= {("BundledProgram", "program_segment")}
    assert seen == fields_of(root.module) - BP08_ONLY - PARTS


# What only some bundles have.
PARTS = {
    *(("BundledMethodTestCase", part) for part in NO_PARTS),
    *(("Carry", field) for field in ("output", "input")),
    *(("TraceValue", field) for field in ("instruction", "output", "value")),
    *(("BundledMethodTestSuite", field) for field in ("metrics", "traced_method")),
    *(("TracedMethod", field) for field in ("program_crc32", "origin", "instructions")),
    *(
        ("Instruction", field)
        for field in (
            *("chain", "index", "operation", "operator_name", "node", "module_path", "source"),
        )
    ),
    *(
        ("Metric", field)
        for field in (
            *("kind", "output", "minimum", "maximum", "k", "classes", "score", "bins"),
            *("low", "high"),
        )
    ),
    *(("NamedData", field) for field in ("role", "file_name")),
    ("BundledProgram", "budgets"),
    *(("Budget", field) for field in ("resource", "limit", "suite", "target")),
}


def rich_bundle() -> bpte.BundledProgram:
    """Every part, every field of it away from its default once."""
    metrics = [
        bpte.Metric(bpte.MetricKind.TOP_K_ACCURACY, 0, minimum=0.5, k=3),
        bpte.Metric(bpte.MetricKind.MEAN_ABSOLUTE_ERROR, 1, maximum=0.25),
        bpte.Metric(bpte.MetricKind.ROC_AUC, score=1, bins=64, low=-1.0, high=2.0),
        bpte.Metric(bpte.MetricKind.CONFUSION_MATRIX, classes=10),
    ]
    known = bpte.Instruction(1, 2, 3, "aten::add.out", "add_1", "classifier.1", "model.py:41")
    trace = [
        bpte.TraceValue(known, 1, X),
        bpte.TraceValue(bpte.Instruction(0, 1), 0, 5),
    ]
    step = bpte.MethodTestCase
    sequence = step(
        steps=[
            step((X, 7, True), [Y, 3], labels=[1]),
            step((X, None, False), [Y, 4], labels=2, trace=trace[:1]),
        ],
        carry={1: 1},
        name="sequence",
    )
    cases = [sequence, step((X, 7, True), [Y, 0], labels=[3, 4], trace=trace)]
    traced = bpte.TracedMethod(bpte.TraceOrigin.REFERENCE)
    suites = [
        bpte.MethodTestSuite("a", []),
        bpte.MethodTestSuite("forward", cases, metrics=metrics, traced_method=traced),
    ]
    budgets = [
        bpte.Budget(bpte.BudgetResource.STACK, 4096),
        bpte.Budget(bpte.BudgetResource.TIME_NS, 1 << 40, "forward", "corstone-300"),
    ]
    return bpte.BundledProgram(
        MLP, suites, budgets=budgets, weights={"w.ptd": PTD}, graphs={"g": b"tosa"}
    )


PTD = b"\x08\0\0\0FT01"


def test_the_parts_of_bp09(root: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.bpte"
    rich_bundle().save(path, fit="skip")
    data = path.read_bytes()
    assert int.from_bytes(data[52:56], "little") == 7  # required_features
    read = root(data)
    base = int.from_bytes(data[32:40], "little")

    def content(number: int) -> bytes:
        fields = read["segments"][number][1]
        start = base + fields["offset"]
        return data[start : start + fields["size"]]

    def stored(found: Any) -> bytes:
        place = found[1]["val"][1]["payload"][1]
        return content(place["segment"])[place["offset"] :][: place["size"]]

    _, forward = read["method_test_suites"][1]
    sequence, plain = (fields for _, fields in forward["test_cases"])
    assert (sequence["inputs"], sequence["expected_outputs"]) == ([], [])
    first, second = (fields for _, fields in sequence["steps"])
    assert first["carries"] is None
    assert second["carries"] == [("Carry", {"output": 1, "input": 1})]
    # What was left out is the expected output of the step before.
    assert second["inputs"][1] == value(2, ("Int", {"int_val": 3}))
    assert (first["labels"], second["labels"], plain["labels"]) == ([1], [2], [3, 4])
    entries = [fields for _, fields in plain["trace"]]
    assert [(entry["instruction"], entry["output"]) for entry in entries] == [(1, 1), (0, 0)]
    assert stored(entries[0]["value"]) == X.tobytes()
    assert entries[1]["value"] == value(2, ("Int", {"int_val": 5}))
    own = plain["inputs"][0][1]["val"][1]["payload"][1]["segment"]
    assert entries[0]["value"][1]["val"][1]["payload"][1]["segment"] != own
    assert [(entry[1]["instruction"], stored(entry[1]["value"])) for entry in second["trace"]] == [
        (1, X.tobytes())
    ]

    _, traced = forward["traced_method"]
    assert (traced["program_crc32"], traced["origin"]) == (crc32(MLP.read_bytes()), 2)
    texts = ("operator_name", "node", "module_path", "source")
    assert traced["instructions"] == [
        ("Instruction", {"chain": 0, "index": 1, "operation": None, **dict.fromkeys(texts)}),
        (
            "Instruction",
            {
                **{"chain": 1, "index": 2, "operation": 3, "operator_name": "aten::add.out"},
                **{"node": "add_1", "module_path": "classifier.1", "source": "model.py:41"},
            },
        ),
    ]
    default = {
        **{"kind": 0, "output": 0, "minimum": None, "maximum": None, "k": 1, "classes": 0},
        **{"score": 0, "bins": 1024, "low": 0.0, "high": 1.0},
    }
    assert [fields for _, fields in forward["metrics"]] == [
        {**default, "minimum": 0.5, "k": 3},
        {**default, "kind": 2, "output": 1, "maximum": 0.25},
        {**default, "kind": 6, "score": 1, "bins": 64, "low": -1.0, "high": 2.0},
        {**default, "kind": 7, "classes": 10},
    ]
    assert [fields for _, fields in read["budgets"]] == [
        {"resource": 5, "limit": 4096, "suite": None, "target": None},
        {"resource": 2, "limit": 1 << 40, "suite": 1, "target": "corstone-300"},
    ]
    (graph, weights) = (fields for _, fields in read["named_data"])
    assert (graph["key"], graph["role"], graph["file_name"]) == ("g", 2, None)
    assert (weights["key"], weights["role"], weights["file_name"]) == ("w.ptd", 1, "w.ptd")
    assert (content(graph["segment"]), content(weights["segment"])) == (b"tosa", PTD)
    seen: set[tuple[str, str]] = set()
    flatbuffers_reader.fields_seen(("BundledProgram", read), seen)
    assert seen >= PARTS


def test_bp08(root: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.bpte"
    bundle(everything=False).save(path, format="bp08", fit="skip")
    data = path.read_bytes()
    assert data[4:8] == b"BP08"
    read = root(data)
    program = read.pop("program")
    assert bytes(program) == MLP.read_bytes()
    x, y = tensor(X, 6, data=list(X.tobytes())), tensor(Y, 1, data=list(Y.tobytes()))
    assert read == {
        "version": 2,
        "method_test_suites": [
            suite("forward", [case(x, y, (7, True, 0.5)), case(x, y, (-8, False, -0.0))], None),
            suite("other", [], None),
        ],
        "segments": None,
        "program_segment": 0,
        "named_data": None,
        "metadata": None,
        "budgets": None,
    }


def fields_of(module: ModuleType) -> set[tuple[str, str]]:
    """Of all classes that flatc generated."""
    result = set()
    for name, made in vars(module).items():
        if name.endswith("T") and hasattr(made, "InitFromObj"):
            table, fields = flatbuffers_reader.plain(made())
            result |= {(table, field) for field in fields}
    assert len(result) > 30
    return result


def as_generated(value: Any) -> Any:
    """An object of executorch's dataclasses as ``flatbuffers_reader.plain`` gives it."""
    if dataclasses.is_dataclass(value):
        fields = {name: as_generated(item) for name, item in sorted(vars(value).items())}
        if type(value).__name__ == "Double":
            fields = {name: float(item) for name, item in fields.items()}
        return type(value).__name__, fields
    if isinstance(value, enum.IntEnum):
        return int(value)
    if isinstance(value, list):
        return [as_generated(item) for item in value]
    return list(value) if isinstance(value, bytes) else value


def without_union_types(value: Any) -> Any:
    """The class of a union's member says its type."""
    if isinstance(value, tuple):
        table, fields = value
        unions = {name for name in fields if f"{name}_type" in fields}
        kept = {
            name: without_union_types(item)
            for name, item in sorted(fields.items())
            if name.removesuffix("_type") not in unions or name in unions
        }
        return table, kept
    return [without_union_types(item) for item in value] if isinstance(value, list) else value


def test_pte(tmp_path: Path) -> None:
    """Random programs have every field; the types of executorch's enums are ints to both."""
    pytest.importorskip("executorch.exir.schema", reason="executorch and torch are not installed")
    sys.path.append(str(Path(__file__).parents[1] / "program"))
    from bpte.program import _codec, deserialize, serialize
    from random_programs import RandomPrograms

    folder = flatbuffers_reader.executorch_folder() / "exir" / "_serialize"
    module = generated(folder / "program.fbs", tmp_path)
    binding = _codec.executorch()
    programs = [RandomPrograms(binding, seed).program() for seed in range(25)]
    programs += [deserialize(path.read_bytes()) for path in sorted(FIXTURES.glob("*.pte"))]
    seen: set[tuple[str, str]] = set()
    for program in programs:
        data = bytearray(serialize(program))
        assert module.Program.ProgramBufferHasIdentifier(data, 0)
        read = module.ProgramT.InitFromObj(module.Program.GetRootAs(data))
        found = without_union_types(flatbuffers_reader.plain(read))
        # As text, in which NaN equals itself and -0.0 is not 0.0.
        assert repr(found) == repr(as_generated(program))
        flatbuffers_reader.fields_seen(found, seen)
    fields = {(table, row[0]) for table, rows in binding.rows for row in rows}
    assert seen == fields
