# SPDX-License-Identifier: BSD-3-Clause
"""A run as JSON, and back: what `bpte run --json` prints and a results folder holds.

schema/results.schema.json describes it. `begin`, the cases with their outputs, `error` and `end`
are the records of the result protocol, as the target sent them and as `bpte.run.records` reads
them; what is said beside them is the desk's.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from enum import Enum
from pathlib import Path
from typing import Any

from bpte import __version__
from bpte.run import budget_check, budget_words, instructions, metric_words, records
from bpte.run.board import source_root
from bpte.run.budget_check import BudgetRecords
from bpte.run.identity import BundleFacts
from bpte.run.judge import Run
from bpte.run.metric_evidence import MetricRecords
from bpte.run.outcome import Counted, State, run_outcome
from bpte.run.outputs_file import OUTPUTS, KeptFile, Stored, parse
from bpte.run.profile import ProfileRecords
from bpte.run.protocol import Transcript
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
from bpte.run.protocol_table import KEYS, Key
from bpte.run.receiver import LineCounts
from bpte.run.records import CaseKey
from bpte.run.results import Results
from bpte.run.results_error import ResultsError
from bpte.text import printable

FORMAT = "bpte-results"
VERSION = 1
#: How a document begins.
MARK = f'{{\n  "format": "{FORMAT}",'.encode()

#: What the objects of a key are, by its type.
_OBJECTS = {
    "outputs": "output",
    "values": "value",
    "first": "first",
    "measured": "measured",
    "result": "output",
    "summary": "summary",
}

#: What a list of records holds, where it has another name.
_EVENTS: dict[type, str] = {
    MetricResult: "metric",
    BudgetResult: "budget",
    InstructionTime: "profile",
    Execution: "execution",
}

_Stored = Mapping[CaseKey, list[Stored]]


# --- Writing --------------------------------------------------------------------------------------


def _plain(value: Any, key: Key) -> Any:
    """A member as the protocol writes it."""
    if key.type == "crc32":
        return f"{value:08x}"
    if key.type == "address":
        return f"{value:#x}"
    if key.type in _OBJECTS:
        of = _OBJECTS[key.type]
        each = [members(item, of) for item in (value if isinstance(value, tuple) else (value,))]
        return each if isinstance(value, tuple) else each[0]
    if isinstance(value, tuple):
        return [list(item) if isinstance(item, tuple) else item for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value.value if isinstance(value, Enum) else value


def members(record: object, of: str) -> dict[str, Any]:
    """What a record or an object in it states, as the protocol writes it."""
    values = vars(record) | vars(record).get("where", {})
    return {
        name: _plain(values[name], key)
        for name, key in KEYS[of].items()
        if values.get(name) is not None
    }


def as_dict(run: Run, stored: _Stored | None = None) -> dict[str, Any]:
    """Everything known about a run. `stored`: which kept values lie beside it, and where.

    A case's `verdict` is the target's, its `result` what it counts for, `why` says why it is not
    green.
    """
    transcript = run.transcript
    result: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "bpte": run.bpte or __version__,
        "started": run.started,
        "state": run.state.value,
        "exit_code": int(run.outcome),
        "message": _relative(run.message),
        "notes": [_relative(note) for note in run.notes],
        "bundle": str(run.bundle),
        "identity": run.about.as_dict() if run.about is not None else None,
        "board": run.board,
        "simulator": run.simulator,
        "options": dict(run.options),
        "command": _command(run),
        "exit_status": run.exit_status,
        "seconds": round(run.seconds, 3),
        "line": asdict(run.line),
        "violation": transcript.violation,
        "contradictory": transcript.contradictory,
        "earlier_runs": transcript.earlier_runs,
    }
    for name, record in (
        ("begin", transcript.begin),
        ("error", transcript.error),
        ("end", transcript.end),
    ):
        if record is not None:
            result[name] = members(record, name)
    cases = []
    for found in Results(run).arrived:
        case = found.case
        assert case is not None  # it arrived
        facts = members(case, "case") | {"result": found.counted.value, "why": found.message}
        if stored is not None and (entries := stored.get(CaseKey.of(case))) is not None:
            facts["kept"] = [entry.as_dict() for entry in entries]
        cases.append(facts)
    result |= {"cases": cases, "metrics": _metrics(run)}
    result["budgets"] = [_budget(budget) for budget in transcript.budgets]
    if transcript.resources is not None:
        result["resources"] = members(transcript.resources, "resources")
    result["confusion"] = [members(row, "confusion") for row in transcript.confusion]
    if transcript.begin is not None and transcript.begin.trace is not None:
        result["instructions"] = [members(trace, "trace") for trace in transcript.traces]
    if transcript.begin is not None and transcript.begin.profile is not None:
        result["times"] = [members(time, "profile") for time in transcript.times]
        result["executions"] = [members(each, "execution") for each in transcript.executions]
    stderr = [printable(_relative(line)) for line in run.stderr.splitlines()]
    return result | {"log": list(transcript.other_lines), "stderr": stderr}


def _budget(budget: BudgetResult) -> dict[str, Any]:
    return members(budget, "budget") | {"why": budget_words.why(budget)}


def _metrics(run: Run) -> list[dict[str, Any]]:
    found = []
    for outcome in Results(run).metrics:
        metric = outcome.metric
        assert metric is not None  # it arrived
        facts = members(metric, "metric") | {"result": outcome.counted.value}
        if (interval := metric_words.interval(metric)) is not None:
            facts["interval"] = list(interval)
        found.append(facts | {"why": outcome.message})
    return found


def as_json(run: Run, stored: _Stored | None = None) -> str:
    return json.dumps(as_dict(run, stored), indent=2)


def _command(run: Run) -> list[str]:
    """Without the place where this machine keeps the program that was started."""
    program, *arguments = run.command or ("",)
    if Path(program).is_absolute():
        program = Path(program).name
    return [program, *arguments] if program else []


def _relative(text: str) -> str:
    """A message, without the places where this machine keeps bpte and what it builds."""
    places = {str(source_root() or ""): "<bpte>", sys.prefix: "<python>", str(Path.home()): "~"}
    for place, name in places.items():
        if len(place) > 1:
            text = text.replace(place + os.sep, name + os.sep)
    return text


# --- Reading --------------------------------------------------------------------------------------


def from_json(text: bytes, folder: Path) -> Run:
    """The run of a document that lies in this folder. Raises ``ResultsError`` for one that is not
    what the schema describes, or that contradicts itself."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ResultsError(f'not results of bpte: "format" is not "{FORMAT}"')
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ResultsError(f"results of version {version!r:.20}, this reader has {VERSION}")
    try:
        run = _run(document, folder)
    except records.ProtocolError as error:
        raise ResultsError(str(error)) from None
    _check(run, document)
    return run


