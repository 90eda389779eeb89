# SPDX-License-Identifier: BSD-3-Clause
"""FlatBuffers schema text to the few facts a codec needs.

Only what ``program.fbs`` uses is understood: tables of scalars, enums, strings, tables, unions of
tables, and vectors of scalars or tables. Anything else in a schema is refused by name, so that a
construct added upstream is never read half.

``python -m bpte.program._schema`` prints the canonical text of the installed ExecuTorch's schema,
in the form of ``_schema_text.py``.
"""

from __future__ import annotations

import enum
import functools
import importlib.util
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bpte.program._errors import SchemaError

# FlatBuffers scalar type names to the codes of Python's struct module.
_SCALARS = {
    **dict.fromkeys(("bool",), "?"),
    **dict.fromkeys(("byte", "int8"), "b"),
    **dict.fromkeys(("ubyte", "uint8"), "B"),
    **dict.fromkeys(("short", "int16"), "h"),
    **dict.fromkeys(("ushort", "uint16"), "H"),
    **dict.fromkeys(("int", "int32"), "i"),
    **dict.fromkeys(("uint", "uint32"), "I"),
    **dict.fromkeys(("long", "int64"), "q"),
    **dict.fromkeys(("ulong", "uint64"), "Q"),
    **dict.fromkeys(("float", "float32"), "f"),
    **dict.fromkeys(("double", "float64"), "d"),
}
_NAMES = {
    "?": "bool", "b": "byte", "B": "ubyte", "h": "short", "H": "ushort", "i": "int",
    "I": "uint", "q": "long", "Q": "ulong", "f": "float", "d": "double",
}  # fmt: skip

# Comments that carry meaning: the exporter's alignment options rewrite the force_align of the
# lines they stand on (executorch/exir/_serialize/_flatbuffer.py).
_ALIGN_OPTIONS = {
    "@executorch-tensor-alignment": "constant_tensor",
    "@executorch-delegate-alignment": "delegate",
}

SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4, "d": 8}
"""Bytes (and natural alignment) of each scalar code."""


class Kind(enum.Enum):
    """How a field is stored."""

    SCALAR = "scalar"
    STRING = "string"
    TABLE = "table"
    UNION = "union"  # two slots: the type byte, then the table
    SCALARS = "vector of scalars"
    TABLES = "vector of tables"


@dataclass(frozen=True)
class Field:
    """One field of a table.

    ``slot`` is its index in the vtable (of the value, for a union: its type byte is the slot
    before). ``code`` is the struct code of a scalar or of a vector's elements. ``ref`` names the
    enum, table or union. ``force_align`` is in bytes, 0 when the schema says nothing, and
    ``align_option`` names the serializer option that replaces it.
    """

    name: str
    slot: int
    kind: Kind
    code: str = ""
    ref: str = ""
    default: float = 0
    force_align: int = 0
    align_option: str = ""


@dataclass(frozen=True)
class Schema:
    """Tables, enums and unions by name, in the order of their declaration.

    A union's members are numbered from 1; 0 is FlatBuffers' NONE.
    """

    identifier: bytes
    root: str
    tables: dict[str, tuple[Field, ...]]
    enums: dict[str, tuple[str, tuple[tuple[str, int], ...]]]
    unions: dict[str, tuple[str, ...]]

    def slots(self, table: str) -> int:
        """How many vtable slots the table has."""
        fields = self.tables[table]
        return fields[-1].slot + 1 if fields else 0


_TOKEN = re.compile(
    r"(?P<space>[ \t\r]+)|(?P<line>\n)|(?P<comment>//[^\n]*)|(?P<block>/\*.*?\*/)"
    r'|(?P<string>"[^"\n]*")|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)'
    r"|(?P<number>[-+]?[0-9][0-9A-Za-z_.+-]*)|(?P<mark>[{}()\[\]:;,=])",
    re.DOTALL,
)


class _Tokens:
    """The tokens of a schema, and the meaningful comment of each line."""

    def __init__(self, text: str) -> None:
        self.items: list[tuple[str, int]] = []
        self.notes: dict[int, str] = {}
        self.at = 0
        line, position = 1, 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise SchemaError(f"unexpected character {text[position]!r}", f"line {line}")
            token = match.group()
            if match.lastgroup == "comment":
                for note, option in _ALIGN_OPTIONS.items():
                    if note in token.split():
                        self.notes[line] = option
            elif match.lastgroup in ("string", "word", "number", "mark"):
                self.items.append((token, line))
            line += token.count("\n")
            position = match.end()
        self.last_line = line

    @property
    def line(self) -> int:
        return self.items[self.at][1] if self.at < len(self.items) else self.last_line

    def peek(self) -> str:
        return self.items[self.at][0] if self.at < len(self.items) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token not in expected):
            want = " or ".join(map(repr, expected)) or "more"
            raise SchemaError(f"expected {want}, found {token!r}", f"line {self.line}")
        self.at += 1
        return token

    def until(self, end: str) -> Iterator[None]:
        """Once per entry of a list that ``end`` closes; commas between entries are optional."""
        while self.peek() != end:
            yield
            if self.peek() == ",":
                self.take()
        self.take(end)


