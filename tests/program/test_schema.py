# SPDX-License-Identifier: BSD-3-Clause
"""The schema: what is committed is what executorch ships, and nothing is dropped in silence."""

from __future__ import annotations

import dataclasses
import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bpte.program import SchemaError, _bind, _codec, _schema
from bpte.program._bind import Binding
from bpte.program._schema import Kind


def test_packaged_is_installed(executorch: Binding) -> None:
    """If this fails after an upgrade: ``python -m bpte.program._schema``, and read the change."""
    assert _schema.render(_schema.packaged()) == _schema.render(_schema.installed())


def test_render_round_trip() -> None:
    schema = _schema.packaged()
    assert _schema.parse(_schema.render(schema)) == schema


def test_parser_agrees_with_flatc(executorch: Binding, tmp_path: Path) -> None:
    """flatc's own reflection data of the installed schema says the same, read by our reader.

    It leaves force_align out, which the tests of alignments cover.
    """
    flatc = importlib.import_module("executorch.exir._serialize._flatbuffer")._get_flatc_path()
    folder = Path(importlib.import_module("executorch.exir._serialize").__file__).parent
    subprocess.run(
        [flatc, "-b", "--schema", "-o", tmp_path, folder / "program.fbs"],
        check=True,
    )
    data = (tmp_path / "program.bfbs").read_bytes()
    # The part of flatbuffers' reflection.fbs that is compared.
    reflection = _bind.to_records(
        _schema.parse(
            """
            file_identifier "BFBS"; root_type Schema;
            enum BaseType : byte { None, UType, Bool, Byte, UByte, Short, UShort, Int, UInt, Long,
              ULong, Float, Double, String, Vector, Obj, Union, Array }
            table Type { base_type: BaseType; element: BaseType; index: int = -1;
              fixed_length: ushort; base_size: uint = 4; element_size: uint; }
            table EnumVal { name: string; value: long; object: int; union_type: Type; }
            table Enum { name: string; values: [EnumVal]; is_union: bool; underlying_type: Type; }
            table Field { name: string; type: Type; id: ushort; offset: ushort;
              default_integer: long; default_real: double; deprecated: bool; required: bool;
              key: bool; }
            table Object { name: string; fields: [Field]; }
            table Schema { objects: [Object]; enums: [Enum]; file_ident: string; }
            """
        )
    )
    theirs, _ = _codec.decode(reflection, memoryview(data), allow_unknown=True)
    schema = _schema.installed()
    assert theirs.file_ident.encode() == schema.identifier

    def bare(name: str) -> str:
        return name.rpartition(".")[2]

    enums = {bare(enum.name): enum for enum in theirs.enums}
    for name, (_, members) in schema.enums.items():
        assert sorted(members) == sorted((v.name, v.value) for v in enums[name].values)
    for name, union in schema.unions.items():
        assert ["NONE", *union] == [value.name for value in enums[name].values]
    assert set(enums) == set(schema.enums) | set(schema.unions)

    codes = dict(zip("?bBhHiIqQfd", range(2, 13), strict=True))  # BaseType
    tables = {bare(table.name): table for table in theirs.objects}
    assert set(tables) == set(schema.tables)
    for name, fields in schema.tables.items():
        slots = {field.id: field for field in tables[name].fields}
        ours = {field.slot: field for field in fields}
        unions = {field.slot - 1 for field in fields if field.kind is Kind.UNION}
        assert set(slots) == set(ours) | unions
        for slot, field in ours.items():
            other = slots[slot]
            assert other.name == field.name
            base = {Kind.STRING: 13, Kind.TABLE: 15, Kind.UNION: 16}.get(field.kind)
            if field.kind in (Kind.SCALARS, Kind.TABLES):
                base = 14
                assert other.type.element == (codes[field.code] if field.code else 15)
            assert other.type.base_type == (base or codes[field.code])
            if field.kind is Kind.SCALAR:
                assert other.default_integer == field.default
            if field.kind in (Kind.TABLE, Kind.TABLES):
                assert bare(theirs.objects[other.type.index].name) == field.ref


HEAD = 'file_identifier "TEST"; root_type A; '