def _of(document: dict[str, Any], name: str, kind: Any, *, nullable: bool = False) -> Any:
    value = document.get(name)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits and not (nullable and value is None):
        raise ResultsError(f"{name!r} is missing, or not what it must be: {value!r:.60}")
    return value


def _texts(document: dict[str, Any], name: str) -> tuple[str, ...]:
    values = _of(document, name, list)
    if not all(isinstance(value, str) for value in values):
        raise ResultsError(f"{name!r} holds something other than texts")
    return tuple(values)


def _run(document: dict[str, Any], folder: Path) -> Run:
    state = _of(document, "state", str)
    if state not in {s.value for s in State}:
        raise ResultsError(f"there is no state {state!r:.40}")
    identity = _of(document, "identity", dict, nullable=True)
    line = _of(document, "line", dict)
    cases, stored = _cases(_of(document, "cases", list))
    return Run(
        State(state),
        _of(document, "message", str),
        Path(_of(document, "bundle", str)),
        _of(document, "board", str),
        _of(document, "simulator", str),
        _texts(document, "command"),
        _of(document, "exit_status", int, nullable=True),
        _of(document, "seconds", (int, float)),
        Transcript(
            _record(document, "begin", Begin),
            cases,
            tuple(_records(document, "metrics", MetricResult)),
            tuple(_records(document, "confusion", ConfusionRow)),
            tuple(_records(document, "budgets", BudgetResult)),
            _record(document, "resources", Resources),
            _record(document, "error", records.RunError),
            _record(document, "end", End),
            _of(document, "violation", str, nullable=True),
            _texts(document, "log"),
            _traces(document),
            tuple(_records(document, "times", InstructionTime)),
            tuple(_records(document, "executions", Execution)),
            _of(document, "contradictory", bool),
            _of(document, "earlier_runs", int),
        ),
        stderr="\n".join(_texts(document, "stderr")),
        notes=_texts(document, "notes"),
        bpte=_of(document, "bpte", str),
        started=_of(document, "started", str),
        options=_of(document, "options", dict),
        about=_identity(identity) if identity is not None else None,
        line=LineCounts(**{f.name: _of(line, f.name, int) for f in fields(LineCounts)}),
        kept=KeptFile(folder / OUTPUTS, stored),
    )


