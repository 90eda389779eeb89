# SPDX-License-Identifier: BSD-3-Clause
"""Reads ExecuTorch's objects from the bytes of a ``.pte`` file, with the data of its segments put
back."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import mmap
import os
from collections.abc import Iterator
from typing import Any

from bpte.files import access
from bpte.program import ProgramError, _codec, _header

_INLINE = 0  # of DataLocation

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | mmap.mmap


def deserialize(data: bytes | bytearray | memoryview) -> Any:
    """The ``executorch.exir.schema.Program`` in a FlatBuffer, with or without extended header.

    Equal to what executorch's own reader gives. Segments are not read; see ``deserialize_pte``.
    Raises ProgramError, naming the place, for anything not well formed.
    """
    program, _ = _codec.decode(_codec.executorch(), memoryview(data).cast("B"))
    return program


def deserialize_pte(source: Source) -> Any:
    """The ``PTEFile`` of executorch in a ``.pte`` file, given its path, or in bytes.

    Equal to what executorch's own reader gives: delegate data is inline again, constants are in
    ``program.constant_buffer``, mutable and named data beside the program. Each piece of data is
    copied once, from the source to its place. Raises ProgramError, naming the place, for a file
    that is not well formed.
    """
    with view_of(source) as view:
        return _restore(view)


@contextlib.contextmanager
def view_of(source: Source) -> Iterator[memoryview]:
    """The bytes of a file, which is mapped and closed again, or those that were given."""
    if not isinstance(source, (str, os.PathLike)):
        yield memoryview(source).cast("B")
        return
    with os.fdopen(access.open_input(source), "rb") as file:  # which waits for no pipe
        if os.fstat(file.fileno()).st_size == 0:
            raise ProgramError("the file is empty")
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield memoryview(mapping)
    finally:
        # A raised exception may still hold views of the mapping, which then ends with the last of
        # them.
        with contextlib.suppress(BufferError):
            mapping.close()


def _restore(view: memoryview) -> Any:
    header = _header.read(view)
    size, base = len(view), 0
    if header is not None:
        size, base = header.program_size, header.segment_base_offset
    program, _ = _codec.decode(_codec.executorch(), view[:size])
    upstream = importlib.import_module("executorch.exir._serialize._program")
    if base == 0:
        return upstream.PTEFile(program=program, mutable_data=None, named_data=None)
    restored = _Segmented(view[base:], program)
    restored.delegates()
    restored.constants()
    return upstream.PTEFile(
        program=program, mutable_data=restored.mutable_data(), named_data=restored.named_data()
    )


class _Segmented:
    """Puts the data of the segments back where the exporter had it."""

    def __init__(self, data: memoryview, program: Any) -> None:
        self._classes = importlib.import_module("executorch.exir.schema")
        self._program = program
        self._views: list[memoryview] = []
        self._copies: dict[int, bytes] = {}
        for i, segment in enumerate(program.segments or ()):
            if segment.offset + segment.size > len(data):
                raise ProgramError(
                    f"{segment.size} bytes from {segment.offset} on overflow the {len(data)} "
                    "bytes of segment data",
                    f"segments[{i}]",
                )
            self._views.append(data[segment.offset : segment.offset + segment.size])
        program.segments = []

    def _view(self, index: int, place: str) -> memoryview:
        if index >= len(self._views):
            raise ProgramError(
                f"index {index} is outside of the {len(self._views)} segments", place
            )
        return self._views[index]

    def _copy(self, index: int, place: str) -> bytes:
        data = self._copies.get(index)
        if data is None:
            data = self._copies[index] = bytes(self._view(index, place))
        return data

    def delegates(self) -> None:
        program = self._program
        for p, plan in enumerate(program.execution_plan or ()):
            for d, delegate in enumerate(plan.delegates or ()):
                place = f"execution_plan[{p}].delegates[{d}].processed"
                if delegate.processed is None:
                    raise ProgramError("the delegate has no data", place)
                if delegate.processed.location == _INLINE:
                    continue
                data = self._copy(delegate.processed.index, f"{place}.index")
                if program.backend_delegate_data is None:
                    program.backend_delegate_data = []
                inline = program.backend_delegate_data
                inline.append(self._classes.BackendDelegateInlineData(data=data))
                delegate.processed = self._classes.BackendDelegateDataReference(
                    self._classes.DataLocation.INLINE, len(inline) - 1
                )

    def constants(self) -> None:
        segment = self._program.constant_segment
        if segment is not None and segment.offsets:
            self._program.constant_buffer = self._buffers(segment, "constant_segment")
            segment.segment_index = 0
            segment.offsets = []

    def mutable_data(self) -> Any:
        entries = self._program.mutable_data_segments
        if not entries:
            return None
        if len(entries) > 1:
            raise ProgramError(
                f"{len(entries)} segments of mutable data, more than 1", "mutable_data_segments"
            )
        self._program.mutable_data_segments = None
        return self._buffers(entries[0], "mutable_data_segments[0]")

    def named_data(self) -> Any:
        named = self._program.named_data
        self._program.named_data = []
        if not named:
            return None
        stores = importlib.import_module("executorch.exir._serialize._named_data_store")
        store = stores.NamedDataStore()
        for i, entry in enumerate(named):
            place = f"named_data[{i}]"
            data = self._copy(entry.segment_index, f"{place}.segment_index")
            try:
                store.add_named_data(entry.key, data, alignment=1)
            except ValueError as error:
                raise ProgramError(str(error), place) from None
        return store.get_named_data_store_output()

    def _buffers(self, entry: Any, place: str) -> list[Any]:
        """The subsegments. Padding after one counts as part of it, as in executorch."""
        view = self._view(entry.segment_index, f"{place}.segment_index")
        offsets = [*(entry.offsets or ()), len(view)]
        buffers: list[Any] = []
        for i, (start, end) in enumerate(itertools.pairwise(offsets)):
            if not start <= end <= len(view):
                raise ProgramError(
                    f"offset {start} is after the next one, {end}, or the end",
                    f"{place}.offsets[{i}]",
                )
            buffers.append(self._classes.Buffer(storage=bytes(view[start:end])))
        return buffers
