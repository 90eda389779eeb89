# SPDX-License-Identifier: BSD-3-Clause
"""Times of instructions: records that fit, records that do not, what they come to, the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import transcripts as t
from bpte.cli import run as cli
from bpte.run import document, judge, profile, profile_report, results_folder
from bpte.run.outcome import Outcome, State
from bpte.run.protocol import parse
from bpte.run.results_error import ResultsError

SCHEMA = json.loads((Path(__file__).parents[2] / "schema" / "results.schema.json").read_text())


def test_what_times_come_to() -> None:
    transcript = parse(t.lines(t.profiled(7, 9, 70)))
    assert (transcript.violation, transcript.outcome) == (None, Outcome.PASSED)
    (found,) = profile.profiles(transcript.times, transcript.executions, transcript.cases)
    # Medians, which one slow execution does not move.
    assert [(row.place, row.time, row.share) for row in found.instructions] == [
        ((0, 0, 0), 9.0, 0.5),
        ((0, 0, 1), 9.0, 0.5),
    ]
    assert [(row.name, row.count, row.time) for row in found.operators] == [
        ("aten::add.out", 2, 18.0)
    ]
    assert (found.whole, found.stepped, found.total) == (19.0, 23.0, 18.0)


def test_an_instruction_of_a_loop_counts_as_its_turns() -> None:
    records = [t.begin(1, profile=1), t.execution(0, time=100)]
    records += [t.instruction_time(0, 0, time=time, chain=1) for time in (10, 20, 30)]
    records += [t.instruction_time(0, 1, kind="jump", operator=None, chain=1, time=5)]
    records += [t.execution(0, stepped=True, time=100), t.case(0)]
    transcript = parse(t.lines([*records, t.end(records)]))
    (found,) = profile.profiles(transcript.times, transcript.executions, transcript.cases)
    assert [(row.place, row.name, row.times) for row in found.instructions] == [
        ((0, 1, 0), "aten::add.out", [60]),
        ((0, 1, 1), "jump", [5]),
    ]


def _without(*numbers: int) -> Callable[[list[dict[str, Any]]], None]:
    def change(records: list[dict[str, Any]]) -> None:
        for number in sorted(numbers, reverse=True):
            del records[number]

    return change


# Records of profiled(7): begin, at once, two instructions, stepped through, case, end.
_WRONG: dict[str, tuple[Callable[[list[dict[str, Any]]], Any], str]] = {
    "nobody asked": (lambda r: r[0].pop("profile"), "which nobody asked for"),
    "another execution": (lambda r: r[2].update(run=1), "execution 1 of 1"),
    "one missing": (_without(1), "1 of 2 executions for a profile are reported"),
    "all missing": (_without(1, 2, 3, 4), "0 of 2 executions for a profile are reported"),
    "twice": (lambda r: r.insert(1, r[1]), "execution 0 twice"),
    "longer than the whole": (lambda r: r[3].update(time=13), "its instructions took 20 of 19"),
    "after its execution": (lambda r: r.insert(5, r[2]), "an instruction after its execution"),
    "after the case": (lambda r: r.insert(6, r[2]), "a time after the case"),
    "of a case that is not there": (lambda r: r[2].update(case=1), "times of a case that did not"),
    "before the run": (lambda r: r.insert(0, r[1]), "before the begin record"),
    "of no kind": (lambda r: r[2].update(kind="call"), "'kind' is not one of"),
}


@pytest.mark.parametrize("name", _WRONG)
def test_times_that_cannot_be_are_never_a_pass(name: str) -> None:
    records = t.profiled(7)
    change, message = _WRONG[name]
    change(records)
    records[-1] = t.end(records[:-1])
    transcript = parse(t.lines(records))
    assert transcript.violation is not None and message in transcript.violation
    assert transcript.outcome is Outcome.INFRASTRUCTURE


def test_no_target_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "MAX_TIMES", 3)
    transcript = parse(t.lines(t.profiled(7, 7)))
    assert transcript.violation is not None and "more than 3 times" in transcript.violation


def test_a_case_that_did_not_run_has_as_many_as_there_were() -> None:
    records = [t.begin(1, profile=2), t.execution(0), t.case(0, "error")]
    transcript = parse(t.lines([*records, t.end(records)]))
    assert transcript.violation is None
    assert profile.profiles(transcript.times, transcript.executions, transcript.cases) == []


def test_results_hold_them(tmp_path: Path) -> None:
    output = t.lines(t.profiled(7, 9))
    bundle = t.pack(tmp_path / "any.bpte", output)
    program = t.stand_in(tmp_path, t.about(output, bundle))
    folder = tmp_path / "results"
    words = [str(bundle), "--elf", str(program), "-o", str(folder), "--profile=2"]
    assert cli.main(words) == 0
    run = results_folder.read(folder)
    assert len(run.transcript.times) == 4 and len(run.transcript.executions) == 4
    written = json.loads((folder / "results.json").read_text())
    jsonschema.validate(written, SCHEMA)
    assert document.as_dict(run)["times"] == written["times"]
    written["times"][0]["time"] = 100
    (folder / "results.json").write_text(json.dumps(written))
    with pytest.raises(ResultsError, match="its instructions took 107 of 19"):
        results_folder.read(folder)


def _report(records: list[dict[str, Any]], simulator: str = "") -> str:
    transcript = parse(t.lines([*records[:-1], t.end(records[:-1])]))
    run = judge.Run(
        State.PASSED, "", Path("a.bpte"), "board", simulator=simulator, transcript=transcript
    )
    return "\n".join(profile_report.paragraphs(run, 80))


def test_the_report() -> None:
    text = _report(t.profiled(7000, 9000))
    assert text.startswith("times of forward: medians over 2 executions of each case")
    assert "aten::add.out      2  16,000  100.0 %" in text
    assert "0            aten::add.out   8,000  7,000  9,000  50.0 %" in text
    assert "In cycles: at once 16,001, stepped through 16,005: stepping and timing" in text
    assert "cost 4 (+0.0 %)" in " ".join(text.split())
    assert "QEMU" not in text
    records = t.profiled(7000)
    records[0]["unit"] = "ns"
    text = _report(records, "qemu")
    assert "7.00" in text and "In us: at once 14.00" in text
    assert "--count-instructions" in text
    assert _report([t.begin(1), t.case(0), {}]) == ""


def test_the_report_is_fit_for_a_terminal() -> None:
    records = t.profiled(7)
    for record in records:
        if record["event"] == "profile":
            record["operator"] = "\x1b[31mred"
    assert "\x1b" not in _report(records)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile=0"], "--profile 0: not from 1 to 1000"),
        (["--profile=1001"], "--profile 1001: not from 1 to 1000"),
        (["--profile=2", "--trace"], "--profile and --trace are two runs"),
    ],
)
def test_usage(
    words: list[str], message: str, demo_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(demo_bundle), *words]) == 2
    assert message in capsys.readouterr().err