def _record(document: dict[str, Any], name: str, kind: type) -> Any:
    members = _of(document, name, dict, nullable=True)
    if members is None:
        return None
    record = records.read_record(name, members)
    assert isinstance(record, kind)
    return record


def _records(document: dict[str, Any], name: str, kind: type) -> Iterator[Any]:
    # Results of earlier versions have none.
    for members in _of(document, name, list, nullable=True) or []:
        if not isinstance(members, dict):
            raise ResultsError(f"{name!r} holds something other than objects")
        record = records.read_record(_EVENTS.get(kind, name), members)
        assert isinstance(record, kind)
        yield record


def _identity(members: dict[str, Any]) -> BundleFacts:
    crcs = {}
    for name in ("metadata_crc32", "program_crc32"):
        try:
            crcs[name] = int(_of(members, name, str), 16)
        except ValueError:
            raise ResultsError(f"identity: {name!r} is not a checksum") from None
    counts = {name: _of(members, name, int) for name in ("file_size", "program_size")}
    return BundleFacts(format=_of(members, "format", str), **crcs, **counts)


def _cases(documents: list[Any]) -> tuple[tuple[Case, ...], dict[CaseKey, list[Stored]]]:
    cases: dict[CaseKey, Case] = {}
    stored: dict[CaseKey, list[Stored]] = {}
    for members in documents:
        if not isinstance(members, dict):
            raise ResultsError("a case is not an object")
        case = records.read_record("case", members)
        assert isinstance(case, Case)
        key = CaseKey.of(case)
        if key in cases:
            raise ResultsError(f"{key} is there twice")
        cases[key] = case
        if (entries := _of(members, "kept", list, nullable=True)) is not None:
            stored[key] = [parse(entry) for entry in entries]
    return tuple(cases.values()), stored


def _traces(document: dict[str, Any]) -> tuple[Trace, ...]:
    traces = []
    for members in _of(document, "instructions", list, nullable=True) or ():
        if not isinstance(members, dict):
            raise ResultsError("an instruction is not an object")
        trace = records.read_record("trace", members)
        assert isinstance(trace, Trace)
        traces.append(trace)
    return tuple(traces)


