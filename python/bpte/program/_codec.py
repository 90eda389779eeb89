# SPDX-License-Identifier: BSD-3-Clause
"""Objects to FlatBuffer bytes and back: a schema tied to classes, and the fastest path there is.

A file with segments has an extended header (executorch/schema/extended_header.h) between the
FlatBuffer's file identifier and its first object, which states where the FlatBuffer ends and where
the segments begin.

The native accelerator is an optional part of the installation (``setup.py``): it takes the same
objects, and gives the same bytes in less time. ``BPTE_NATIVE=0`` in the environment keeps it from
being used. It has ExecuTorch's tables compiled in, so that a first call need not load ``_schema``
and ``_tables``.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bpte.program import ProgramError

if TYPE_CHECKING:
    from bpte.program._schema import Field, Rows, Table

HEADER_OFFSET = 8
"""Where the extended header stands: after the root's offset and the identifier."""
HEADER_MAGIC = b"eh00"
_HEADER = struct.Struct("<4sIQQQ")
HEADER_LENGTH = _HEADER.size


def pack_header(program_size: int, segment_base_offset: int, segment_data_size: int) -> bytes:
    """The bytes of an extended header."""
    return _HEADER.pack(
        HEADER_MAGIC, HEADER_LENGTH, program_size, segment_base_offset, segment_data_size
    )


def _load_native() -> Any:
    if os.environ.get("BPTE_NATIVE") == "0":
        return None
    try:
        module = importlib.import_module("bpte.program._native")
    except ImportError:
        return None
    # Where it was not built, the folder with its sources is an importable package without a file.
    return module if module.__file__ else None


_NATIVE = _load_native()


def native_available() -> bool:
    """Whether the accelerator is installed, and not switched off."""
    return _NATIVE is not None


class Binding:
    """A schema tied to one class for each table.

    ``find`` gives the class of a table, or of an enum, by its name; None for an enum whose values
    are held as ints. Nothing is looked up before it is needed. ``schema`` is an identifier and
    rows; None for ExecuTorch's Program, as in ``_tables``. ``made`` is for the codecs: what each
    derives from the binding once.
    """

    max_bytes = 2**31 - 1  # of a FlatBuffer: its offsets are 31 bits wide

    def __init__(
        self, find: Callable[[str], Any], schema: tuple[bytes, Rows] | None = None
    ) -> None:
        self.find = find
        self.made: dict[str, Any] = {}
        self._tables: dict[int, Table] = {}
        self._packaged = schema is None
        if schema is not None:
            self.schema = schema

    @functools.cached_property
    def schema(self) -> tuple[bytes, Rows]:
        """The identifier and the rows."""
        from bpte.program import _tables

        return _tables.IDENTIFIER, _tables.ROWS

    def table(self, index: int) -> Table:
        """The table of that number; -1 is the root."""
        table = self._tables.get(index)
        if table is None:
            from bpte.program._schema import bind

            table = self._tables[index] = bind(index, self.schema[1][index], self.find)
        return table

    def member(self, union: Field, cls: type) -> int:
        """The number of a union's member, from 1. Raises TypeError for a class that is not one."""
        for number, index in enumerate(union.refs, 1):
            if self.find(self.schema[1][index][0]) is cls:
                return number
        raise TypeError(f"unexpected {cls.__name__}")

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables that the root reaches, the root being the last."""
        return tuple([self.table(index) for index in range(len(self.schema[1]))])

    @property
    def native(self) -> Any:
        """The accelerator's form of this."""
        codec = self.made.get("native")
        if codec is None:
            schema = () if self._packaged else self.schema
            codec = self.made["native"] = _NATIVE.Codec(self.find, *schema)
        return codec

    def alignments(
        self,
        constant_tensor_alignment: int | None = None,
        delegate_alignment: int | None = None,
    ) -> dict[str, int]:
        """The alignment in force for each option, ``""`` being that of fields without one.

        None keeps the schema's. Raises ValueError for one that is not a power of two.
        """
        given = {"constant_tensor": constant_tensor_alignment, "delegate": delegate_alignment}
        for option, value in given.items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{option}_alignment is {value!r}, not an int")
            if value <= 0 or value & (value - 1) or value > 2**30:
                raise ValueError(f"{option}_alignment is {value}, not a power of two")
        result = {"": 1}
        for option, align in self._aligned():
            chosen = given.get(option)
            result[option] = max(result.get(option, 1), align if chosen is None else chosen)
        return result

    def _aligned(self) -> Iterator[tuple[str, int]]:
        """Each field's option and force_align, of those that have one."""
        if self._packaged and _NATIVE is not None:
            return iter(_NATIVE.ALIGNED)
        return ((row[9], row[8]) for _, fields in self.schema[1] for row in fields if row[8])


