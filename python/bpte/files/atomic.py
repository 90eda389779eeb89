# SPDX-License-Identifier: BSD-3-Clause
"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # not POSIX: nothing is cleaned up there, as nobody can tell who is alive
    fcntl = None  # type: ignore[assignment]

_MARK = ".bpte-tmp-"


class SameFileError(OSError):
    """The output is the input."""


class AtomicFile:
    """A file being written beside its target, renamed over it by ``commit``.

    As a context manager: leaving without ``commit`` removes the file and leaves the target as it
    was. The temporary file lies in the target's folder, is named ``.NAME.bpte-tmp-RANDOM`` and
    stays locked (flock) while its writer lives; what a killed writer left is removed by the next
    one that writes into the folder.
    """

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        """``durable``: wait until the bytes are on the disk before the target is replaced."""
        self.path = Path(path)
        # A symbolic link is followed, as cp does it: the file behind it is what is replaced.
        self._target = Path(os.path.realpath(self.path))
        self._durable = durable
        try:
            self._old: os.stat_result | None = self._target.stat()
        except FileNotFoundError:
            self._old = None
        if self._old is not None:
            if stat.S_ISDIR(self._old.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if not stat.S_ISREG(self._old.st_mode):
                raise OSError(errno.EINVAL, "not a regular file, cannot be replaced", str(path))
        self._temporary: Path | None = None
        self.fd = -1
        """Open for reading and writing."""

    def refuse_if_same(self, status: os.stat_result, what: str) -> None:
        """Raises ``SameFileError`` when the target is the file that ``status`` describes, by
        whatever name."""
        if self._old is not None and os.path.samestat(self._old, status):
            raise SameFileError(
                errno.EINVAL, f"the output is the same file as {what}", str(self.path)
            )

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
        os.close(self.fd)
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            # Raised by a call on the descriptor, which knows no name.
            raise OSError(error.errno, os.strerror(error.errno), str(self.path)) from error


def _create_locked(target: Path) -> tuple[int, Path]:
    while True:
        # Names end at 255 bytes, and a target may use them all.
        path = target.with_name(f".{target.name[:50]}{_MARK}{secrets.token_hex(6)}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        if fcntl is None:
            return fd, path
        with contextlib.suppress(OSError):  # a file system without locks: then without
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody cleaning up may have been faster with the lock, and have removed the file.
        if os.fstat(fd).st_nlink:
            return fd, path
        os.close(fd)


def _remove_litter(folder: Path) -> None:
    if fcntl is None:
        return
    try:
        litter = list(folder.glob(f".*{_MARK}*"))
    except OSError:
        return
    for path in litter:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        except OSError:
            pass  # its writer lives, or it is not ours to remove
        finally:
            os.close(fd)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
