# SPDX-License-Identifier: BSD-3-Clause
"""Reads bundles: memory-mapped, every rule checked at opening, tensors as views."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpte.files import access, transfer
from bpte.files.checksum import crc32
from bpte.files.transfer import Progress
from bpte.format import header as _header
from bpte.format import layout
from bpte.format.budget import Budget
from bpte.format.decode import decode
from bpte.format.flatbuffer import Reader
from bpte.format.metadata import NamedData, NamedDataRole, Segment, Tensor, Value
from bpte.format.rules import NOWHERE, BundleError, Place, Rule
from bpte.format.tensor_data import TensorData, inverse
from bpte.suites import TestSuite

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PROBE = 128


class Bundle:
    """An opened bundle, BP09 or BP08.

    Opening checks every rule except the segments' checksums and the padding, which ``verify``
    checks. Arrays and memoryviews are views into the file, which stays mapped for as long as one of
    them lives; the file must not be shortened meanwhile.
    """

    def __init__(self, path: str | os.PathLike[str], *, verify: bool = False) -> None:
        """``verify``: also checks checksums and padding, see ``verify()``. Raises ``OSError``, and
        ``BundleError`` when the file breaks a rule."""
        self.path = Path(path)
        self._fd = access.open_input(path)
        self._map: mmap.mmap | bytes | None = None
        try:
            status = os.fstat(self._fd)
            self.file_state: access.FileState | None = access.file_state(status)
            """The file as it was when it was opened; ``None`` for a bundle in memory."""
            self._read(status.st_size)
            if verify:
                self.verify()
        except BundleError as error:
            error.path = str(self.path)
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    @classmethod
    def from_bytes(cls, data: Buffer) -> Bundle:
        """A bundle in memory. Raises ``BundleError``."""
        bundle = cls.__new__(cls)
        bundle.path = Path("bytes")
        bundle._fd = -1
        bundle.file_state = None
        bundle._map = bytes(data)
        bundle._read(len(bundle._bytes))
        return bundle

    def _read(self, size: int) -> None:
        in_file = self._fd >= 0
        probe = os.pread(self._fd, _PROBE, 0) if in_file else self._bytes[:_PROBE]
        self.header = _header.parse(probe, size)
        if in_file:
            self._map = mmap.mmap(self._fd, 0, access=mmap.ACCESS_READ)
        if self.header.format == _header.BP08:
            if size > layout.MAX_FLATBUFFER:
                raise BundleError(
                    Rule.METADATA_MALFORMED,
                    value=size,
                    expected=f"at most {layout.MAX_FLATBUFFER} bytes",
                    detail="a BP08 file beyond 2 GiB",
                )
            reader = Reader(self._bytes, size)
        else:
            raw = self._run(0, self.header.metadata_size)
            _header.check_metadata_crc(self.header, raw)
            reader = Reader(raw, len(raw))
        self._metadata = decode(reader, self.header)
        self.suites = [TestSuite(self.value, suite) for suite in self._metadata.suites]

    def close(self) -> None:
        """Closes the file. Views of it stay valid."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if isinstance(self._map, mmap.mmap):
            with contextlib.suppress(BufferError):  # then the last view closes it
                self._map.close()
        self._map = None

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()

    @property
    def _bytes(self) -> mmap.mmap | bytes:
        if self._map is None:
            raise ValueError(f"{self.path}: the bundle is closed")
        return self._map

    # ---- What it holds

    @property
    def format(self) -> str:
        """``"bp09"`` or ``"bp08"``."""
        return self.header.format

    @property
    def metadata(self) -> dict[str, str]:
        """Producer, model name and the like."""
        return self._metadata.strings

    @property
    def budgets(self) -> list[Budget]:
        """How much of a resource a run may use."""
        return self._metadata.budgets

    @property
    def segments(self) -> list[Segment]:
        """Offsets count from ``header.segment_base_offset``. Empty in BP08."""
        return self._metadata.segments

    @property
    def program_segment(self) -> int | None:
        return self._metadata.program_segment

    @property
    def program_extent(self) -> layout.Extent:
        """Where the program lies in the file."""
        return self._metadata.program

    @property
    def program(self) -> memoryview:
        """The program's bytes: a view."""
        return self._view(self._metadata.program)

    @property
    def named_data_info(self) -> dict[str, NamedData]:
        """Of every key of the named data: segment, role, file name."""
        return self._metadata.named_data

    @property
    def named_data_segments(self) -> dict[str, int]:
        """The segment of every key of the named data."""
        return {key: info.segment for key, info in self._metadata.named_data.items()}

    def named_data(self, key: str) -> memoryview:
        """The bytes of a key: a view. Raises ``KeyError``."""
        segment = self._metadata.segments[self._metadata.named_data[key].segment]
        return self._view(self._extent(segment))

    def suite(self, method_name: str) -> TestSuite:
        """Raises ``BundleError`` (no_such_item) when no suite is for that method."""
        for suite in self.suites:
            if suite.method_name == method_name:
                return suite
        raise BundleError(Rule.NO_SUCH_ITEM, value=method_name, path=str(self.path))

    def value(self, value: Value) -> Any:
        """A numpy array that is a view into the file, or the scalar itself. Raises ``BundleError``
        (overflow) for a tensor without elements whose other sizes are too large for numpy."""
        if not isinstance(value, Tensor):
            return value
        import numpy as np

        from bpte.format.scalar_type import numpy_dtype

        dtype = numpy_dtype(value.scalar_type)
        extent = self.tensor_extent(value)
        flat = np.frombuffer(
            self._bytes if extent.size else b"",
            dtype,
            extent.size // dtype.itemsize,
            extent.offset if extent.size else 0,
        )
        shape = [value.sizes[d] for d in value.dim_order]
        try:
            flat = flat.reshape(shape)
        except ValueError as error:  # no elements, but sizes whose product numpy cannot hold
            raise BundleError(
                Rule.OVERFLOW, value=list(value.sizes), detail=str(error), path=str(self.path)
            ) from None
        return flat.transpose(inverse(value.dim_order))

    def tensor_data(self, value: Tensor) -> TensorData:
        """The tensor exactly as it is stored, for another bundle to store. Its blocks are read from
        the file (``SourceError`` when that has been cut short), so that the bundle must be open."""
        extent = self.tensor_extent(value)

        def blocks() -> Iterator[Buffer]:
            if self._fd >= 0:
                yield from transfer.read_blocks(self._fd, *extent)
            else:
                yield self._view(extent)

        return TensorData(value.scalar_type, value.sizes, value.dim_order, blocks)

    def stored(self, value: Value) -> TensorData | int | float | bool:
        """An input or output exactly as it is stored: ``tensor_data`` of a tensor, or a scalar."""
        return self.tensor_data(value) if isinstance(value, Tensor) else value

    def tensor_extent(self, value: Tensor) -> layout.Extent:
        """Where a tensor's payload lies in the file."""
        if value.segment is None:
            return layout.Extent(value.offset, value.size)
        base = self._extent(self._metadata.segments[value.segment])
        return layout.Extent(base.offset + value.offset, value.size)

    def segment_extent(self, index: int) -> layout.Extent:
        """Where a segment lies in the file."""
        return self._extent(self._metadata.segments[index])

    def _extent(self, segment: Segment) -> layout.Extent:
        return layout.Extent(self.header.segment_base_offset + segment.offset, segment.size)

    def _run(self, offset: int, size: int) -> bytes:
        """A copy of a run of the file, which later changes of the file do not reach."""
        if self._fd >= 0:
            return transfer.read_run(self._fd, offset, size)
        return bytes(self._bytes[offset : offset + size])

    def _view(self, extent: layout.Extent) -> memoryview:
        return memoryview(self._bytes)[extent.offset : extent.end]

    # ---- Checks and copies

    def verify(self, progress: Callable[[int], Progress] | None = None) -> None:
        """Checks every segment's checksum and every padding byte. Raises ``BundleError``."""
        if self.format == _header.BP08:
            return
        base = self.header.segment_base_offset
        step = progress(sum(segment.size for segment in self.segments)) if progress else None
        try:
            self._check_padding(self.header.metadata_size, base, NOWHERE)
            end = base
            for index, segment in enumerate(self.segments):
                extent = self._extent(segment)
                place = Place(segment=index)
                self._check_padding(end, extent.offset, place)
                if self._fd >= 0:
                    crc = transfer.crc_of_file(self._fd, *extent, step)
                else:
                    crc = crc32(self._view(extent))
                self.check_crc(index, crc)
                end = extent.end
        except access.SourceError as error:
            raise BundleError(
                Rule.READ_FAILED, path=str(self.path), detail=error.strerror
            ) from None

    def check_crc(self, index: int, crc: int) -> None:
        """Raises ``BundleError`` when ``crc`` is not that of segment ``index``."""
        segment = self.segments[index]
        if crc != segment.crc32:
            raise BundleError(
                Rule.SEGMENT_CHECKSUM,
                place=Place(segment=index),
                offset=self._extent(segment).offset,
                value=crc,
                expected=segment.crc32,
                path=str(self.path),
            )

    def _check_padding(self, start: int, end: int, place: Place) -> None:
        if self._fd >= 0:
            at = transfer.first_nonzero(self._fd, start, end)
        else:
            padding = self._bytes[start:end]
            rest = padding.lstrip(b"\0")
            at = end - len(rest) if rest else None
        if at is not None:
            raise BundleError(
                Rule.PADDING,
                place=place,
                offset=at,
                value=self._run(at, 1)[0],
                expected=0,
                path=str(self.path),
            )

    def extract_program(
        self,
        path: str | os.PathLike[str],
        *,
        durable: bool = True,
        progress: Callable[[int], Progress] | None = None,
    ) -> None:
        """Writes the program, byte-identical, to a file of its own, which appears whole and with
        its checksum verified (BP09), or not at all. Raises ``OSError``, ``BundleError``."""
        with access.command():
            run = self._metadata.program, self._metadata.program_segment
            self._extract([(path, *run)], durable, progress)

    def extract_weights(
        self,
        folder: str | os.PathLike[str],
        name: str | None = None,
        *,
        durable: bool = True,
        progress: Callable[[int], Progress] | None = None,
    ) -> list[tuple[Path, int]]:
        """Writes the program's data files (``.ptd``), byte-identical, into a folder, under the
        names that they have in the bundle; all, or the one of this name. They appear whole and
        with their checksums verified, or none does. Gives each path and size. Raises ``OSError``,
        and ``BundleError``: also (no_such_item) when there is none."""
        found = [
            (info.file_name, info.segment)
            for info in self._metadata.named_data.values()
            if info.role is NamedDataRole.PTD and info.file_name is not None
        ]
        chosen = [(known, segment) for known, segment in found if name in (None, known)]
        if not chosen:
            there = ", ".join(repr(known) for known, _ in found) or "none"
            raise BundleError(
                Rule.NO_SUCH_ITEM,
                path=str(self.path),
                detail=f"a data file{'' if name is None else f' {name!r}'}; there are: {there}",
            )
        if len({known for known, _ in chosen}) != len(chosen):
            names = ", ".join(repr(known) for known, _ in chosen)
            raise access.WrongFileError(
                errno.EEXIST, f"two data files have one name: {names}", os.fspath(folder)
            )
        runs = [
            (Path(folder) / known, self.segment_extent(segment), segment)
            for known, segment in chosen
        ]
        with access.command():
            self._extract(runs, durable, progress)
        return [(path, extent.size) for path, extent, _ in runs]

    def _extract(
        self,
        runs: Sequence[tuple[str | os.PathLike[str], layout.Extent, int | None]],
        durable: bool,
        progress: Callable[[int], Progress] | None,
    ) -> None:
        """Writes runs of the file (each with its segment) into files of their own. None of them
        appears before all are written and verified."""
        from bpte.files.atomic import AtomicFile

        if self._fd >= 0:
            access.reads(os.fstat(self._fd), self.path)
        step = progress(sum(extent.size for _, extent, _ in runs)) if progress else None
        with contextlib.ExitStack() as outputs:
            files = []
            for path, extent, segment in runs:
                output = outputs.enter_context(AtomicFile(path, durable=durable))
                files.append(output)
                if self._fd >= 0:
                    crc = transfer.copy_file(self._fd, *extent, output.fd, 0, step)
                else:
                    _, crc = transfer.write_blocks(output.fd, 0, [self._view(extent)], step)
                if segment is not None:
                    self.check_crc(segment, crc)
                elif self.file_state is not None:
                    access.require_state(self.path, self.file_state, self._fd)
            for output in files:
                output.commit()


def open_bundle(path: str | os.PathLike[str], *, verify: bool = False) -> Bundle:
    """Opens a bundle: ``with bpte.open("model.bpte") as bundle: ...``. See ``Bundle``."""
    return Bundle(path, verify=verify)
