# SPDX-License-Identifier: BSD-3-Clause
"""Copies bytes into a file, and computes their checksum."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bpte.files.access import SourceError
from bpte.files.checksum import crc32

if TYPE_CHECKING:
    from typing_extensions import Buffer

Progress = Callable[[int], None]
"""Takes the number of bytes done since the last call."""

_COPY_STEP = 16 << 20  # handed to the kernel at a time: progress, and the checksum, keep up
# The kernel copies through a pipe of this size. If its blocks do not begin at pages of the
# target, copying takes 1.5 times as long: so the first step ends at a multiple.
_COPY_BLOCK = 64 << 10
_HASH_STEP = 256 << 10  # stays in the cache between reading and hashing
_WRITE_STEP = 4 << 20
_SMALL = 16 << 10  # reading new bytes objects is faster than reading into one buffer


def write_all(fd: int, data: Buffer, offset: int) -> None:
    """Calls pwrite until all is written."""
    view = memoryview(data).cast("B")
    while len(view):
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def write_blocks(
    fd: int, offset: int, blocks: Iterable[Buffer], progress: Progress | None = None, crc: int = 0
) -> tuple[int, int]:
    """Writes blocks one after another; gives (bytes written, CRC-32 continued from ``crc``).

    The checksum is that of the bytes that arrived. A block that somebody else may change meanwhile,
    as is a mapped file or another thread's array, is therefore read back from ``fd``, which must be
    open for reading too. Raises ``SourceError`` for a block whose memory no longer exists: a mapped
    file was cut short.
    """
    total = 0
    for block in blocks:
        view = memoryview(block).cast("B")
        for at in range(0, len(view), _WRITE_STEP):
            step = view[at : at + _WRITE_STEP]
            _write_block(fd, step, offset + total)
            if isinstance(block, bytes):
                crc = crc32(step, crc)
            else:
                crc = crc_of_file(fd, offset + total, len(step), None, crc)
            total += len(step)
            if progress:
                progress(len(step))
    return total, crc


def _write_block(fd: int, block: memoryview, offset: int) -> None:
    try:
        write_all(fd, block, offset)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise
        raise SourceError(errno.EIO, "the memory of a value is gone: a file cut short?") from None


def read_run(fd: int, offset: int, size: int) -> bytes:
    """A run of a file. Raises ``SourceError`` when the file ends before it does."""
    pieces = []
    end = offset + size
    while offset < end:
        piece = os.pread(fd, end - offset, offset)
        if not piece:
            raise _too_short(offset, end)
        pieces.append(piece)
        offset += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_blocks(fd: int, offset: int, size: int) -> Iterator[bytes]:
    """A run of a file, block by block. The first one is small, for callers that need only the
    beginning. Raises ``SourceError`` when the file ends before it does."""
    end = offset + size
    step = _HASH_STEP
    while offset < end:
        block = read_run(fd, offset, min(step, end - offset))
        yield block
        offset += len(block)
        step = _WRITE_STEP


def first_nonzero(fd: int, start: int, end: int) -> int | None:
    """The offset of the first byte in a run of a file that is not zero, ``None`` without one.

    Holes of the file are not read. Raises ``SourceError`` when the file ends before the run does.
    """
    for at, stop in _data_runs(fd, start, end):
        while at < stop:
            block = read_run(fd, at, min(_HASH_STEP, stop - at))
            rest = block.lstrip(b"\0")
            if rest:
                return at + len(block) - len(rest)
            at += len(block)
    size = os.fstat(fd).st_size
    if start < end and size < end:
        raise _too_short(size, end)
    return None


def _data_runs(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a run that are not holes, if the file system reports holes."""
    at = start
    while at < end:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
            hole = os.lseek(fd, at, os.SEEK_HOLE)
        except (OSError, AttributeError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENXIO:
                return  # nothing but a hole follows, or the file ends here
            hole = end  # it does not report holes
        if at < end:
            yield at, min(hole, end)
        at = hole


def _too_short(found: int, expected: int) -> SourceError:
    return SourceError(errno.EIO, f"ends at byte {found}, {expected} were expected")


def crc_of_file(
    fd: int, offset: int, size: int, progress: Progress | None = None, crc: int = 0
) -> int:
    """CRC-32 of a run of a file. Raises ``SourceError`` when the file ends before it does."""
    if size <= _SMALL:
        crc = crc32(read_run(fd, offset, size), crc)
        if progress:
            progress(size)
        return crc
    buffer = bytearray(min(_HASH_STEP, size))
    view = memoryview(buffer)
    end = offset + size
    while offset < end:
        step = view[: min(len(buffer), end - offset)]
        count = os.preadv(fd, [step], offset)
        if count == 0:
            raise _too_short(offset, end)
        crc = crc32(step[:count], crc)
        offset += count
        if progress:
            progress(count)
    return crc


def copy_file(
    source: int,
    source_offset: int,
    size: int,
    target: int,
    target_offset: int,
    progress: Progress | None = None,
    *,
    checksum: bool = True,
) -> int:
    """Copies a run of one file into another inside the kernel, where file systems may share the
    blocks. Returns its CRC-32.

    The checksum is that of the bytes that arrived: a second thread reads them back (from the page
    cache, where they have just been put) while the next ones are copied, so that the two can never
    disagree, whatever happens to the source meanwhile. Without ``checksum`` it gives 0.
    """
    if not checksum:
        _copy(source, source_offset, size, target, target_offset, progress)
        return 0
    if size <= _COPY_STEP:
        _copy(source, source_offset, size, target, target_offset, progress)
        return crc_of_file(target, target_offset, size)
    from concurrent.futures import Future, ThreadPoolExecutor

    crc, hashed = 0, target_offset

    def hash_next(count: int) -> None:
        nonlocal crc, hashed
        crc = crc_of_file(target, hashed, count, None, crc)
        hashed += count

    hashes: list[Future[None]] = []
    with ThreadPoolExecutor(1, "bpte-crc32") as hasher:  # takes one call after the other
        _copy(
            *(source, source_offset, size, target, target_offset, progress),
            arrived=lambda count: hashes.append(hasher.submit(hash_next, count)),
        )
    for each in hashes:
        each.result()
    return crc


# The errors of a kernel or file system that cannot do the copy itself.
_CANNOT = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def _copy(
    source: int,
    source_offset: int,
    size: int,
    target: int,
    target_offset: int,
    progress: Progress | None,
    arrived: Progress | None = None,
) -> None:
    done = 0
    steps = [step for step in (_kernel_copy, _sendfile, _read_write) if step is not None]
    while done < size:
        count = 0
        try:
            count = steps[0](
                source,
                source_offset + done,
                min(_COPY_STEP - (target_offset + done) % _COPY_BLOCK, size - done),
                target,
                target_offset + done,
            )
        except OSError as error:
            if error.errno not in _CANNOT or len(steps) == 1:
                raise
        if count == 0:
            if len(steps) > 1:
                steps.pop(0)
                continue
            raise _too_short(source_offset + done, source_offset + size)
        done += count
        if arrived:
            arrived(count)
        if progress:
            progress(count)


def _copy_file_range(
    source: int, source_offset: int, size: int, target: int, target_offset: int
) -> int:
    return os.copy_file_range(source, target, size, source_offset, target_offset)


_kernel_copy = _copy_file_range if hasattr(os, "copy_file_range") else None


def _sendfile(source: int, source_offset: int, size: int, target: int, target_offset: int) -> int:
    os.lseek(target, target_offset, os.SEEK_SET)
    return os.sendfile(target, source, source_offset, size)


def _read_write(source: int, source_offset: int, size: int, target: int, target_offset: int) -> int:
    data = os.pread(source, min(size, _WRITE_STEP), source_offset)
    write_all(target, data, target_offset)
    return len(data)
