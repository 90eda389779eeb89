# SPDX-License-Identifier: BSD-3-Clause
"""Asks a target for its records and outputs, piece by piece, until each is whole.

The target answers requests and remembers nothing of them (runtime/bpte/runner/wire.h), so whatever
a line does to requests and answers, asking again is right. What is asked for in a piece follows
from how much the line loses.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from enum import Enum

from bpte.run import wire
from bpte.run.holes import Holes
from bpte.run.kept import KeptOutput, Spool, kept_output
from bpte.run.protocol import MARK as RECORD_MARK
from bpte.run.protocol import MAX_LINE, Transcript
from bpte.run.protocol_keys import Begin, Case, End, Trace
from bpte.run.receiver import Receiver, is_record
from bpte.run.records import CaseKey, ProtocolError, Record, parse_record
from bpte.run.wire import Frame, Kind

#: Sizes of a chunk, in bytes of payload; `read` has 16 bits for it.
CHUNKS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1536, 3072, 6144, 12288, 24576)
#: The most that one request asks for, in bytes: the asker's window.
WINDOW = 8 << 20
#: The most chunks that it asks for; and that it names one by one, where some have arrived.
COUNT, MAPPED = 1024, 256
#: The most times that a request is said at once.
MOST_COPIES = 4
#: Seconds of silence after which a request counts as lost, at least and at most.
SHORTEST_WAIT, LONGEST_WAIT = 0.02, 1.0
#: How often an object is fetched anew whose checksum is wrong when all of it has arrived.
TRIES = 3
#: How many lines are kept that may be the record which the next offer is about.
_CANDIDATES = 8


class _State(Enum):
    OFFER = "waits for the next step's offer"
    FETCH = "fetches the record, or an output"
    ENDED = "has the last record"
    GONE_ON = "the target goes on without being asked"


class _Line:
    """What is known of the line: its losses and its answers' delay."""

    def __init__(self) -> None:
        self.loss = 1e-4  # of a byte; a guess that the first answers correct
        self._delay = 0.05
        self._silent = 0

    def observe(self, chunk: int, expected: int, arrived: int) -> None:
        """So many of the expected frames with a chunk of this size arrived."""
        if expected <= 0:
            return
        survived = max(arrived, 0.5) / expected if arrived < expected else 1.0
        loss = 1.0 - min(survived, 1.0) ** (1.0 / wire.length(wire.OFFSET_SIZE + chunk))
        weight = 0.75 if expected > 16 else 0.5 if expected > 4 or arrived < expected else 0.1
        self.loss = min(max((1 - weight) * self.loss + weight * loss, 1e-9), 0.2)

    def chunk(self) -> int:
        """The size of a chunk with which most bytes arrive for those sent."""

        def worth(chunk: int) -> float:
            length = wire.length(wire.OFFSET_SIZE + chunk)
            return chunk / length * (1.0 - self.loss) ** length

        return max(CHUNKS, key=worth)

    def copies(self, length: int) -> int:
        """How often to say a request of this length, so that one of ten is lost at most."""
        lost = 1.0 - (1.0 - self.loss) ** length
        if lost < 0.1:
            return 1
        return min(math.ceil(math.log(0.1) / math.log(lost)), MOST_COPIES)

    def answered(self, delay: float) -> None:
        self._delay += (min(delay, LONGEST_WAIT) - self._delay) / 4
        self._silent = 0

    def fell_silent(self) -> None:
        self._silent += 1

    @property
    def wait(self) -> float:
        """Seconds to wait for an answer."""
        patience = max(4 * self._delay, SHORTEST_WAIT) * 2 ** min(self._silent, 10)
        return float(min(patience, LONGEST_WAIT))


class _Request:
    """One that was sent; `chunks` are the offsets of the chunks that have not come yet."""

    def __init__(self, sequence: int, now: float, chunk: int = 0, chunks: set[int] | None = None):
        self.sequence = sequence
        self.sent = now
        self.chunk = chunk
        self.chunks = chunks if chunks is not None else set()
        self.expected = len(self.chunks)
        self.heard = False


