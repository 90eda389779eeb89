# SPDX-License-Identifier: BSD-3-Clause
"""The schema: what is committed is what executorch ships, and nothing is dropped in silence."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

import pytest

from bpte.program import ProgramError, SchemaError, _codec, _reflect, _schema, _tables
from bpte.program._codec import Binding

pytestmark = pytest.mark.usefixtures("executorch")  # flatc comes with it


def test_tables_are_current() -> None:
    """If this fails after an upgrade: ``python -m bpte.program._reflect``, and read the change."""
    for name, text in _reflect.render().items():
        assert (Path(_reflect.__file__).parent / name).read_text() == text


def test_the_tables_are_used_without_flatc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reflect, "installed", lambda: pytest.fail("the schema was compiled"))
    assert _codec.executorch.__wrapped__().schema[1] is _tables.ROWS


def test_an_unknown_schema_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are not those of the release are understood anew, not taken for its."""
    monkeypatch.setattr(_codec, "fingerprint", lambda package: "")
    binding = _codec.executorch.__wrapped__()
    assert binding.schema[1] is not _tables.ROWS
    assert binding.schema[1] == _tables.ROWS


def test_the_fingerprint_sees_every_file(tmp_path: Path) -> None:
    for source in _codec.SOURCES:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).write_text("text")
    seen = {_codec.fingerprint(str(tmp_path))}
    for source in _codec.SOURCES:
        (tmp_path / source).write_text("other text")
        seen.add(_codec.fingerprint(str(tmp_path)))
    assert len(seen) == len(_codec.SOURCES) + 1
    (tmp_path / source).unlink()
    assert _codec.fingerprint(str(tmp_path)) == ""


def records(text: str) -> Binding:
    identifier, rows, _ = _reflect.compile_text(HEAD + text + TAIL)
    return Binding(_schema.record_classes(rows).get, (identifier, rows))


def bound(text: str, **classes: type) -> Binding:
    identifier, rows, enums = _reflect.compile_text(HEAD + text + TAIL)
    rows = _reflect.rows_for(rows, enums, classes.__getitem__)
    return Binding(classes.__getitem__, (identifier, rows))


HEAD, TAIL = 'file_identifier "TEST"; ', " root_type A;"


@pytest.mark.parametrize(
    "text, message",
    [
        ("struct S { x: int; } table A { s: S; }", "S: cannot carry a struct"),
        ("table A { x: [string]; }", r"A\.x: cannot carry the type"),
        ("table A { x: int (deprecated); }", r"A\.x: cannot carry the attribute 'deprecated'"),
        ("table A { x: string (required); }", "attribute 'required'"),
        ("table A { y: int (id: 1); x: int (id: 0); }", "attribute 'id'"),
        ("table A { x: int = null; }", "default null"),
        ("struct S { x: [int: 3]; } table A { s: [S]; }", "S: cannot carry a struct"),
        ("table A { x: [int] (force_align: 16); }", "force_align"),
        ("union U { A } table B { u: [U]; } table A { b: B; }", "cannot carry the type"),
        ("table A { a: A; }", "recursive"),
        ("table B { a: A; } table A { b: [B]; }", "recursive"),
        ("table A { x: B; }", "flatc: .*"),
        ("table A { x: [ubyte] (force_align: 3); }", "power of two"),
        ("table A { x: int", "flatc: .*"),
    ],
)
def test_unknown_constructs_are_refused(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        _reflect.compile_text(HEAD + text + TAIL)


@dataclasses.dataclass
class A:
    x: int
    y: str


class Kind(enum.IntEnum):
    LARGE = 1000


@pytest.mark.parametrize(
    "text, message",
    [
        ("table A { x: int; y: string; z: int; }", r"A\.z: a field of the schema that the class"),
        ("table A { x: int; }", r"A\.y: a field of the class that the schema lacks"),
        ("table A { x: int; y: int; }", r"A\.y: a scalar is declared <class 'str'>"),
        ("table A { x: int; y: [string]; }", "cannot carry the type"),
        ("table A { x: double; y: string; }", r"A\.x: a scalar is declared <class 'int'>"),
        ("table A { x: bool; y: string; }", r"A\.x: a scalar is declared <class 'int'>"),
        ("table A { x: [int]; y: string; }", r"A\.x: a vector of scalars is declared"),
        ("table A { x: int; y: string; b: B; } table B { }", "no class"),
    ],
)
def test_what_one_side_lacks_is_refused(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        bound(text, A=A)


def test_an_enum_that_does_not_fit_is_refused() -> None:
    holder = dataclasses.make_dataclass("A", [("x", Kind)])
    text = "enum Kind: {} {{ LARGE = 100 }} table A {{ x: Kind = LARGE; }}"
    bound(text.format("short"), A=holder, Kind=Kind)
    with pytest.raises(SchemaError, match=r"A\.x: a scalar is declared <enum 'Kind'>"):
        bound(text.format("byte"), A=holder, Kind=Kind)


def test_a_new_field_is_carried(native: bool) -> None:
    wider = dataclasses.make_dataclass("A", [("x", int), ("y", str), ("z", list[float])])
    binding = bound("table A { x: int = 7; y: string; z: [double]; }", A=wider)
    value = wider(7, "text", [0.5, -0.0])
    data = _codec.encode(binding, value, binding.alignments(None, None), native=native)
    assert _codec.decode(binding, memoryview(data), native=native) == (value, False)


def test_a_file_of_a_newer_schema(native: bool) -> None:
    """Fields that the reader does not know are refused, or skipped and reported."""
    newer = records("table A { x: int; y: int; }")
    older = records("table A { x: int; }")
    value = newer.table(-1).cls(1, 2)
    data = memoryview(_codec.encode(newer, value, newer.alignments(None, None)))
    with pytest.raises(ProgramError, match="does not know"):
        _codec.decode(older, data, native=native)
    back, unknown = _codec.decode(older, data, allow_unknown=True, native=native)
    assert (back.x, unknown) == (1, True)
    # The other way round, what is absent has its default.
    back, unknown = _codec.decode(
        newer, memoryview(_codec.encode(older, older.table(-1).cls(3), {"": 1})), native=native
    )
    assert (back.x, back.y, unknown) == (3, 0, False)


def test_every_width_and_default(native: bool) -> None:
    codes = "bool byte ubyte short ushort int uint long ulong float double"
    text = "table A {"
    for code in codes.split():
        text += f" {code}_0: {code}; {code}_1: {code} = 1; {code}_n: [{code}];"
    binding = records(text + "}")
    names = [field.name for field in binding.tables[-1].fields]
    for value in (0, 1):
        items = [[value] * 3 if name.endswith("_n") else value for name in names]
        items[names.index("ubyte_n")] = bytes([value] * 3)
        data = _codec.encode(binding, binding.tables[-1].cls(*items), {"": 1}, native=native)
        back, _ = _codec.decode(binding, memoryview(data), native=native)
        for name, item in zip(names, items, strict=True):
            assert getattr(back, name) == item, name
