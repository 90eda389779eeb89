# SPDX-License-Identifier: BSD-3-Clause
"""The program to be bundled: a file, bytes, or an object that writes itself into a file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from bpte.files import access, transfer
from bpte.files.access import FileState, SourceError
from bpte.files.transfer import Progress

if TYPE_CHECKING:
    from typing_extensions import Buffer


@runtime_checkable
class WritesItself(Protocol):
    """Such as ``ExecutorchProgramManager``."""

    def write_to_file(self, open_file: object, /) -> None: ...


class ProgramSource(Protocol):
    """``size`` in bytes; ``name`` for messages."""

    size: int
    name: str

    def head(self, count: int) -> bytes:
        """The first ``count`` bytes, or all when there are fewer."""
        ...

    def copy_to(
        self, fd: int, offset: int, progress: Progress | None, *, checksum: bool = True
    ) -> int:
        """Writes all of it at ``offset``. Returns its CRC-32, if asked for."""
        ...

    def close(self) -> None: ...


class FileRun(NamedTuple):
    """A run of a file, by name: a program that is part of something larger."""

    path: str | os.PathLike[str]
    offset: int
    size: int
    state: FileState | None = None
    """The file as it was when the run was found in it. Another file is refused."""
    verify: Callable[[int], None] | None = None
    """Is given the CRC-32 of what was copied; raises an error for a wrong one."""


class FileProgram:
    """A run of a file, copied inside the kernel."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        offset: int = 0,
        size: int | None = None,
        state: FileState | None = None,
        verify: Callable[[int], None] | None = None,
    ) -> None:
        """See ``FileRun``. Raises ``OSError`` for a file that cannot be opened, is not a regular
        file, or is not the file of ``state``."""
        self.name = os.fspath(path)
        self._fd = access.open_input(path)
        self._offset = offset
        self._verify = verify
        try:
            self._before = access.file_state(os.fstat(self._fd))
            if state is not None:
                access.require_state(self.name, state, self._fd)
            self.size = self._before.size - offset if size is None else size
            if offset + self.size > self._before.size:
                raise SourceError(errno.EIO, "ends before the run that is asked for", self.name)
        except BaseException:
            os.close(self._fd)
            raise

    def head(self, count: int) -> bytes:
        return os.pread(self._fd, min(count, self.size), self._offset)

    def copy_to(
        self, fd: int, offset: int, progress: Progress | None, *, checksum: bool = True
    ) -> int:
        try:
            crc = transfer.copy_file(
                self._fd, self._offset, self.size, fd, offset, progress, checksum=checksum
            )
        except SourceError as error:
            raise SourceError(error.errno, f"{error.strerror}: it shrank", self.name) from None
        access.require_state(self.name, self._before, self._fd)
        if checksum and self._verify is not None:
            self._verify(crc)
        return crc

    def close(self) -> None:
        os.close(self._fd)


class BytesProgram:
    """A program in memory; not copied."""

    name = "the program"

    def __init__(self, data: Buffer) -> None:
        self.view = memoryview(data).cast("B")
        self.size = len(self.view)

    def head(self, count: int) -> bytes:
        return bytes(self.view[:count])

    def copy_to(
        self, fd: int, offset: int, progress: Progress | None, *, checksum: bool = True
    ) -> int:
        return transfer.write_blocks(fd, offset, [self.view], progress)[1]

    def close(self) -> None:
        pass


class WrittenProgram:
    """A program that writes itself piece by piece; the pieces are never joined in memory."""

    def __init__(self, writer: WritesItself) -> None:
        self.name = type(writer).__name__
        self._writer = writer
        counter = _Sink(None, 0, None)
        writer.write_to_file(counter)
        self.size = counter.count

    def head(self, count: int) -> bytes:
        sink = _Head(count)
        self._writer.write_to_file(sink)
        return bytes(sink.data)

    def copy_to(
        self, fd: int, offset: int, progress: Progress | None, *, checksum: bool = True
    ) -> int:
        sink = _Sink(fd, offset, progress)
        self._writer.write_to_file(sink)
        if sink.count != self.size:
            raise SourceError(
                errno.EIO, f"wrote {sink.count} bytes, {self.size} the first time", self.name
            )
        return sink.crc

    def close(self) -> None:
        pass


class _Sink:
    """The file that a program writes itself into: counts bytes, or passes them on to a
    descriptor."""

    def __init__(self, fd: int | None, offset: int, progress: Progress | None) -> None:
        self._fd = fd
        self._offset = offset
        self._progress = progress
        self.count = 0
        self.crc = 0

    def write(self, data: Buffer) -> int:
        size = memoryview(data).nbytes
        if self._fd is not None:
            _, self.crc = transfer.write_blocks(
                self._fd, self._offset + self.count, [data], self._progress, self.crc
            )
        self.count += size
        return size


class _Head:
    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit

    def write(self, data: Buffer) -> int:
        view = memoryview(data).cast("B")
        self.data += view[: self._limit - len(self.data)]
        return len(view)


def program_source(program: object) -> ProgramSource:
    """The source for what a caller gave as the program. Raises ``TypeError`` for other types,
    ``OSError`` for a file that cannot be opened."""
    if isinstance(program, (str, Path, os.PathLike)):
        return FileProgram(program)
    if isinstance(program, (bytes, bytearray, memoryview)):
        return BytesProgram(program)
    if isinstance(program, FileRun):
        return FileProgram(*program)
    if isinstance(program, WritesItself):
        return WrittenProgram(program)
    try:
        view = memoryview(program)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            "the program must be a path, bytes, or an ExecutorchProgramManager, "
            f"not {type(program).__name__}"
        ) from None
    return BytesProgram(view)
