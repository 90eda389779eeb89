# SPDX-License-Identifier: BSD-3-Clause
"""Writes folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from bpte.files import access
from bpte.files.atomic import is_temporary_name, temporary_name

try:
    import fcntl
except ImportError:  # not POSIX: without locks nothing is cleaned up there
    fcntl = None  # type: ignore[assignment]


class AtomicFolder:
    """A folder of files being written beside its target, which takes the target's place by
    ``commit``.

    As a context manager: leaving without ``commit`` removes what was written and leaves the target
    as it was. ``path`` is where files are written meanwhile. A target that is there is replaced
    only if it is empty, or if this program wrote it: it holds no other files than ``names``, and
    the first of them begins with ``mark``. A symbolic link is followed. The temporary folder stays
    locked (flock) while its writer lives; the next writer beside it removes what a killed one left.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: Sequence[str],
        mark: bytes,
    ) -> None:
        """Raises ``OSError`` when the folder cannot be written, ``SameFileError`` when a file that
        would be replaced is an input of this command."""
        self._name = os.fspath(path)
        self._target = Path(os.path.realpath(path))
        self._names = names
        self._mark = mark
        self._lock = -1
        self.path = self._target
        if not self._target.parent.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, "there is no such folder to write into", self._name
            )
        for status, name in self._replaced():
            access.writes(status, name)

    def _replaced(self) -> Iterator[tuple[os.stat_result, str]]:
        """The files of the target. Raises ``OSError`` if it may not be replaced."""
        try:
            found = sorted(os.listdir(self._target))  # noqa: PTH208 - names, as they are compared
        except FileNotFoundError:
            return
        except NotADirectoryError:
            self._refuse("is there already, and is not a folder")
        for name in found:
            status = (self._target / name).lstat()
            if name not in self._names or not stat.S_ISREG(status.st_mode):
                self._refuse(f"is there already, with a file that bpte did not write: {name}")
            yield status, str(Path(self._name) / name)
        if found and not self._is_marked():
            self._refuse("is there already, and bpte did not write it")

    def _is_marked(self) -> bool:
        try:
            fd = os.open(self._target / self._names[0], os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            return os.pread(fd, len(self._mark), 0) == self._mark
        finally:
            os.close(fd)

    def _refuse(self, reason: str) -> None:
        raise access.WrongFileError(errno.EEXIST, reason, self._name)

    def __enter__(self) -> AtomicFolder:
        _remove_litter(self._target.parent)
        self._lock, self.path = _create_locked(self._target)
        return self

    def commit(self) -> None:
        """Gives the folder its name."""
        for _ in self._replaced():  # somebody may have put a file there meanwhile
            pass
        try:
            self.path.replace(self._target)  # there is none, or it is empty
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _exchange(self.path, self._target)
            shutil.rmtree(self.path, ignore_errors=True)
        self.path = self._target

    def __exit__(self, *_: object) -> None:
        if self.path != self._target:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)


def _exchange(one: Path, other: Path) -> None:
    """Two folders get each other's name, at once where the system can do that."""
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None, use_errno=True)
        here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        if library.renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
            return
    aside = one.with_name(temporary_name(other.name))
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


def _create_locked(target: Path) -> tuple[int, Path]:
    while True:
        path = target.with_name(temporary_name(target.name))
        path.mkdir()
        with contextlib.suppress(FileNotFoundError):
            folder = _open(path)
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks
                    fcntl.flock(folder, fcntl.LOCK_EX)  # waits for a cleaner that was faster
            if path.is_dir():
                return folder, path
            os.close(folder)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove_litter(place: Path) -> None:
    """Removes what writers that were killed left in this folder."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for name in filter(is_temporary_name, os.listdir(place)):  # noqa: PTH208 - as above
            with contextlib.suppress(OSError):  # a file, or its writer lives
                folder = _open(place / name)
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(place / name, ignore_errors=True)
                finally:
                    os.close(folder)
