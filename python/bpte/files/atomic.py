# SPDX-License-Identifier: BSD-3-Clause
"""Writes files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import zlib
from pathlib import Path

from bpte.files import access
from bpte.files.transfer import write_all


class AtomicFile:
    """A file being written beside its target, renamed over it by ``commit``.

    As a context manager: leaving without ``commit`` removes the file and leaves the target as it
    was. The temporary file lies in the target's folder and stays locked (flock) while its writer
    lives; the next writer into the folder removes what a killed one left.

    A symbolic link is followed, as cp does it: the file that it names is replaced or, when there is
    none, made. Of a file with several hard links, this name is replaced and the others keep the old
    content. Folders, pipes and devices are refused, and so is an input of the same command.
    """

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        """``durable``: wait until the bytes are on the disk before the target is replaced. Raises
        ``OSError`` when ``path`` cannot be written to, ``SameFileError`` when it is an input."""
        if os.fspath(path).endswith(os.sep):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        self.path = Path(path)
        self._durable = durable
        self._target = Path(os.path.realpath(path))
        try:
            self._old: os.stat_result | None = self.path.stat()
        except FileNotFoundError:
            self._old = None
            if not self._target.parent.is_dir():
                raise FileNotFoundError(
                    errno.ENOENT, "there is no such folder to write into", os.fspath(path)
                ) from None
        if self._old is not None:
            access.refuse_irregular(self._old, path)
            access.writes(self._old, path)
            if not _is_file(self._target, self._old):  # /dev/fd/3, open on a file without a name
                raise access.WrongFileError(
                    errno.EINVAL, "has no name under which it can be replaced", os.fspath(path)
                )
        self._temporary: Path | None = None
        self.fd = -1
        """Open for reading and writing."""

    def __enter__(self) -> AtomicFile:
        _remove_litter(self._target.parent)
        self.fd, self._temporary = _create_locked(self._target)
        if self._old is not None:
            with contextlib.suppress(OSError):  # a file system without modes
                os.fchmod(self.fd, stat.S_IMODE(self._old.st_mode))
        return self

    def commit(self) -> None:
        assert self._temporary is not None
        if self._durable:
            os.fsync(self.fd)
        self._temporary.replace(self._target)
        self._temporary = None
        if self._durable:
            _sync_folder(self._target.parent)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
        os.close(self.fd)
        if isinstance(error, access.SourceError):
            return  # not this file's fault
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            # A call on the descriptor, which has no name, raised it.
            raise OSError(error.errno, os.strerror(error.errno), str(self.path)) from error


class ReportFile:
    """A small file, written at once at the end of a long task. The path is checked when this object
    is made, before the task begins. Regular files are written as by ``AtomicFile``; a pipe or a
    device is written to as it is.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises ``OSError`` when ``path`` cannot be written to, ``SameFileError`` when it is an
        input."""
        self._path = path
        self._file: AtomicFile | None = None
        if not _is_stream(path):
            self._file = AtomicFile(path, durable=False)

    def write(self, data: bytes) -> None:
        """Writes all of it. Raises ``OSError``, also for a pipe that nobody reads."""
        if self._file is not None:
            with self._file as file:
                write_all(file.fd, data, 0)
                file.commit()
            return
        path = os.fspath(self._path)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            with os.fdopen(fd, "wb", buffering=0) as stream:
                os.set_blocking(fd, True)
                view = memoryview(data)
                while len(view):
                    view = view[stream.write(view) :]
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise access.WrongFileError(error.errno, "a pipe that nobody reads", path) from None
            raise OSError(error.errno, error.strerror, path) from None


def _is_stream(path: str | os.PathLike[str]) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _is_file(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except OSError:
        return False


# ---- Temporary files
#
# Others may have files in the folder that look like ours. So a name ends in its own checksum, which
# other names do not have by chance, and a file is removed only when nobody holds its lock. A writer
# takes the lock right after it has made its file. If a cleaner was faster, the file has lost its
# name, and the writer makes another.

_NAME = re.compile(r"(\..{0,50}\.bpte-tmp-[0-9a-f]{16})-([0-9a-f]{8})", re.DOTALL)


def temporary_name(target: str) -> str:
    """A fresh name beside a file of this name."""
    # Names end at 255 bytes, and a target may use them all.
    beginning = f".{target[:50]}.bpte-tmp-{secrets.token_hex(8)}"
    return f"{beginning}-{_name_checksum(beginning)}"


def is_temporary_name(name: str) -> bool:
    """Whether ``temporary_name`` made this."""
    match = _NAME.fullmatch(name)
    return match is not None and match[2] == _name_checksum(match[1])


def _name_checksum(beginning: str) -> str:
    return f"{zlib.crc32(os.fsencode(beginning)):08x}"


def _create_locked(target: Path) -> tuple[int, Path]:
    while True:
        path = target.with_name(temporary_name(target.name))
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with contextlib.suppress(OSError):  # a file system without locks: goes on without one
                fcntl.flock(fd, fcntl.LOCK_EX)  # waits for a cleaner that was faster
            if os.fstat(fd).st_nlink:
                return fd, path
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _remove_litter(folder: Path) -> None:
    """Removes what writers that were killed left in this folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_temporary_name(entry.name)]
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):  # its writer lives, or has just finished
            _remove_if_abandoned(folder / name)


def _remove_if_abandoned(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
