# SPDX-License-Identifier: BSD-3-Clause
"""Why a program cannot be written: the slow walk that knows where it is.

The writers check all that they write but keep no path, for speed. When one of them fails, this
walk finds the first place that breaks a rule and names it.
"""

from __future__ import annotations

import struct
from typing import Any

from bpte.program import _values
from bpte.program._bind import Binding, BoundField, BoundTable
from bpte.program._errors import ProgramError
from bpte.program._limits import MAX_PROGRAM_BYTES
from bpte.program._schema import Kind


def check(binding: Binding, program: Any) -> None:
    """Raises ProgramError, naming the place, for the first part that cannot be written.

    The classes of ``program`` must be the binding's own: a subclass could carry more than the
    schema stores.
    """
    try:
        _table(binding, binding.tables[-1], program, "")
    except RecursionError:  # Unreachable by the schema's depth; __index__ may do as it likes.
        raise ProgramError("the objects are nested too deeply") from None


def _table(binding: Binding, table: BoundTable, value: Any, place: str) -> None:
    if type(value) is not table.cls:
        raise ProgramError(f"expected a {table.name}, found {_values.show(value)}", place)
    for bound in table.fields:
        name = bound.field.name
        at = f"{place}.{name}" if place else name
        try:
            item = getattr(value, name)
        except AttributeError:
            raise ProgramError("the attribute is missing", at) from None
        if item is not None or bound.field.kind is Kind.SCALAR:
            _field(binding, bound, item, at)


def _field(binding: Binding, bound: BoundField, value: Any, place: str) -> None:
    field = bound.field
    if field.kind is Kind.TABLE:
        _table(binding, binding.tables[bound.table], value, place)
    elif field.kind is Kind.UNION:
        for index in bound.union:
            if type(value) is binding.tables[index].cls:
                return _table(binding, binding.tables[index], value, place)
        raise ProgramError(
            f"expected one of {', '.join(binding.tables[index].name for index in bound.union)}; "
            f"found {_values.show(value)}",
            place,
        )
    elif field.kind is Kind.TABLES:
        for i, item in enumerate(_try(_values.items, value, place)):
            _table(binding, binding.tables[bound.table], item, f"{place}[{i}]")
    elif field.kind is Kind.STRING:
        try:
            _try(_values.text, value, place).encode()
        except UnicodeEncodeError as error:
            raise ProgramError(f"the text is not Unicode: {error.reason}", place) from None
    elif field.kind is Kind.SCALAR:
        _try(lambda item: _scalar(bound, item), value, place)
    elif bound.as_bytes:
        size = len(_try(_values.blob, value, place))
        if size > MAX_PROGRAM_BYTES:
            raise ProgramError(f"{size} bytes are more than a FlatBuffer can hold", place)
    else:
        for i, item in enumerate(_try(_values.items, value, place)):
            _try(lambda item: _scalar(bound, item), item, f"{place}[{i}]")


def _scalar(bound: BoundField, value: Any) -> None:
    code = bound.field.code
    if code in "fd":
        number = (_values.double_or_text if bound.as_text else _values.double)(value)
        struct.pack(code, number)
    elif code == "?":
        _values.boolean(value)
    elif bound.enum is not None:
        _values.enum_member(bound)(value)
    else:
        _values.in_range(_values.integer(value), code)


def _try(convert: Any, value: Any, place: str) -> Any:
    try:
        return convert(value)
    except ProgramError:
        raise
    except Exception as error:  # also whatever a foreign __index__ raises
        raise ProgramError(str(error) or type(error).__name__, place) from None
