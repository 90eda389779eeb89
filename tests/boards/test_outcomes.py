# SPDX-License-Identifier: BSD-3-Clause
"""Every way in which a run on a board can end, each for real in QEMU."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import bpte
from boards_support import ROOT, changed, demo_arrays, demo_program, pack, require, run
from bpte.cli import run as cli
from bpte.run import protocol
from bpte.run.outcome import State
from changed_plan import with_planned_memory
from heeding import heed_signals


@pytest.fixture(scope="session")
def elf(corstone_300: Path) -> Path:
    return corstone_300 / "bpte-firmware.elf"


def board_with(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """A copy of Corstone-300's description, changed."""
    folder = tmp_path / "corstone-300"
    folder.mkdir()
    text = (ROOT / "boards" / "corstone-300" / "board.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "board.toml").write_text(text)
    return str(folder)


# --- What ends well -----------------------------------------------------------------------------


def test_passed_in_place(demo: Path, elf: Path) -> None:
    result = run(demo, elf)
    assert (result.state, result.outcome) == (State.PASSED, 0), result.message
    begin = result.transcript.begin
    assert begin is not None
    assert begin.program_offset is not None and begin.program_address is not None
    assert begin.program_address == 0x71000000 + begin.program_offset
    assert begin.program_address % 128 == 0
    assert begin.unit == "ns"  # QEMU has no cycle counter, and the firmware does not pretend


def test_passed_from_a_file(demo: Path, elf: Path) -> None:
    result = run(demo, elf, from_file=True)
    assert (result.state, result.outcome) == (State.PASSED, 0), result.message
    assert result.transcript.begin is not None
    assert result.transcript.begin.program_address is None  # it has none in the bundle


def test_a_board_alone(demo: Path, elf: Path, tmp_path: Path) -> None:
    """No debugger, hence no arguments and no exit status: the UART says it all."""
    board = board_with(
        tmp_path,
        (
            '"-semihosting-config", "enable=on,target=native,chardev=console,arg=bpte{arguments}",',
            "",
        ),
        ('argument = ",arg={}"\n', "exit_status = false\n"),
    )
    result = run(demo, elf, board=board)
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
    assert "does not give back this run's nonce" in result.message
    result = run(demo, elf, board=board, trust_target=True)
    assert result.state is State.PASSED, result.message
    assert len(result.transcript.cases) == 3
    assert "the target gave back no nonce" in result.message

    # Trusted or not, what lies at the load address is held against the file.
    other = pack(tmp_path / "other.bpte", demo_program(), demo_arrays(4))
    stale = (tmp_path / "corstone-300" / "board.toml").read_text()
    stale = stale.replace("loader,file={bundle}", f"loader,file={other}")
    (tmp_path / "corstone-300" / "board.toml").write_text(stale)
    result = run(demo, elf, board=board, trust_target=True)
    assert result.state is State.ANOTHER_BUNDLE, result.message
    assert "bundle_cases 4, but the file's is 3" in result.message


def test_the_debuggers_console(demo: Path, elf: Path, tmp_path: Path) -> None:
    board = board_with(
        tmp_path,
        ('"-serial", "chardev:console"', '"-serial", "null"'),
        ("arg=bpte{arguments}", "arg=bpte{arguments},arg=--console,arg=semihosting"),
    )
    assert run(demo, elf, board=board).state is State.PASSED


def test_selection_and_tolerance_reach_the_target(elf: Path, tmp_path: Path) -> None:
    (x, y), *rest = demo_arrays()
    bundle = pack(tmp_path / "off.bpte", demo_program(), [(x, y + 0.01), *rest])
    assert run(bundle, elf).state is State.MISMATCH
    assert run(bundle, elf, case=1).state is State.PASSED
    widened = run(bundle, elf, case=0, rtol=0.0, atol=0.015)
    assert widened.state is State.PASSED
    assert [case.case for case in widened.transcript.cases] == [0]
    assert widened.transcript.cases[0].outputs[0].atol == 0.015


# --- The bundle is at fault ---------------------------------------------------------------------


def test_zero_bytes(tmp_path: Path, elf: Path) -> None:
    bundle = tmp_path / "empty.bpte"
    bundle.touch()
    for from_file in (False, True):
        result = run(bundle, elf, from_file=from_file)
        assert (result.state, result.outcome) == (State.MALFORMED, 3), result.message
        assert "too_short" in result.message


def test_truncated(demo: Path, elf: Path) -> None:
    with demo.open("r+b") as file:
        file.truncate(demo.stat().st_size - 1)
    for from_file in (False, True):
        result = run(demo, elf, from_file=from_file)
        assert (result.state, result.outcome) == (State.MALFORMED, 3), result.message
        assert "truncated" in result.message


def test_a_flipped_bit(demo: Path, elf: Path) -> None:
    data = bytearray(demo.read_bytes())
    data[100] ^= 4
    demo.write_bytes(data)
    result = run(demo, elf)
    assert (result.state, result.outcome) == (State.MALFORMED, 3)
    assert "metadata_checksum" in result.message


def test_misaligned_load_address(demo: Path, elf: Path) -> None:
    result = run(demo, elf, load_address=0x71000010)
    assert (result.state, result.outcome) == (State.NOT_RUN, 4)
    assert "misaligned_base" in result.message
    assert "128" in result.message  # the alignment needed


def test_a_plan_too_large_for_the_board(elf: Path, tmp_path: Path) -> None:
    program = tmp_path / "large.pte"
    program.write_bytes(with_planned_memory(demo_program(), 8_400_000_000))
    bundle = tmp_path / "large.bpte"
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([demo_arrays()[0][0]])])
    bpte.BundledProgram(program, [suite]).save(bundle, fit="skip")
    result = run(bundle, elf)
    assert (result.state, result.outcome) == (State.NOT_RUN, 4), result.message
    assert "out_of_memory: planned memory: 8400000" in result.message
    assert f"{0x200000} given" in result.message
    refused = run(bundle, elf, max_planned_memory=1 << 34)
    assert refused.state is State.USAGE and "--max-planned-memory" in refused.message


