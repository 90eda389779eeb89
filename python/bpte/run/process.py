# SPDX-License-Identifier: BSD-3-Clause
"""Starts a process, passes on its output as it comes, and ends it, in time and with its children.

What the output means is the caller's business.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_CHUNK = 65536


@dataclass
class Limit:
    """A moment, in time.monotonic()'s seconds, that may be moved."""

    deadline: float

    def remaining(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


def execute(
    command: Sequence[str],
    folder: Path,
    limit: Limit,
    on_output: Callable[[bytes, bool], None],
    on_start: Callable[[int], None] | None = None,
) -> int | None:
    """Runs `command` in `folder` until it ends or `limit`, which `on_output` may move, has passed.

    `on_output` gets each piece of output and whether it is standard output's, `on_start` the
    process's id. Returns the exit status (negative: the signal that killed it), None for a process
    that had to be ended. Nothing that it started is left. Raises OSError when it cannot be started.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that whatever it starts is ended with it
    ) as process:
        try:
            if on_start:
                on_start(process.pid)
            for data, is_stdout in _pieces(process, limit):
                on_output(data, is_stdout)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(limit.remaining())
            return process.returncode
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


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
                stream = key.fileobj
                data = os.read(_fileno(stream), _CHUNK)
                if data:
                    yield data, key.data
                else:
                    selector.unregister(stream)


def _fileno(stream: int | IO[bytes] | object) -> int:
    return stream if isinstance(stream, int) else stream.fileno()  # type: ignore[attr-defined]
