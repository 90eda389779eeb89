# SPDX-License-Identifier: BSD-3-Clause
"""The core's hand-written numbers of the schema, and the bundles that its tests embed, against what
they are made from."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

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


def test_struct_layouts() -> None:
    header = (CORE / "internal" / "schema.h").read_text(encoding="utf-8")
    numbers = {n: int(v) for n, v in re.findall(r"\b(k\w+) = (\d+)\b", header)}
    text = re.sub(r"//.*", "", (ROOT / "schema" / "bpte.fbs").read_text(encoding="utf-8"))
    sizes = {"ulong": 8, "uint": 4}
    structs = dict(re.findall(r"\bstruct (\w+) \{(.*?)\}", text, re.DOTALL))
    assert set(structs) == {"PayloadRef", "Segment"}
    for struct, body in structs.items():
        at = 0
        for field, kind in re.findall(r"(\w+)\s*:\s*(\w+)", body):
            at += -at % sizes[kind]
            name = f"k{struct}At{camel(field)}"
            assert numbers.get(name, 0) == at, name  # the first is not named
            at += sizes[kind]
        assert at + -at % 8 == 24


def test_samples_are_what_their_script_makes() -> None:
    folder = ROOT / "tests" / "core"
    made = runpy.run_path(str(folder / "make_samples.py"))["render"]()
    assert (folder / "samples.h").read_text(encoding="utf-8") == made
