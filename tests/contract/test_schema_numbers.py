# SPDX-License-Identifier: BSD-3-Clause
"""The hand-written numbers of the schema, in C++, in Python and in the breakers, and the bundles
that the core's tests embed, against what they are made from."""

from __future__ import annotations

import re
import runpy
import struct
from pathlib import Path

import breakers
import breakers_parts
from bpte.format import header, metadata, schema
from bpte.format.budget import BudgetResource
from bpte.format.layout import (
    MAX_BASE_ALIGNMENT,
    MAX_SUITES_BP08,
    PTD_ALIGNMENT,
    REACH_OF_ENTRY,
    REACH_OF_ITEM,
    REACH_PER_BYTE,
)
from bpte.format.metadata import MAX_RANK, SCHEMA_VERSION, NamedDataRole
from bpte.format.metric import MAX_CLASSES, MAX_LABELS, MetricKind
from bpte.format.tolerance import NanPolicy
from bpte.format.trace import TraceOrigin

ROOT = Path(__file__).parents[2]
CORE = ROOT / "runtime" / "bpte" / "core"


def fields_of_schema() -> dict[str, list[str]]:
    """Fields of each table, in order; a union counts as two, its type first."""
    text = re.sub(r"//.*", "", (ROOT / "schema" / "bpte.fbs").read_text(encoding="utf-8"))
    text = re.sub(r"\([^)]*\)", "", text)  # attributes
    unions = set(re.findall(r"\bunion (\w+)", text))
    tables = {}
    for name, body in re.findall(r"\btable (\w+) \{(.*?)\}", text, re.DOTALL):
        fields: list[str] = []
        for field, kind in re.findall(r"(\w+)\s*:\s*(\[?\w+)", body):
            if kind in unions:
                fields.append(f"{field}_type")
            fields.append(field)
        tables[name] = fields
    return tables


# How the header's names are made from the schema's.
PREFIXES = {
    "Int": "k",
    "Bool": "k",
    "Double": "k",
    "Tensor": "kTensor",
    "Tolerance": "kTolerance",
    "TraceValue": "kTraceValue",
    "Instruction": "kInstruction",
    "TracedMethod": "kTracedMethod",
    "Metric": "kMetric",
    "Budget": "kBudget",
    "BundledMethodTestCase": "kCase",
    "BundledMethodTestSuite": "kSuite",
    "NamedData": "kNamedData",
    "KeyValue": "kKeyValue",
    "BundledProgram": "kProgram",
}
RENAMED = {
    "kValueval_type": "kValueType",
    "kValueval": "kValueTable",
    "kProgrammethod_test_suites": "kProgramSuites",
}


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def test_field_numbers() -> None:
    header = (CORE / "internal" / "schema.h").read_text(encoding="utf-8")
    numbers = {n: int(v) for n, v in re.findall(r"\b(k\w+) = (\d+)\b", header)}
    tables = fields_of_schema()
    assert len(tables) == 16
    for table, fields in tables.items():
        for index, field in enumerate(fields):
            if table == "Value":
                name = RENAMED[f"kValue{field}"]
            else:
                prefix = PREFIXES[table]
                name = RENAMED.get(f"{prefix}{field}", f"{prefix}{camel(field)}")
            assert numbers[name] == index, (table, field)


# How Python's names are made from the schema's.
PYTHON = {
    "BundledProgram": "PROGRAM",
    "BundledMethodTestSuite": "SUITE",
    "BundledMethodTestCase": "CASE",
    "NamedData": "NAMED_DATA",
    "KeyValue": "KEY_VALUE",
    "TraceValue": "TRACE_VALUE",
    "TracedMethod": "TRACED_METHOD",
}


def test_field_numbers_in_python() -> None:
    tables = fields_of_schema()
    wanted = {}
    for table, fields in tables.items():
        for index, field in enumerate(fields):
            wanted[f"{PYTHON.get(table, table.upper())}_{field.upper()}"] = index
    unions = union_of_schema()
    wanted.update({f"UNION_{name.upper()}": number for name, number in unions.items()})
    wanted["MAX_FIELDS"] = max(map(len, tables.values()))
    found = {name: value for name, value in vars(schema).items() if isinstance(value, int)}
    assert found == wanted


