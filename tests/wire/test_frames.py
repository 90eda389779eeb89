# SPDX-License-Identifier: BSD-3-Clause
"""Frames: the two implementations find the same ones, and none that is damaged."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpte.run import wire
from bpte.run.holes import Holes
from bpte.run.wire import Frame, Kind
from faulty_line import Faults

NONCE = "0123456789abcdef"
SEED = wire.seed(NONCE)


def scan(data: bytes, nonce: str = NONCE) -> list[Frame | bytes]:
    return list(wire.Scanner(wire.seed(nonce)).feed(data))


def frames(data: bytes, nonce: str = NONCE) -> list[Frame]:
    return [item for item in scan(data, nonce) if isinstance(item, Frame)]


def whole(frame: Frame) -> bytes:
    return wire.encode(frame.kind, frame.sequence, frame.body, SEED)


@pytest.fixture(scope="module")
def cpp(cpp_tool: Callable[[str], Path]) -> Callable[[bytes], bytes]:
    tool = cpp_tool("frame_tool")

    def call(data: bytes) -> bytes:
        return subprocess.run([tool, NONCE], input=data, capture_output=True, check=True).stdout

    return call


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=400))
def test_a_frame_is_one_line_of_characters_that_do_nothing(
    kind: int, sequence: int, body: bytes
) -> None:
    line = wire.encode(kind, sequence, body, SEED)
    assert line.endswith(b"\n") and len(line) == wire.length(len(body))
    assert set(line[:-1]) <= set(b"#bpte:" + wire._DIGITS)
    assert scan(line) == [Frame(kind, sequence, body)]


def test_the_page_has_this_frame() -> None:
    """The example of docs/result-protocol.md, to the letter."""
    frame = wire.encode(Kind.NEXT, 5, (1).to_bytes(4, "little"), wire.seed("abc")).decode().strip()
    page = Path(__file__).parents[2] / "docs" / "result-protocol.md"
    assert f"    {frame}\n" in page.read_text("utf-8")


def test_text_stays_text() -> None:
    first = Frame(Kind.DONE, 7, b"")
    line = whole(first)
    data = b"hello\r\n" + line + b"#bpt\n\n#bpte {}" + line.rstrip() + line.replace(b"\n", b"\r\n")
    assert scan(data) == [b"hello\r", first, b"#bpt", b"", b"#bpte {}", first, first]


def test_a_line_without_end_takes_no_memory() -> None:
    scanner = wire.Scanner(SEED)
    found = [item for _ in range(40) for item in scanner.feed(b"x" * 100_000)]
    assert [len(item) for item in found] == [wire.MAX_LINE + 1]
    assert len(scanner._pending) <= wire.MAX_LINE
    frame = Frame(Kind.DONE, 1, b"")
    assert list(scanner.feed(b"y\n" + whole(frame))) == [frame]


@pytest.mark.parametrize("body", [b"", bytes(3), bytes(64), b"\xff" * 64, bytes(range(61))])
def test_one_change_is_noticed(body: bytes) -> None:
    """Each character lost, doubled, flipped in each bit, or changed for its neighbour."""
    line = wire.encode(Kind.DATA, 9, body, SEED).rstrip()
    for at in range(len(line)):
        changes = [line[:at] + line[at + 1 :], line[: at + 1] + line[at:]]
        changes += [line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :] for bit in range(8)]
        changes.append(line[:at] + line[at : at + 2][::-1] + line[at + 2 :])
        for changed in changes:
            for frame in frames(changed + b"\n"):
                # Bits of the last character that hold nothing may change.
                assert frame == Frame(Kind.DATA, 9, body)


def test_a_frame_of_another_run_is_damaged() -> None:
    line = wire.encode(Kind.DATA, 1, b"what was left in a buffer", wire.seed("another run"))
    scanner = wire.Scanner(SEED)
    assert list(scanner.feed(line)) == []
    assert scanner.damaged == 1
    assert not frames(line, nonce="")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=90), max_size=6), st.integers(0, 2**32), st.integers(1, 40))
def test_both_sides_find_the_same(
    cpp: Callable[[bytes], bytes], bodies: list[bytes], seed: int, step: int
) -> None:
    sent = b"".join(
        wire.encode(number % 7, number, body, SEED) + b"text\n"
        for number, body in enumerate(bodies)
    )
    faults = Faults(seed, lose=0.005, double=0.003, flip=0.005, bursts=0.001, burst=30)
    data = faults.apply(sent) + b"\n"
    scanner = wire.Scanner(SEED)
    found: list[Frame] = []
    for start in range(0, len(data), step):
        items = scanner.feed(data[start : start + step])
        found += [item for item in items if isinstance(item, Frame)]
    assert found == frames(data)
    assert b"".join(map(whole, found)) == cpp(data)
    # Nothing is found that was not sent.
    assert set(found) <= {Frame(number % 7, number, body) for number, body in enumerate(bodies)}


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(cpp: Callable[[bytes], bytes], data: bytes) -> None:
    data = data.replace(b"\x00", wire.MARK) + b"\n"
    assert b"".join(map(whole, frames(data))) == cpp(data)


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(0, 70), st.integers(1, 20)), max_size=20))
def test_holes(size: int, pieces: list[tuple[int, int]]) -> None:
    holes = Holes(size)
    missing = set(range(size))
    for start, length in pieces:
        wanted = set(range(start, start + length))
        new = start + length <= size and bool(wanted & missing)
        assert holes.touches(start, start + length) == bool(wanted & missing)
        assert holes.whole(start, start + length) == (wanted <= missing)
        assert not holes.fill(start, 0)
        assert holes.fill(start, length) == new
        if new:
            missing -= wanted
        assert holes.missing == len(missing)
        assert holes.first == min(missing, default=size)
