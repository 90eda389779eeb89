# SPDX-License-Identifier: BSD-3-Clause
"""Writes ExecuTorch's objects as ``.pte`` files: the FlatBuffer, and after it the segments.

Nothing large is copied to make a file: a ``PteData`` refers to the constants where they are, and is
written piece by piece.
"""

from __future__ import annotations

import copy
import importlib
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from bpte.program import ProgramError, _codec

if TYPE_CHECKING:
    from typing import Protocol

    class FileBacked(Protocol):
        """Data that stays in a file until it is written (executorch's ``FileBackedData``)."""

        def __len__(self) -> int: ...
        def to_bytes(self) -> bytes: ...
        def write_to_file(self, outfile: Any) -> None: ...

    Chunk = bytes | memoryview | FileBacked

_SEGMENT_ALIGNMENT = 128
_CONSTANT_ALIGNMENT = 16  # executorch.exir.tensor.ALIGNMENT
_INLINE = 0  # of DataLocation


def serialize(
    program: Any,
    *,
    constant_tensor_alignment: int | None = None,
    delegate_alignment: int | None = None,
) -> bytes:
    """The FlatBuffer of an ``executorch.exir.schema.Program``, without extended header.

    The alignments, powers of two in bytes, are those of constants and of delegate data that the
    program holds inline; None keeps the schema's. If the program cannot be written directly, the
    reason is logged with its place and the JSON path is tried; ProgramError names the place and
    both reasons if that fails as well.
    """
    alignments = _codec.executorch().alignments(constant_tensor_alignment, delegate_alignment)
    return _flatbuffer(program, alignments, 0, None)


def _flatbuffer(
    program: Any,
    alignments: dict[str, int],
    header_bytes: int,
    header: Callable[[int], bytes] | None,
) -> bytes:
    """See ``serialize``; the header is that of ``_codec.encode``."""
    binding = _codec.executorch()
    try:
        return _codec.encode(binding, program, alignments, header_bytes=header_bytes, header=header)
    except ProgramError as error:
        if type(program) is not binding.table(-1).cls:
            raise  # JSON cannot write an object of another class.
        direct = error
    from bpte.program import _fallback

    log = logging.getLogger("bpte.program")
    log.warning("cannot serialize directly: %s; falling back to JSON and flatc", direct)
    try:
        return _fallback.encode(binding, program, alignments, header_bytes, header)
    except _fallback.FallbackError as error:
        log.error("cannot serialize through JSON either: %s", error)
        raise ProgramError(
            f"{direct.rule} (the JSON path failed as well: {error})", direct.place
        ) from error


class PteData:
    """The bytes of a file as a sequence of chunks, most of which belong to other objects. Has the
    methods of executorch's ``Cord``: ``len``, ``bytes`` and ``write_to_file``. The chunks must not
    change while this is in use.
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
        from bpte.files.atomic import AtomicFile

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

    Raises ProgramError, naming the place, for a program that cannot be written, and ValueError for
    an alignment that is not a power of two.
    """
    if constant_tensor_alignment is None:
        constant_tensor_alignment = _CONSTANT_ALIGNMENT
    if not isinstance(segment_alignment, int) or segment_alignment <= 0:
        raise ValueError(f"segment_alignment is {segment_alignment!r}, not a positive int")
    binding = _codec.executorch()
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
        from bpte.program import _check

        _check.check(binding, original)
        raise

    data = _joined(program, segments, segment_alignment)
    header_bytes = 0
    header = None
    if len(data):
        largest = max(alignments.values())
        header_bytes = -(-_codec.HEADER_LENGTH // largest) * largest

        def header(program_size: int) -> bytes:
            base = -(-program_size // segment_alignment) * segment_alignment
            return _codec.pack_header(program_size, base, len(data))

    result = PteData()
    result.append(_flatbuffer(program, alignments, header_bytes, header))
    if len(data):
        result.pad_to(segment_alignment)
        result.extend(data)
    return result


def _joined(program: Any, segments: _Segments, segment_alignment: int) -> PteData:
    """The segments one after the other; ``program`` gets where each one lies."""
    classes = importlib.import_module("executorch.exir.schema")
    data = PteData()
    for segment, alignment in segments:
        data.pad_to(math.lcm(segment_alignment, alignment))
        program.segments.append(classes.DataSegment(offset=len(data), size=len(segment)))
        data.extend(segment)
    return data


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
    """A program that refers to segments instead of holding their data, and these segments, each
    with its alignment. The program shares everything else with the original."""
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
    """The buffers one after the other, and the offset of each."""
    data = PteData()
    offsets: list[int] = []
    for i, buffer in enumerate(buffers):
        data.pad_to(alignment)
        offsets.append(len(data))
        data.append(_blob(buffer.storage, f"{place}[{i}].storage"))
    return data, offsets


def _blob(value: Any, place: str) -> Chunk:
    if isinstance(value, bytes):
        return value
    if hasattr(value, "write_to_file"):
        backed: FileBacked = value
        return backed
    from bpte.program import _values

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
