# SPDX-License-Identifier: BSD-3-Clause
"""Actual outputs from the host runner: over a pipe, over lines with faults, and in a log."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.run import launcher, wire
from bpte.run.outcome import State, Verdict
from bpte.run.process import Limit
from bpte.run.records import CaseKey
from wire_support import MLP, RELU_BYTES, behind, relu_bundle, whole


@pytest.fixture(scope="module")
def relu(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[CaseKey, np.ndarray]]:
    """One case, 256 KiB."""
    path = tmp_path_factory.mktemp("relu") / "relu.bpte"
    return path, relu_bundle(path, 1)


def request(bundle: Path, runner: Path, **more: object) -> launcher.Request:
    base = launcher.Request(
        bundle, program=runner, engine="reference", keep_outputs=True, timeout=120
    )
    return replace(base, **more)  # type: ignore[arg-type]


# --- Without faults -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["reference", "executorch"])
def test_a_pipe(demo_bundle: Path, bpte_runner: Path, engine: str) -> None:
    result = launcher.run(request(demo_bundle, bpte_runner, engine=engine))
    assert result.state is State.PASSED, result.message
    assert sorted(result.kept) == [(0, index, None) for index in range(3)]
    arrays = np.load(MLP.with_suffix(".npz"))
    for index in range(3):
        (output,) = result.kept[0, index, None]
        assert (output.kind, output.dtype, output.sizes) == ("tensor", "float32", (2, 4))
        assert output.dim_order == (0, 1)
        assert output.nbytes == len(output.payload()) == 32
        np.testing.assert_allclose(output.array(), arrays[f"out{index}"], 1e-4, 1e-5)
    assert result.line.damaged == result.line.retransmitted == 0
    assert result.transcript.end is not None
    assert result.transcript.end.retransmitted == 0


def test_without_expected_outputs(bpte_runner: Path, tmp_path: Path) -> None:
    """What a recorder needs: nothing can be judged, and the outputs are there."""
    case = bpte.MethodTestCase([np.ones((2, 16), np.float32)])
    path = tmp_path / "unjudged.bpte"
    program = bpte.BundledProgram(MLP, [bpte.MethodTestSuite("forward", [case])])
    program.save(path, fit="relayout", durable=False)
    result = launcher.run(request(path, bpte_runner))
    assert (result.state, result.outcome) == (State.NOT_RUN, 4), result.message
    assert result.transcript.cases[0].verdict is Verdict.UNJUDGED
    assert result.kept[0, 0, None][0].array().shape == (2, 4)


def test_a_failed_case_has_its_output(bpte_runner: Path, demo_bundle: Path) -> None:
    result = launcher.run(request(demo_bundle, bpte_runner, rtol=0.0, atol=1e-12))
    assert result.state is State.MISMATCH, result.message
    assert len(result.kept) == 3


def test_a_large_output(bpte_runner: Path, relu: tuple[Path, dict[CaseKey, np.ndarray]]) -> None:
    result = launcher.run(request(relu[0], bpte_runner))
    assert result.state is State.PASSED, result.message
    assert whole(result, relu[1])
    assert result.line.retransmitted == 0


def test_a_bundle_that_cannot_be_opened(bpte_runner: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.bpte"
    path.write_bytes(bytes(200))
    result = launcher.run(request(path, bpte_runner))
    assert (result.state, result.outcome) == (State.MALFORMED, 3), result.message


def test_a_target_without_a_wire(demo_bundle: Path, tmp_path: Path, bpte_runner: Path) -> None:
    """It ignores the option, and its records are a pass; but the outputs were asked for."""
    runner = tmp_path / "runner"
    runner.write_text(
        f'#!/bin/sh\nfor w; do [ "$w" = --outputs ] && skip=2; done\n'
        f'exec {bpte_runner} "$1" --nonce "$3" --engine reference\n'
    )
    runner.chmod(0o755)
    result = launcher.run(request(demo_bundle, runner))
    assert (result.state, result.outcome) == (State.CUT_SHORT, 4), result.message
    assert "does not send outputs" in result.message


def test_nobody_asks(bpte_runner: Path, demo_bundle: Path) -> None:
    command = [bpte_runner, demo_bundle, "--outputs", "pull"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 4
    assert b'"error":"line_silent"' in done.stdout


# --- Faults ---------------------------------------------------------------------------------------

#: Faults, and whether every one of them is made good.
FAULTS = {
    "lose": (["--lose", "0.01"], True),
    "lose less": (["--lose", "0.0005"], True),
    "double": (["--double", "0.005"], True),
    "flip": (["--flip", "0.005"], True),
    "bursts": (["--bursts", "0.0005"], True),
    "all": (
        ["--lose", "0.003", "--double", "0.003", "--flip", "0.003", "--bursts", "0.0002"],
        True,
    ),
    "stick": (["--stick", "100000"], False),
    "reset": (["--reset", "100000"], False),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_faults(
    name: str,
    seed: int,
    bpte_runner: Path,
    relu: tuple[Path, dict[CaseKey, np.ndarray]],
    tmp_path: Path,
) -> None:
    """Each is made good and counted, or the run ends with exit code 4; never is it green without
    every byte."""
    words, made_good = FAULTS[name]
    if made_good or seed == 1:
        board = behind("host", tmp_path, *words, "--seed", str(seed))
        timeout = 300 if made_good else 20
        result = launcher.run(
            request(relu[0], bpte_runner, board=str(board), timeout=float(timeout))
        )
        if not made_good:
            assert result.outcome == 4, result.message
            assert name != "reset" or "started again" in result.message
            return
        assert result.state is State.PASSED, (result.message, result.stderr, result.line)
        assert whole(result, relu[1])
        assert result.line.damaged > 0 and result.line.retransmitted > 0
        assert result.transcript.end is not None and result.transcript.end.retransmitted


def test_a_megabyte_over_a_line_that_loses_one_byte_of_a_hundred(
    bpte_runner: Path, tmp_path: Path
) -> None:
    path = tmp_path / "relu.bpte"
    wanted = relu_bundle(path, 4)
    assert sum(value.nbytes for value in wanted.values()) == 1 << 20
    board = behind("host", tmp_path, "--lose", "0.01", "--seed", "3")
    result = launcher.run(request(path, bpte_runner, board=str(board), timeout=500.0))
    assert result.state is State.PASSED, (result.message, result.stderr, result.line)
    assert whole(result, wanted)
    assert result.line.retransmitted > 100_000


# --- A line without a way back --------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(bpte_runner: Path, relu: tuple[Path, dict[CaseKey, np.ndarray]]) -> bytes:
    """The log of a run that sends its outputs once."""
    command = [bpte_runner, relu[0], "--outputs", "once", "--nonce", "n", "--engine", "reference"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def judged(log: bytes, bundle: Path) -> launcher.Run:
    return launcher.judge_log(Path("log"), [log], launcher.Request(bundle))


def test_a_log(recorded: bytes, relu: tuple[Path, dict[CaseKey, np.ndarray]]) -> None:
    result = judged(recorded, relu[0])
    assert result.state is State.PASSED, result.message
    assert whole(result, relu[1])


def test_a_log_in_which_something_is_missing(
    recorded: bytes, relu: tuple[Path, dict[CaseKey, np.ndarray]]
) -> None:
    lines = recorded.splitlines(keepends=True)
    at = [i for i, line in enumerate(lines) if line.startswith(wire.MARK)]
    assert len(at) == -(-RELU_BYTES // 768)
    for missing in (at[0], at[len(at) // 2], at[-1]):
        log = b"".join(lines[:missing] + lines[missing + 1 :])
        result = judged(log, relu[0])
        assert (result.state, result.outcome) == (State.CUT_SHORT, 4), result.message
        assert f"of its {RELU_BYTES} bytes did not arrive" in result.message
    # Another order, and some twice: every byte is there.
    log = b"".join([*lines[: at[0]], *reversed(lines[at[0] : at[-1] + 1]), *lines[at[-1] + 1 :]])
    assert whole(judged(log, relu[0]), relu[1])
    log = b"".join(line for line in lines for _ in range(1 + line.startswith(wire.MARK)))
    assert whole(judged(log, relu[0]), relu[1])


def test_a_log_with_bytes_of_another_run(
    recorded: bytes, relu: tuple[Path, dict[CaseKey, np.ndarray]]
) -> None:
    """Frames under another nonce count for nothing."""
    result = judged(recorded.replace(b'"nonce":"n"', b'"nonce":"m"'), relu[0])
    assert (result.state, result.outcome) == (State.CUT_SHORT, 4), result.message


def test_a_record_that_does_not_fit_its_value(
    recorded: bytes, relu: tuple[Path, dict[CaseKey, np.ndarray]]
) -> None:
    """The checksums are right, but one element of the value is not what was judged."""
    lines = recorded.splitlines()
    payload = np.maximum(relu[1][0, 0, None], 0).copy()
    payload[77] += 1
    data = payload.tobytes()
    frames = [
        wire.encode(
            wire.Kind.DATA,
            1 << 31,
            offset.to_bytes(6, "little") + data[offset : offset + 768],
            wire.seed("n"),
        )
        for offset in range(0, len(data), 768)
    ]
    begin, case = lines[0], lines[1]
    old = zlib.crc32(relu[1][0, 0, None].tobytes())
    changed = case.replace(b"%08x" % old, b"%08x" % zlib.crc32(data))
    assert changed != case
    crc = zlib.crc32(b"".join(line[6:] + b"\n" for line in (begin, changed)))
    end = lines[-1][: lines[-1].rindex(b'"crc32"')] + b'"crc32":"%08x"}' % crc
    log = b"\n".join([begin, changed, b"".join(frames) + end, b""])
    result = judged(log, relu[0])
    assert (result.state, result.outcome) == (State.CONTRADICTORY, 4), result.message
    assert "its record says verdict pass, the kept value has fail" in result.message


# --- The process ----------------------------------------------------------------------------------


def test_what_is_said_reaches_the_process(tmp_path: Path) -> None:
    from bpte.run import process

    class Once:
        wake = 0.0

        def send(self, now: float) -> bytes:
            said, self.wake = (b"word\n", float("inf")) if self.wake == 0 else (b"", self.wake)
            return said

    heard = bytearray()
    cat: Callable[[bytes, bool], None] = lambda data, _: heard.extend(data)  # noqa: E731
    head = shutil.which("head")
    assert head
    limit = Limit(float("inf"))
    status = process.execute([head, "-n", "1"], tmp_path, limit, cat, talk=Once())
    assert (status, bytes(heard)) == (0, b"word\n")
    # Without anything to say its standard input is at its end.
    command = [sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"]
    heard.clear()
    assert process.execute(command, tmp_path, limit, cat) == 0
    assert heard == b"0\n"