@dataclass
class _RawField:
    """A field as written: its type's name is resolved when all declarations are known."""

    name: str
    line: int
    vector: bool
    type: str
    default: str
    attributes: dict[str, str]
    option: str


class _Parser:
    def __init__(self, include: Callable[[str], str]) -> None:
        self._include = include
        self._included: set[str] = set()
        self._identifier = b""
        self._root = ""
        self._tables: dict[str, list[_RawField]] = {}
        self._enums: dict[str, tuple[str, tuple[tuple[str, int], ...]]] = {}
        self._unions: dict[str, tuple[str, ...]] = {}

    def read(self, text: str) -> None:
        tokens = _Tokens(text)
        while tokens.peek():
            line = tokens.line
            word = tokens.take()
            if word == "include":
                name = tokens.take().strip('"')
                if name not in self._included:
                    self._included.add(name)
                    self.read(self._include(name))
            elif word in ("namespace", "file_extension"):
                tokens.take()
            elif word == "file_identifier":
                self._identifier = tokens.take().strip('"').encode()
            elif word == "root_type":
                self._root = tokens.take()
            elif word == "table":
                self._table(tokens)
                continue
            elif word == "enum":
                self._enum(tokens)
                continue
            elif word == "union":
                name = tokens.take()
                tokens.take("{")
                self._unions[name] = tuple(tokens.take() for _ in tokens.until("}"))
                continue
            else:
                raise SchemaError(f"cannot carry the declaration {word!r}", f"line {line}")
            tokens.take(";")

    def _enum(self, tokens: _Tokens) -> None:
        name, line = tokens.take(), tokens.line
        tokens.take(":")
        base = tokens.take()
        if base not in _SCALARS or _SCALARS[base] in "?fd":
            raise SchemaError(f"enum {name} has the base type {base!r}", f"line {line}")
        tokens.take("{")
        members: list[tuple[str, int]] = []
        for _ in tokens.until("}"):
            member = tokens.take()
            value = members[-1][1] + 1 if members else 0
            if tokens.peek() == "=":
                tokens.take()
                value = int(tokens.take(), 0)
            members.append((member, value))
        self._enums[name] = (_SCALARS[base], tuple(members))

    def _table(self, tokens: _Tokens) -> None:
        name = tokens.take()
        if name in self._tables:
            raise SchemaError(f"table {name} is declared twice", f"line {tokens.line}")
        tokens.take("{")
        fields = self._tables[name] = []
        while tokens.peek() != "}":
            line = tokens.line
            field = tokens.take()
            tokens.take(":")
            vector = tokens.peek() == "["
            if vector:
                tokens.take("[")
            kind = tokens.take()
            if vector:
                tokens.take("]")
            default = ""
            if tokens.peek() == "=":
                tokens.take()
                default = tokens.take()
            attributes: dict[str, str] = {}
            if tokens.peek() == "(":
                tokens.take()
                for _ in tokens.until(")"):
                    key, value = tokens.take(), ""
                    if tokens.peek() == ":":
                        tokens.take()
                        value = tokens.take()
                    attributes[key] = value
            option = tokens.notes.get(tokens.line, "")
            tokens.take(";")
            fields.append(_RawField(field, line, vector, kind, default, attributes, option))
        tokens.take("}")

    def finish(self) -> Schema:
        if len(self._identifier) != 4:
            raise SchemaError(f"file_identifier {self._identifier!r} is not four characters")
        if self._root not in self._tables:
            raise SchemaError(f"root_type {self._root!r} is not a table")
        for union, members in self._unions.items():
            for member in members:
                if member not in self._tables:
                    raise SchemaError(f"member {member!r} is not a table", f"union {union}")
        tables: dict[str, tuple[Field, ...]] = {}
        for name, raws in self._tables.items():
            fields: list[Field] = []
            slot = 0
            for raw in raws:
                field = self._field(name, raw, slot)
                fields.append(field)
                slot = field.slot + 1
            tables[name] = tuple(fields)
        return Schema(self._identifier, self._root, tables, self._enums, self._unions)

    def _field(self, table: str, raw: _RawField, slot: int) -> Field:
        place = f"{table}.{raw.name} (line {raw.line})"
        unknown = set(raw.attributes) - {"force_align"}
        if unknown:
            raise SchemaError(f"cannot carry the attribute {sorted(unknown)[0]!r}", place)
        align = int(raw.attributes.get("force_align", "0"))
        if align & (align - 1) or align < 0:
            raise SchemaError(f"force_align {align} is not a power of two", place)
        code, ref = _SCALARS.get(raw.type, ""), ""
        if raw.type in self._enums:
            code, ref = self._enums[raw.type][0], raw.type
        if code:
            kind = Kind.SCALARS if raw.vector else Kind.SCALAR
        elif raw.type in self._tables:
            kind, ref = (Kind.TABLES if raw.vector else Kind.TABLE), raw.type
        elif raw.type == "string" and not raw.vector:
            kind = Kind.STRING
        elif raw.type in self._unions and not raw.vector:
            kind, ref, slot = Kind.UNION, raw.type, slot + 1
        else:
            shown = f"[{raw.type}]" if raw.vector else raw.type
            raise SchemaError(f"cannot carry the type {shown}", place)
        if align and (kind is not Kind.SCALARS or SIZES[code] != 1):
            raise SchemaError("cannot carry force_align on anything but a vector of bytes", place)
        if raw.option and not align:
            raise SchemaError("an alignment option without force_align", place)
        default: float = 0
        if raw.default:
            if kind is not Kind.SCALAR:
                raise SchemaError(f"cannot carry the default {raw.default}", place)
            names = dict(self._enums[ref][1]) if ref else {"true": 1, "false": 0}
            try:
                default = (
                    names[raw.default]
                    if raw.default in names
                    else (float(raw.default) if code in "fd" else int(raw.default, 0))
                )
            except ValueError:
                raise SchemaError(f"cannot carry the default {raw.default}", place) from None
        return Field(raw.name, slot, kind, code, ref, default, align, raw.option)