def union_of_schema() -> dict[str, int]:
    text = (ROOT / "schema" / "bpte.fbs").read_text(encoding="utf-8")
    (members,) = re.findall(r"\bunion ValueUnion \{(.*?)\}", text, re.DOTALL)
    return {name: index for index, name in enumerate(re.findall(r"\w+", members), 1)}


def test_union_numbers_in_cpp() -> None:
    header = (CORE / "tensor_view.h").read_text(encoding="utf-8")
    (members,) = re.findall(r"enum class ValueKind : uint8_t \{(.*?)\}", header)
    found = {name: int(number) for name, number in re.findall(r"k(\w+) = (\d+)", members)}
    assert found == {"None": 0, **union_of_schema()}


def test_numbers_of_the_breakers() -> None:
    """They are written down once more there, so that no error of ours hides behind itself."""
    b = breakers
    assert tuple(union_of_schema().values()) == (b.TENSOR, b.INT, b.BOOL, b.DOUBLE)
    case = ["INPUTS", "OUTPUTS", "NAME", "TOLERANCES", "STEPS", "CARRIES", "LABELS", "TRACE"]
    names = {
        "Tensor": ["SCALAR_TYPE", "SIZES", "DATA", "DIM_ORDER", "PAYLOAD"],
        "Tolerance": ["RTOL", "ATOL", "SHARE", "SQNR", "COSINE", "NAN_POLICY", "NOT_COMPARED"],
        "BundledMethodTestCase": case,
        "BundledMethodTestSuite": [
            *("METHOD", "CASES", "SUITE_TOLERANCES", "METRICS", "TRACED_METHOD"),
        ],
        "BundledProgram": [
            *("VERSION", "SUITES", "PROGRAM", "SEGMENTS", "PROGRAM_SEGMENT"),
            *("NAMED_DATA", "METADATA", "BUDGETS"),
        ],
        "NamedData": ["KEY", "SEGMENT", "ROLE", "FILE_NAME"],
        "Metric": [
            *("KIND", "OUTPUT", "MINIMUM", "MAXIMUM", "K", "CLASSES", "SCORE", "BINS"),
            *("LOW", "HIGH"),
        ],
        "TracedMethod": ["PROGRAM_CRC32", "ORIGIN", "INSTRUCTIONS"],
        "Instruction": [
            *("CHAIN", "INDEX", "OPERATION", "OPERATOR_NAME", "NODE", "MODULE_PATH", "SOURCE"),
        ],
        "TraceValue": ["TRACE_INSTRUCTION", "TRACE_OUTPUT", "TRACE_VALUE"],
        "Budget": ["RESOURCE", "LIMIT", "BUDGET_SUITE", "TARGET"],
    }
    for table, own in names.items():
        fields = fields_of_schema()[table]
        assert len(own) == len(fields)
        for index, (name, field) in enumerate(zip(own, fields, strict=True)):
            # In places, those of one module are called as those of the other.
            homes = (b, breakers_parts) if table in ("Tensor", "Tolerance") else (breakers_parts, b)
            home = next(home for home in homes if hasattr(home, name))
            assert getattr(home, name) == index, name
            words = re.sub("^(suite|trace|budget)_", "", name.lower()).split("_")
            assert any(word in field for word in words), (name, field)


