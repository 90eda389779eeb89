# SPDX-License-Identifier: BSD-3-Clause
"""Reads the result protocol (docs/result-protocol.md) and trusts nothing in it.

What arrives comes from a target that may hang, crash or write over its own memory, so every record
is checked: its JSON, its types, its order, its counts against each other and the checksum at the
end. `Parser.feed` takes bytes as they come and never raises; the first thing that is wrong is kept
in `Transcript.violation`, and a transcript with a violation is never a pass.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bpte.format.metadata import MAX_RANK
from bpte.run.evidence import contradiction
from bpte.run.outcome import Outcome, Verdict, case_verdict, run_outcome

PREFIX = b"#bpte "
PROTOCOL = 1

#: A line longer than this is no record of ours: memory stays bounded whatever a target sends.
MAX_LINE = 1 << 20
#: Lines that are no records are kept for diagnosis, the last of them only.
KEPT_LINES = 200
#: Of such a line.
KEPT_LINE_LENGTH = 2000
#: More cases than any bundle has reason to hold; refused so that no counter can fill the host's
#: memory.
MAX_CASES = 10_000_000

Number: TypeAlias = int | float | bool


class ProtocolError(ValueError):
    """A record that breaks the protocol; the message says which rule."""


class ContradictionError(ProtocolError):
    """A record whose numbers cannot all be true (`bpte.run.evidence`)."""


@dataclass(frozen=True)
class Begin:
    cases: int
    target: str = ""
    engine: str = ""
    engine_version: str = ""
    format: str = ""
    file_size: int | None = None
    program_offset: int | None = None
    program_size: int | None = None
    program_address: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class FirstMismatch:
    """The first element outside the tolerance, in row-major order."""

    index: tuple[int, ...]
    expected: Number
    actual: Number


@dataclass(frozen=True)
class Output:
    verdict: Verdict
    reason: str | None = None
    kind: str | None = None
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    actual_kind: str | None = None
    actual_dtype: str | None = None
    actual_shape: tuple[int, ...] | None = None
    numel: int | None = None
    mismatches: int | None = None
    nonfinite: int | None = None
    first: FirstMismatch | None = None
    max_abs: float | None = None
    mean_abs: float | None = None
    max_rel: float | None = None
    mean_rel: float | None = None
    sqnr_db: float | None = None
    cosine: float | None = None
    rtol: float | None = None
    atol: float | None = None
    max_outlier_share: float | None = None
    min_sqnr_db: float | None = None
    min_cosine: float | None = None


@dataclass(frozen=True)
class Case:
    suite: int
    method: str
    case: int
    verdict: Verdict
    name: str | None = None
    time: int | None = None
    outputs: tuple[Output, ...] = ()
    error: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class RunError:
    """The record `error`: the run could not go on."""

    error: str
    message: str
    outcome: Outcome
    where: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    passed: int
    failed: int
    errors: int
    unjudged: int
    outcome: Outcome
    crc32: int


Record: TypeAlias = Begin | Case | RunError | End


@dataclass(frozen=True)
class Transcript:
    """What a target said. `complete` means: every announced record arrived intact."""

    begin: Begin | None
    cases: tuple[Case, ...]
    error: RunError | None
    end: End | None
    violation: str | None
    other_lines: tuple[str, ...]
    #: The violation is that a record contradicts itself.
    contradictory: bool = False

    @property
    def complete(self) -> bool:
        return self.violation is None and self.end is not None

    @property
    def outcome(self) -> Outcome:
        """What the records amount to by themselves; INFRASTRUCTURE unless they are complete."""
        return self.end.outcome if self.complete and self.end else Outcome.INFRASTRUCTURE


# --- One record -----------------------------------------------------------------------------------

_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}\Z")
_CRC = re.compile(r"[0-9a-fA-F]{8}\Z")
_U64 = 1 << 64
_MAX_OUTPUTS = 65536


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ProtocolError("a key occurs twice in one object")
    return result


def _no_constants(name: str) -> float:
    raise ProtocolError(f"{name} is no JSON")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except ProtocolError:
        raise
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolError("no JSON object")
    return value


class _Fields:
    """Typed access to an object's members; every refusal names the key."""

    def __init__(self, members: dict[str, Any], of: str) -> None:
        self._members = members
        self._of = of

    def _refuse(self, key: str, wanted: str) -> ProtocolError:
        return ProtocolError(
            f"{self._of}: {key!r} is not {wanted}: {str(self._members[key])[:60]!r}"
        )

    def has(self, key: str) -> bool:
        return self._members.get(key) is not None

    def _required(self, key: str) -> None:
        if not self.has(key):
            raise ProtocolError(f"{self._of}: {key!r} is missing")

    def text(self, key: str) -> str:
        self._required(key)
        value = self._members[key]
        if not isinstance(value, str):
            raise self._refuse(key, "a string")
        # Lone surrogates can be written in JSON but not printed.
        return value.encode("utf-8", "replace").decode("utf-8")

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if self.has(key) else None

    def integer(self, key: str, below: int = _U64) -> int:
        self._required(key)
        value = self._members[key]
        if type(value) is not int or not 0 <= value < below:
            raise self._refuse(key, f"an integer from 0 to {below - 1}")
        return value

    def optional_integer(self, key: str) -> int | None:
        return self.integer(key) if self.has(key) else None

    def hexadecimal(self, key: str) -> int | None:
        if not self.has(key):
            return None
        value = self.text(key)
        if not _HEX.match(value):
            raise self._refuse(key, "a hexadecimal number such as 0x71000000")
        return int(value, 16)

    def real(self, key: str) -> float | None:
        if not self.has(key):
            return None
        value = _number(self._members[key])
        if value is None or isinstance(value, bool):
            raise self._refuse(key, "a number")
        return float(value)

    def number(self, key: str) -> Number:
        self._required(key)
        value = _number(self._members[key])
        if value is None:
            raise self._refuse(key, "a number")
        return value

    def integers(self, key: str) -> tuple[int, ...] | None:
        if not self.has(key):
            return None
        value = self._members[key]
        if not isinstance(value, list) or len(value) > MAX_RANK:
            raise self._refuse(key, f"an array of at most {MAX_RANK} integers")
        for item in value:
            if type(item) is not int or not 0 <= item < _U64:
                raise self._refuse(key, "an array of integers")
        return tuple(value)

    def verdict(self, key: str, allowed: tuple[Verdict, ...]) -> Verdict:
        value = self.text(key)
        for verdict in allowed:
            if value == verdict.value:
                return verdict
        raise self._refuse(key, "one of " + ", ".join(v.value for v in allowed))

    def outcome(self, allowed: tuple[Outcome, ...]) -> Outcome:
        value = self.integer("outcome", below=256)
        for outcome in allowed:
            if value == outcome:
                return outcome
        raise self._refuse("outcome", "one of " + ", ".join(str(int(o)) for o in allowed))

    def members(self, key: str) -> dict[str, Any] | None:
        if not self.has(key):
            return None
        value = self._members[key]
        if not isinstance(value, dict):
            raise self._refuse(key, "an object")
        return value

    def array(self, key: str) -> list[Any]:
        self._required(key)
        value = self._members[key]
        if not isinstance(value, list) or len(value) > _MAX_OUTPUTS:
            raise self._refuse(key, f"an array of at most {_MAX_OUTPUTS}")
        return value


