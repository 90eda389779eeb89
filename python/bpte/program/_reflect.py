# SPDX-License-Identifier: BSD-3-Clause
"""Makes the rows of a binding from a schema that flatc has compiled.

flatc compiles a schema to a binary one, a FlatBuffer of ``reflection.fbs``, which this package's
reader reads. Only the constructs of ``program.fbs`` are supported: tables of scalars, enums,
strings, tables, unions of tables, and vectors of scalars or tables. Anything else is refused by
name, so that a construct added upstream is never half read.

``python -m bpte.program._reflect`` writes the two files that hold the tables of the installed
executorch.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import re
import subprocess
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from bpte.program import SchemaError, _codec, _reader, _schema
from bpte.program._schema import (
    SCALAR,
    SCALARS,
    SIZES,
    STRING,
    TABLE,
    TABLES,
    UNION,
    Field,
    Row,
    Rows,
)
from bpte.program._values import integer_range

Enums = dict[str, dict[str, int]]

# The part of FlatBuffers' reflection.fbs that is used, in the form of _tables.py.
_TYPE, _PAIR, _VALUE, _ENUM, _FIELD, _OBJECT = range(6)


def _reflection() -> Rows:
    def table(name: str, *fields: tuple[Any, ...]) -> tuple[str, tuple[Row, ...]]:
        rows = []
        for position, (field, slot, kind, *rest) in enumerate(fields):
            code, refs = (rest[0], ()) if kind == SCALAR else ("", tuple(rest))
            default = rest[1] if kind == SCALAR and len(rest) > 1 else 0
            rows.append((field, slot, kind, code, default, refs, position, "", 0, ""))
        return name, tuple(rows)

    return (
        table(
            "Type",
            ("base_type", 0, SCALAR, "b"),
            ("element", 1, SCALAR, "b"),
            ("index", 2, SCALAR, "i", -1),
        ),
        table("KeyValue", ("key", 0, STRING), ("value", 1, STRING)),
        table("EnumVal", ("name", 0, STRING), ("value", 1, SCALAR, "q")),
        table(
            "Enum",
            ("name", 0, STRING),
            ("values", 1, TABLES, _VALUE),
            ("is_union", 2, SCALAR, "?"),
            ("underlying_type", 3, TABLE, _TYPE),
        ),
        table(
            "Field",
            ("name", 0, STRING),
            ("type", 1, TABLE, _TYPE),
            ("id", 2, SCALAR, "H"),
            ("default_integer", 4, SCALAR, "q"),
            ("default_real", 5, SCALAR, "d"),
            ("attributes", 9, TABLES, _PAIR),
            ("optional", 11, SCALAR, "?"),
        ),
        table(
            "Object",
            ("name", 0, STRING),
            ("fields", 1, TABLES, _FIELD),
            ("is_struct", 2, SCALAR, "?"),
        ),
        table(
            "Schema",
            ("objects", 0, TABLES, _OBJECT),
            ("enums", 1, TABLES, _ENUM),
            ("file_ident", 2, STRING),
            ("root_table", 4, TABLE, _OBJECT),
        ),
    )


# Of reflection.fbs: the values of BaseType.
_CODES = dict(zip(range(2, 13), "?bBhHiIqQfd", strict=True))
_UTYPE, _STRING, _VECTOR, _OBJ, _UNION = 1, 13, 14, 15, 16

# Comments that carry meaning, but only for executorch: the exporter's alignment options rewrite
# the force_align of the lines they stand on (executorch/exir/_serialize/_flatbuffer.py).
_OPTION = re.compile(
    r"^\s*(\w+)\s*:.*force_align.*//\s*@executorch-(tensor|delegate)-alignment", re.MULTILINE
)
_OPTIONS = {"tensor": "constant_tensor", "delegate": "delegate"}


def compile_file(source: Path) -> tuple[bytes, Rows, Enums]:
    """The identifier, the rows and the enums of a schema file, without classes. Raises SchemaError
    with flatc's message, or for a construct that is not supported.
    """
    flatc = importlib.import_module("executorch.exir._serialize._flatbuffer")._get_flatc_path()
    with tempfile.TemporaryDirectory(prefix="bpte-") as folder:
        command = [flatc, "--binary", "--schema", "--bfbs-builtins", "-o", folder, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise SchemaError(f"flatc: {done.stderr.strip() or done.stdout.strip()}", source.name)
        data = (Path(folder) / source.with_suffix(".bfbs").name).read_bytes()
    rows = _reflection()
    binding = _codec.Binding(_schema.record_classes(rows).get, (b"BFBS", rows))
    schema, _ = _reader.decode(binding, memoryview(data), allow_unknown=True)
    notes = _OPTION.findall(source.read_text(encoding="utf-8"))
    return _Compiler(schema, {field: _OPTIONS[kind] for field, kind in notes}).run()


def compile_text(text: str) -> tuple[bytes, Rows, Enums]:
    """As ``compile_file``, for the text of a schema that includes no other."""
    with tempfile.TemporaryDirectory(prefix="bpte-") as folder:
        source = Path(folder) / "schema.fbs"
        source.write_text(text, encoding="utf-8")
        return compile_file(source)


class _Compiler:
    """Turns flatc's description into rows."""

    def __init__(self, schema: Any, options: dict[str, str]) -> None:
        self._schema = schema
        self._options = options
        self._done: dict[str, int] = {}
        self._open: list[str] = []
        self._rows: list[tuple[str, tuple[Row, ...]]] = []

    def run(self) -> tuple[bytes, Rows, Enums]:
        identifier = (self._schema.file_ident or "").encode()
        if len(identifier) != 4 or self._schema.root_table is None:
            raise SchemaError("the schema has no file_identifier or no root_type")
        self._table(self._schema.root_table)
        enums: Enums = {
            _bare(item.name): {value.name: value.value for value in item.values}
            for item in self._schema.enums
            if not item.is_union
        }
        return identifier, tuple(self._rows), enums

    def _table(self, table: Any) -> int:
        """The index of a table. Its rows come after those of the tables it refers to. A cycle is
        refused, so that the depth of a program is bounded.
        """
        name = _bare(table.name)
        if table.is_struct:
            raise SchemaError("cannot carry a struct", name)
        if name in self._open:
            raise SchemaError("cannot carry a recursive table", name)
        if name not in self._done:
            self._open.append(name)
            # flatc sorts fields by name, and lists a union's type as a field before it.
            fields = sorted(table.fields, key=lambda field: int(field.id))
            values = [field for field in fields if field.type.base_type != _UTYPE]
            rows = tuple([self._field(name, i, field) for i, field in enumerate(values)])
            self._open.pop()
            self._done[name] = len(self._rows)
            self._rows.append((name, rows))
        return self._done[name]

    def _field(self, table: str, position: int, field: Any) -> Row:
        place = f"{table}.{field.name}"
        attributes = {pair.key: pair.value for pair in field.attributes or ()}
        align = int(attributes.pop("force_align", "0"))
        if attributes:
            raise SchemaError(f"cannot carry the attribute {min(attributes)!r}", place)
        if field.optional and field.type.base_type in _CODES:
            raise SchemaError("cannot carry the default null", place)
        kind, code, refs = self._kind(field.type, place)
        if align & (align - 1):
            raise SchemaError(f"force_align {align} is not a power of two", place)
        if align and (kind != SCALARS or SIZES[code] != 1):
            raise SchemaError("cannot carry force_align on anything but a vector of bytes", place)
        default: Any = field.default_integer
        if code == "?":
            default = bool(default)
        elif code and code in "fd":
            default = float(field.default_real)
        holds = "bytes" if kind == SCALARS and code == "B" else ""
        option = self._options.get(field.name, "") if align else ""
        if kind != SCALAR:
            default = 0
        return (field.name, field.id, kind, code, default, refs, position, holds, align, option)

    def _kind(self, type_: Any, place: str) -> tuple[int, str, tuple[int, ...]]:
        """How a field of this type is stored, its code, and the tables it refers to."""
        base, element = type_.base_type, type_.element
        if base in _CODES:
            return SCALAR, _CODES[base], ()
        if base == _STRING:
            return STRING, "", ()
        if base == _OBJ:
            return TABLE, "", (self._table(self._schema.objects[type_.index]),)
        if base == _UNION:
            members = self._schema.enums[type_.index].values[1:]
            return UNION, "", tuple([self._member(member, place) for member in members])
        if base == _VECTOR and element in _CODES:
            return SCALARS, _CODES[element], ()
        if base == _VECTOR and element == _OBJ:
            return TABLES, "", (self._table(self._schema.objects[type_.index]),)
        raise SchemaError(f"cannot carry the type (BaseType {base}, element {element})", place)

    def _member(self, member: Any, place: str) -> int:
        for table in self._schema.objects:
            if _bare(table.name) == member.name:
                return self._table(table)
        raise SchemaError(f"cannot carry the union's member {member.name}, no table", place)


