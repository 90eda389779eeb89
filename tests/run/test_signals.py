# SPDX-License-Identifier: BSD-3-Clause
"""Whatever ends a run, nothing is left of it: no process, no temporary folder.

Real commands are killed with each signal. What they run is a stand-in that has children in its
process group and outside of it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import transcripts as t
from bpte.run import process, scratch
from heeding import heed_signals

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
ROUNDS = 2

FROM_A_THREAD = """
import sys, threading
from pathlib import Path
from bpte.run import launcher
def go():
    request = launcher.Request(Path(sys.argv[1]), program=Path(sys.argv[2]), timeout=300)
    launcher.run(request)
def go_between():  # ends at once: a parent-death signal would follow the thread that started it
    inner = threading.Thread(target=go, daemon=True)
    inner.start()
outer = threading.Thread(target=go_between)
outer.start()
outer.join()
threading.Event().wait()
"""

A_BUILD = """
import os, sys
from pathlib import Path
from bpte.run import build
build._GRACE_SECONDS = 0.3  # the stand-in does not heed SIGTERM
folder = Path(sys.argv[1]).parent
with build._locked(folder / "b.lock") as lock:
    build.call([sys.argv[2]], folder / "b.log", "could not be built", lock)
"""


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.01)


class Victim:
    """A command that runs a stand-in, and what the stand-in started."""

    def __init__(self, folder: Path, words: list[str | Path]) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        for name in ("pids", "ready"):
            (folder / name).unlink(missing_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "python"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TMPDIR": str(self.temporary),
        }
        self.process = subprocess.Popen(
            [sys.executable, *words],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=heed_signals,
        )

    def started(self) -> list[int]:
        """The processes of the stand-in, once all are there."""
        wait_for(lambda: (self.folder / "ready").exists(), "the stand-in did not start")
        pids = [int(pid) for pid in (self.folder / "pids").read_text().split()]
        assert len(pids) == 4 and all(map(alive, pids))
        return pids

    def killed_by(self, number: signal.Signals) -> None:
        pids = self.started()
        os.kill(self.process.pid, number)
        self.process.wait(60)
        wait_for(lambda: not any(map(alive, pids)), "a process is left")
        wait_for(lambda: not list(self.temporary.glob("bpte-run-*")), "a folder is left")


@pytest.fixture
def folder(tmp_path: Path, demo_bundle: Path) -> Path:
    (tmp_path / "demo.bpte").write_bytes(demo_bundle.read_bytes())
    (tmp_path / "begin").write_bytes(t.lines([t.begin(2)]))
    program = tmp_path / "stand-in"
    # One child in its group, one in a session of its own, one that is an orphan.
    program.write_text(
        f"#!/bin/sh\ncat '{tmp_path}/begin'\necho $$ > '{tmp_path}/pids'\n"
        f"sleep 300 & echo $! >> '{tmp_path}/pids'\n"
        f"setsid sleep 300 & echo $! >> '{tmp_path}/pids'\n"
        f"(setsid sh -c 'echo $$ >> {tmp_path}/pids; touch {tmp_path}/ready; exec sleep 300' &)\n"
        "trap '' TERM\nwait; wait\n"
    )
    program.chmod(0o755)
    return tmp_path


@pytest.fixture(params=["verb", "pytest", "thread", "build"])
def words(request: pytest.FixtureRequest, folder: Path) -> Iterator[list[str | Path]]:
    bundle, program = folder / "demo.bpte", folder / "stand-in"
    yield {
        "verb": ["-m", "bpte", "run", bundle, "--elf", program, "--timeout", "300"],
        "pytest": ["-m", "pytest", "-p", "bpte.pytest_plugin", bundle, "--bpte-elf", program],
        "thread": ["-c", FROM_A_THREAD, bundle, program],
        "build": ["-c", A_BUILD, bundle, program],
    }[request.param]


@pytest.mark.parametrize("number", SIGNALS)
def test_nothing_is_left(folder: Path, words: list[str | Path], number: signal.Signals) -> None:
    for _ in range(ROUNDS):
        victim = Victim(folder, words)
        victim.killed_by(number)
        assert victim.process.stderr is not None
        with victim.process.stderr as stderr:
            said = stderr.read().decode()
        if "bpte" in words[1:2]:  # the command ends as the signal ends it, in silence
            assert (victim.process.returncode, said) == (-number, "")


def test_the_lock_of_a_build_outlives_its_killed_caller(folder: Path) -> None:
    """Until the last of its processes is gone: else the next build would meet them."""
    victim = Victim(folder, ["-c", A_BUILD, folder / "demo.bpte", folder / "stand-in"])
    pids = victim.started()
    victim.process.kill()
    with (folder / "b.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not any(map(alive, pids))
    victim.process.wait()
    assert victim.process.stderr is not None
    victim.process.stderr.close()


def test_a_caller_whose_pipe_somebody_else_holds_open_is_missed(folder: Path) -> None:
    """A child forked in the middle of a run inherits the pipe's end, and lives on."""
    script = FROM_A_THREAD.replace(
        "threading.Event().wait()",
        f"import os, time\nwhile not os.path.exists({str(folder / 'ready')!r}): time.sleep(0.01)\n"
        "if os.fork() == 0: os.close(2); time.sleep(20); os._exit(0)\n"
        "threading.Event().wait()",
    )
    victim = Victim(
        folder, ["-W", "ignore", "-c", script, folder / "demo.bpte", folder / "stand-in"]
    )
    pids = victim.started()
    time.sleep(0.3)
    victim.process.kill()
    victim.process.wait()
    wait_for(lambda: not any(map(alive, pids)), "a process is left", 15)
    os.killpg(victim.process.pid, signal.SIGKILL)
    assert victim.process.stderr is not None
    victim.process.stderr.close()


