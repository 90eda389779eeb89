# SPDX-License-Identifier: BSD-3-Clause
"""Starts a command for a caller, and ends the command when the caller is gone.

`bpte.run.process` runs this file as a script. It imports nothing of bpte, so that it starts
quickly. The caller may be killed in ways that leave it no time to clean up. Then the pipe that is
this process's standard input ends, whichever thread had opened it and whatever killed the caller.

    python -I -S _supervisor.py REPORT GRACE INPUT REMOVE COMMAND...

REPORT is a descriptor that gets one line when the command was started ("started PID" or "failed
ERRNO"), and one when it ended ("ended STATUS"; negative: the signal). GRACE is how many seconds
processes have between SIGTERM and SIGKILL. INPUT is a descriptor that becomes the command's
standard input, or -1: it gets none. REMOVE is a folder to remove when the caller died, or
empty. A caller that lives writes a byte before it closes the pipe, and removes its folder itself.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: How often this process checks that the caller lives. A process that inherited the other end of
#: the pipe could keep the pipe open after the caller died.
_LOOK_SECONDS = 1.0
#: How long killed processes may take to end. One that is in the middle of a disk access is slow.
_KILL_SECONDS = 10.0


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not Linux, which alone has this
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _become_command(command: list[str], given: int, parent: int, failed: int) -> None:
    """In the child: never returns."""
    try:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # this process has one thread: safe here
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(given if given >= 0 else os.open(os.devnull, os.O_RDONLY), 0)
        for name in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(failed, str(error.errno).encode())
    finally:
        os._exit(127)


def _start(command: list[str], given: int) -> tuple[int, str]:
    """Returns the process's id and, if it could not be started, the error number as text."""
    reading, writing = os.pipe()  # closed on exec
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_command(command, given, parent, writing)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # parent and child both do this; the first one succeeds
    os.close(writing)
    failure = os.read(reading, 16).decode()
    os.close(reading)
    return pid, failure


def _ended(pid: int) -> int | None:
    """The status of a child, which stays a zombie so that its number is not given to another."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _watch(pid: int, report: int) -> bool:
    """Waits until the caller is gone or wants no more. Returns whether the caller lives."""
    caller = os.getppid()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running = True
    while True:
        if running and (status := _ended(pid)) is not None:
            running = False
            with contextlib.suppress(OSError):  # the caller is gone
                os.write(report, f"ended {status}\n".encode())
        if 0 in select.select([0, woken], [], [], _LOOK_SECONDS)[0]:
            return bool(os.read(0, 1))
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096) if select.select([woken], [], [], 0)[0] else None
        if os.getppid() != caller:
            return False


def _children() -> list[int]:
    """Processes whose parent is this one; orphans below it become that."""
    found = []
    with contextlib.suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


def _reap_all() -> None:
    """Kills whatever is still a child of this process, until nothing is."""
    until = time.monotonic() + _KILL_SECONDS
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            for child in _children():
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.002)


def _end_all(pid: int, grace: float) -> None:
    """Ends a child, its process group, and what left the group."""
    until = time.monotonic() + grace
    if grace and _ended(pid) is None:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGTERM)
        while _ended(pid) is None and time.monotonic() < until:
            time.sleep(0.01)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    _reap_all()


def main() -> None:
    report, grace, given = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    remove, command = sys.argv[4], sys.argv[5:]
    # The command must not inherit the report and the locks.
    for descriptor in map(int, os.listdir("/dev/fd")):  # noqa: PTH208
        if descriptor > 2:
            with contextlib.suppress(OSError):  # the one that listed the folder
                os.set_inheritable(descriptor, False)
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the pipe says when to stop
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    pid, failure = _start(command, given)
    if given >= 0:
        os.close(given)
    # If this process kept them, the caller would never see the end of the command's output.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    with contextlib.suppress(OSError):
        os.write(report, (f"failed {failure}\n" if failure else f"started {pid}\n").encode())
    lives = bool(failure) or _watch(pid, report)
    _end_all(pid, grace)
    if remove and not lives:
        import shutil

        shutil.rmtree(remove, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
