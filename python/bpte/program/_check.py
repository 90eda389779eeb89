# SPDX-License-Identifier: BSD-3-Clause
"""Finds out why a program cannot be written, by a slow walk that keeps its path.

The writers check all that they write but keep no path, for speed. When one of them fails, this
walk finds the first place that breaks a rule and names it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from bpte.program import _values
from bpte.program import ProgramError
from bpte.program._schema import (
    SCALAR,
    STRING,
    TABLE,
    TABLES,
    UNION,
    Field,
    Table,
)

if TYPE_CHECKING:
    from bpte.program._codec import Binding


def check(binding: Binding, program: Any) -> None:
    """Raises ProgramError, naming the place, for the first part that cannot be written.

    The classes of ``program`` must be the binding's own: a subclass could carry more than the
    schema stores.
    """
    try:
        _table(binding, binding.table(-1), program, "")
    except RecursionError:  # The schema is not that deep, but a foreign __index__ may recurse.
        raise ProgramError("the objects are nested too deeply") from None


def _table(binding: Binding, table: Table, value: Any, place: str) -> None:
    if type(value) is not table.cls:
        raise ProgramError(f"expected a {table.name}, found {_values.show(value)}", place)
    for field in table.fields:
        at = f"{place}.{field.name}" if place else field.name
        try:
            item = getattr(value, field.name)
        except AttributeError:
            raise ProgramError("the attribute is missing", at) from None
        if item is not None or field.kind == SCALAR:
            _field(binding, field, item, at)


def _field(binding: Binding, field: Field, value: Any, place: str) -> None:
    if field.kind == TABLE:
        _table(binding, binding.table(field.refs[0]), value, place)
    elif field.kind == UNION:
        _union(binding, field, value, place)
    elif field.kind == TABLES:
        for i, item in enumerate(_try(_values.items, value, place)):
            _table(binding, binding.table(field.refs[0]), item, f"{place}[{i}]")
    elif field.kind == STRING:
        try:
            _try(_values.text, value, place).encode()
        except UnicodeEncodeError as error:
            raise ProgramError(f"the text is not Unicode: {error.reason}", place) from None
    elif field.kind == SCALAR:
        _try(lambda item: _scalar(field, item), value, place)
    elif field.holds == "bytes":
        size = len(_try(_values.blob, value, place))
        if size > binding.max_bytes:
            raise ProgramError(f"{size} bytes are more than a FlatBuffer can hold", place)
    else:
        for i, item in enumerate(_try(_values.items, value, place)):
            _try(lambda item: _scalar(field, item), item, f"{place}[{i}]")


def _union(binding: Binding, field: Field, value: Any, place: str) -> None:
    members = [binding.table(index) for index in field.refs]
    for table in members:
        if type(value) is table.cls:
            return _table(binding, table, value, place)
    raise ProgramError(
        f"expected one of {', '.join(table.name for table in members)}; "
        f"found {_values.show(value)}",
        place,
    )


def _scalar(field: Field, value: Any) -> None:
    if field.code in "fd":
        convert = _values.double_or_text if field.holds == "text" else _values.double
        struct.pack(field.code, convert(value))
    elif field.code == "?":
        _values.boolean(value)
    elif field.enum is not None:
        _values.enum_member(value, field.holds, field.enum)
    else:
        _values.in_range(_values.integer(value), field.code)


def _try(convert: Any, value: Any, place: str) -> Any:
    try:
        return convert(value)
    except ProgramError:
        raise
    except Exception as error:  # also whatever a foreign __index__ raises
        raise ProgramError(str(error) or type(error).__name__, place) from None
