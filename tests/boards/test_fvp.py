# SPDX-License-Identifier: BSD-3-Clause
"""Runs on Arm's FVP, with a stand-in: no FVP can be had here.

The stand-in is an executable of the FVP's name that replays what QEMU's run of the same firmware
printed, and notes its command line. So the launcher's part is tested; that a real FVP takes these
options is not.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import transcripts as t
from boards_support import run
from bpte.run import launcher
from bpte.run.outcome import State


@pytest.fixture(scope="session")
def elf(corstone_300: Path) -> Path:
    return corstone_300 / "bpte-firmware.elf"


@pytest.fixture
def recorded(demo: Path, elf: Path) -> bytes:
    """The UART's output of a real run, ended as the FVP's UART ends lines."""
    text = bytearray()
    assert run(demo, elf, on_text=text.extend).state is State.PASSED

    def change(record: dict[str, Any]) -> None:
        if "nonce" in record:
            record["nonce"] = t.NONCE  # the stand-in fills it in

    return t.edited(bytes(text), change)


def stand_in(tmp_path: Path, name: str, output: bytes, then: str) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "output").write_bytes(output)
    script = folder / name
    script.write_text(
        f"#!{sys.executable}\n"
        "# A stand-in for Arm's FVP, for tests.\n"
        "import os, sys, time\n"
        f"open({str(folder / 'arguments')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
        f"sys.path.append({str(Path(t.__file__).parent)!r})\n"
        "from transcripts import answer\n"
        f"output = open({str(folder / 'output')!r}, 'rb').read()\n"
        "sys.stdout.buffer.write(answer(output, ' '.join(sys.argv).split(' ')))\n"
        f"sys.stdout.flush()\n{then}\n"
    )
    script.chmod(0o755)
    return folder


_BANNER = b"\r\nFast Models\r\ntelnetterminal0: Listening for serial connection on port 5000\r\n"
_STOPPED = b"\r\nInfo: /OSCI/SystemC: Simulation stopped by user.\r\n"


@pytest.mark.parametrize(
    ("cut", "then", "state", "message"),
    [
        (None, "sys.exit(0)", State.PASSED, "3 of 3 cases passed"),
        (-300, "sys.exit(0)", State.CUT_SHORT, "protocol cut short"),
        (0, "sys.exit('Error: unknown parameter')", State.NOT_STARTED, "unknown parameter"),
        (0, "sys.exit(0)", State.CUT_SHORT, "no result record"),
        (300, "time.sleep(60)", State.TIMED_OUT, "no end after 2 s"),
        (300, "os.abort()", State.DIED, "SIGABRT"),
    ],
)
def test_outcomes(
    demo: Path,
    elf: Path,
    tmp_path: Path,
    recorded: bytes,
    monkeypatch: pytest.MonkeyPatch,
    cut: int | None,
    then: str,
    state: State,
    message: str,
) -> None:
    body = recorded.replace(b"\n", b"\r\n")[:cut]
    output = _BANNER + body + _STOPPED if cut is None else body
    folder = stand_in(tmp_path, "FVP_Corstone_SSE-300_Ethos-U55", output, then)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    timeout = 2 if state is State.TIMED_OUT else 60
    result = run(demo, elf, simulator="fvp", timeout=timeout)
    assert (result.state, result.simulator) == (state, "fvp"), result.message
    assert message in result.message


@pytest.mark.parametrize("from_file", [False, True])
def test_command_line(
    demo: Path, elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_file: bool
) -> None:
    folder = stand_in(tmp_path, "my-fvp", b"", "sys.exit(0)")
    monkeypatch.setenv("BPTE_FVP_CORSTONE_300", str(folder / "my-fvp"))
    run(demo, elf, simulator="fvp", timeout=7, from_file=from_file, method="for ward")
    words = (folder / "arguments").read_text().split("\n")
    options = {words[i + 1].partition("=")[0]: words[i + 1].partition("=")[2]
               for i, word in enumerate(words) if word == "-C"}  # fmt: skip
    line = shlex.split(options["cpu0.semihosting-cmd_line"])
    assert line[0] == "bpte"
    assert line[line.index("--method") + 1] == "for%20ward"
    assert words[words.index("--timelimit") + 1] == "7"
    if from_file:
        assert "--data" not in words
        assert line[line.index("--file") + 1] == "bundle.bpte"
    else:
        assert words[words.index("--data") + 1] == "./bundle.bpte@0x71000000"
        assert line[line.index("--at") + 1] == "0x71000000"


def test_corstone_320_runs_on_its_own_fvp(
    demo: Path, elf: Path, tmp_path: Path, recorded: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stand_in(tmp_path, "FVP_Corstone_SSE-320", recorded, "sys.exit(0)")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    result = launcher.run(launcher.Request(demo, board="corstone-320", program=elf, timeout=60))
    assert (result.state, result.simulator) == (State.PASSED, "fvp"), result.message
    words = (folder / "arguments").read_text().split("\n")
    assert "mps4_board.subsystem.cpu0.semihosting-enable=1" in words
    assert "./bundle.bpte@0x71000000" in words
