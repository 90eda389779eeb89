# SPDX-License-Identifier: BSD-3-Clause
"""The engines' constants of ExecuTorch's schema, held against the schema the wheel ships."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONSTANTS = ROOT / "runtime/bpte/engine/program_schema.h"
SCALAR_TYPES = ROOT / "runtime/bpte/core/scalar_type.h"


@pytest.fixture(scope="module")
def schema() -> dict[str, str]:
    """program.fbs and scalar_type.fbs, without comments."""
    found = importlib.util.find_spec("executorch")
    if found is None or not found.submodule_search_locations:
        pytest.skip("executorch is not installed")
    folder = Path(next(iter(found.submodule_search_locations))) / "exir/_serialize"
    return {
        name: re.sub(r"//[^\n]*", "", (folder / f"{name}.fbs").read_text())
        for name in ("program", "scalar_type")
    }


def fields(schema: str, table: str) -> dict[str, int]:
    """Field ids of a table: in the order of declaration; a union takes two."""
    body = re.search(rf"\btable {table}\s*{{(.*?)}}", schema, re.DOTALL)
    assert body, f"no table {table}"
    unions = set(re.findall(r"\bunion (\w+)", schema))
    ids: dict[str, int] = {}
    at = 0
    for name, kind in re.findall(r"(\w+)\s*:\s*\[?([\w.]+)\]?[^;]*;", body[1]):
        assert "(id:" not in body[1]
        if kind in unions:
            ids[f"{name}_type"] = at
            at += 1
        ids[name] = at
        at += 1
    return ids


def members(schema: str, kind: str, name: str) -> dict[str, int]:
    """Numbers of an enum's or a union's members (a union counts from 1)."""
    body = re.search(rf"\b{kind} {name}\b[^{{]*{{(.*?)}}", schema, re.DOTALL)
    assert body, f"no {kind} {name}"
    numbers: dict[str, int] = {"NONE": 0} if kind == "union" else {}
    at = 1 if kind == "union" else 0
    for member, number in re.findall(r"(\w+)(?:\s*=\s*(\d+))?\s*(?:,|$)", body[1].strip()):
        at = int(number) if number else at
        numbers[member] = at
        at += 1
    return numbers


def constants(text: str, opening: str) -> dict[str, dict[str, int]]:
    """Every enum that `opening` (with a group for its name) begins, as the header states it."""
    text = re.sub(r"//[^\n]*", "", text)
    return {
        name: {key: int(number) for key, number in re.findall(r"(\w+) = (\d+)", body)}
        for name, body in re.findall(opening + r"\s*{(.*?)}", text, re.DOTALL)
    }


def test_field_ids_are_the_schemas(schema: dict[str, str]) -> None:
    tables = constants(CONSTANTS.read_text(), r"namespace (\w+) {\s*enum : uint16_t")
    assert len(tables) > 15 and sum(map(len, tables.values())) > 50
    for table, stated in tables.items():
        found = fields(schema["program"], table)
        assert stated.items() <= found.items(), table


def test_enums_and_unions_are_the_schemas(schema: dict[str, str]) -> None:
    stated = constants(CONSTANTS.read_text(), r"enum class (\w+) : u?int8_t")
    assert set(stated) == {
        "KernelTypes",
        "InstructionArguments",
        "TensorShapeDynamism",
        "DataLocation",
        "TensorDataLocation",
        "DeviceType",
    }
    for name, numbers in stated.items():
        kind = "union" if name in ("KernelTypes", "InstructionArguments") else "enum"
        found = members(schema["program"], kind, name)
        assert numbers.items() <= found.items(), name
        if name != "DeviceType":  # any other device is refused
            assert set(numbers) == set(found), name


def test_scalar_types_are_the_schemas(schema: dict[str, str]) -> None:
    rows = re.findall(r"ROW\(k(\w+), (\d+),", SCALAR_TYPES.read_text())
    found = members(schema["scalar_type"], "enum", "ScalarType")
    names = {name.lower(): number for name, number in found.items()}
    assert len(rows) == 13
    for name, number in rows:
        assert names[name.lower()] == int(number)


def test_identifier_is_the_schemas(schema: dict[str, str]) -> None:
    identifier = re.search(r'file_identifier "(\w+)"', schema["program"])
    assert identifier
    assert f'kIdentifier[] = "{identifier[1]}"' in CONSTANTS.read_text()
