# SPDX-License-Identifier: BSD-3-Clause
"""A schema tied to the Python classes that stand for its tables.

Two bindings exist: to ExecuTorch's dataclasses (``executorch.exir.schema``), and to small classes
made here from the schema alone, with which the inspector reads files where there is no
executorch. Writer, reader, checker and the native accelerator all work from a ``Binding``.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from bpte.program import _schema
from bpte.program._errors import SchemaError
from bpte.program._schema import SIZES, Field, Kind, Schema


@dataclass(frozen=True)
class BoundField:
    """A schema field and how its Python side behaves.

    ``position`` is its place among the class's constructor arguments. ``table`` and ``union``
    are indexes into ``Binding.tables``. ``enum`` maps stored values to what the object holds.
    ``as_bytes``: a vector of ubytes that is bytes, not a list of ints. ``as_text``: a float
    that the class keeps as a string when JSON has no number for it (``"inf"``, ``"-inf"``).
    """

    field: Field
    position: int
    table: int = -1
    union: tuple[int, ...] = ()
    enum: dict[int, Any] | None = None
    enum_class: type | None = None
    as_bytes: bool = False
    as_text: bool = False


@dataclass(frozen=True)
class BoundTable:
    """A table and its class.

    ``leaf``: all fields are scalars. ``holder``: the only field is a union. ``plain``: an object
    may be built by setting its attributes, without its constructor.
    """

    name: str
    cls: type
    fields: tuple[BoundField, ...]
    slots: int
    leaf: bool
    holder: bool
    plain: bool


class Binding:
    """All tables that the root reaches, the root being the last."""

    def __init__(self, schema: Schema, tables: tuple[BoundTable, ...]) -> None:
        self.schema = schema
        self.tables = tables
        self.root = len(tables) - 1
        self.index = {table.name: i for i, table in enumerate(tables)}

    def alignments(
        self, constant_tensor_alignment: int | None, delegate_alignment: int | None
    ) -> dict[str, int]:
        """The alignment in force for each option, ``""`` being that of fields without one.

        None keeps the schema's. Raises ValueError for one that is not a power of two.
        """
        given = {"constant_tensor": constant_tensor_alignment, "delegate": delegate_alignment}
        result = {"": 1}
        for table in self.tables:
            for bound in table.fields:
                option = bound.field.align_option
                value = given.get(option)
                if value is None:
                    value = bound.field.force_align or 1
                elif isinstance(value, bool) or not isinstance(value, int):
                    raise ValueError(f"{option}_alignment is {value!r}, not an int")
                elif value <= 0 or value & (value - 1) or value > 2**30:
                    raise ValueError(f"{option}_alignment is {value}, not a power of two")
                result[option] = max(result.get(option, 1), value)
        return result


def _order(schema: Schema) -> list[str]:
    """Tables below the root, each after those it refers to. A cycle is refused: a codec that
    trusts nothing wants a bounded depth, and ``program.fbs`` has none."""
    done: list[str] = []
    open_: list[str] = []

    def visit(name: str) -> None:
        if name in open_:
            raise SchemaError(f"cannot carry the recursive table {name!r}")
        if name in done:
            return
        open_.append(name)
        for field in schema.tables[name]:
            if field.kind in (Kind.TABLE, Kind.TABLES):
                visit(field.ref)
            elif field.kind is Kind.UNION:
                for member in schema.unions[field.ref]:
                    visit(member)
        open_.pop()
        done.append(name)

    visit(schema.root)
    return done


def _bind(
    schema: Schema,
    find_class: Callable[[str], type],
    describe: Callable[[type, Field], tuple[Any, int]],
    is_plain: Callable[[type], bool],
) -> Binding:
    """``describe`` gives a field's type hint (None: no class, the schema decides) and its
    position."""
    order = _order(schema)
    index = {name: i for i, name in enumerate(order)}
    tables: list[BoundTable] = []
    for name in order:
        cls = find_class(name)
        bounds: list[BoundField] = []
        for field in schema.tables[name]:
            hint, position = describe(cls, field)
            bounds.append(_bind_field(schema, index, field, hint, position, name))
        leaf = all(bound.field.kind is Kind.SCALAR for bound in bounds)
        holder = len(bounds) == 1 and bounds[0].field.kind is Kind.UNION
        slots = schema.slots(name)
        tables.append(BoundTable(name, cls, tuple(bounds), slots, leaf, holder, is_plain(cls)))
    return Binding(schema, tuple(tables))


def _bind_field(
    schema: Schema, index: dict[str, int], field: Field, hint: Any, position: int, table: str
) -> BoundField:
    enum_class: type | None = None
    members: dict[int, Any] | None = None
    as_bytes = field.kind is Kind.SCALARS and field.code == "B" and hint in (None, bytes)
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        enum_class = hint
        members = {int(member): member for member in hint}
        low, high = _range(field.code)
        if not members or min(members) < low or max(members) > high:
            raise SchemaError(f"{hint.__name__} does not fit its field", f"{table}.{field.name}")
    elif field.ref in schema.enums and hint is not None and hint is not int:
        raise SchemaError(f"an enum is held as {hint!r}", f"{table}.{field.name}")
    return BoundField(
        field,
        position,
        table=index[field.ref] if field.kind in (Kind.TABLE, Kind.TABLES) else -1,
        union=tuple(index[member] for member in schema.unions[field.ref])
        if field.kind is Kind.UNION
        else (),
        enum=members,
        enum_class=enum_class,
        as_bytes=as_bytes,
        as_text=field.code == "d" and str in get_args(hint),
    )


def _range(code: str) -> tuple[int, int]:
    bits = 8 * SIZES[code]
    return (0, 2**bits - 1) if code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def integer_range(code: str) -> tuple[int, int]:
    """Smallest and largest value of an integer (or bool) code."""
    return (0, 1) if code == "?" else _range(code)


def python_scalar(field: Field) -> bool | int | float:
    """A scalar field's default, of the type in which Python holds it."""
    if field.code == "?":
        return bool(field.default)
    return float(field.default) if field.code in "fd" else int(field.default)


