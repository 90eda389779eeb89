# SPDX-License-Identifier: BSD-3-Clause
"""The hand-written numbers of the schema, in C++, in Python and in the breakers, and the bundles
that the core's tests embed, against what they are made from."""

from __future__ import annotations

import re
import runpy
import struct
from pathlib import Path

import breakers
from bpte.format import schema
from bpte.format.layout import MAX_BASE_ALIGNMENT, MAX_SUITES_BP08, REACH_OF_ENTRY, REACH_PER_BYTE
from bpte.format.metadata import MAX_RANK, SCHEMA_VERSION

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
    assert len(tables) == 11
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
    names = {
        "Tensor": ["SCALAR_TYPE", "SIZES", "DATA", "DIM_ORDER", "PAYLOAD"],
        "Tolerance": ["RTOL", "ATOL", "SHARE", "SQNR", "COSINE", "NAN_POLICY", "NOT_COMPARED"],
        "BundledMethodTestCase": ["INPUTS", "OUTPUTS", "NAME", "TOLERANCES"],
        "BundledMethodTestSuite": ["METHOD", "CASES", "SUITE_TOLERANCES"],
        "BundledProgram": [
            *("VERSION", "SUITES", "PROGRAM", "SEGMENTS", "PROGRAM_SEGMENT"),
            *("NAMED_DATA", "METADATA"),
        ],
    }
    for table, own in names.items():
        fields = fields_of_schema()[table]
        assert len(own) == len(fields)
        for index, (name, field) in enumerate(zip(own, fields, strict=True)):
            assert getattr(b, name) == index
            words = name.lower().removeprefix("suite_").split("_")
            assert any(word in field for word in words), (name, field)


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
    assert set(structs) == {"PayloadRef", "Segment"}
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