def parse(text: str, include: Callable[[str], str] | None = None) -> Schema:
    """Parses schema text; ``include`` gives the text of an included file by its name.

    Raises SchemaError, with the line, for text that is not understood completely.
    """

    def none(name: str) -> str:
        raise SchemaError(f"cannot include {name!r}")

    parser = _Parser(include or none)
    parser.read(text)
    return parser.finish()


def parse_file(path: Path) -> Schema:
    """Parses a schema file; what it includes is looked up beside it."""
    return parse(
        path.read_text(encoding="utf-8"),
        lambda name: (path.parent / name).read_text(encoding="utf-8"),
    )


def render(schema: Schema) -> str:
    """Canonical text of a schema: declarations only; ``parse`` reads it back to an equal one."""
    lines = [f'file_identifier "{schema.identifier.decode()}";', f"root_type {schema.root};"]
    for name, (code, members) in schema.enums.items():
        listed = ", ".join(f"{member} = {value}" for member, value in members)
        lines.append(f"enum {name}: {_NAMES[code]} {{ {listed} }}")
    for name, union in schema.unions.items():
        lines.append(f"union {name} {{ {', '.join(union)} }}")
    options = {option: note for note, option in _ALIGN_OPTIONS.items()}
    for name, fields in schema.tables.items():
        lines.append(f"table {name} {{")
        for field in fields:
            shown = field.ref or ("string" if field.kind is Kind.STRING else _NAMES[field.code])
            if field.kind in (Kind.SCALARS, Kind.TABLES):
                shown = f"[{shown}]"
            line = f"  {field.name}: {shown}"
            if field.default:
                line += f" = {field.default}"
            if field.force_align:
                line += f" (force_align: {field.force_align})"
            line += ";"
            if field.align_option:
                line += f"  // {options[field.align_option]}"
            lines.append(line)
        lines.append("}")
    return "\n".join(lines) + "\n"


@functools.cache
def packaged() -> Schema:
    """The schema this package was made for; needs nothing but the package."""
    from bpte.program._schema_text import TEXT

    return parse(TEXT)


@functools.cache
def installed() -> Schema:
    """The schema of the installed executorch, from the files its wheel carries.

    Raises ImportError without executorch. Does not import torch.
    """
    spec = importlib.util.find_spec("executorch")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("executorch is not installed")
    for root in spec.submodule_search_locations:
        folder = Path(root) / "exir" / "_serialize"
        if (folder / "program.fbs").is_file():
            return parse_file(folder / "program.fbs")
    raise ImportError("the installed executorch carries no exir/_serialize/program.fbs")


_MODULE = '''# SPDX-License-Identifier: BSD-3-Clause
"""The schema of ExecuTorch's Program, reduced to its declarations.

Made from executorch/schema/program.fbs and scalar_type.fbs by ``python -m bpte.program._schema``;
do not edit.
"""

# ruff: noqa: E501
TEXT = """\\
{text}"""
'''

if __name__ == "__main__":
    print(_MODULE.format(text=render(installed())), end="")
