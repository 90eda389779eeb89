# SPDX-License-Identifier: BSD-3-Clause
"""Temporary folders of runs, and the removal of those that killed runs left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "bpte-run-"
_NAME = re.compile(_PREFIX + r"[0-9a-f]{16}")
#: A file in each of them. A folder that is not empty and lacks it is not bpte's.
_MARK = ".bpte-scratch"


@dataclass(frozen=True)
class Scratch:
    """A folder for a run. It is in use while some process holds `lock`, a descriptor with a lock
    (flock) on the folder."""

    path: Path
    lock: int


@contextmanager
def scratch_folder() -> Iterator[Scratch]:
    """A temporary folder, removed at the end. Removes first what killed runs left."""
    place = Path(tempfile.gettempdir())
    _remove_litter(place)
    scratch = _create(place)
    try:
        (scratch.path / _MARK).touch()
        yield scratch
    finally:
        shutil.rmtree(scratch.path, ignore_errors=True)
        os.close(scratch.lock)


def _create(place: Path) -> Scratch:
    while True:
        path = place / f"{_PREFIX}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            folder = _open(path)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # another run is cleaning up, and removes it
            except OSError:
                return Scratch(path, folder)  # the file system has no locks
            if _is(folder, path):
                return Scratch(path, folder)
            os.close(folder)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is(folder: int, path: Path) -> bool:
    """Whether an open folder is still what its name leads to, and this user's."""
    try:
        status = os.fstat(folder)
        return status.st_uid == os.geteuid() and os.path.samestat(status, path.lstat())
    except OSError:
        return False


def _remove_litter(place: Path) -> None:
    try:
        names = [name for name in os.listdir(place) if _NAME.fullmatch(name)]  # noqa: PTH208
    except OSError:
        return
    for path in (place / name for name in names):
        with contextlib.suppress(OSError):
            folder = _open(path)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its run lives
                if not _is(folder, path):
                    continue
                if _is_marked(path):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.rmdir()  # fails if it is not empty: then it is not bpte's
            finally:
                os.close(folder)


def _is_marked(path: Path) -> bool:
    try:
        return stat.S_ISREG((path / _MARK).lstat().st_mode)
    except OSError:
        return False