@pytest.mark.parametrize(
    "text, message",
    [
        ("struct S { x: int; } table A { }", "struct"),
        ("table A { x: [string]; }", r"cannot carry the type \[string\]"),
        ("table A { x: int (deprecated); }", "attribute 'deprecated'"),
        ("table A { x: int = null; }", "default null"),
        ("table A { x: [int: 3]; }", "expected ']'"),
        ("table A { x: B; }", "cannot carry the type B"),
        ("table A { x: int", "expected ';'"),
        ("table A { x: [int] (force_align: 16); }", "force_align"),
        ("table A { x: [ubyte] (force_align: 3); }", "power of two"),
        ("union U { B } table A { u: U; }", "not a table"),
        ("rpc_service R { }", "rpc_service"),
        ("table A { x: int; } table A { }", "twice"),
        ("table A { § }", "unexpected character"),
    ],
)
def test_unknown_constructs_are_refused(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        _schema.parse(HEAD + text)


def test_recursive_tables_are_refused() -> None:
    with pytest.raises(SchemaError, match="recursive"):
        _bind.to_records(_schema.parse(HEAD + "table A { a: A; }"))


@dataclasses.dataclass
class A:
    x: int
    y: str


def find(cls: type) -> Any:
    return lambda name: {"A": cls}[name]


def test_a_new_field_is_refused_or_carried() -> None:
    """A field on one side alone is refused by name; on both sides it is carried."""
    with pytest.raises(SchemaError, match=r"A\.z: a field of the schema that the class lacks"):
        _bind.to_dataclasses(
            _schema.parse(HEAD + "table A { x: int; y: string; z: int; }"), find(A)
        )
    with pytest.raises(SchemaError, match=r"A\.y: a field of the class that the schema lacks"):
        _bind.to_dataclasses(_schema.parse(HEAD + "table A { x: int; }"), find(A))
    with pytest.raises(SchemaError, match=r"A\.y: a scalar is declared <class 'str'>"):
        _bind.to_dataclasses(_schema.parse(HEAD + "table A { x: int; y: int; }"), find(A))
    with pytest.raises(SchemaError, match="no class"):
        _bind.to_dataclasses(
            _schema.parse(HEAD + "table A { x: int; y: string; b: B; } table B { }"), find(A)
        )

    wider = dataclasses.make_dataclass("A", [("x", int), ("y", str), ("z", list[float])])
    binding = _bind.to_dataclasses(
        _schema.parse(HEAD + "table A { x: int = 7; y: string; z: [double]; }"), find(wider)
    )
    value = wider(7, "text", [0.5, -0.0])
    data = _codec.encode(binding, value, binding.alignments(None, None))
    assert _codec.decode(binding, memoryview(data)) == (value, False)


def test_a_file_of_a_newer_schema(native: bool) -> None:
    """Fields that the reader does not know are refused, or skipped and reported."""
    newer = _bind.to_records(_schema.parse(HEAD + "table A { x: int; y: int; }"))
    older = _bind.to_records(_schema.parse(HEAD + "table A { x: int; }"))
    value = newer.tables[-1].cls(1, 2)
    data = memoryview(_codec.encode(newer, value, newer.alignments(None, None)))
    with pytest.raises(_schema.SchemaError.__mro__[1], match="does not know"):
        _codec.decode(older, data, native=native)
    back, unknown = _codec.decode(older, data, allow_unknown=True, native=native)
    assert (back.x, unknown) == (1, True)
    # The other way round, what is absent has its default.
    back, unknown = _codec.decode(
        newer, memoryview(_codec.encode(older, older.tables[-1].cls(3), {"": 1})), native=native
    )
    assert (back.x, back.y, unknown) == (3, 0, False)


def test_every_width_and_default(native: bool) -> None:
    codes = "bool byte ubyte short ushort int uint long ulong float double"
    text = HEAD + "table A {"
    for code in codes.split():
        text += f" {code}_0: {code}; {code}_1: {code} = 1; {code}_n: [{code}];"
    binding = _bind.to_records(_schema.parse(text + "}"))
    names = [field.field.name for field in binding.tables[-1].fields]
    for value in (0, 1):
        items = [[value] * 3 if name.endswith("_n") else value for name in names]
        items[names.index("ubyte_n")] = bytes([value] * 3)
        data = _codec.encode(binding, binding.tables[-1].cls(*items), {"": 1}, native=native)
        back, _ = _codec.decode(binding, memoryview(data), native=native)
        for name, item in zip(names, items, strict=True):
            assert getattr(back, name) == item, name


def test_module_is_generated(executorch: Binding) -> None:
    """The committed module is what the generator prints."""
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "bpte.program._schema"], capture_output=True, text=True, check=True
    )
    committed = Path(_schema.__file__).with_name("_schema_text.py").read_text()
    assert done.stdout == committed
    assert re.search("do not edit", committed)
