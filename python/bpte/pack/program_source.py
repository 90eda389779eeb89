# SPDX-License-Identifier: BSD-3-Clause
"""The program to be bundled: a file, bytes, or what writes itself into a file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from bpte.files import transfer
from bpte.files.transfer import Progress, SourceError

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
        """Writes all of it at ``offset``; gives its CRC-32, if that is wanted."""
        ...

    def status(self) -> os.stat_result | None:
        """Of the file behind it, when there is one."""
        ...

    def close(self) -> None: ...


class FileRun(NamedTuple):
    """A run of a file, by name: a program that is part of something larger."""

    path: str | os.PathLike[str]
    offset: int
    size: int


class FileProgram:
    """A run of a file, copied inside the kernel."""

    def __init__(
        self, path: str | os.PathLike[str], offset: int = 0, size: int | None = None
    ) -> None:
        self.name = os.fspath(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = offset
        try:
            self._before = os.fstat(self._fd)
            if stat.S_ISDIR(self._before.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.name)
            if not stat.S_ISREG(self._before.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", self.name)
        except BaseException:
            os.close(self._fd)
            raise
        self.size = self._before.st_size - offset if size is None else size
        if offset + self.size > self._before.st_size:
            os.close(self._fd)
            raise SourceError(errno.EIO, "ends before the run that is asked for", self.name)
        self.is_whole = offset == 0 and self.size == self._before.st_size
        """The file is the program and nothing else."""

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
        after = os.fstat(self._fd)
        before = self._before
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise SourceError(errno.EIO, "changed while it was copied", self.name)
        return crc

    def status(self) -> os.stat_result:
        return self._before

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

    def status(self) -> None:
        return None

    def close(self) -> None:
        pass


class WrittenProgram:
    """A program that writes itself, piece by piece, never joined."""

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

    def status(self) -> None:
        return None

    def close(self) -> None:
        pass


class _Sink:
    """What a program writes itself into: counts, or passes on to a file descriptor."""

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
    """What a caller gave as the program. Raises ``TypeError`` for what it cannot be, ``OSError``
    for a file that cannot be opened."""
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