class _Fetch:
    """An object on its way: a record (0), or an output, which goes to the spool."""

    def __init__(self, index: int, size: int, crc32: int, offset: int, sequence: int) -> None:
        self.index = index
        self.crc32 = crc32
        self.offset = offset
        self.first_sequence = sequence
        self.tries = 0
        self.asked = 0  # bytes
        self.start_again(size)

    def start_again(self, size: int) -> None:
        self.holes = Holes(size)
        self.record = bytearray(size) if self.index == 0 else None


class PullReceiver(Receiver):
    """The asker of a run with this nonce.

    A record counts only when its line, or its bytes as they were asked for, give the checksum that
    the target offered it with.
    """

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self._scanner = wire.Scanner(wire.seed(nonce))
        self._spool = Spool()
        self._line = _Line()
        self._state = _State.OFFER
        self._step = 0
        self._sequence = 0
        self._first_of_step = 1
        self._offered: tuple[int, int] | None = None  # the step's record: length and checksum
        self._candidates: deque[bytes] = deque(maxlen=_CANDIDATES)
        self._request: _Request | None = None
        self._heard = -math.inf
        self._fetch: _Fetch | None = None
        self._record: Case | Trace | None = None  # the step's, if it has values
        self._traces = 0
        self._waiting: deque[int] = deque()  # its values that are not fetched yet
        self._outputs: list[KeptOutput] = []

    # --- The line -------------------------------------------------------------------------------

    def feed(self, data: bytes, now: float) -> list[Record]:
        records: list[Record] = []
        self._heard = now
        try:
            for item in self._scanner.feed(data):
                if isinstance(item, Frame):
                    self.counts.frames += 1
                    records += self._take_frame(item, now)
                else:
                    records += self._take_text(item)
        except OSError as error:  # a full disk
            self._lose(f"an output could not be kept: {error.strerror}")
        self.counts.damaged = self._scanner.damaged
        return records

    def send(self, now: float) -> bytes:
        if self.lost is not None or self._state is _State.GONE_ON:
            return b""
        if self._request is not None:
            if now < self.wake:
                return b""
            self._conclude(self._request, now)
        if self._fetch is not None:
            return self._ask(self._fetch, now)
        if self._state is _State.OFFER and self._step == 0:
            # No step was offered yet: asks for one. It may be that nobody listens yet.
            return self._say(Kind.READ, self._read(0, 1, 0, 0), now)
        # Says to go on from the step before, as often as it takes: a target that has gone on
        # answers with the offer of its step.
        return self._say(Kind.NEXT, (self._step - 1).to_bytes(4, "little"), now)

    @property
    def wake(self) -> float:
        if self.lost is not None or self._state is _State.GONE_ON:
            return math.inf
        if self._request is None:
            return 0.0
        # While something arrives, the answer may be on its way.
        return max(self._request.sent, self._heard) + self._line.wait

    def finish(self) -> Transcript:
        if rest := self._scanner.finish():
            self._take_text(rest)
        if self._state is _State.FETCH and self.lost is None:
            what = "its record" if self._record is None else "its values"
            self.lost = f"the target ended before {what} had arrived whole (step {self._step})"
        return super().finish()

    def _lose(self, why: str) -> None:
        if self.lost is None:
            self.lost = why

    # --- Text -----------------------------------------------------------------------------------

    def _take_text(self, line: bytes) -> list[Record]:
        if self._state is _State.GONE_ON or not is_record(line):
            return self.parser.feed(line + b"\n")
        line = line.rstrip(b"\r")
        self._candidates.append(line[max(line.rfind(RECORD_MARK), 0) :])
        # A target that waits to be asked says one record. One that goes on has no wire, if its
        # first record says so. That record alone proves nothing: it may be damaged.
        goes_on = self._offered is None and self._step == 0 and len(self._candidates) > 1
        if goes_on and self._sends_nothing(self._candidates[0]):
            return self._go_on_without()
        return []

    def _sends_nothing(self, line: bytes) -> bool:
        """Whether a line is the first record of a target that has no wire, and says so."""
        try:
            record = parse_record(line[line.rfind(RECORD_MARK) + 6 :].decode("latin-1"))
        except ProtocolError:
            return False
        if not isinstance(record, Begin) or record.wire == "pull":
            return False
        self._lose("the target does not send outputs (it was built without BPTE_RUNNER_WIRE)")
        return True

    def _go_on_without(self) -> list[Record]:
        """The target waits for nobody: all that it says counts as it comes."""
        self._state = _State.GONE_ON
        self._fetch = self._request = None
        records = []
        for line in self._candidates:
            records += self.parser.feed(line + b"\n")
        self._candidates.clear()
        return records

    # --- Frames ---------------------------------------------------------------------------------

    def _take_frame(self, frame: Frame, now: float) -> list[Record]:
        request = self._request
        if request is not None and frame.sequence == request.sequence and not request.heard:
            request.heard = True
            self._line.answered(now - request.sent)
        if frame.kind == Kind.OFFER and len(frame.body) >= 12:
            numbers = (int.from_bytes(frame.body[i : i + 4], "little") for i in (0, 4, 8))
            return self._take_offer(frame.sequence, *numbers)
        if frame.kind == Kind.DATA and self._fetch is not None:
            return self._take_data(self._fetch, frame, now)
        if frame.kind == Kind.DONE and request is not None and frame.sequence == request.sequence:
            self._conclude(request, now)
        return []

    def _take_offer(self, sequence: int, step: int, length: int, crc32: int) -> list[Record]:
        if self._state is _State.GONE_ON:
            return []
        # The answer to a request of this step is newer than what the step began with.
        is_answer = sequence >= self._first_of_step and sequence != 0
        if step < self._step:
            if is_answer:
                self._lose("the target started again")
            return []
        if step > self._step:
            # It went on without being told: it is about to end, and why it says in its records.
            return self._go_on_without() if not is_answer else self._skipped(step)
        if self._offered is not None:
            if is_answer and self._offered != (length, crc32):
                self._lose("the target started again")
            return []
        self._offered = length, crc32
        self._state = _State.FETCH
        self._request = None
        for line in reversed(self._candidates):
            if zlib.crc32(line + b"\n") == crc32:
                return self._take_record(line)
        if not 0 < length <= MAX_LINE:
            self._lose(f"a record was lost, and the target cannot send it again (step {step})")
            return []
        self._fetch = _Fetch(0, length, crc32, 0, self._sequence + 1)
        return []

    def _skipped(self, step: int) -> list[Record]:
        self._lose(f"the target is at step {step}, but was told to go to {self._step}")
        return []

    def _take_data(self, fetch: _Fetch, frame: Frame, now: float) -> list[Record]:
        if not fetch.first_sequence <= frame.sequence <= self._sequence:
            return []
        offset = int.from_bytes(frame.body[: wire.OFFSET_SIZE], "little")
        data = frame.body[wire.OFFSET_SIZE :]
        request = self._request
        if request is not None and frame.sequence == request.sequence:
            request.chunks.discard(offset)
        if fetch.holes.fill(offset, len(data)):
            if fetch.record is not None:
                fetch.record[offset : offset + len(data)] = data
            else:
                self._spool.write(fetch.offset + offset, data)
        if fetch.holes.missing == 0:
            return self._arrived(fetch, now)
        if request is not None and request.expected and not request.chunks:
            self._conclude(request, now)
        return []

    def _arrived(self, fetch: _Fetch, now: float) -> list[Record]:
        if self._request is not None:
            self._conclude(self._request, now)
        size = fetch.holes.size
        self.counts.retransmitted += max(fetch.asked - size, 0)
        if fetch.record is not None:
            whole = zlib.crc32(fetch.record) == fetch.crc32
        else:
            whole = self._spool.crc32(fetch.offset, size) == fetch.crc32
        if not whole:
            fetch.tries += 1
            if fetch.tries == TRIES:
                self._lose(f"what arrives does not give the checksum stated (step {self._step})")
            fetch.first_sequence = self._sequence + 1
            fetch.start_again(size)
            return []
        self._fetch = None
        if fetch.record is not None:
            self.counts.retransmitted += size
            return self._take_record(bytes(fetch.record).rstrip(b"\n"))
        self._next_output()
        return []

    # --- Steps ----------------------------------------------------------------------------------

    def _take_record(self, line: bytes) -> list[Record]:
        """The step's record, whole."""
        records = self.parser.feed(line + b"\n")
        self._candidates.clear()
        self._record = None
        self._waiting.clear()
        for record in records:
            if isinstance(record, Case | Trace):
                self._record = record
                self._outputs = []
                self._waiting.extend(range(len(record.values)))
            elif isinstance(record, End):
                self._finish_step()
                self._state = _State.ENDED
                return records
        self._next_output()
        return records

    def _next_output(self) -> None:
        """Begins to fetch the record's next value that has bytes, or ends the step."""
        while self._record is not None and self._waiting:
            index = self._waiting.popleft()
            value = self._record.values[index]
            size = value.size or 0
            offset = self._spool.reserve(size) if value.kind == "tensor" else 0
            self._outputs.append(kept_output(value, self._spool, offset))
            if size:
                assert value.crc32 is not None
                self._fetch = _Fetch(index + 1, size, value.crc32, offset, self._sequence + 1)
                return
        if isinstance(self._record, Case):
            self.kept[CaseKey.of(self._record)] = tuple(self._outputs)
        elif isinstance(self._record, Trace):
            if self._outputs:
                (self.dumped[self._traces],) = self._outputs
            self._traces += 1
        self._finish_step()

    def _finish_step(self) -> None:
        self._step += 1
        self._first_of_step = self._sequence + 1
        self._offered = None
        self._state = _State.OFFER
        self._request = None

    # --- Requests -------------------------------------------------------------------------------

    def _say(self, kind: Kind, body: bytes, now: float) -> bytes:
        self._sequence += 1
        self._request = _Request(self._sequence, now)
        frame = wire.encode(kind, self._sequence, body, self._scanner.start)
        return frame * self._line.copies(len(frame))

    def _read(self, index: int, chunk: int, offset: int, count: int, chosen: bytes = b"") -> bytes:
        return (
            self._step.to_bytes(4, "little")
            + index.to_bytes(2, "little")
            + chunk.to_bytes(2, "little")
            + offset.to_bytes(wire.OFFSET_SIZE, "little")
            + count.to_bytes(4, "little")
            + chosen
        )

    def _ask(self, fetch: _Fetch, now: float) -> bytes:
        chunk = self._line.chunk()
        holes = fetch.holes
        first = holes.first
        end = min(first + min(WINDOW, COUNT * chunk), holes.size)
        chosen = b""
        if holes.whole(first, end):
            offsets = set(range(first, end, chunk))
            count = len(offsets)
        else:
            count = min(MAPPED, -(-(end - first) // chunk))
            flags = [
                holes.touches(first + i * chunk, min(first + (i + 1) * chunk, holes.size))
                for i in range(count)
            ]
            offsets = {first + i * chunk for i, wanted in enumerate(flags) if wanted}
            chosen = sum(wanted << i for i, wanted in enumerate(flags)).to_bytes(
                -(-count // 8), "little"
            )
        fetch.asked += sum(min(chunk, holes.size - offset) for offset in offsets)
        said = self._say(Kind.READ, self._read(fetch.index, chunk, first, count, chosen), now)
        self._request = _Request(self._sequence, now, chunk, offsets)
        return said

    def _conclude(self, request: _Request, now: float) -> None:
        """A request is answered as far as it will be."""
        self._request = None
        if not request.heard:
            self._line.fell_silent()
            if request.expected and self._heard < request.sent:
                return  # nothing came at all: the request was lost, or the target is busy
        arrived = request.expected - len(request.chunks)
        if arrived or request.heard or self._heard > request.sent:
            self._line.observe(request.chunk, request.expected, arrived)