def test_a_file_larger_than_semihosting_reads(elf: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "large.bpte"
    with bundle.open("wb") as file:
        file.truncate(1 << 31)
    result = run(bundle, elf, from_file=True)
    assert (result.state, result.outcome) == (State.USAGE, 2), result.message
    assert "2147483648 bytes" in result.message and "at most 2147483647" in result.message


def test_a_bundle_too_large_for_the_boards_memory(demo: Path, elf: Path) -> None:
    size = 0x0F000001
    with demo.open("r+b") as file:
        file.truncate(size)
    result = run(demo, elf)
    assert (result.state, result.outcome) == (State.USAGE, 2)
    assert f"{size} bytes do not fit" in result.message


# --- The file goes away -------------------------------------------------------------------------


def test_unplugged_before_the_start(demo: Path, elf: Path) -> None:
    result = run(demo, elf, on_start=lambda _: demo.unlink())
    assert (result.state, result.outcome) == (State.NOT_STARTED, 4)
    assert "bundle.bpte" in result.message


def test_unplugged_before_it_is_opened(demo: Path, elf: Path) -> None:
    result = run(demo, elf, from_file=True, on_start=lambda _: demo.unlink())
    assert (result.state, result.outcome) == (State.NOT_RUN, 4)
    assert "read_failed" in result.message


def test_unplugged_in_the_middle(elf: Path, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "long.bpte", demo_program(), demo_arrays(2000))

    def unplug(record: protocol.Record) -> None:
        if isinstance(record, protocol.Case):
            os.truncate(bundle, 0)

    result = run(bundle, elf, from_file=True, on_record=unplug)
    assert (result.state, result.outcome) == (State.NOT_RUN, 4), result.message
    assert "read_failed" in result.message
    assert 0 < len(result.transcript.cases) < 2000


# --- The simulator is at fault ------------------------------------------------------------------


def test_killed_simulator(elf: Path, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "long.bpte", demo_program(), demo_arrays(2000))
    pids: list[int] = []

    def kill(record: protocol.Record) -> None:
        if isinstance(record, protocol.Case):
            os.kill(pids[0], signal.SIGKILL)

    result = run(bundle, elf, on_record=kill, on_start=pids.append)
    assert (result.state, result.outcome) == (State.DIED, 4), result.message
    assert "qemu-system-arm was killed by SIGKILL" in result.message


def test_simulator_missing(demo: Path, elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = run(demo, elf)
    assert (result.state, result.outcome) == (State.NOT_STARTED, 4)
    assert "qemu-system-arm is not installed (apt-get install qemu-system-arm)" in result.message


def test_wrong_flags(demo: Path, elf: Path, tmp_path: Path) -> None:
    board = board_with(tmp_path, ('"mps3-an547"', '"mps3-an000"'))
    result = run(demo, elf, board=board)
    assert (result.state, result.outcome) == (State.NOT_STARTED, 4)
    assert "unsupported machine type" in result.message


def simulators(folder: Path) -> list[int]:
    """The emulators at work below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            if name == "qemu-system-arm" and folder in (process / "cwd").readlink().parents:
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_killed_run_leaves_nothing(
    demo: Path, corstone_300: Path, tmp_path: Path, number: str
) -> None:
    elf = corstone_300 / "tests" / "firmware-hang.elf"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    words = ["run", str(demo), "--board", "corstone-300", "--simulator", "qemu", "--elf", str(elf)]
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT / "python")}
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "bpte", *words],
            env=environment,
            preexec_fn=heed_signals,
        )
        wait_until(lambda: simulators(temporary))
        process.send_signal(signal.Signals[number])
        process.wait(60)
        wait_until(lambda: not simulators(temporary) and not list(temporary.iterdir()))


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_emulator_that_gives_up_is_heard(demo: Path, tmp_path: Path) -> None:
    """A processor without vectors faults while it handles a fault, and QEMU aborts."""
    require("arm-none-eabi-gcc", "qemu-system-arm")
    (tmp_path / "none.s").write_text(".global _start\n_start:\n.word 0, 0, 0, 0\n")
    options = ("-mcpu=cortex-m55", "-nostdlib", "-Wl,-Ttext=0x10000000")
    command = ["arm-none-eabi-gcc", *options, tmp_path / "none.s", "-o", tmp_path / "none.elf"]
    subprocess.run(command, check=True)
    result = run(demo, tmp_path / "none.elf")
    assert (result.state, result.outcome) == (State.DIED, 4), result.message
    assert "killed by SIGABRT (it said: qemu: fatal: Lockup" in result.message


# --- The firmware is at fault -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("firmware", "state", "message"),
    [
        ("hang", State.TIMED_OUT, "no end after 5 s, ended by force; 0 of 2 cases arrived"),
        ("fault_bus", State.FAULTED, "BusFault (data access) pc=0x1"),
        ("fault_undefined", State.FAULTED, "UsageFault (undefined instruction) pc=0x1"),
        ("fault_divide", State.FAULTED, "UsageFault (division by zero) pc=0x1"),
        ("fault_stack", State.FAULTED, "UsageFault (stack overflow)"),
        ("cut_short", State.CUT_SHORT, "the last record is cut off"),
        ("silent", State.CUT_SHORT, "no result record arrived"),
        ("exit_lies", State.CUT_SHORT, "no end record; 0 of 2 cases arrived"),
    ],
)
def test_wrong_firmware(
    demo: Path, corstone_300: Path, firmware: str, state: State, message: str
) -> None:
    elf = corstone_300 / "tests" / f"firmware-{firmware}.elf"
    result = run(demo, elf, timeout=5 if state is State.TIMED_OUT else 60)
    assert (result.state, result.outcome) == (state, 4), result.message
    assert message in result.message


# --- Greens about something else ----------------------------------------------------------------


def test_a_firmware_that_claims_to_have_passed(demo: Path, corstone_300: Path) -> None:
    result = run(demo, corstone_300 / "tests" / "firmware-claims.elf")
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4)
    assert "file_size 1, but the file's is" in result.message


def test_stale_at_the_load_address(
    demo: Path, elf: Path, corstone_300: Path, tmp_path: Path
) -> None:
    """Another bundle of the same size and program lies where the file was to be loaded."""
    other = pack(tmp_path / "other.bpte", demo_program(), changed(demo_arrays()))
    assert other.stat().st_size == demo.stat().st_size
    board = board_with(tmp_path, ("loader,file={bundle}", f"loader,file={demo}"))
    assert run(demo, elf, board=board).state is State.PASSED
    result = run(other, elf, board=board)
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
    assert "metadata_crc32" in result.message and "file_size" not in result.message

    # A firmware that looks elsewhere than it was told.
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    board = board_with(
        folder, ("{bundle},addr={load_address},force-raw=on", "{bundle},addr={load_address}," +
                 f'force-raw=on", "-device", "loader,file={other},addr=0x71000000,force-raw=on')
    )  # fmt: skip
    deaf = corstone_300 / "tests" / "firmware-deaf_address.elf"
    result = run(demo, deaf, board=board, load_address=0x72000000)
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
    result = run(demo, elf, board=board, load_address=0x72000000)
    assert result.state is State.PASSED, result.message


def test_firmware_that_ignores_what_it_is_told(demo: Path, corstone_300: Path) -> None:
    deaf = corstone_300 / "tests" / "firmware-deaf_selection.elf"
    assert run(demo, deaf).state is State.PASSED
    for asked in ({"case": 1}, {"method": "forward"}):
        result = run(demo, deaf, **asked)
        assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
        assert f"asked for --{next(iter(asked))}" in result.message
    silent = corstone_300 / "tests" / "firmware-deaf_nonce.elf"
    assert run(demo, silent).state is State.ANOTHER_BUNDLE
    assert run(demo, silent, trust_target=True).state is State.PASSED


def test_output_of_the_last_run_left_in_the_uart(demo: Path, elf: Path, tmp_path: Path) -> None:
    """QEMU's UART first gives what the last run of the very same bundle wrote."""
    text = bytearray()
    assert run(demo, elf, on_text=text.extend).state is State.PASSED
    (tmp_path / "left.txt").write_bytes(text)
    wrapper = tmp_path / "qemu-with-a-past"
    for command in (f"cat {tmp_path / 'left.txt'}", f"tail -c 300 {tmp_path / 'left.txt'}"):
        wrapper.write_text(f'#!/bin/sh\n{command}\nexec qemu-system-arm "$@"\n')
        wrapper.chmod(0o755)
        folder = tmp_path / str(len(command))
        folder.mkdir()
        board = board_with(folder, ('"qemu-system-arm",', f'"{wrapper}",'))
        result = run(demo, elf, board=board)
        assert result.outcome == 4, result.message
        assert result.state in (State.ANOTHER_BUNDLE, State.CUT_SHORT)


def test_start_up(demo: Path, corstone_300: Path) -> None:
    """What the start-up promises (selftest.cpp); it speaks no protocol."""
    result = run(demo, corstone_300 / "tests" / "firmware-selftest.elf")
    assert "selftest passed" in result.transcript.other_lines
    assert result.exit_status == 0


# --- The command line ---------------------------------------------------------------------------


def test_usage(demo: Path, elf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = [str(demo), "--board", "corstone-300", "--elf", str(elf)]
    assert cli.main([*common, "--method", "backward"]) == 2
    assert "no suite for method backward" in capsys.readouterr().err
    assert cli.main([*common, "--case", "3"]) == 2
    assert "no suite has a case of this index" in capsys.readouterr().err
    assert cli.main([*common, "--method", "for%20ward, x=1"]) == 2
    assert "no suite for method for%20ward, x=1" in capsys.readouterr().err


def test_the_verb_shows_the_same_table(
    demo: Path, elf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(demo), "--board", "corstone-300", "--elf", str(elf)]) == 0
    out = capsys.readouterr().out
    assert "on corstone-300 (qemu), engine reference" in out
    assert "in place at 0x7100" in out
    assert re.search(r"memory in bytes: .*static\s+memory [1-9]", out)
    assert out.endswith("passed: 3 of 3 cases passed\n")


def test_the_bundles_name_means_nothing(elf: Path, tmp_path: Path) -> None:
    """Characters that QEMU's option syntax gives a meaning to."""
    awkward = tmp_path / "a, b=c {d} %e.bpte"
    pack(awkward, demo_program(), demo_arrays())
    shutil.copy(elf, tmp_path / "f,irm=ware.elf")
    for from_file in (False, True):
        result = run(awkward, tmp_path / "f,irm=ware.elf", from_file=from_file)
        assert result.state is State.PASSED, result.message