def enum_of_schema(name: str) -> dict[str, int]:
    text = re.sub(r"//.*", "", (ROOT / "schema" / "bpte.fbs").read_text(encoding="utf-8"))
    (members,) = re.findall(rf"\benum {name} : \w+ (?:\(bit_flags\) )?\{{(.*?)\}}", text, re.DOTALL)
    return {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", members)}


def test_enums() -> None:
    for kind in (NanPolicy, MetricKind, TraceOrigin, BudgetResource, NamedDataRole):
        assert {member.name: member.value for member in kind} == enum_of_schema(kind.__name__)
    features = {name: 1 << bit for name, bit in enum_of_schema("Feature").items()}
    for name, bit in features.items():
        assert getattr(metadata, f"FEATURE_{name}") == bit
        assert getattr(breakers_parts, f"FEATURE_{name}") == bit
    assert sum(features.values()) == header.KNOWN_FEATURES
    for name, number in enum_of_schema("MetricKind").items():
        assert getattr(breakers_parts, name) == number
    for name, number in enum_of_schema("NamedDataRole").items():
        assert getattr(breakers_parts, name) == number


def test_limits_are_the_same_in_both_languages_and_on_the_page() -> None:
    numbers: dict[str, int] = {}
    sources = ("internal/schema.h", "tensor_view.h", "check_metadata.cpp")
    for name in sources:
        text = (CORE / name).read_text(encoding="utf-8")
        for constant, value, shift in re.findall(r"\b(k\w+) = (\d+)u?(?: << (\d+))?", text):
            numbers[constant] = int(value) << int(shift or 0)
    assert numbers["kMaxRank"] == MAX_RANK
    assert numbers["kSchemaVersion"] == SCHEMA_VERSION
    assert numbers["kMaxBaseAlignment"] == MAX_BASE_ALIGNMENT
    assert numbers["kReachPerByte"] == REACH_PER_BYTE
    assert numbers["kReachOfEntry"] == REACH_OF_ENTRY
    assert numbers["kMaxSuitesBP08"] == MAX_SUITES_BP08
    page = " ".join((ROOT / "schema" / "README.md").read_text(encoding="utf-8").split())
    for sentence in (
        f"more than {MAX_RANK} dimensions",
        f"a power of two from 128 to 2 MiB ({MAX_BASE_ALIGNMENT})",
        f"more than {MAX_SUITES_BP08} suites",
        f"more than {REACH_PER_BYTE} times the metadata's size",
        f": {REACH_OF_ENTRY} for each of its entries",
        f"(carries, labels): {REACH_OF_ITEM} for each of its entries",
        f"more than {MAX_LABELS} labels",
        f"negative, or above {MAX_CLASSES - 1}",
        f"not from 1 to {MAX_CLASSES}, `classes` is above {MAX_CLASSES}",
        f"an alignment below {PTD_ALIGNMENT}",
        f"The sum MUST NOT exceed {REACH_PER_BYTE} times",
        f"There MUST NOT be more than {MAX_SUITES_BP08} of them",
    ):
        assert sentence in page


def test_limits_and_formats_stand_once_in_python() -> None:
    home = {"header.py", "metadata.py"}
    for path in sorted((ROOT / "python" / "bpte").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        code = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
        if path.name not in home:
            assert not re.search(r"MAX_RANK = ", code), path
            assert not re.search(r"""["']bp0[89]["']""", code), path


PAIR = r"(\w+)\s*:\s*(\w+)"


def test_struct_layouts() -> None:
    header = (CORE / "internal" / "schema.h").read_text(encoding="utf-8")
    numbers = {n: int(v) for n, v in re.findall(r"\b(k\w+) = (\d+)\b", header)}
    text = re.sub(r"//.*", "", (ROOT / "schema" / "bpte.fbs").read_text(encoding="utf-8"))
    sizes = {"ulong": 8, "uint": 4}
    structs = dict(re.findall(r"\bstruct (\w+) \{(.*?)\}", text, re.DOTALL))
    assert set(structs) == {"PayloadRef", "Segment", "Carry"}
    # Two numbers alike need no padding: C++ names the size and the second.
    assert re.findall(PAIR, structs.pop("Carry")) == [("output", "uint"), ("input", "uint")]
    assert schema.CARRY.format == "<II" and schema.CARRY.size == 8
    assert (numbers["kCarrySize"], numbers["kCarryAtInput"]) == (8, 4)
    for struct_name, body in structs.items():
        at = 0
        for field, kind in re.findall(PAIR, body):
            at += -at % sizes[kind]
            name = f"k{struct_name}At{camel(field)}"
            assert numbers.get(name, 0) == at, name  # the first is not named
            at += sizes[kind]
        assert at + -at % 8 == 24
        code = "".join({"ulong": "Q", "uint": "I"}[kind] for _, kind in re.findall(PAIR, body))
        code += "x" * (24 - at)
        packed = {"PayloadRef": schema.PAYLOAD_REF, "Segment": schema.SEGMENT}[struct_name]
        assert struct.calcsize(f"<{code}") == packed.size == 24
        values = range(1, len(re.findall(PAIR, body)) + 1)
        assert packed.pack(*values) == struct.pack(f"<{code}", *values)


def test_samples_are_what_their_script_makes() -> None:
    folder = ROOT / "tests" / "core"
    made = runpy.run_path(str(folder / "make_samples.py"))["render"]()
    assert (folder / "samples.h").read_text(encoding="utf-8") == made
