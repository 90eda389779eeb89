# SPDX-License-Identifier: BSD-3-Clause
"""The asker against targets that say anything: it ends, it never raises, and it takes nothing that
is not whole."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transcripts as t
from bpte.run import wire
from bpte.run.pull import PullReceiver
from bpte.run.records import CaseKey
from bpte.run.wire import Kind
from faulty_line import Faults

NONCE = "fedcba9876543210"
SEED = wire.seed(NONCE)


def line(record: dict[str, Any]) -> bytes:
    return (t.PREFIX + json.dumps(record) + "\n").encode()


class Target:
    """What runtime/bpte/runner/wire.cpp does, with records that are at hand."""

    def __init__(self, steps: list[tuple[bytes, list[bytes]]]) -> None:
        self.steps = steps
        self.step = 0
        self.answered = 0
        self.said = bytearray()
        self._scanner = wire.Scanner(SEED)
        self._begin_step()

    def _begin_step(self) -> None:
        if self.step < len(self.steps):
            self.said += self.steps[self.step][0]
            self._offer(0)

    def _offer(self, sequence: int) -> None:
        record = self.steps[self.step][0]
        numbers = (self.step, len(record), zlib.crc32(record))
        body = b"".join(number.to_bytes(4, "little") for number in numbers)
        self.said += wire.encode(Kind.OFFER, sequence, body, SEED)

    def hear(self, data: bytes) -> None:
        for item in self._scanner.feed(data):
            if self.step == len(self.steps):
                return
            if isinstance(item, wire.Frame) and item.sequence != self.answered:
                self.answered = item.sequence
                self._answer(item)

    def _answer(self, frame: wire.Frame) -> None:
        number = [int.from_bytes(frame.body[a:b], "little") for a, b in _FIELDS]
        record, outputs = self.steps[self.step]
        if number[0] != self.step:
            self._offer(frame.sequence)
        elif frame.kind == Kind.NEXT:
            self.step += 1
            self._begin_step()
        elif number[1] > len(outputs) or not number[4]:
            self._offer(frame.sequence)
        else:
            chosen = frame.body[18:]
            content = [record, *outputs][number[1]]
            for i in range(number[4]):
                start = number[3] + i * number[2]
                if start >= len(content) or (chosen and i // 8 >= len(chosen)):
                    break
                if not chosen or chosen[i // 8] >> i % 8 & 1:
                    body = start.to_bytes(6, "little") + content[start : start + number[2]]
                    self.said += wire.encode(Kind.DATA, frame.sequence, body, SEED)
            self.said += wire.encode(Kind.DONE, frame.sequence, b"", SEED)


_FIELDS = ((0, 4), (4, 6), (6, 8), (8, 14), (14, 18))


def a_run(payloads: list[bytes]) -> list[tuple[bytes, list[bytes]]]:
    """One case for each payload."""
    records = [t.begin(len(payloads), nonce=NONCE, wire="pull")]
    for index, payload in enumerate(payloads):
        crc = f"{zlib.crc32(payload):08x}"
        value = t.value(dtype="uint8", shape=[len(payload)], dim_order=[0], size=len(payload))
        records.append(t.case(index, values=[value | {"crc32": crc}]))
    records.append(t.end(records, retransmitted=0))
    outputs: list[list[bytes]] = [[], *([payload] for payload in payloads), []]
    return list(zip(map(line, records), outputs, strict=True))


def talk(receiver: PullReceiver, target: Target, there: Faults, back: Faults) -> int:
    """Until the run has ended or is lost; gives the number of turns. Time is what is waited for."""
    now = 0.0
    for turn in range(20_000):
        if receiver.lost is not None or target.step == len(target.steps):
            return turn
        data = back.apply(bytes(target.said))
        target.said.clear()
        if data:
            now += 0.001
            receiver.feed(data, now)
        said = receiver.send(now)
        if said:
            target.hear(there.apply(said))
        elif not target.said:
            now = max(receiver.wake, now)
    raise AssertionError("it goes on for ever")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(
    st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.0003, 0.003, 0.01, 0.02]),
    st.sampled_from([0.0, 0.002]),
)
def test_every_loss_is_made_good(
    payloads: list[bytes], seed: int, lose: float, other: float
) -> None:
    receiver = PullReceiver(NONCE)
    shares = {"lose": lose, "double": other, "flip": other, "bursts": other / 10}
    talk(receiver, Target(a_run(payloads)), Faults(seed, **shares), Faults(seed + 1, **shares))
    transcript = receiver.finish()
    assert receiver.lost is None
    # The last record may be what is on its way when the target ends.
    assert transcript.complete
    for index, payload in enumerate(payloads):
        (output,) = receiver.kept[0, index, None]
        assert output.payload() == payload
        assert np.array_equal(output.array(), np.frombuffer(payload, np.uint8))


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(0, 400))
def test_a_restart_is_no_pass(step: int, more: int) -> None:
    """From within a step on, the target is another one, at its first step."""
    steps = a_run([bytes(range(200)) * 20] * 3)
    target = Target(steps)
    receiver = PullReceiver(NONCE)
    none = Faults(0)
    turns = 0
    while target.step < step or turns < more % 3:
        turns += target.step == step
        receiver.feed(bytes(target.said), 0.0)
        target.said.clear()
        target.hear(receiver.send(10.0 * turns))
    again = Target(steps)
    talk(receiver, again, none, none)
    if (step, more % 3) == (1, 0):
        # Nothing but `begin` had come, which is the same: this is one whole run.
        assert receiver.lost is None and receiver.finish().complete and len(receiver.kept) == 3
    else:
        assert receiver.lost == "the target started again"


@settings(deadline=None)
@given(st.integers(0, 3))
def test_bytes_that_do_not_give_their_checksum(wrong: int) -> None:
    """A target that says one thing and sends another is asked three times, and then lost."""
    steps = a_run([b"a" * 100, b"b" * 100, b"c" * 100, b"d" * 100])
    steps[wrong + 1][1][0] = b"x" * 100
    receiver = PullReceiver(NONCE)
    talk(receiver, Target(steps), Faults(0), Faults(0))
    assert receiver.lost is not None and "checksum" in receiver.lost
    assert (0, wrong, None) not in receiver.kept


_frames = st.builds(
    lambda kind, sequence, numbers, rest: wire.encode(
        kind, sequence, b"".join(n.to_bytes(4, "little") for n in numbers) + rest, SEED
    ),
    st.integers(0, 6),
    st.integers(0, 40),
    st.lists(st.integers(0, 6) | st.integers(0, 2**32 - 1), max_size=4),
    st.binary(max_size=40),
)
_texts = st.sampled_from([record for record, _ in a_run([b"abc", bytes(100)])]) | st.binary(
    max_size=60
)


@settings(deadline=None)
@given(st.lists(_frames | _texts, max_size=30), st.integers(1, 200))
def test_anything_at_all(pieces: list[bytes], step: int) -> None:
    receiver = PullReceiver(NONCE)
    data = b"".join(pieces)
    now = 0.0
    for start in range(0, len(data), step):
        receiver.feed(data[start : start + step], now)
        now += 0.5
        assert len(receiver.send(now)) < 2000
        assert receiver.wake >= 0
    transcript = receiver.finish()
    for case in transcript.cases:
        for value, output in zip(
            case.values, receiver.kept.get(CaseKey.of(case), ()), strict=False
        ):
            assert zlib.crc32(output.payload()) == value.crc32