def _number(value: object) -> Number | None:
    if isinstance(value, str):
        return _SPECIAL.get(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < _U64 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _begin(fields: _Fields) -> Begin:
    if (protocol := fields.integer("protocol")) != PROTOCOL:
        raise ProtocolError(f"the target speaks protocol {protocol}, this reader {PROTOCOL}")
    return Begin(
        cases=fields.integer("cases", below=MAX_CASES),
        target=fields.optional_text("target") or "",
        engine=fields.optional_text("engine") or "",
        engine_version=fields.optional_text("engine_version") or "",
        format=fields.optional_text("format") or "",
        file_size=fields.optional_integer("file_size"),
        program_offset=fields.optional_integer("program_offset"),
        program_size=fields.optional_integer("program_size"),
        program_address=fields.hexadecimal("program_address"),
        unit=fields.optional_text("unit") or "",
    )


def _first(members: dict[str, Any] | None) -> FirstMismatch | None:
    if members is None:
        return None
    fields = _Fields(members, "first")
    return FirstMismatch(
        index=fields.integers("index") or (),
        expected=fields.number("expected"),
        actual=fields.number("actual"),
    )


def _output(members: object) -> Output:
    if not isinstance(members, dict):
        raise ProtocolError("outputs: an element is no object")
    fields = _Fields(members, "output")
    return Output(
        verdict=fields.verdict("verdict", (Verdict.PASS, Verdict.FAIL, Verdict.NOT_COMPARED)),
        reason=fields.optional_text("reason"),
        kind=fields.optional_text("kind"),
        dtype=fields.optional_text("dtype"),
        shape=fields.integers("shape"),
        actual_kind=fields.optional_text("actual_kind"),
        actual_dtype=fields.optional_text("actual_dtype"),
        actual_shape=fields.integers("actual_shape"),
        numel=fields.optional_integer("numel"),
        mismatches=fields.optional_integer("mismatches"),
        nonfinite=fields.optional_integer("nonfinite"),
        first=_first(fields.members("first")),
        max_abs=fields.real("max_abs"),
        mean_abs=fields.real("mean_abs"),
        max_rel=fields.real("max_rel"),
        mean_rel=fields.real("mean_rel"),
        sqnr_db=fields.real("sqnr_db"),
        cosine=fields.real("cosine"),
        rtol=fields.real("rtol"),
        atol=fields.real("atol"),
        max_outlier_share=fields.real("max_outlier_share"),
        min_sqnr_db=fields.real("min_sqnr_db"),
        min_cosine=fields.real("min_cosine"),
    )


def _case(fields: _Fields) -> Case:
    verdict = fields.verdict(
        "verdict", (Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.UNJUDGED)
    )
    outputs: tuple[Output, ...] = ()
    if verdict is not Verdict.ERROR:
        # A case without expected outputs may have nothing to list.
        listed = verdict is not Verdict.UNJUDGED or fields.has("outputs")
        outputs = tuple(_output(item) for item in (fields.array("outputs") if listed else ()))
        implied = case_verdict(output.verdict for output in outputs)
        if verdict is not implied:
            raise ContradictionError(
                f"case: verdict {verdict.value!r} contradicts its outputs ({implied.value!r})"
            )
        for index, output in enumerate(outputs):
            if found := contradiction(output):
                raise ContradictionError(f"output {index}: {found}")
    return Case(
        suite=fields.integer("suite"),
        method=fields.text("method"),
        case=fields.integer("case"),
        verdict=verdict,
        name=fields.optional_text("name"),
        time=fields.optional_integer("time"),
        outputs=outputs,
        error=fields.text("error") if verdict is Verdict.ERROR else None,
        message=fields.optional_text("message"),
    )


_WHERE = ("suite", "case", "input", "output", "segment", "offset", "value", "expected")


def _error(fields: _Fields) -> RunError:
    return RunError(
        error=fields.text("error"),
        message=fields.optional_text("message") or "",
        outcome=fields.outcome((Outcome.MALFORMED, Outcome.INFRASTRUCTURE)),
        where={key: fields.integer(key) for key in _WHERE if fields.has(key)},
    )


def _end(fields: _Fields) -> End:
    crc = fields.text("crc32")
    if not _CRC.match(crc):
        raise ProtocolError(f"end: 'crc32' is not 8 hexadecimal digits: {crc[:60]!r}")
    return End(
        passed=fields.integer("passed"),
        failed=fields.integer("failed"),
        errors=fields.integer("errors"),
        unjudged=fields.integer("unjudged"),
        outcome=fields.outcome(
            (Outcome.PASSED, Outcome.MISMATCH, Outcome.MALFORMED, Outcome.INFRASTRUCTURE)
        ),
        crc32=int(crc, 16),
    )


def parse_record(text: str) -> Record:
    """One record from its JSON text. Raises ProtocolError, and nothing else, when it is none."""
    if not text.isascii():
        raise ProtocolError("a byte that is not ASCII")
    members = _object(text)
    event = members.get("event")
    if event == "begin":
        return _begin(_Fields(members, "begin"))
    if event == "case":
        return _case(_Fields(members, "case"))
    if event == "error":
        return _error(_Fields(members, "error"))
    if event == "end":
        return _end(_Fields(members, "end"))
    raise ProtocolError(f"unknown event {str(event)[:60]!r}")


# --- The stream -----------------------------------------------------------------------------------


class Parser:
    """Takes a target's bytes as they arrive, in pieces of any size.

    ::

        parser = Parser()
        for chunk in stream:
            for record in parser.feed(chunk):
                ...                       # show progress
        transcript = parser.finish()
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._skipping = False  # inside a line that grew too long
        self._line = 0
        self._crc = 0
        self._begin: Begin | None = None
        self._cases: list[Case] = []
        self._seen: set[tuple[int, int]] = set()
        self._error: RunError | None = None
        self._end: End | None = None
        self._violation: str | None = None
        self._contradictory = False
        self._other: list[str] = []

    def feed(self, data: bytes) -> list[Record]:
        """The records that `data` completes. What follows a violation is not read any more."""
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
            if self._pending.startswith(PREFIX):
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
            self._error,
            self._end,
            self._violation,
            tuple(self._other),
            self._contradictory,
        )

    @property
    def ended(self) -> bool:
        """Nothing more needs to be read: the end record came."""
        return self._end is not None

    def _append(self, piece: bytes) -> None:
        if self._skipping:
            return
        if len(self._pending) + len(piece) > MAX_LINE:
            if (bytes(self._pending[: len(PREFIX)]) + piece[: len(PREFIX)]).startswith(PREFIX):
                self._line += 1
                self._violate(f"a record longer than {MAX_LINE} bytes")
                self._line -= 1
            self._pending.clear()
            self._skipping = True
            return
        self._pending += piece

    def _take_line(self) -> Record | None:
        self._line += 1
        line = bytes(self._pending).removesuffix(b"\r")
        self._pending.clear()
        if self._skipping:
            self._skipping = False
            return None
        if not line.startswith(PREFIX):
            if line:
                self._other.append(line[:KEPT_LINE_LENGTH].decode("utf-8", "replace"))
                del self._other[:-KEPT_LINES]
            return None
        if self._violation is not None:
            return None
        body = line[len(PREFIX) :]
        try:
            record = parse_record(body.decode("latin-1"))
            self._take_record(record, body)
        except ProtocolError as error:
            self._contradictory = isinstance(error, ContradictionError)
            self._violate(str(error))
            return None
        return record

    def _take_record(self, record: Record, body: bytes) -> None:
        if self._end is not None:
            raise ProtocolError("a record after the end record")
        if isinstance(record, Begin):
            if self._begin is not None:
                raise ProtocolError("a second begin record: the target started again")
            self._begin = record
        elif self._begin is None:
            raise ProtocolError("a record before the begin record")
        elif isinstance(record, Case):
            if self._error is not None:
                raise ProtocolError("a case after the error record")
            if len(self._cases) >= self._begin.cases:
                raise ProtocolError(f"more cases than the {self._begin.cases} announced")
            if (record.suite, record.case) in self._seen:
                raise ProtocolError(f"suite {record.suite}, case {record.case} twice")
            self._seen.add((record.suite, record.case))
            self._cases.append(record)
        elif isinstance(record, RunError):
            if self._error is not None:
                raise ProtocolError("a second error record")
            self._error = record
        else:
            self._check_end(self._begin, record)
            self._end = record
        self._crc = zlib.crc32(b"\n", zlib.crc32(body, self._crc))

    def _check_end(self, begin: Begin, end: End) -> None:
        if end.crc32 != self._crc:
            raise ProtocolError(
                f"end: crc32 {end.crc32:08x}, but the records before it give {self._crc:08x}"
            )
        if self._error is None and len(self._cases) != begin.cases:
            raise ProtocolError(f"{len(self._cases)} of the {begin.cases} cases announced arrived")
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
        implied = run_outcome((case.verdict for case in self._cases), stopped)
        if end.outcome != implied:
            raise ProtocolError(
                f"end: outcome {int(end.outcome)}, but the records amount to {int(implied)}"
            )

    def _violate(self, message: str) -> None:
        if self._violation is None:
            self._violation = f"{message} (line {self._line})"


def parse(data: bytes) -> Transcript:
    """A whole recorded output at once."""
    parser = Parser()
    parser.feed(data)
    return parser.finish()
