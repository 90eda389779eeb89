# SPDX-License-Identifier: BSD-3-Clause
"""The times of instructions: the records `profile` and `execution`, held against the run and the
cases that they belong to, and what they come to by instruction and by operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Begin, Case, Execution, InstructionTime
from bpte.run.records import CaseKey

#: More than any run has reason to report; refused so that no target can fill the host's memory.
MAX_TIMES = 1_000_000


class ProfileRecords:
    """Takes the records as they come. Each method says what cannot be true, or None."""

    def __init__(self) -> None:
        self.times: list[InstructionTime] = []
        self.executions: list[Execution] = []
        #: Of cases that have not arrived: of each execution that went by instruction the sum of
        #: their times since the last `execution`, and what `execution` said.
        self._sums: dict[tuple[CaseKey, int], int] = {}
        self._executed: dict[CaseKey, set[tuple[int, bool]]] = {}

    def take(self, record: InstructionTime | Execution, begin: Begin) -> str | None:
        if begin.profile is None:
            return "times of instructions, which nobody asked for"
        if record.run >= begin.profile:
            return f"execution {record.run} of {begin.profile}"
        key = CaseKey.of(record)
        if isinstance(record, InstructionTime):
            if len(self.times) >= MAX_TIMES:
                return f"more than {MAX_TIMES} times of instructions (--profile=N, --case: fewer)"
            if (record.run, True) in self._executed.get(key, ()):
                return f"{key}: an instruction after its execution"
            self._sums[key, record.run] = self._sums.get((key, record.run), 0) + record.time
            self.times.append(record)
            return None
        stepped = bool(record.stepped)
        executed = self._executed.setdefault(key, set())
        if (record.run, stepped) in executed:
            return f"{key}: execution {record.run} twice"
        executed.add((record.run, stepped))
        total = self._sums.pop((key, record.run), 0) if stepped else 0
        self.executions.append(record)
        if total > record.time:
            return f"{key}: its instructions took {total} of {record.time}"
        return None

    def take_case(self, case: Case, begin: Begin) -> str | None:
        key = CaseKey.of(case)
        executed = self._executed.pop(key, set())
        wanted = 2 * (begin.profile or 0)
        if case.verdict is not Verdict.ERROR and len(executed) != wanted:
            return f"{len(executed)} of {wanted} executions for a profile are reported"
        self._sums = {at: total for at, total in self._sums.items() if at[0] != key}
        return None

    def at_end(self) -> str | None:
        if self._executed or self._sums:
            return "times of a case that did not arrive"
        return None


class Place(NamedTuple):
    """An instruction of a suite's method."""

    suite: int
    chain: int
    instruction: int


@dataclass
class Row:
    """What an instruction took, or all of an operator. `times` are those of each execution of each
    case or step; a loop's instruction counts as the sum of its turns."""

    place: Place | None
    name: str
    times: Sequence[int]
    #: The median, or of an operator the sum of its instructions' medians.
    time: float
    #: Of the sum of all instructions of the method.
    share: float = 0.0
    #: How many instructions an operator's row has.
    count: int = 1


@dataclass
class Profile:
    """What the instructions of one suite's method took."""

    suite: int
    method: str
    instructions: list[Row] = field(default_factory=list)
    operators: list[Row] = field(default_factory=list)
    #: Medians over executions: of execute(), and of instruction by instruction.
    whole: float = 0.0
    stepped: float = 0.0

    @property
    def total(self) -> float:
        """Of all instructions."""
        return sum(row.time for row in self.instructions)


def profiles(
    times: Iterable[InstructionTime], executions: Iterable[Execution], cases: Iterable[Case]
) -> list[Profile]:
    """One for each suite that was profiled."""
    methods = {case.suite: case.method for case in cases}
    names: dict[Place, str] = {}
    sums: dict[Place, dict[tuple[CaseKey, int], int]] = {}
    for each in times:
        place = Place(each.suite, each.chain, each.instruction)
        names.setdefault(place, each.operator or each.kind)
        of_place = sums.setdefault(place, {})
        at = (CaseKey.of(each), each.run)
        of_place[at] = of_place.get(at, 0) + each.time
    whole: dict[tuple[int, bool], list[int]] = {}
    for execution in executions:
        whole.setdefault((execution.suite, bool(execution.stepped)), []).append(execution.time)
    found = []
    for suite in sorted({place.suite for place in sums} & set(methods)):
        profile = Profile(suite, methods[suite])
        for place in sorted(place for place in sums if place.suite == suite):
            of_runs = list(sums[place].values())
            profile.instructions.append(Row(place, names[place], of_runs, float(median(of_runs))))
        profile.operators = _by_operator(profile.instructions)
        for row in (*profile.instructions, *profile.operators):
            row.share = row.time / profile.total if profile.total else 0.0
        profile.whole = float(median(whole.get((suite, False), [0])))
        profile.stepped = float(median(whole.get((suite, True), [0])))
        found.append(profile)
    return found


def _by_operator(rows: Iterable[Row]) -> list[Row]:
    """The longest first."""
    found: dict[str, Row] = {}
    for row in rows:
        of_name = found.setdefault(row.name, Row(None, row.name, (), 0.0, count=0))
        of_name.time += row.time
        of_name.count += 1
    return sorted(found.values(), key=lambda row: -row.time)