SOURCES = (
    "exir/schema.py",
    "exir/scalar_type.py",
    "exir/backend/compile_spec_schema.py",
    "exir/_serialize/program.fbs",
    "exir/_serialize/scalar_type.fbs",
)
"""The files of the executorch package that the rows are made from."""


def fingerprint(package: str) -> str:
    """The fingerprint of the ``SOURCES`` in the folder of the executorch package; "" when one is
    missing."""
    digest = sha256()
    try:
        for source in SOURCES:
            file = os.open(f"{package}/{source}", os.O_RDONLY)
            try:
                while block := os.read(file, 1 << 15):
                    digest.update(block)
            finally:
                os.close(file)
    except OSError:
        return ""
    return digest.hexdigest()


@functools.cache
def executorch() -> Binding:
    """The installed executorch's schema tied to its dataclasses. Imports executorch.

    If the packaged tables were made from the same files as the package has, they are used.
    Otherwise the package's flatc compiles its schema, which is checked against its dataclasses.
    """
    schema = importlib.import_module("executorch.exir.schema")
    find = functools.partial(getattr, schema)
    made_from: Any = _NATIVE
    if made_from is None:
        from bpte.program import _tables as made_from
    package = os.path.dirname(os.path.dirname(str(schema.__file__)))  # noqa: PTH120
    if fingerprint(package) == made_from.FINGERPRINT:
        return Binding(find)
    # By its name, because it imports this module, and only an unknown executorch needs it.
    identifier, rows, _ = importlib.import_module("bpte.program._reflect").installed()
    return Binding(find, (identifier, rows))


@functools.cache
def records() -> Binding:
    """The packaged schema tied to plain records. Needs only this package."""
    from bpte.program import _schema, _tables

    return Binding(_schema.record_classes(_tables.ROWS).get)


def encode(
    binding: Binding,
    root: Any,
    alignments: dict[str, int],
    *,
    header_bytes: int = 0,
    header: Callable[[int], bytes] | None = None,
    native: bool | None = None,
) -> bytes:
    """The FlatBuffer of ``root``, an object of the binding's root class.

    ``alignments`` are those of ``Binding.alignments``. ``header_bytes``, a multiple of every
    alignment in force, are put between the file identifier and the rest: what ``header`` returns
    for the length of the result, and zeros. ``native`` chooses a path; None takes the accelerator
    if it is installed. Raises ProgramError, naming the place, for an object that cannot be written
    without loss.
    """

    def head(identifier: bytes, size: int, distance: int, alignment: int) -> bytes:
        total = header_bytes + -(-(HEADER_OFFSET + size) // alignment) * alignment
        if total > binding.max_bytes:
            raise ProgramError(
                f"{total} bytes are more than a FlatBuffer can hold; "
                "constants and delegate data belong into segments"
            )
        start = (total - distance).to_bytes(4, "little") + identifier
        if header is not None:
            start += header(total)
        return start + bytes(total - size - len(start))

    try:
        if _use_native(native):
            data: bytes = binding.native.encode(root, alignments, head)
            return data
        from bpte.program import _writer

        with _collector_paused():
            return _writer.encode(binding, root, alignments, head)
    except (ProgramError, MemoryError):
        raise
    except Exception as error:
        from bpte.program import _check

        _check.check(binding, root)
        raise ProgramError(f"cannot be written: {error!r}") from error


def decode(
    binding: Binding,
    data: memoryview,
    *,
    views: bool = False,
    allow_unknown: bool = False,
    native: bool | None = None,
) -> tuple[Any, bool]:
    """See ``_reader.decode``; ``native`` as for ``encode``."""
    from bpte.program._schema import element_budget, table_budget

    failure: ValueError | None = None
    with _collector_paused():
        if _use_native(native):
            size = len(data)
            budgets = table_budget(size), element_budget(size)
            try:
                read: tuple[Any, bool] = binding.native.decode(data, views, allow_unknown, *budgets)
                return read
            except ValueError as error:
                failure = error  # it does not know the place; the pure reader does
        from bpte.program import _reader

        read = _reader.decode(binding, data, views=views, allow_unknown=allow_unknown)
        if failure is not None:
            raise ProgramError(f"cannot be read: {failure}") from failure
        return read


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the garbage collector, which would visit many thousands of new objects again and
    again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _use_native(native: bool | None) -> bool:
    if native and _NATIVE is None:
        raise RuntimeError("the native accelerator of bpte.program is not installed")
    return _NATIVE is not None if native is None else native
