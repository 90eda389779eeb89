# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the files that one command reads and those that it writes apart.

An input is opened by ``open_input`` or ``read_input``, or announced by ``reads`` when somebody else
opens it; an output is announced by ``writes`` (``bpte.files.atomic`` does). Within ``command`` all
of them are remembered by device and inode, so that

- an output is never one of the inputs, by whatever name or link, in whatever order they come;
- ``check_unchanged`` finds the input that changed since it was first looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn


class WrongFileError(OSError):
    """The caller named a file that cannot be used in this place."""


class SameFileError(WrongFileError):
    """The output is the input."""


class SourceError(OSError):
    """A source gave fewer bytes than it had announced, or changed while it was read."""


class FileState(NamedTuple):
    """The facts by which another file, or other content, is noticed."""

    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds. Its granularity is a tick of the kernel, some milliseconds."""
    changed: int
    """Likewise: of the inode. A program can set ``modified`` back, but not this one."""


def file_state(status: os.stat_result) -> FileState:
    return FileState(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


_Key = tuple[int, int]  # device and inode


class _Ledger:
    def __init__(self) -> None:
        self.inputs: dict[_Key, tuple[str, FileState]] = {}
        self.outputs: dict[_Key, str] = {}
        # A file that a shell opened for us: bpte inspect m.bpte >> m.bpte
        for descriptor, name in ((1, "standard output"), (2, "standard error")):
            with contextlib.suppress(OSError):  # closed
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode):
                    self.outputs[status.st_dev, status.st_ino] = name


_current: ContextVar[_Ledger | None] = ContextVar("bpte_files", default=None)


@contextlib.contextmanager
def command() -> Iterator[None]:
    """The files read and written within belong to one command. An inner one joins the outer."""
    if _current.get() is not None:
        yield
        return
    token = _current.set(_Ledger())
    try:
        yield
    finally:
        _current.reset(token)


def reads(status: os.stat_result, name: str | os.PathLike[str]) -> None:
    """Announces an input. Raises ``SameFileError`` when it is an output of this command."""
    ledger = _current.get()
    if ledger is None:
        return
    key = status.st_dev, status.st_ino
    if key in ledger.outputs:
        _refuse_same(ledger.outputs[key], os.fspath(name))
    ledger.inputs.setdefault(key, (os.fspath(name), file_state(status)))


def reads_path(path: str | os.PathLike[str]) -> None:
    """Announces an input that another program will open. If it is missing, that program reports
    it."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        reads(Path(path).stat(), path)


def writes(status: os.stat_result, name: str | os.PathLike[str]) -> None:
    """Announces that this file is going to be replaced. Raises ``SameFileError`` when it is an
    input of this command."""
    ledger = _current.get()
    if ledger is None:
        return
    key = status.st_dev, status.st_ino
    if key in ledger.inputs:
        _refuse_same(os.fspath(name), ledger.inputs[key][0])
    ledger.outputs[key] = os.fspath(name)


def _refuse_same(output: str, source: str) -> NoReturn:
    raise SameFileError(errno.EINVAL, f"the output is the same file as {source}", output)


def check_unchanged() -> None:
    """Raises ``SourceError`` for the first input of this command that has changed since it was
    announced."""
    ledger = _current.get()
    for name, before in ledger.inputs.values() if ledger is not None else ():
        require_state(name, before)


def require_state(
    name: str | os.PathLike[str], before: FileState, descriptor: int | None = None
) -> None:
    """Raises ``SourceError`` when the file of this name (or of this descriptor) is another one, or
    has changed."""
    try:
        status = Path(name).stat() if descriptor is None else os.fstat(descriptor)
    except OSError:
        status = None
    if status is None or file_state(status) != before:
        raise SourceError(errno.EIO, "changed while it was copied", os.fspath(name))


def open_input(path: str | os.PathLike[str]) -> int:
    """Opens a regular file for reading, and announces it; gives the descriptor.

    Never waits: a pipe is refused, as are devices and folders (``WrongFileError``,
    ``IsADirectoryError``). Raises ``OSError`` for what cannot be opened.
    """
    fd = _open(path)
    try:
        status = os.fstat(fd)
        refuse_irregular(status, path)
        reads(status, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_input(path: str | os.PathLike[str]) -> bytes:
    """The whole of a small input, which may be a pipe that somebody writes to. See
    ``open_input``."""
    fd = _open(path)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISFIFO(status.st_mode):
            refuse_irregular(status, path)
            reads(status, path)
            return file.read()
        os.set_blocking(fd, True)
        content = file.read()
    if not content:
        raise WrongFileError(errno.EINVAL, "a pipe that nobody writes to", os.fspath(path))
    return content


def open_stream(path: str | os.PathLike[str]) -> BinaryIO:
    """A file, or a stream such as a serial port or a pipe, to be read in pieces. A pipe that nobody
    writes to counts as empty; nothing waits for a writer. Raises ``OSError``."""
    descriptor = _open(path)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def _open(path: str | os.PathLike[str]) -> int:
    # O_NONBLOCK: opening a pipe does not wait for a writer. It has no effect on a regular file.
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there
            raise WrongFileError(error.errno, "not a regular file", os.fspath(path)) from None
        raise


def refuse_irregular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    """Raises ``OSError``, naming ``path``, for what is not a regular file."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    kind = (
        "a pipe" if stat.S_ISFIFO(mode)
        else "a socket" if stat.S_ISSOCK(mode)
        else "a device"
    )  # fmt: skip
    raise WrongFileError(errno.EINVAL, f"{kind}, not a regular file", os.fspath(path))
