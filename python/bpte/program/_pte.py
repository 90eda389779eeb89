# SPDX-License-Identifier: BSD-3-Clause
"""Whole ``.pte`` files: the FlatBuffer, and behind it the segments with the large data.

Nothing large is copied to make a file, and once to read it: a ``PteData`` is a list of
references to the constants where they are, and is written piece by piece.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import itertools
import math
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from bpte.files.atomic import AtomicFile
from bpte.program import _bind, _check, _codec, _header, _serialize, _values
from bpte.program._errors import ProgramError
from bpte.program._header import ExtendedHeader

_SEGMENT_ALIGNMENT = 128
_CONSTANT_ALIGNMENT = 16  # executorch.exir.tensor.ALIGNMENT
_INLINE, _SEGMENT = 0, 1  # DataLocation


class FileBacked(Protocol):
    """Data that stays in a file until it is written (executorch's ``FileBackedData``)."""

    def __len__(self) -> int: ...
    def to_bytes(self) -> bytes: ...
    def write_to_file(self, outfile: Any) -> None: ...


Chunk = bytes | memoryview | FileBacked


class PteData:
    """The bytes of a file as a sequence of chunks, most of which belong to someone else.

    Has what executorch's ``Cord`` has: ``len``, ``bytes`` and ``write_to_file``. The chunks must
    not change while this is in use.
    """

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._size = 0

    def append(self, chunk: Chunk) -> None:
        if len(chunk):
            self._chunks.append(chunk)
            self._size += len(chunk)

    def extend(self, other: PteData) -> None:
        self._chunks.extend(other._chunks)
        self._size += len(other)

    def pad_to(self, alignment: int) -> None:
        self.append(bytes(-self._size % alignment))

    @property
    def chunks(self) -> Sequence[Chunk]:
        return self._chunks

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(
            chunk if isinstance(chunk, (bytes, memoryview)) else chunk.to_bytes()
            for chunk in self._chunks
        )

    def write_to_file(self, outfile: BinaryIO) -> None:
        """Writes all bytes to an open binary file, chunk by chunk."""
        for chunk in self._chunks:
            if isinstance(chunk, (bytes, memoryview)):
                outfile.write(chunk)
            else:
                chunk.write_to_file(outfile)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file at ``path``; it appears complete, or not at all."""
        with AtomicFile(path) as target:
            with os.fdopen(target.fd, "wb", closefd=False) as file:
                self.write_to_file(file)
            target.commit()


def serialize_pte(
    pte: Any,
    *,
    extract_delegate_segments: bool = False,
    segment_alignment: int = _SEGMENT_ALIGNMENT,
    constant_tensor_alignment: int | None = None,
    delegate_alignment: int | None = None,
) -> PteData:
    """The ``.pte`` file of a ``PTEFile`` or of a bare ``Program`` of executorch.

    Constants, mutable data and named data go into segments, delegate data as well with
    ``extract_delegate_segments``. Each segment starts at a multiple of ``segment_alignment``
    bytes (and of its own alignment), each constant at one of ``constant_tensor_alignment``
    (default 16). ``pte`` is not changed, and not copied: the result refers to its data.

    Raises ProgramError, naming the place, for a program that cannot be written, and ValueError
    for an alignment that is none.
    """
    if constant_tensor_alignment is None:
        constant_tensor_alignment = _CONSTANT_ALIGNMENT
    if not isinstance(segment_alignment, int) or segment_alignment <= 0:
        raise ValueError(f"segment_alignment is {segment_alignment!r}, not a positive int")
    binding = _bind.executorch()
    alignments = binding.alignments(constant_tensor_alignment, delegate_alignment)
    whole = hasattr(pte, "program")  # A PTEFile, or only its program.
    original = pte.program if whole else pte
    try:
        program, segments = _extract(
            original,
            pte.mutable_data if whole else None,
            pte.named_data if whole else None,
            extract_delegate_segments,
            constant_tensor_alignment,
        )
    except (AttributeError, TypeError, IndexError):
        _check.check(binding, original)
        raise

    data = PteData()
    classes = importlib.import_module("executorch.exir.schema")
    for segment, alignment in segments:
        data.pad_to(math.lcm(segment_alignment, alignment))
        program.segments.append(classes.DataSegment(offset=len(data), size=len(segment)))
        data.extend(segment)

    header_bytes = 0
    header = None
    if len(data):
        largest = max(alignments.values())
        header_bytes = -(-_header.LENGTH // largest) * largest

        def header(program_size: int) -> bytes:
            base = -(-program_size // segment_alignment) * segment_alignment
            return ExtendedHeader(program_size, base, len(data)).to_bytes()

    result = PteData()
    result.append(
        _serialize.flatbuffer(
            program, constant_tensor_alignment, delegate_alignment, header_bytes, header
        )
    )
    if len(data):
        result.pad_to(segment_alignment)
        result.extend(data)
    return result


class _Segments:
    """The segments that are being collected, each with its alignment."""

    def __init__(self, first_index: int) -> None:
        self._first_index = first_index
        self._list: list[tuple[PteData, int]] = []

    def add(self, data: PteData, alignment: int = 1) -> int:
        """Gives the index of the new segment in ``Program.segments``."""
        self._list.append((data, alignment))
        return self._first_index + len(self._list) - 1

    def __iter__(self) -> Iterator[tuple[PteData, int]]:
        return iter(self._list)


def _extract(
    original: Any, mutable_data: Any, named_data: Any, delegates: bool, constant_alignment: int
) -> tuple[Any, _Segments]:
    """A program that shares all it can with the original, and refers to the segments that come
    back with it (each with its alignment), instead of holding their data."""
    classes = importlib.import_module("executorch.exir.schema")
    for i, segment in enumerate(original.segments or ()):
        # A file without data may have an empty segment, and keeps it.
        if segment.size:
            raise ProgramError("the program has data in segments already", f"segments[{i}]")

    program = copy.copy(original)
    program.segments = list(original.segments or ())
    segments = _Segments(len(program.segments))
    if program.constant_buffer:
        constants, offsets = _lay_out(
            program.constant_buffer, constant_alignment, "constant_buffer"
        )
        program.constant_segment = classes.SubsegmentOffsets(segments.add(constants), offsets)
        program.constant_buffer = []
    if mutable_data is not None:
        # The runtime copies these when it loads a method: they need no alignment.
        mutable, offsets = _lay_out(mutable_data, 1, "mutable_data")
        if len(mutable):
            program.mutable_data_segments = [
                classes.SubsegmentOffsets(segments.add(mutable), offsets)
            ]
    if delegates:
        _extract_delegates(classes, program, segments)
    if named_data is not None:
        _extract_named(classes, program, segments, named_data)
    return program, segments


def _lay_out(buffers: Sequence[Any], alignment: int, place: str) -> tuple[PteData, list[int]]:
    """The buffers one after another, and the offset of each."""
    data = PteData()
    offsets: list[int] = []
    for i, buffer in enumerate(buffers):
        data.pad_to(alignment)
        offsets.append(len(data))
        data.append(_blob(buffer.storage, f"{place}[{i}].storage"))
    return data, offsets


def _blob(value: Any, place: str) -> Chunk:
    if hasattr(value, "write_to_file"):
        return cast(FileBacked, value)
    try:
        return _values.blob(value)
    except (TypeError, ValueError) as error:
        raise ProgramError(str(error), place) from None


def _extract_delegates(classes: Any, program: Any, segments: _Segments) -> None:
    """Moves inline delegate data into segments; equal data into one."""
    inline = program.backend_delegate_data
    kept: list[Any] = []
    seen: set[int] = set()
    by_size: dict[int, list[tuple[Any, int]]] = {}  # data and segment

    def segment_of(data: Any, place: str) -> int:
        blob = _blob(data, place)
        same_size = by_size.setdefault(len(blob), [])
        for other, index in same_size:
            if other is data or other == data:
                return index
        content = PteData()
        content.append(blob)
        same_size.append((data, segments.add(content)))
        return same_size[-1][1]

    program.execution_plan = list(program.execution_plan)
    for p, plan in enumerate(program.execution_plan):
        if not plan.delegates:
            continue
        plan = program.execution_plan[p] = copy.copy(plan)
        plan.delegates = [copy.copy(delegate) for delegate in plan.delegates]
        for d, delegate in enumerate(plan.delegates):
            place = f"execution_plan[{p}].delegates[{d}].processed"
            if delegate.processed.location != _INLINE:
                raise ProgramError("the data is not inline", f"{place}.location")
            index = delegate.processed.index
            if not 0 <= index < len(inline):
                raise ProgramError(
                    f"index {index} is outside of the {len(inline)} backend_delegate_data",
                    f"{place}.index",
                )
            seen.add(index)
            if inline[index].data:
                location = classes.DataLocation.SEGMENT
                target = segment_of(inline[index].data, f"backend_delegate_data[{index}].data")
            else:
                location, target = classes.DataLocation.INLINE, len(kept)
                kept.append(inline[index])
            delegate.processed = classes.BackendDelegateDataReference(location, target)
    unused = set(range(len(inline))) - seen
    if unused:
        raise ProgramError(
            "no delegate refers to this data", f"backend_delegate_data[{min(unused)}]"
        )
    program.backend_delegate_data = kept


def _extract_named(classes: Any, program: Any, segments: _Segments, store: Any) -> None:
    """Adds a segment for each buffer of the store that a key refers to."""
    if program.named_data:
        raise ProgramError("the program has named data already", "named_data")
    segment_of: dict[int, int] = {}
    named: list[Any] = []
    for key, entry in store.pte_data.items():
        index = segment_of.get(entry.buffer_index)
        if index is None:
            content = PteData()
            place = f"named data {key!r}"
            if not 0 <= entry.buffer_index < len(store.buffers):
                raise ProgramError(
                    f"index {entry.buffer_index} is outside of the {len(store.buffers)} buffers",
                    place,
                )
            content.append(_blob(store.buffers[entry.buffer_index], place))
            index = segment_of[entry.buffer_index] = segments.add(content, entry.alignment or 1)
        named.append(classes.NamedData(key, index))
    program.named_data = named


def deserialize_pte(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | mmap.mmap,
) -> Any:
    """The ``PTEFile`` of executorch in a ``.pte`` file, given its path, or in bytes.

    Equal to what executorch's own reader gives: delegate data is inline again, constants are in
    ``program.constant_buffer``, mutable and named data beside the program. Each piece of data is
    copied once, from the source to its place. Raises ProgramError, naming the place, for a file
    that is not well formed.
    """
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ProgramError("the file is empty")
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            return _restore(memoryview(mapping))
        finally:
            with contextlib.suppress(BufferError):
                mapping.close()
    return _restore(memoryview(source).cast("B"))


def _restore(view: memoryview) -> Any:
    header = _header.read(view)
    size = header.program_size if header else len(view)
    program, _ = _codec.decode(_bind.executorch(), view[:size])
    upstream = importlib.import_module("executorch.exir._serialize._program")
    if header is None or header.segment_base_offset == 0:
        return upstream.PTEFile(program=program, mutable_data=None, named_data=None)
    restored = _Segmented(view[header.segment_base_offset :], program)
    restored.delegates()
    restored.constants()
    return upstream.PTEFile(
        program=program, mutable_data=restored.mutable_data(), named_data=restored.named_data()
    )


class _Segmented:
    """Puts the data of the segments back to where the exporter had it."""

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
        """The subsegments; padding behind one counts as part of it, as for executorch."""
        view = self._view(entry.segment_index, f"{place}.segment_index")
        offsets = [*(entry.offsets or ()), len(view)]
        buffers: list[Any] = []
        for i, (start, end) in enumerate(itertools.pairwise(offsets)):
            if not start <= end <= len(view):
                raise ProgramError(
                    f"offset {start} is behind the next one, {end}, or the end",
                    f"{place}.offsets[{i}]",
                )
            buffers.append(self._classes.Buffer(storage=bytes(view[start:end])))
        return buffers
