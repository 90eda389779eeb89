# SPDX-License-Identifier: BSD-3-Clause
"""What takes a target's bytes as they come: records, and the frames that may stand between them.

A receiver does no input or output of its own. Whoever has the line, a pipe or a serial port, gives
it what arrives (`feed`), sends what it wants to say (`send`), and calls again when it is time
(`wake`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bpte.run import wire
from bpte.run.holes import Holes
from bpte.run.kept import KeptOutput, Spool, kept_output
from bpte.run.protocol import MARK, Parser, Transcript
from bpte.run.protocol_keys import ActualValue, Begin, Case, Trace
from bpte.run.records import CaseKey, Record

#: Where a target sends without being asked, its outputs are numbered from here.
UNASKED = 1 << 31


@dataclass
class LineCounts:
    """What a line did to frames. `retransmitted` is in bytes of payload, the rest in frames."""

    frames: int = 0
    damaged: int = 0
    retransmitted: int = 0


class Receiver:
    """For a target that sends records, and nothing else of interest.

    `lost` says in words what was lost for good; the run can then not pass. `kept` has the outputs
    of each case or step, `dumped` the values of instructions, by their record's number among the
    transcript's `traces`.
    """

    def __init__(self, *, recorded: bool = False) -> None:
        self.parser = Parser(recorded=recorded)
        self.kept: dict[CaseKey, tuple[KeptOutput, ...]] = {}
        self.dumped: dict[int, KeptOutput] = {}
        self.counts = LineCounts()
        self.lost: str | None = None

    def feed(self, data: bytes, now: float) -> list[Record]:
        """Takes what arrived; gives the records that it completes."""
        del now
        return self.parser.feed(data)

    def send(self, now: float) -> bytes:
        """What to send to the target at this moment; empty: nothing."""
        del now
        return b""

    @property
    def wake(self) -> float:
        """When to call `send` if nothing arrives before, by the clock of `now`."""
        return math.inf

    def finish(self) -> Transcript:
        """What was said, after the last byte."""
        return self.parser.finish()


class OnceReceiver(Receiver):
    """For a line without a way back, live or recorded: every output is sent once, after its case's
    record. What is lost is lost."""

    def __init__(self, *, recorded: bool = False) -> None:
        super().__init__(recorded=recorded)
        self._scanner = wire.Scanner()
        self._forget()

    def _forget(self) -> None:
        self.kept = {}
        self.dumped = {}
        self._traces = 0
        self.lost = None
        self._spool = Spool()
        self._sends = False
        self._values: list[_Arriving] = []

    def feed(self, data: bytes, now: float) -> list[Record]:
        records: list[Record] = []
        for item in self._scanner.feed(data):
            if isinstance(item, wire.Frame):
                self.parser.feed(b"\n")  # so that it counts lines right
                self._take_frame(item)
                continue
            for record in self.parser.feed(item + b"\n"):
                records.append(record)
                self._take_record(record)
        return records

    def finish(self) -> Transcript:
        self.parser.feed(self._scanner.finish())
        for arriving in self._values:
            if fault := arriving.fault(self._spool):
                self.lost = self.lost or fault
                self.kept.pop(arriving.key, None)
                self.dumped.pop(arriving.trace, None)
        self.counts.damaged = self._scanner.damaged
        return self.parser.finish()

    def _take_record(self, record: Record) -> None:
        if isinstance(record, Begin):
            self._forget()
            self._sends = record.wire == "once"
            self._scanner.start = wire.seed(record.nonce)
        elif isinstance(record, Case) and self._sends:
            self.kept[CaseKey.of(record)] = self._expect(record)
        elif isinstance(record, Trace):
            if self._sends and (outputs := self._expect(record, self._traces)):
                (self.dumped[self._traces],) = outputs
            self._traces += 1

    def _expect(self, record: Case | Trace, trace: int = -1) -> tuple[KeptOutput, ...]:
        """The values of a record, whose bytes will come."""
        key = CaseKey.of(record)
        outputs = []
        for index, value in enumerate(record.values):
            where = f"{key}, output {index}"
            if isinstance(record, Trace):
                inside = "" if record.operation is None else f", operation {record.operation}"
                where = f"{key}, instruction {record.instruction}{inside}, output {record.output}"
            try:
                offset = self._spool.reserve(value.size or 0)
            except OSError as error:
                self.lost = f"{where} could not be kept: {error.strerror}"
                offset = 0
            holes = Holes(value.size or 0)
            self._values.append(_Arriving(key, where, value, offset, holes, trace))
            outputs.append(kept_output(value, self._spool, offset))
        return tuple(outputs)

    def _take_frame(self, frame: wire.Frame) -> None:
        self.counts.frames += 1
        index = frame.sequence - UNASKED
        if frame.kind != wire.Kind.DATA or not 0 <= index < len(self._values):
            return
        arriving = self._values[index]
        offset = int.from_bytes(frame.body[: wire.OFFSET_SIZE], "little")
        data = frame.body[wire.OFFSET_SIZE :]
        if arriving.holes.fill(offset, len(data)):
            try:
                self._spool.write(arriving.offset + offset, data)
            except OSError as error:
                self.lost = f"{arriving.where} could not be kept: {error.strerror}"


@dataclass
class _Arriving:
    """A value that a record announced; `offset` is where it goes in the spool, `trace` the number
    of its record, if it is an instruction's."""

    key: CaseKey
    where: str
    value: ActualValue
    offset: int
    holes: Holes
    trace: int

    def fault(self, spool: Spool) -> str | None:
        if self.holes.missing:
            size = self.holes.size
            return f"{self.where}: {self.holes.missing} of its {size} bytes did not arrive"
        if self.value.crc32 is not None:
            found = spool.crc32(self.offset, self.holes.size)
            if found != self.value.crc32:
                return f"{self.where}: crc32 {self.value.crc32:08x}, but its bytes give {found:08x}"
        return None


def is_record(line: bytes) -> bool:
    """Whether a line of text is, or was, a record."""
    return MARK in line or line.startswith(MARK[:6])