def _bare(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition(".")[2]


def rows_for(rows: Rows, enums: Enums, find: Callable[[str], Any]) -> Rows:
    """The rows, adapted to the dataclasses of the same names, which ``find`` gives.

    Raises SchemaError when a table has no class, when one side has a field that the other lacks,
    or when a field's type cannot hold what the schema stores: nothing is dropped silently.
    """
    classes: list[Any] = []
    for name, fields in rows:
        try:
            cls = find(name)
        except (AttributeError, KeyError):
            raise SchemaError("the schema's table has no class", name) from None
        if not dataclasses.is_dataclass(cls):
            raise SchemaError(f"{cls!r} is not a dataclass", name)
        ours = {row[0] for row in fields}
        theirs = {field.name for field in dataclasses.fields(cls) if field.init}
        for lost in sorted(ours - theirs):
            raise SchemaError("a field of the schema that the class lacks", f"{name}.{lost}")
        for lost in sorted(theirs - ours):
            raise SchemaError("a field of the class that the schema lacks", f"{name}.{lost}")
        classes.append(cls)
    result = []
    for (name, fields), cls in zip(rows, classes, strict=True):
        hints = get_type_hints(cls)
        order = [field.name for field in dataclasses.fields(cls) if field.init]
        held = []
        for row in fields:
            field = Field(*row)
            holds = _holds(field, hints[field.name], classes)
            if holds is None or (holds not in ("", "bytes", "text") and holds not in enums):
                raise SchemaError(
                    f"a {_WORDS[field.kind]} is declared {hints[field.name]!r}",
                    f"{name}.{field.name}",
                )
            held.append((*row[:6], order.index(field.name), holds, *row[8:]))
        result.append((name, tuple(held)))
    return tuple(result)


_WORDS = ("scalar", "string", "table", "union", "vector of scalars", "vector of tables")


def _holds(field: Field, hint: Any, classes: list[Any]) -> str | None:
    """What a field with this type hint holds (see ``Field``); None if it cannot hold every
    value."""
    options = set(get_args(hint)) if get_origin(hint) is Union else {hint}
    options.discard(type(None))
    if field.kind == UNION:
        return "" if options == {classes[index] for index in field.refs} else None
    if field.kind == SCALAR and field.code in "fd":
        return {1: "", 2: "text"}[len(options)] if options in ({float}, {float, str}) else None
    if len(options) != 1:
        return None
    (only,) = options
    if field.kind == SCALAR and isinstance(only, type) and issubclass(only, enum.IntEnum):
        low, high = integer_range(field.code)
        return only.__name__ if all(low <= int(member) <= high for member in only) else None
    if field.kind == SCALARS and field.code == "B" and only is bytes:
        return "bytes"
    element: Any = {"?": bool, "f": float, "d": float, "": str}.get(field.code, int)
    if field.refs:
        element = classes[field.refs[0]]
    if field.kind in (SCALARS, TABLES):
        return "" if get_origin(only) is list and get_args(only) == (element,) else None
    return "" if only is element else None


def installed() -> tuple[bytes, Rows, Enums]:
    """Identifier, rows and enums of the installed executorch. Imports it, and runs its flatc.

    Raises ImportError without executorch or its schema, SchemaError for a schema and classes that
    cannot be carried without loss.
    """
    schema = importlib.import_module("executorch.exir.schema")
    source = Path(str(schema.__file__)).parent / "_serialize" / "program.fbs"
    if not source.is_file():
        raise ImportError(f"the installed executorch has no {source}")
    identifier, rows, enums = compile_file(source)
    return identifier, rows_for(rows, enums, lambda name: getattr(schema, name)), enums


MADE_BY = "Made by ``python -m bpte.program._reflect``; do not edit."


def render() -> dict[str, str]:
    """The texts of the files that hold the installed executorch's tables, by their names in this
    folder."""
    schema = importlib.import_module("executorch.exir.schema")
    identifier, rows, enums = installed()
    fingerprint = _codec.fingerprint(str(Path(str(schema.__file__)).parents[1]))
    return {
        "_tables.py": _python(identifier, fingerprint, rows, enums),
        "_native/tables.h": _cpp(identifier, fingerprint, rows),
    }


def _python(identifier: bytes, fingerprint: str, rows: Rows, enums: Enums) -> str:
    lines = [
        "# SPDX-License-Identifier: BSD-3-Clause",
        '"""The tables of ExecuTorch\'s Program: rows as ``_schema.py`` describes them.',
        "",
        MADE_BY,
        '"""',
        "",
        "# fmt: off",
        "# ruff: noqa: E501",
        f"IDENTIFIER = {identifier!r}",
        f'FINGERPRINT = "{fingerprint}"',
        "ENUMS = {",
        *(f'    "{name}": {members!r},' for name, members in enums.items()),
        "}",
        "ROWS = (",
    ]
    for index, (name, fields) in enumerate(rows):
        lines.append(f'    ("{name}", (  # {index}')
        lines.extend(f"        {row!r}," for row in fields)
        lines.append("    )),")
    return "\n".join(lines) + "\n)\n"


def _cpp(identifier: bytes, fingerprint: str, rows: Rows) -> str:
    refs: list[int] = []
    fields: list[str] = []
    tables: list[str] = []
    for table, table_rows in rows:
        tables.append(f'    {{"{table}", kFields + {len(fields)}, {len(table_rows)}}},')
        for name, slot, kind, code, default, its, position, holds, align, option in table_rows:
            whole, real = (0, default) if isinstance(default, float) else (int(default), 0.0)
            fields.append(
                f"    {{\"{name}\", {slot}, Kind{{{kind}}}, '{code or chr(92) + '0'}', {whole}, "
                f'{real}, kRefs + {len(refs)}, {len(its)}, {position}, "{holds}", {align}, '
                f'"{option}"}},'
            )
            refs.extend(its)
    return "\n".join(
        [
            "// SPDX-License-Identifier: BSD-3-Clause",
            "// The tables of ExecuTorch's Program, as _tables.py has them.",
            f"// {MADE_BY.replace('``', '`')}",
            "",
            "#pragma once",
            "",
            '#include "schema.h"',
            "",
            "// clang-format off",
            "namespace bpte_native {",
            "",
            f'inline constexpr char kIdentifier[] = "{identifier.decode()}";',
            "inline constexpr char kFingerprint[] =",
            f'    "{fingerprint}";',
            f"inline constexpr uint32_t kSharedBytes = {_schema.SHARED_BYTES};",
            "inline constexpr int kRefs[] = {",
            *textwrap.wrap(", ".join(map(str, refs)), 96, initial_indent="    ", subsequent_indent="    "),
            "};",
            "inline constexpr FieldRow kFields[] = {",
            *fields,
            "};",
            "inline constexpr TableRow kTables[] = {",
            *tables,
            "};",
            "",
            "}  // namespace bpte_native",
            "",
        ]
    )


if __name__ == "__main__":
    for made, text in render().items():
        (Path(__file__).parent / made).write_text(text, encoding="utf-8")
