# SPDX-License-Identifier: BSD-3-Clause
"""Reads the result protocol (docs/result-protocol.md) and trusts nothing in it.

What arrives comes from a target that may hang, crash or write over its own memory, so every record
is checked: its JSON, its types (`bpte.run.records`), its order, its counts against each other and
the checksum at the end. `Parser.feed` takes bytes as they come and never raises; the first thing
that is wrong is kept in `Transcript.violation`, and a transcript with a violation is never a pass.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from bpte.run import instructions
from bpte.run.budget_check import BudgetRecords
from bpte.run.metric_evidence import MetricRecords
from bpte.run.outcome import Outcome, Verdict, run_outcome
from bpte.run.profile import ProfileRecords
from bpte.run.protocol_keys import (
    Begin,
    BudgetResult,
    Case,
    ConfusionRow,
    End,
    Execution,
    InstructionTime,
    MetricResult,
    Resources,
    Trace,
)
from bpte.run.records import (
    CaseKey,
    ContradictionError,
    ProtocolError,
    Record,
    RunError,
    parse_record,
)

PREFIX = b"#bpte "
#: Where a record begins on a line that has other text before it. It cannot occur within a record,
#: because a quotation mark in a text is escaped.
MARK = b'#bpte {"'

#: A longer line is not a record. This bounds the memory, whatever a target sends.
MAX_LINE = 1 << 20
#: How many of the last lines that are not records are kept for diagnosis.
KEPT_LINES = 200
#: How many bytes of such a line are kept.
KEPT_LINE_LENGTH = 2000


@dataclass(frozen=True)
class Transcript:
    """What a target said. `complete` means: every announced record arrived intact."""

    begin: Begin | None = None
    cases: tuple[Case, ...] = ()
    metrics: tuple[MetricResult, ...] = ()
    #: The rows of the metrics that are confusion matrices.
    confusion: tuple[ConfusionRow, ...] = ()
    #: The bundle's, as the target judged them; then those that were stated for the run.
    budgets: tuple[BudgetResult, ...] = ()
    resources: Resources | None = None
    error: RunError | None = None
    end: End | None = None
    violation: str | None = None
    other_lines: tuple[str, ...] = ()
    #: What instructions gave; those of a case come before it.
    traces: tuple[Trace, ...] = ()
    #: What instructions took, and whole executions: those of a case come before it.
    times: tuple[InstructionTime, ...] = ()
    executions: tuple[Execution, ...] = ()
    #: The violation is that a record contradicts itself.
    contradictory: bool = False
    #: In a recorded output: the runs begun before this one.
    earlier_runs: int = 0

    @property
    def complete(self) -> bool:
        return self.violation is None and self.end is not None

    @property
    def stand_in(self) -> str:
        """What stood in for hardware that the program was compiled for, in any case; or ""."""
        return ", ".join(dict.fromkeys(case.stand_in for case in self.cases if case.stand_in))

    @property
    def engine(self) -> str:
        """What executed the program, in words; "" when nothing says so."""
        if self.begin is None:
            return ""
        words = (self.begin.engine, self.begin.engine_version)
        with_stand_in = ("with", self.stand_in) if self.stand_in else ()
        return " ".join(filter(None, (*words, *with_stand_in)))

    @property
    def verdicts(self) -> Iterator[Verdict]:
        """Those that the outcome follows from: of cases, metrics and budgets."""
        yield from (case.verdict for case in self.cases)
        yield from (metric.verdict for metric in self.metrics)
        yield from (budget.verdict for budget in self.budgets)

    @property
    def outcome(self) -> Outcome:
        """What the records amount to by themselves; INFRASTRUCTURE unless they are complete."""
        return self.end.outcome if self.complete and self.end else Outcome.INFRASTRUCTURE


class Parser:
    """Takes a target's bytes as they arrive, in pieces of any size.

    ::

        parser = Parser()
        for chunk in stream:
            for record in parser.feed(chunk):
                ...                       # show progress
        transcript = parser.finish()

    A target that starts again is a violation. With `recorded`, for a log in which several runs may
    lie one after the other, the last run that was begun counts, and nothing of those before it.
    """

    def __init__(self, *, recorded: bool = False) -> None:
        self._recorded = recorded
        self._pending = bytearray()
        self._skipping = False  # inside a line that grew too long
        self._line = 0
        self._other: list[str] = []
        self._earlier_runs = 0
        self._forget()

    def _forget(self) -> None:
        self._crc = 0
        self._begin: Begin | None = None
        self._cases: list[Case] = []
        self._seen: set[CaseKey] = set()
        self._measured = MetricRecords()
        self._budgets = BudgetRecords()
        self._traces: list[Trace] = []
        self._profile = ProfileRecords()
        self._before_case = 0  # how many of them came before the last case
        self._error: RunError | None = None
        self._end: End | None = None
        self._violation: str | None = None
        self._contradictory = False

    def feed(self, data: bytes) -> list[Record]:
        """Returns the records that `data` completes. Nothing after a violation is read, until the
        next run of a recorded output begins."""
        records: list[Record] = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._append(line)
            record = self._take_line()
            if record is not None:
                records.append(record)
        self._append(rest)
        return records

    def finish(self) -> Transcript:
        """What was said, after the last byte."""
        if self._pending:
            if self._pending.startswith(PREFIX) or MARK in self._pending:
                # A record ends with a newline; without one it may have been cut.
                self._violate("the last record is cut off")
            else:
                self._take_line()
        if self._violation is None and self._end is None:
            if self._begin is None:
                self._violate("no result record arrived")
            else:
                self._violate(
                    f"no end record; {len(self._cases)} of {self._begin.cases} cases arrived"
                )
        return Transcript(
            self._begin,
            tuple(self._cases),
            tuple(self._measured.metrics),
            tuple(self._measured.confusion),
            tuple(self._budgets.budgets),
            self._budgets.resources,
            self._error,
            self._end,
            self._violation,
            tuple(self._other),
            tuple(self._traces),
            tuple(self._profile.times),
            tuple(self._profile.executions),
            self._contradictory,
            self._earlier_runs,
        )

    @property
    def ended(self) -> bool:
        """Nothing more needs to be read: the end record came."""
        return self._end is not None

    def _append(self, piece: bytes) -> None:
        if self._skipping:
            return
        if len(self._pending) + len(piece) > MAX_LINE:
            line = bytes(self._pending) + piece[: len(MARK)]
            if line.startswith(PREFIX) or MARK in line:
                self._line += 1
                self._violate(f"a record longer than {MAX_LINE} bytes")
                self._line -= 1
            self._pending.clear()
            self._skipping = True
            return
        self._pending += piece

    def _take_line(self) -> Record | None:
        self._line += 1
        line = bytes(self._pending).rstrip(b"\r")
        self._pending.clear()
        if self._skipping:
            self._skipping = False
            return None
        start = line.rfind(MARK)
        if start < 0 and not line.startswith(PREFIX):
            if line:
                self._other.append(line[:KEPT_LINE_LENGTH].decode("utf-8", "replace"))
                del self._other[:-KEPT_LINES]
            return None
        start = max(start, 0)
        if start > 0 and (line.startswith(PREFIX) or MARK in line[:start]):
            # In a recorded output the record broken off is that of a run which no longer counts,
            # or the one that follows is found out of place.
            self._violate("a record broken off by another one: the target started again")
        if self._violation is not None and not self._recorded:
            return None
        body = line[start + len(PREFIX) :]
        try:
            record = parse_record(body.decode("latin-1"))
            self._take_record(record, body)
        except ProtocolError as error:
            if self._violation is None:
                self._contradictory = isinstance(error, ContradictionError)
            self._violate(str(error))
            return None
        return record

    def _take_record(self, record: Record, body: bytes) -> None:
        if self._recorded and isinstance(record, Begin):
            self._start_again()
        if self._violation is not None:
            return
        if self._end is not None:
            raise ProtocolError("a record after the end record")
        if isinstance(record, Begin):
            if self._begin is not None:
                raise ProtocolError("a second begin record: the target started again")
            self._begin = record
        elif self._begin is None:
            raise ProtocolError("a record before the begin record")
        elif isinstance(record, Trace):
            self._take_trace(self._begin, record)
        elif isinstance(record, InstructionTime | Execution):
            self._take_time(self._begin, record)
        elif isinstance(record, Case):
            self._take_case(self._begin, record)
        elif isinstance(record, ConfusionRow | MetricResult):
            self._take_metric(self._begin, record)
        elif isinstance(record, BudgetResult):
            self._take_budget(self._begin, record)
        elif isinstance(record, Resources):
            _hold(self._budgets.take_resources(record))
        elif isinstance(record, RunError):
            if self._error is not None:
                raise ProtocolError("a second error record")
            self._error = record
        else:
            self._check_end(self._begin, record)
            self._end = record
        self._crc = zlib.crc32(b"\n", zlib.crc32(body, self._crc))

    def _start_again(self) -> None:
        """A run begins; what was recorded before it belongs to another run."""
        if self._begin is not None:
            self._earlier_runs += 1
        if self._begin is not None or self._violation is not None:
            self._other.clear()
        self._forget()

    def _take_trace(self, begin: Begin, trace: Trace) -> None:
        if self._error is not None:
            raise ProtocolError("an instruction after the error record")
        if begin.trace is None:
            raise ProtocolError("an instruction is reported, which nobody asked for")
        if len(self._traces) >= instructions.MAX_TRACES:
            raise ProtocolError(f"more than {instructions.MAX_TRACES} instructions")
        if CaseKey.of(trace) in self._seen:
            raise ProtocolError(f"{CaseKey.of(trace)}: an instruction after the case")
        self._traces.append(trace)

    def _take_time(self, begin: Begin, record: InstructionTime | Execution) -> None:
        if self._error is not None:
            raise ProtocolError("a time after the error record")
        if CaseKey.of(record) in self._seen:
            raise ProtocolError(f"{CaseKey.of(record)}: a time after the case")
        _hold(self._profile.take(record, begin))

    def _take_case(self, begin: Begin, case: Case) -> None:
        if self._error is not None:
            raise ProtocolError("a case after the error record")
        if len(self._cases) >= begin.cases:
            raise ProtocolError(f"more cases than the {begin.cases} announced")
        key = CaseKey.of(case)
        if key in self._seen:
            raise ProtocolError(f"{key} twice")
        traces = self._traces[self._before_case :]
        if any(CaseKey.of(trace) != key for trace in traces):
            raise ProtocolError(f"{key}: the instructions before it are of another case")
        if found := instructions.contradiction(begin.trace, traces, case):
            raise ContradictionError(f"{key}: {found}")
        self._before_case = len(self._traces)
        self._seen.add(key)
        _hold(self._measured.take_case(case), f"{key}: ")
        _hold(self._profile.take_case(case, begin), f"{key}: ")
        self._cases.append(case)

    def _take_metric(self, begin: Begin, record: ConfusionRow | MetricResult) -> None:
        if self._error is not None:
            raise ProtocolError("a metric after the error record")
        if isinstance(record, ConfusionRow):
            _hold(self._measured.take_row(record))
        else:
            unjudged = begin.case is not None or bool(begin.isolate)
            _hold(self._measured.take_metric(record, unjudged))

    def _take_budget(self, begin: Begin, record: BudgetResult) -> None:
        if self._error is not None:
            raise ProtocolError("a budget after the error record")
        if record.budget is None:
            raise ProtocolError("budget: 'budget' is missing")
        _hold(self._budgets.take(record, begin, self._cases))

    def _check_end(self, begin: Begin, end: End) -> None:
        if end.crc32 != self._crc:
            raise ProtocolError(
                f"end: crc32 {end.crc32:08x}, but the records before it give {self._crc:08x}"
            )
        if self._error is None and self._before_case != len(self._traces):
            raise ProtocolError("instructions of a case that did not arrive")
        if self._error is None and len(self._cases) != begin.cases:
            raise ProtocolError(f"{len(self._cases)} of the {begin.cases} cases announced arrived")
        if self._error is None:
            _hold(self._measured.at_end())
            _hold(self._budgets.at_end())
            _hold(self._profile.at_end())
        counts = dict.fromkeys(Verdict, 0)
        for case in self._cases:
            counts[case.verdict] += 1
        for name, stated, verdict in (
            ("passed", end.passed, Verdict.PASS),
            ("failed", end.failed, Verdict.FAIL),
            ("errors", end.errors, Verdict.ERROR),
            ("unjudged", end.unjudged, Verdict.UNJUDGED),
        ):
            if stated != counts[verdict]:
                raise ProtocolError(
                    f"end: {name} is {stated}, but {counts[verdict]} such cases arrived"
                )
        stopped = self._error.outcome if self._error is not None else None
        verdicts = [case.verdict for case in self._cases]
        verdicts += [metric.verdict for metric in self._measured.metrics]
        verdicts += [budget.verdict for budget in self._budgets.budgets]
        implied = run_outcome(verdicts, stopped)
        if end.outcome != implied:
            raise ProtocolError(
                f"end: outcome {int(end.outcome)}, but the records amount to {int(implied)}"
            )

    def _violate(self, message: str) -> None:
        if self._violation is None:
            self._violation = f"{message} (line {self._line})"


def _hold(found: str | None, where: str = "") -> None:
    if found is not None:
        raise ContradictionError(where + found)


def parse(data: bytes, *, recorded: bool = False) -> Transcript:
    """A whole output at once."""
    parser = Parser(recorded=recorded)
    parser.feed(data)
    return parser.finish()