def _check(run: Run, document: dict[str, Any]) -> None:
    """That the parts of the document agree: no edit makes red green without a trace."""
    if document.get("exit_code") != run.outcome:
        raise ResultsError(
            f"exit_code is {document.get('exit_code')!r:.20}, "
            f"but the state {run.state.value} has {int(run.outcome)}"
        )
    transcript = run.transcript
    if run.state in (State.PASSED, State.MISMATCH):
        stopped = transcript.error.outcome if transcript.error is not None else None
        implied = run_outcome(transcript.verdicts, stopped)
        whole = transcript.complete and transcript.begin is not None
        if not whole or implied is not run.outcome:
            raise ResultsError(f"the state is {run.state.value}, but the cases do not show it")
        if transcript.error is None and transcript.begin.cases != len(transcript.cases):  # type: ignore[union-attr]
            raise ResultsError(
                f"{transcript.begin.cases} cases were announced, "  # type: ignore[union-attr]
                f"but {len(transcript.cases)} are there"
            )
    if (wrong := _measured(transcript) or _budgeted(transcript)) is not None:
        raise ResultsError(wrong)
    _check_instructions(transcript)
    _check_times(transcript)
    results = Results(run)
    _check_results("case", [found.counted for found in results.arrived], document["cases"])
    metrics = document.get("metrics") or []
    _check_results("metric", [found.counted for found in results.metrics], metrics)


def _check_results(what: str, counted: list[Counted], documents: list[dict[str, Any]]) -> None:
    for counts_for, members in zip(counted, documents, strict=True):
        if members.get("result") != counts_for.value:
            raise ResultsError(
                f"a {what}'s result is {members.get('result')!r:.20}, "
                f"but it counts for {counts_for.value}"
            )


def _measured(transcript: Transcript) -> str | None:
    """What the metrics say otherwise than the cases; they are held against these as in a run."""
    measured = MetricRecords()
    begin = transcript.begin
    unjudged = begin is not None and (begin.case is not None or bool(begin.isolate))
    pending = list(transcript.confusion)
    for case in transcript.cases:
        if wrong := measured.take_case(case):
            return wrong
    for metric in transcript.metrics:
        while pending and (pending[0].suite, pending[0].metric) == (metric.suite, metric.metric):
            if wrong := measured.take_row(pending.pop(0)):
                return wrong
        if wrong := measured.take_metric(metric, unjudged):
            return wrong
    if pending:
        return "rows of a matrix without its metric"
    return measured.at_end() if transcript.complete and transcript.error is None else None


def _budgeted(transcript: Transcript) -> str | None:
    """What the bundle's budgets say otherwise than the cases and the resources."""
    judged = BudgetRecords()
    judged.resources = transcript.resources
    begin = transcript.begin
    for budget in transcript.budgets:
        if begin is None or budget_check.decided(budget) != budget:
            return f"a budget of {budget.resource} has the verdict {budget.verdict.value}"
        if budget.budget is not None and (wrong := judged.take(budget, begin, transcript.cases)):
            return wrong
    return judged.at_end() if transcript.complete and transcript.error is None else None


def _check_instructions(transcript: Transcript) -> None:
    if transcript.begin is None or not transcript.complete:
        return
    of_case: dict[CaseKey, list[Trace]] = {}
    for trace in transcript.traces:
        of_case.setdefault(CaseKey.of(trace), []).append(trace)
    for case in transcript.cases:
        traces = of_case.pop(CaseKey.of(case), [])
        if found := instructions.contradiction(transcript.begin.trace, traces, case):
            raise ResultsError(f"{CaseKey.of(case)}: {found}")
    if of_case and transcript.error is None:
        raise ResultsError("instructions of a case that is not there")


def _check_times(transcript: Transcript) -> None:
    begin = transcript.begin
    if begin is None or not transcript.complete:
        return
    taken = ProfileRecords()
    stated: tuple[InstructionTime | Execution, ...] = (*transcript.times, *transcript.executions)
    for record in stated:
        if found := taken.take(record, begin):
            raise ResultsError(found)
    for case in transcript.cases:
        if found := taken.take_case(case, begin):
            raise ResultsError(f"{CaseKey.of(case)}: {found}")
    if transcript.error is None and (found := taken.at_end()):
        raise ResultsError(found)
