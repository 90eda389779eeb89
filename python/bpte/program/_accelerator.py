# SPDX-License-Identifier: BSD-3-Clause
"""The native accelerator, where it was built: same objects, same bytes, less time.

It is an optional part of the installation (``setup.py``). ``BPTE_NATIVE=0`` in the environment
keeps it from being used.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from bpte.program import _values
from bpte.program._bind import Binding, BoundField, python_scalar
from bpte.program._limits import SHARED_BYTES, element_budget, table_budget
from bpte.program._schema import Kind
from bpte.program._writer import Head

# Numbers of Kind and order of the alignments, as python/bpte/program/_native/schema.h has them.
_KINDS = [Kind.SCALAR, Kind.STRING, Kind.TABLE, Kind.UNION, Kind.SCALARS, Kind.TABLES]
_OPTIONS = ["constant_tensor", "delegate"]


class _Codec(Protocol):
    def encode(
        self, root: Any, alignments: tuple[int, ...], shared_bytes: int, head: Head, /
    ) -> bytes: ...

    def decode(
        self, data: memoryview, views: bool, unknown: bool, tables: int, elements: int, /
    ) -> tuple[Any, bool]: ...


def _load() -> Any:
    if os.environ.get("BPTE_NATIVE") == "0":
        return None
    try:
        return importlib.import_module("bpte.program._native")
    except ImportError:
        return None


_NATIVE = _load()
_CODECS: WeakKeyDictionary[Binding, _Codec] = WeakKeyDictionary()


def available() -> bool:
    """Whether the accelerator is installed, and not switched off."""
    return _NATIVE is not None


def encode(binding: Binding, root: Any, alignments: dict[str, int], head: Head) -> bytes:
    """As ``_writer.encode``, byte for byte."""
    given = tuple(alignments.get(option, 1) for option in _OPTIONS)
    return _codec(binding).encode(root, given, SHARED_BYTES, head)


def decode(
    binding: Binding, data: memoryview, *, views: bool = False, allow_unknown: bool = False
) -> tuple[Any, bool]:
    """As ``_reader.decode``, but it raises a ValueError that knows no place."""
    size = len(data)
    return _codec(binding).decode(
        data, views, allow_unknown, table_budget(size), element_budget(size)
    )


def _codec(binding: Binding) -> _Codec:
    codec = _CODECS.get(binding)
    if codec is None:
        tables = tuple(
            (
                table.cls,
                table.name,
                table.plain,
                table.leaf,
                table.holder,
                table.slots,
                tuple(_field(binding, bound) for bound in table.fields),
            )
            for table in binding.tables
        )
        helpers = (
            _values.integer,
            _values.boolean,
            _values.double,
            _values.double_or_text,
            _values.text,
            _values.items,
            _values.blob,
        )
        codec = _CODECS[binding] = _NATIVE.Codec(tables, binding.schema.identifier, helpers)
    return codec


def _field(binding: Binding, bound: BoundField) -> tuple[Any, ...]:
    field = bound.field
    scalar = field.kind is Kind.SCALAR
    default = python_scalar(field) if scalar else 0
    held: Any = default if scalar else None
    if bound.enum is not None:
        held = bound.enum.get(int(default))
    return (
        field.name,
        bound.position,
        field.slot,
        _KINDS.index(field.kind),
        field.code or "\0",
        default,
        held,
        bound.table,
        tuple((index, binding.tables[index].cls) for index in bound.union),
        bound.enum_class,
        _values.enum_member(bound) if bound.enum is not None else None,
        bound.enum or {},
        bound.as_bytes,
        bound.as_text,
        _OPTIONS.index(field.align_option) if field.align_option else -1,
        field.force_align,
    )
