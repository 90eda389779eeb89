# SPDX-License-Identifier: BSD-3-Clause
"""Starts a process, passes on its output as it comes, and ends it in time, with its children.

A supervisor (`_supervisor.py`) runs between this process and the one that it starts. When a signal
kills this process, the supervisor ends what was started and removes its folder. The caller decides
what the output means.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SUPERVISOR = Path(__file__).with_name("_supervisor.py")
_CHUNK = 65536
#: A long wait is a series of shorter ones, because system calls limit how long they wait.
_LONGEST_WAIT = 3600.0


@dataclass
class Limit:
    """A moment, in time.monotonic()'s seconds, that may be moved."""

    deadline: float

    def remaining(self) -> float:
        """In seconds, at most an hour at a time."""
        return min(max(0.0, self.deadline - time.monotonic()), _LONGEST_WAIT)


def no_limit() -> Limit:
    return Limit(float("inf"))


@dataclass(frozen=True)
class Possessions:
    """What a started process holds, and what the supervisor does when the caller was killed.

    `locks` are descriptors that stay open until the last process has ended, `remove` is a folder
    that the supervisor then removes (a caller that lives removes it itself), `grace` how many
    seconds a process is given to end by itself after SIGTERM.
    """

    locks: tuple[int, ...] = ()
    remove: Path | None = None
    grace: float = 0.0


def execute(
    command: Sequence[str],
    folder: Path,
    limit: Limit,
    on_output: Callable[[bytes, bool], None],
    on_start: Callable[[int], None] | None = None,
    possessions: Possessions = Possessions(),
) -> int | None:
    """Runs `command` in `folder` until it ends or `limit`, which `on_output` may move, has passed.

    `on_output` gets each piece of output and whether it is standard output's, `on_start` the
    process's id. Returns the exit status (negative: the signal that killed it), None for a process
    that had to be ended. Nothing that it started is left, also when this process is killed.
    Raises OSError when it cannot be started.
    """
    reading, writing = os.pipe()
    with contextlib.ExitStack() as stack:
        report = _Report(reading)
        stack.callback(os.close, reading)
        try:
            process = _supervised(command, folder, writing, possessions)
        finally:
            os.close(writing)
        stack.callback(_finish, process)
        pid = report.started(command[0])
        if on_start:
            on_start(pid)
        for data, is_stdout in _pieces(process, limit):
            on_output(data, is_stdout)
        return report.status(limit)


def _supervised(
    command: Sequence[str], folder: Path, report: int, possessions: Possessions
) -> subprocess.Popen[bytes]:
    words = [
        *(sys.executable, "-I", "-S", str(_SUPERVISOR)),
        *(str(report), str(possessions.grace), str(possessions.remove or "")),
    ]
    return subprocess.Popen(
        [*words, *command],
        cwd=folder,
        stdin=subprocess.PIPE,  # whose end tells the supervisor that this process is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(report, *possessions.locks),
        start_new_session=True,  # a terminal's Ctrl-C is for this process alone
    )


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Asks the supervisor to end all that is left, and waits for it."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # the supervisor was killed
        process.stdin.write(b".")
        process.stdin.flush()
    with contextlib.suppress(OSError):
        process.stdin.close()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class _Report:
    """The supervisor's report: a line when the command was started, and one when it ended."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = b""

    def _line(self, limit: Limit) -> tuple[str, int] | None:
        while b"\n" not in self._read:
            remaining = limit.remaining()
            if not select.select([self._descriptor], [], [], remaining)[0]:
                if not remaining:
                    return None
                continue
            data = os.read(self._descriptor, 256)
            if not data:
                raise OSError(errno.ECHILD, "the process that supervises it was killed")
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        word, _, number = line.decode().partition(" ")
        return word, int(number)

    def started(self, name: str) -> int:
        """The process's id. Raises OSError when it could not be started."""
        line = self._line(no_limit())
        assert line is not None
        word, number = line
        if word == "failed":
            raise OSError(number, os.strerror(number), name)
        return number

    def status(self, limit: Limit) -> int | None:
        """The exit status; None when the process has not ended in time."""
        line = self._line(limit)
        return line[1] if line else None


def _pieces(process: subprocess.Popen[bytes], limit: Limit) -> Iterator[tuple[bytes, bool]]:
    """Output as it comes, until both streams end or the deadline, which may move, has passed."""
    assert process.stdout is not None and process.stderr is not None  # they were asked for
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, True)
        selector.register(process.stderr, selectors.EVENT_READ, False)
        while selector.get_map():
            if not (remaining := limit.remaining()):
                return
            for key, _ in selector.select(remaining):
                if data := os.read(key.fd, _CHUNK):
                    yield data, key.data
                else:
                    selector.unregister(key.fileobj)