def test_a_killed_supervisor_takes_its_process_along(folder: Path) -> None:
    program = folder / "stand-in"
    program.write_text(f"#!/bin/sh\necho $$ > {folder}/pid\ntouch {folder}/ready\nexec sleep 300\n")
    victim = Victim(folder, ["-m", "bpte", "run", folder / "demo.bpte", "--elf", program])
    wait_for(lambda: (folder / "ready").exists(), "the stand-in did not start")
    pid = int((folder / "pid").read_text())
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert victim.process.wait(60) == 4
    wait_for(lambda: not alive(pid), "the process is left")
    assert not list(victim.temporary.iterdir())
    assert victim.process.stderr is not None
    victim.process.stderr.close()


def test_the_status_of_what_ends_at_once_arrives(tmp_path: Path) -> None:
    """Start and end may be told in one piece."""
    for _ in range(20):
        limit = process.Limit(time.monotonic() + 30)
        status = process.execute(["/bin/sh", "-c", "exit 3"], tmp_path, limit, lambda *_: None)
        assert status == 3


# --- Litter ---------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def collect() -> None:
    with scratch.scratch_folder():
        pass


def test_the_next_run_collects_what_a_killed_one_left(place: Path) -> None:
    script = (
        "import os\nfrom bpte.run import process, scratch\n"
        "with scratch.scratch_folder() as s:\n (s.path / 'x').touch(); os._exit(1)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "TMPDIR": str(place)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert len(list(place.iterdir())) == 1
    collect()
    assert not list(place.iterdir())


def test_a_run_at_work_and_a_strangers_folders_are_not_collected(place: Path) -> None:
    with scratch.scratch_folder() as other:
        strangers = [place / "bpte-run-notes", place / ("bpte-run-" + "0" * 16)]
        for stranger in strangers:
            stranger.mkdir()
            (stranger / "notes").touch()
        link = place / ("bpte-run-" + "1" * 16)
        link.symlink_to(strangers[0])
        (place / ("bpte-run-" + "2" * 16)).write_text("a file")
        before = sorted(place.rglob("*"))
        collect()
        assert sorted(place.rglob("*")) == before
        assert other.path.is_dir()