# The types of Python that can hold each kind of field without loss.
def _fits(schema: Schema, field: Field, hint: Any, find_class: Callable[[str], type]) -> bool:
    options = set(get_args(hint)) if get_origin(hint) is Union else {hint}
    options.discard(type(None))
    if field.kind is Kind.UNION:
        return options == {find_class(member) for member in schema.unions[field.ref]}
    if field.kind is Kind.SCALAR and field.code in "fd":
        return options in ({float}, {float, str})
    if len(options) != 1:
        return False
    (only,) = options
    if field.kind is Kind.SCALAR:
        if field.ref:
            return only is int or (isinstance(only, type) and issubclass(only, enum.IntEnum))
        return only is (bool if field.code == "?" else int)
    if field.kind is Kind.STRING:
        return only is str
    if field.kind is Kind.TABLE:
        return only is find_class(field.ref)
    if only is bytes:
        return field.kind is Kind.SCALARS and field.code == "B"
    if get_origin(only) is not list:
        return False
    (item,) = get_args(only)
    if field.kind is Kind.TABLES:
        return item is find_class(field.ref)
    return item is (bool if field.code == "?" else float if field.code in "fd" else int)


def to_dataclasses(schema: Schema, find_class: Callable[[str], type]) -> Binding:
    """Binds a schema to dataclasses of the same names and the same field names.

    Raises SchemaError when a table has no class, when one side has a field that the other lacks,
    or when a field's type cannot hold what the schema stores: nothing is dropped in silence.
    """
    hints: dict[type, dict[str, Any]] = {}
    positions: dict[type, dict[str, int]] = {}

    def find(name: str) -> type:
        try:
            cls = find_class(name)
        except (AttributeError, KeyError):
            raise SchemaError("the schema's table has no class", name) from None
        if not dataclasses.is_dataclass(cls):
            raise SchemaError(f"{cls!r} is not a dataclass", name)
        if cls not in hints:
            fields = [field.name for field in dataclasses.fields(cls) if field.init]
            ours = {field.name for field in schema.tables[name]}
            for lost in sorted(ours - set(fields)):
                raise SchemaError("a field of the schema that the class lacks", f"{name}.{lost}")
            for lost in sorted(set(fields) - ours):
                raise SchemaError("a field of the class that the schema lacks", f"{name}.{lost}")
            hints[cls] = get_type_hints(cls)
            positions[cls] = {field: i for i, field in enumerate(fields)}
        return cls

    def describe(cls: type, field: Field) -> tuple[Any, int]:
        hint = hints[cls][field.name]
        if not _fits(schema, field, hint, find):
            raise SchemaError(
                f"a {field.kind.value} is declared {hint!r}", f"{cls.__name__}.{field.name}"
            )
        if get_origin(hint) is Union and field.kind is not Kind.UNION:
            options = [option for option in get_args(hint) if option is not type(None)]
            if len(options) == 1:
                hint = options[0]
        return hint, positions[cls][field.name]

    return _bind(schema, find, describe, _is_plain)


def _is_plain(cls: type) -> bool:
    """Whether the constructor does no more than to set the fields: the one that ``dataclass``
    generates (its code has no file), without ``__post_init__``."""

    def method(name: str) -> Any:
        return getattr(cls, name, None)

    return (
        getattr(getattr(method("__init__"), "__code__", None), "co_filename", "") == "<string>"
        and method("__post_init__") is None
        and method("__new__") is object.__new__
        and method("__setattr__") is object.__setattr__
    )


def to_records(schema: Schema) -> Binding:
    """Binds a schema to classes made from it: attributes in the schema's order, enums as ints,
    vectors of ubytes as bytes-likes."""
    source: list[str] = []
    for name, fields in schema.tables.items():
        arguments = [field.name for field in fields]
        source.append(f"class {name}:")
        source.append(f"    __slots__ = {tuple(arguments)!r}")
        if arguments:
            source.append(f"    def __init__(self, {', '.join(arguments)}):")
            source.extend(f"        self.{argument} = {argument}" for argument in arguments)
    scope: dict[str, Any] = {"__name__": __name__}
    exec("\n".join(source), scope)
    names = {name: [field.name for field in fields] for name, fields in schema.tables.items()}

    def describe(cls: type, field: Field) -> tuple[Any, int]:
        return None, names[cls.__name__].index(field.name)

    def find(name: str) -> type:
        cls: type = scope[name]
        return cls

    return _bind(schema, find, describe, lambda cls: True)


@functools.cache
def executorch() -> Binding:
    """The installed executorch's schema tied to its dataclasses. Imports executorch."""
    classes = importlib.import_module("executorch.exir.schema")
    return to_dataclasses(_schema.installed(), lambda name: getattr(classes, name))


@functools.cache
def records() -> Binding:
    """The packaged schema tied to plain records; needs nothing but this package."""
    return to_records(_schema.packaged())
