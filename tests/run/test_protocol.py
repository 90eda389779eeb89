# SPDX-License-Identifier: BSD-3-Clause
"""The result protocol's reader: what is right is read exactly, what is wrong is never a pass."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import transcripts as t
from bpte.run import protocol
from bpte.run.outcome import Outcome
from bpte.run.protocol import parse, parse_record


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_reads_a_whole_protocol(newline: str) -> None:
    transcript = parse(t.whole("pass", "pass", newline=newline))
    assert transcript.violation is None
    assert transcript.complete
    assert transcript.outcome is Outcome.PASSED
    assert transcript.begin is not None
    assert transcript.begin.program_address == 0x71000400
    assert transcript.begin.unit == "cycles"
    case = transcript.cases[1]
    assert (case.method, case.case, case.time) == ("forward", 1, 1234)
    assert case.outputs[0].shape == (2, 3)
    assert case.outputs[0].max_rel == 1e-6


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["pass"], 0),
        (["pass", "unjudged"], 0),
        (["pass", "fail"], 1),
        (["fail", "error"], 1),
        (["pass", "error"], 4),
        (["unjudged"], 4),
        ([], 4),
    ],
)
def test_outcome_follows_the_verdicts(verdicts: list[str], outcome: int) -> None:
    transcript = parse(t.whole(*verdicts))
    assert transcript.violation is None
    assert transcript.outcome == outcome


def test_other_lines_are_skipped_and_kept() -> None:
    data = b"boot \xff\n" + t.whole("pass").replace(
        b'#bpte {"event": "end', b'noise\n#bpte {"event": "end'
    )
    transcript = parse(data)
    assert transcript.outcome is Outcome.PASSED
    assert transcript.other_lines == ("boot �", "noise")


@settings(max_examples=50)
@given(st.lists(st.integers(1, 60), max_size=40))
def test_pieces_of_any_size_read_alike(sizes: list[int]) -> None:
    data = b"hello\n" + t.whole("pass", "fail", newline="\r\n") + b"bye"
    parser = protocol.Parser()
    rest = data
    for size in sizes:
        parser.feed(rest[:size])
        rest = rest[size:]
    parser.feed(rest)
    assert parser.finish() == parse(data)


def test_first_mismatch_is_exact_for_64_bits() -> None:
    big = 2**63 - 1
    output = t.failing_output(
        dtype="int64",
        shape=[],
        numel=1,
        first={"index": [], "expected": big, "actual": -(2**63)},
        max_abs=2.0**64,
        mean_abs=2.0**64,
        max_rel=2.0,
        mean_rel=2.0,
        sqnr_db=-6.02,
        cosine=-1.0,
    )
    case = parse_record(json.dumps(t.case(0, "fail", outputs=[output])))
    assert isinstance(case, protocol.Case)
    first = case.outputs[0].first
    assert first is not None
    assert (first.expected, first.actual) == (big, -(2**63))


def test_numbers_that_json_cannot_hold() -> None:
    output = t.failing_output(
        dtype="float64",
        nonfinite=6,
        mismatches=6,
        first={"index": [0, 0], "expected": "nan", "actual": "-inf"},
        sqnr_db="inf",
        cosine=1,
        atol="inf",
    ) | dict.fromkeys(("max_abs", "mean_abs", "max_rel", "mean_rel"), 0.0)
    case = parse_record(json.dumps(t.case(0, "fail", outputs=[output])))
    assert isinstance(case, protocol.Case)
    read = case.outputs[0]
    assert (read.sqnr_db, read.atol) == (math.inf, math.inf)
    assert read.first is not None and isinstance(read.first.expected, float)
    assert math.isnan(read.first.expected)
    assert read.first.actual == -math.inf


def _records(*verdicts: str) -> list[dict[str, Any]]:
    records = [t.begin(len(verdicts)), *(t.case(i, v) for i, v in enumerate(verdicts))]
    return [*records, t.end(records)]


def _changed(index: int, **more: Any) -> bytes:
    """A protocol of two passing cases with one record changed, its checksum right all the same."""
    records = _records("pass", "pass")
    records[index] |= more
    if index != 3:
        records[3] = t.end(records[:3])
    return t.lines(records)


_WRONG = {
    "nothing": (b"", "no result record"),
    "no end": (t.lines(_records("pass", "pass")[:3]), "no end record; 2 of 2"),
    "cut in a record": (t.whole("pass")[:-20], "cut off"),
    "last newline missing": (t.whole("pass")[:-1], "cut off"),
    "case missing": (t.lines([*_records("pass", "pass")[:2], _records("pass")[2]]), "crc32"),
    "fewer cases": (
        t.lines([t.begin(2), t.case(0), t.end([t.begin(2), t.case(0)])]),
        "1 of the 2 cases",
    ),
    "more cases": (
        t.lines([t.begin(1), t.case(0), t.case(1), t.end([t.begin(1), t.case(0), t.case(1)])]),
        "more cases",
    ),
    "case twice": (t.lines([t.begin(2), t.case(0), t.case(0)]), "twice"),
    "begin twice": (t.lines(_records("pass")[:1] * 2), "started again"),
    "case first": (t.lines([t.case(0)]), "before the begin"),
    "after the end": (t.whole("pass") + t.lines([t.case(7)]), "after the end"),
    "crc": (_changed(3, crc32="00000000"), "crc32 00000000"),
    "crc no hex": (_changed(3, crc32="0x123456"), "hexadecimal"),
    "outcome lies": (_changed(3, outcome=1), "outcome 1, but"),
    "totals lie": (_changed(3, passed=3), "passed is 3"),
    "protocol 3": (_changed(0, protocol=3), "speaks protocol 3"),
    "no protocol": (_changed(0, protocol=None), "'protocol' is missing"),
    "verdict unknown": (_changed(1, verdict="good"), "'verdict' is not one of"),
    "verdict lies": (_changed(1, verdict="fail"), "contradicts its outputs"),
    "pass without outputs": (_changed(1, outputs=[]), "contradicts its outputs"),
    "negative index": (_changed(1, case=-1), "'case' is not an integer"),
    "bool as integer": (_changed(1, case=True), "'case' is not an integer"),
    "string as count": (_changed(0, cases="2"), "'cases' is not an integer"),
    "absurd count": (_changed(0, cases=10**12), "'cases' is not an integer"),
    "method missing": (_changed(1, method=None), "'method' is missing"),
    "address": (_changed(0, program_address="0x1g"), "hexadecimal"),
    "shape": (_changed(1, outputs=[t.passing_output(shape=[-1])]), "array of integers"),
    "rank": (_changed(1, outputs=[t.passing_output(shape=[1] * 17)]), "at most 16"),
    "counts": (_changed(1, outputs=[t.passing_output(mismatches=7)]), "more mismatches"),
    "no JSON": (b"#bpte {\n", "not JSON"),
    "no object": (b"#bpte []\n", "not a JSON object"),
    "nan literal": (b'#bpte {"event": NaN}\n', "NaN is not JSON"),
    "key twice": (b'#bpte {"event": "begin", "event": "end"}\n', "occurs twice"),
    "not ASCII": ('#bpte {"event": "é"}\n'.encode(), "not ASCII"),
    "deep": (b"#bpte " + b"[" * 100_000 + b"\n", "not JSON"),
    "event unknown": (b'#bpte {"event": "restart"}\n', "unknown event"),
    "digits": (b'#bpte {"event": "begin", "protocol": ' + b"1" * 10_000 + b"}\n", ""),
    "too long": (b"#bpte " + b" " * (protocol.MAX_LINE + 1) + b"\n", "longer than"),
}


@pytest.mark.parametrize("name", _WRONG)
def test_a_violation_is_named_and_never_a_pass(name: str) -> None:
    data, message = _WRONG[name]
    transcript = parse(data)
    assert transcript.violation is not None
    assert message in transcript.violation
    assert not transcript.complete
    assert transcript.outcome is Outcome.INFRASTRUCTURE


def test_a_long_line_that_is_no_record_is_skipped() -> None:
    noise = b"x" * (3 * protocol.MAX_LINE) + b"\n"
    assert parse(noise + t.whole("pass")).outcome is Outcome.PASSED


# --- What a UART makes of it --------------------------------------------------------------------


def _every_line(output: bytes, before: bytes) -> bytes:
    return b"".join(before + line + b"\n" for line in output.rstrip(b"\n").split(b"\n"))


@pytest.mark.parametrize(
    "output",
    [
        b"\x00\xff\xfe~~" + t.whole("pass"),  # noise, and no newline after it
        b"bpte boot loader v1> " + t.whole("pass", newline="\r\n"),
        _every_line(t.whole("pass"), b"[2026-11-24 12:00:01.250] "),
        _every_line(t.whole("pass", newline="\r\r\n"), b"12:00:01.250 -> "),
        t.whole("pass").replace(b"#bpte", b"\x1b[0m#bpte"),
    ],
)
def test_what_stands_before_a_record_on_its_line(output: bytes) -> None:
    for recorded in (False, True):
        transcript = parse(output, recorded=recorded)
        assert (transcript.outcome, transcript.violation) == (Outcome.PASSED, None)
        assert parse(output[:-9], recorded=recorded).outcome is Outcome.INFRASTRUCTURE


def test_a_prefix_within_a_text_begins_nothing() -> None:
    records = [t.begin(1), t.case(0, name='x #bpte {"event": "begin"} #bpte {"')]
    transcript = parse(t.lines([*records, t.end(records)]))
    assert transcript.violation is None
    assert transcript.cases[0].name == records[1]["name"]


def _torn(*verdicts: str) -> bytes:
    """A run that a reset breaks off in the middle of its last case, with no newline."""
    whole = t.lines([t.begin(len(verdicts)), *(t.case(i, v) for i, v in enumerate(verdicts))])
    return whole[:-50]


_GREEN, _RED = t.whole("pass"), t.whole("fail")
_CUT = t.lines([t.begin(1)])


@pytest.mark.parametrize(
    ("output", "outcome", "earlier"),
    [
        (_RED + _GREEN, 0, 1),
        (_GREEN + _RED, 1, 1),
        (_GREEN + _GREEN + _GREEN, 0, 2),
        (_CUT + _GREEN, 0, 1),
        (_torn("pass", "pass") + _GREEN, 0, 1),
        (_torn("pass", "pass") + b"\r\nboot\r\n" + _GREEN, 0, 1),
        (_GREEN[-300:] + _RED, 1, 0),  # the log was begun in the middle of a run
        (_GREEN.replace(b"pass", b"sad!") + _GREEN, 0, 1),  # not the protocol at all
        (b"bpte-fault: BusFault\n" + _CUT + b"bpte-fault: BusFault\n" + _GREEN, 0, 1),
        # An old green does not stand in for a run that was begun after it.
        (_GREEN + _CUT, 4, 1),
        (_GREEN + _torn("pass"), 4, 1),
        (_GREEN + t.whole("pass")[:-9], 4, 1),
        (_GREEN + t.lines([t.case(0)]), 4, 0),  # its begin record was lost
        (_GREEN + b'#bpte {"event": "be\xff\xff\n', 4, 0),  # or spoilt
        (_GREEN + _CUT[:-9], 4, 0),
    ],
)
def test_the_last_run_begun_counts_in_a_log(output: bytes, outcome: int, earlier: int) -> None:
    transcript = parse(output, recorded=True)
    assert (transcript.outcome, transcript.earlier_runs) == (outcome, earlier)
    # In a live run any of them is a target that started again, or was left over.
    assert parse(output).outcome is Outcome.INFRASTRUCTURE


def test_a_fault_of_an_earlier_run_is_forgotten() -> None:
    output = _CUT + b"bpte-fault: BusFault\n" + _GREEN + b"bpte-memory: static=1\n"
    assert parse(output, recorded=True).other_lines == ("bpte-memory: static=1",)


@settings(max_examples=100)
@given(st.data())
def test_no_cut_or_change_of_the_last_run_brings_an_old_green_back(data: st.DataObject) -> None:
    last = bytearray(_RED)
    if data.draw(st.booleans()):
        del last[data.draw(st.integers(1, len(last) - 1)) :]
    else:
        # Within the records: what is no record any more cannot be told from other output.
        at = data.draw(st.integers(len("#bpte {"), len(last) - 1))
        last[at] = data.draw(st.integers(0, 255))
    if last.startswith(b"#bpte "):
        assert parse(_GREEN + bytes(last), recorded=True).outcome is not Outcome.PASSED


def test_an_error_record_explains_missing_cases() -> None:
    records = [t.begin(3), t.case(0), t.error("read_failed", "read_failed: at 512", 4, offset=512)]
    transcript = parse(t.lines([*records, t.end(records)]))
    assert transcript.violation is None
    assert transcript.outcome is Outcome.INFRASTRUCTURE
    assert transcript.error is not None
    assert transcript.error.where == {"offset": 512}


def test_a_lone_surrogate_can_be_printed() -> None:
    record = parse_record(json.dumps(t.case(0, name="\ud800")))
    assert isinstance(record, protocol.Case)
    assert record.name == "?"


# --- Whatever arrives ---------------------------------------------------------------------------

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["nan", "inf", "pass", "fail", "begin", "case", "error", "end"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(sorted(t.case(0))), inner, max_size=6
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.binary(max_size=200))
@example(b"#bpte \n")
@example(b"#bpte {}\r\n\r\n")
def test_any_bytes_are_survived(data: bytes) -> None:
    for transcript in (parse(data), parse(b"#bpte " + data + b"\n")):
        assert transcript.outcome is Outcome.INFRASTRUCTURE


@settings(max_examples=300)
@given(
    st.sampled_from(["begin", "case", "error", "end"]),
    st.dictionaries(
        st.sampled_from(sorted(t.begin(1) | t.case(0) | t.error("e", "m", 4) | t.end([]))),
        _JSON,
        max_size=6,
    ),
)
def test_any_record_is_read_or_refused(event: str, members: dict[str, Any]) -> None:
    base = {
        "begin": t.begin(1),
        "case": t.case(0),
        "error": t.error("e", "m", 4),
        "end": t.end([]),
    }[event]
    text = json.dumps(base | members | {"event": event})
    try:
        record = parse_record(text)
    except protocol.ProtocolError:
        return
    assert isinstance(record, (protocol.Begin, protocol.Case, protocol.RunError, protocol.End))


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_is_never_a_false_pass(data: st.DataObject) -> None:
    """Of a run with a failed case: no single change makes it pass."""
    text = bytearray(t.whole("pass", "fail"))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 255))
    assert parse(bytes(text)).outcome is not Outcome.PASSED


@settings(max_examples=200)
@given(st.integers(0, 2000))
def test_a_cut_is_never_a_pass(size: int) -> None:
    text = t.whole("pass", "pass")
    if size < len(text):
        assert parse(text[:size]).outcome is Outcome.INFRASTRUCTURE


def test_checksum_is_zlibs_over_the_json_texts() -> None:
    first, last = t.whole().splitlines()
    text = first.removeprefix(b"#bpte ") + b"\n"
    assert json.loads(last.removeprefix(b"#bpte "))["crc32"] == f"{zlib.crc32(text):08x}"
