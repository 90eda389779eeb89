# SPDX-License-Identifier: BSD-3-Clause
"""A line with faults, between whoever asks and a target: for tests of what must survive it.

    python faulty_line.py [OPTIONS] -- COMMAND...

Starts COMMAND and stands between its line and this process's standard input and output. The line is
the command's own standard input and output, or a terminal (--by pty) or an abstract Unix socket
(--by socket), whose name then replaces the word or part of a word @LINE@. Nothing of them is left
in the file system, however this process ends. Each direction has its faults, the same for the same
seed. Ends with the command's exit status.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import pty
import random
import selectors
import socket
import subprocess
import sys
import time
import tty

LINE = "@LINE@"
#: How long bytes are gathered, because an emulated UART sends them one by one.
_GATHER_SECONDS = 0.001
#: How long a target has to open its end of the line.
_OPEN_SECONDS = 20.0


class Faults:
    """What one direction of a line does to its bytes; `apply` takes them in pieces of any size.

    `lose`, `double` and `flip` are the shares of bytes to which that happens, `bursts` the share at
    which a run of `burst` bytes is lost. From byte number `stick` on nothing passes.
    """

    def __init__(
        self,
        seed: int,
        *,
        lose: float = 0.0,
        double: float = 0.0,
        flip: float = 0.0,
        bursts: float = 0.0,
        burst: int = 100,
        stick: int | None = None,
    ) -> None:
        self._random = random.Random(seed)
        self._shares = {"lose": lose, "double": double, "flip": flip, "burst": bursts}
        self._burst = burst
        self._stick = stick
        self._next = {name: self._gap(share) for name, share in self._shares.items()}
        self.passed = 0  # bytes that came, whatever became of them
        self.hurt = 0
        self._losing_until = 0

    def _gap(self, share: float) -> float:
        """How many bytes pass before the next one to which it happens."""
        if share <= 0:
            return math.inf
        return math.floor(math.log(1.0 - self._random.random()) / math.log1p(-share))

    def apply(self, data: bytes) -> bytes:
        start, self.passed = self.passed, self.passed + len(data)
        if self._stick is not None and self.passed > self._stick:
            data = data[: max(self._stick - start, 0)]
        out = bytearray()
        at = start
        end = start + len(data)
        while at < end:
            name = min(self._next, key=lambda each: self._next[each])
            event = self._next[name]
            stop = end if event >= end else int(event)
            keep = max(at, min(self._losing_until, stop))
            self.hurt += keep - at
            out += data[keep - start : stop - start]
            at = stop
            if at == end:
                break
            # The byte at `at` is the one to which it happens.
            self._next[name] = at + 1 + self._gap(self._shares[name])
            self.hurt += 1
            byte = data[at - start]
            if at < self._losing_until or name == "lose":
                pass
            elif name == "double":
                out += bytes((byte, byte))
            elif name == "flip":
                out.append(byte ^ 1 << self._random.randrange(8))
            else:
                self._losing_until = at + self._burst
            at += 1
            for other, when in self._next.items():
                if when < at:  # it was to happen to the same byte
                    self._next[other] = at + self._gap(self._shares[other])
        return bytes(out)


class _Target:
    """The command, and the ends of its line that this process reads and writes."""

    def __init__(self, command: list[str], by: str) -> None:
        if by == "stdio":
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
            assert self.process.stdin is not None and self.process.stdout is not None
            self.reading = self.process.stdout.fileno()
            self.writing = self.process.stdin.fileno()
            return
        if by == "pty":
            end, other = pty.openpty()
            tty.setraw(other)
            name = os.ttyname(other)
            self._other = other  # open, so that the line does not end before the target opens it
        else:
            listening = socket.socket(socket.AF_UNIX)
            listening.bind("")  # the kernel gives it a free abstract name: a NUL, then five digits
            name = listening.getsockname()[1:].decode()
            listening.listen(1)
            listening.settimeout(_OPEN_SECONDS)
        self.process = subprocess.Popen(
            [word.replace(LINE, name) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        if by == "socket":
            self._connection = listening.accept()[0]
            end = self._connection.fileno()
        self.reading = self.writing = end

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def run(
    command: list[str], by: str, to_target: Faults, from_target: Faults, reset: int | None
) -> int:
    """Passes bytes on until the command ends. `reset`: after so many bytes of the target it is
    started anew, once."""
    target = _Target(command, by)
    with selectors.DefaultSelector() as selector:
        selector.register(target.reading, selectors.EVENT_READ)
        with contextlib.suppress(PermissionError):  # /dev/null: nothing will be said
            selector.register(0, selectors.EVENT_READ)
        ended = False
        while not ended:
            events = selector.select(0.05)
            if events:
                time.sleep(_GATHER_SECONDS)
            for key, _ in events:
                data = b""
                with contextlib.suppress(OSError):  # a terminal whose other end was closed
                    data = os.read(key.fd, 65536)
                if key.fd == target.reading:
                    _write(1, from_target.apply(data))
                    ended = not data
                elif data:
                    with contextlib.suppress(OSError):
                        _write(target.writing, to_target.apply(data))
                else:
                    selector.unregister(0)
            if reset is not None and from_target.passed >= reset:
                reset = None
                selector.unregister(target.reading)
                target.stop()
                target = _Target(command, by)
                selector.register(target.reading, selectors.EVENT_READ)
            elif not events and target.process.poll() is not None:
                ended = True  # and nothing more was on the line
    return target.process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--by", choices=("stdio", "pty", "socket"), default="stdio")
    parser.add_argument("--seed", type=int, default=0)
    for name in ("lose", "double", "flip", "bursts"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--stick", type=int, help="nothing passes after so many bytes")
    parser.add_argument("--reset", type=int, help="the target starts anew after so many bytes")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    shares = {name: getattr(options, name) for name in ("lose", "double", "flip", "bursts")}
    started = time.monotonic()
    to_target = Faults(2 * options.seed, **shares)
    from_target = Faults(2 * options.seed + 1, stick=options.stick, **shares)
    try:
        status = run(options.command, options.by, to_target, from_target, options.reset)
    except BrokenPipeError:
        return 1  # nobody listens any more
    print(
        f"faulty line: {from_target.passed} bytes from the target and {to_target.passed} to it, "
        f"{from_target.hurt} and {to_target.hurt} hurt, in {time.monotonic() - started:.1f} s",
        file=sys.stderr,
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
