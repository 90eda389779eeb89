# SPDX-License-Identifier: BSD-3-Clause
"""Cuts the first wrong instruction of a bundle out into a bundle of its own: a program of that one
instruction, what it really was given, and what it should give.

The fault is the target's where the instruction is right on the desk, or the program's where it is
wrong there, too. The new bundle must show the same fault before it is written.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bpte import __version__
from bpte.bundle import Bundle
from bpte.examine import replay, stepped
from bpte.examine.replay import Execution, Moment
from bpte.examine.reproducer import ALIGNMENT, Source
from bpte.examine.trace_choice import TraceChoice
from bpte.files import access
from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.format.trace import Instruction, TraceValue
from bpte.pack.convert import unbundle
from bpte.pack.producer import Saved
from bpte.pack.tensors import PackError, normalise
from bpte.program import CutError
from bpte.run import describe, launcher
from bpte.run.instructions import is_wrong
from bpte.run.judge import Run
from bpte.run.outcome import State, StateError, Verdict
from bpte.run.outputs_file import value_of
from bpte.run.protocol_keys import Output, Trace
from bpte.run.records import CaseKey
from bpte.run.request import Request
from bpte.suites import TestCase

Notes = Callable[[str], None] | None
"""Is told what is done meanwhile."""

_MANIFEST = "reduced."
"""How the metadata's keys begin that say where the instruction comes from."""


class ReduceError(StateError):
    """Nothing could be cut out, or what was cut out does not fail as it did."""


@dataclass(frozen=True)
class Reduced:
    """What was written, and what it shows. ``fault``: "target" or "program". ``target`` and
    ``desk``: what executed, and on what. ``instruction``: in words, fit for a terminal.
    ``untraced``: the instructions (chain, index) that gave its inputs, where the program's fault
    may lie as well: the trace does not have their values."""

    saved: Saved
    instruction: str
    fault: str
    target: str
    desk: str
    untraced: Sequence[tuple[int, int]]


def reduce(
    request: Request,
    path: str | os.PathLike[str],
    *,
    on_note: Notes = None,
) -> Reduced:
    """Writes the bundle of the first wrong instruction at ``path``; it appears whole or not at all.

    ``request`` says which bundle and cases, on which target. Each instruction is given right
    inputs, so that one that is wrong is so by its own error. The desk is this host, with the engine
    that its runner takes by itself. Where the trace has gaps and the desk has the case right, what
    the desk gives fills them; in any case, what the trace does not know of the values before the
    instruction is the desk's.

    Raises ``ReduceError``, ``PackError``, ``BundleError``, ``ProgramError``, ``OSError``.
    """
    name = request.bundle.name
    with access.command(), contextlib.ExitStack() as stack:
        bundle = stack.enter_context(Bundle(request.bundle, verify=True))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpte-reduce-")))
        if all(suite.traced_method is None for suite in bundle.suites):
            raise PackError(
                f"{request.bundle} has no trace of what its instructions should give; "
                "bpte record --trace makes one"
            )
        seen, found = _seen(request, on_note)
        key = _wrong_case(seen, found)
        recorded = _recorded(_desk(request, bundle, key), on_note)
        if (filled := _filled(request, bundle, key, recorded, folder, on_note)) is not None:
            # Of this case alone: the desk's values are those that were recorded.
            request = replace(request, bundle=filled)
            bundle = stack.enter_context(Bundle(filled))
            seen, found = _seen(request, on_note)
        if found is None:
            raise _nothing_wrong(seen)
        if on_note is not None:
            on_note(f"first wrong: {describe.wrong_instruction(found.trace)}")
        desk = _desk(request, bundle, found.key)
        again = _run(desk, on_note, trace="all", isolate=True)
        on_desk = _results(again, found)
        fault = "program" if any(map(_failed, on_desk.values())) else "target"
        source = Source(bundle, _method(bundle, found.key))
        moment = _moment(source, bundle, found, _given(recorded))
        try:
            # What the desk gives is right where it is the target's fault.
            untraced = [] if fault == "target" else source.untraced(*found.place, moment)
            facts = _facts(name, bundle, found, fault, seen, untraced)
            made = source.alone(*found.place, moment, found.tolerances, facts)
        except CutError as error:
            raise ReduceError(State.NOT_RUN, f"it cannot be cut out: {error}") from None
        alone = folder / "reduced.bpte"
        made.save(alone, alignment=ALIGNMENT, durable=False)
        _check(request, alone, found.results, "on the target", on_note)
        _check(Request(alone), alone, on_desk, "on the desk", on_note)
        saved = made.save(path, alignment=ALIGNMENT)
    words = describe.instruction(found.trace)
    return Reduced(saved, words, fault, _where(seen), _where(again), untraced)


@dataclass(frozen=True)
class _Found:
    """An instruction that was wrong: the first record that says so, how often it had been run
    before in the same case or step, and how each output that was compared came out."""

    trace: Trace
    time: int
    results: Mapping[int, Output]

    @property
    def key(self) -> CaseKey:
        return CaseKey.of(self.trace)

    @property
    def place(self) -> tuple[int, int]:
        return self.trace.chain, self.trace.instruction

    @property
    def tolerances(self) -> dict[int, Tolerance]:
        """By which each output was judged."""
        return {
            output: Tolerance(result.rtol, result.atol, nan_policy=NanPolicy.EQUAL)
            for output, result in self.results.items()
        }


def _method(bundle: Bundle, key: CaseKey) -> str:
    return bundle.suites[key.suite].method_name


def _desk(request: Request, bundle: Bundle, key: CaseKey) -> Request:
    """The same case on this host, with the default tolerances where no other are given."""
    return Request(
        request.bundle,
        method=_method(bundle, key),
        case=key.case,
        trace_rtol=request.trace_rtol,
        trace_atol=request.trace_atol,
    )


def _run(
    request: Request,
    on_note: Notes,
    *,
    trace: str | None = None,
    isolate: bool = False,
) -> Run:
    """A run that reached its end. Raises ``ReduceError``."""
    run = launcher.run(replace(request, trace=trace, isolate=isolate), on_note=on_note)
    reached = run.state in (State.PASSED, State.MISMATCH, State.NOT_RUN)
    if not reached or run.transcript.begin is None or run.transcript.error is not None:
        raise ReduceError(run.state, f"{run.state.words}: {run.message}")
    return run


def _seen(request: Request, on_note: Notes) -> tuple[Run, _Found | None]:
    """Every instruction on the target, each with right inputs; and the first that was wrong."""
    run = _run(request, on_note, trace="all", isolate=True)
    return run, _first_wrong(run)


def _recorded(desk: Request, on_note: Notes) -> Run:
    """A run that keeps what every instruction gives. It compares nothing."""
    return _run(replace(desk, trace_rtol=None, trace_atol=None), on_note, trace="record")


def _where(run: Run) -> str:
    assert run.transcript.begin is not None
    return f"{run.transcript.begin.target}, {run.transcript.engine}"


# --- Which instruction ----------------------------------------------------------------------------


def _calls(run: Run, key: CaseKey, place: tuple[int, int]) -> list[list[Trace]]:
    """The records of each time that an instruction ran in a case or step."""
    mine = [
        trace
        for trace in run.transcript.traces
        if CaseKey.of(trace) == key
        and (trace.chain, trace.instruction) == place
        and trace.operation is None
        and trace.result is not None
    ]
    return list(replay.calls(mine, lambda t: (t.chain, t.instruction, t.output)))


def _first_wrong(run: Run) -> _Found | None:
    """Raises ``ReduceError`` where it is an operation inside of a delegate."""
    for trace in run.transcript.traces:
        if is_wrong(trace):
            if trace.operation is not None:
                words = describe.wrong_instruction(trace)
                raise ReduceError(
                    State.NOT_RUN, f"an operation of a delegate cannot be cut out: {words}"
                )
            calls = _calls(run, CaseKey.of(trace), (trace.chain, trace.instruction))
            (time,) = [number for number, call in enumerate(calls) if trace in call][:1]
            return _Found(trace, time, _by_output(calls[time]))
    return None


def _by_output(call: Sequence[Trace]) -> dict[int, Output]:
    return {trace.output: trace.result for trace in call if trace.result is not None}


def _results(run: Run, found: _Found) -> Mapping[int, Output]:
    """How the same instruction came out in another run. Raises ``ReduceError``."""
    calls = _calls(run, found.key, found.place)
    if found.time >= len(calls):
        raise ReduceError(State.NOT_RUN, f"the desk does not get as far: {run.message}")
    return _by_output(calls[found.time])


def _failed(output: Output) -> bool:
    return output.verdict is Verdict.FAIL


def _nothing_wrong(seen: Run) -> ReduceError:
    return ReduceError(State.NOT_RUN, f"no instruction is wrong by itself: {seen.message}")


def _wrong_case(seen: Run, found: _Found | None) -> CaseKey:
    """Where an instruction was wrong, or else an output. Raises ``ReduceError``."""
    if found is not None:
        return found.key
    for case in seen.transcript.cases:
        if case.verdict is Verdict.FAIL:
            return CaseKey.of(case)
    raise _nothing_wrong(seen)


def _filled(
    request: Request,
    bundle: Bundle,
    key: CaseKey,
    recorded: Run,
    folder: Path,
    on_note: Notes,
) -> Path | None:
    """The bundle with a whole trace of the case that went wrong, where its own has gaps and the
    desk has everything right: the fault is then the target's, and the desk says what the
    instructions in the gaps should give. None: there is nothing to fill, or nothing to fill it.

    ``recorded``: what all instructions give on the desk."""
    case = bundle.suites[key.suite].test_cases[key.case]
    stated = sum(1 for run in (case, *case.steps) for _ in run.stored_trace)
    if stated >= sum(map(len, _given(recorded).values())):
        return None
    # With the values that it gives itself: a run with other ones never passes.
    again = _run(_desk(request, bundle, key), on_note, trace="all")
    if again.state is not State.PASSED or _first_wrong(again) is not None:
        return None
    if on_note is not None:
        on_note("the trace has gaps: the desk, which has this case right, fills them")
    content = unbundle(bundle)
    stepped.give(content, recorded, TraceChoice())
    path = folder / "filled.bpte"
    content.save(path, fit="skip", durable=False)
    return path


# --- Its values -----------------------------------------------------------------------------------


def _given(run: Run) -> dict[CaseKey, list[TraceValue]]:
    """What all instructions gave, in each case or step, in a run that recorded it."""
    given: dict[CaseKey, list[TraceValue]] = {}
    for number, trace in enumerate(run.transcript.traces):
        if trace.operation is not None:
            continue
        entry = TraceValue(
            Instruction(trace.chain, trace.instruction),
            trace.output,
            normalise(value_of(run.dumped[number])),
        )
        given.setdefault(CaseKey.of(trace), []).append(entry)
    return given


def _moment(
    source: Source, bundle: Bundle, found: _Found, given: Mapping[CaseKey, list[TraceValue]]
) -> Moment:
    """The values when the instruction runs. Raises ``ReduceError``."""
    key = found.key
    case = bundle.suites[key.suite].test_cases[key.case]

    def execution(run: TestCase, key: CaseKey) -> Execution:
        expected = [
            TraceValue(instruction, output, bundle.stored(value))
            for instruction, output, value in run.stored_trace
        ]
        inputs = [bundle.stored(value) for value in run.info.inputs]
        return Execution(inputs, replay.overlaid(given.get(key, ()), expected))

    if key.step is None:
        executions = [execution(case, key)]
    else:
        steps = case.steps[: key.step + 1]
        executions = [execution(step, key._replace(step=i)) for i, step in enumerate(steps)]
    moment = replay.at_instruction(
        source.method, executions, source.state(), found.place, found.time
    )
    if moment is None:
        raise ReduceError(State.NOT_RUN, "the desk does not come to this instruction")
    return moment


def _facts(
    name: str,
    bundle: Bundle,
    found: _Found,
    fault: str,
    seen: Run,
    untraced: Sequence[tuple[int, int]],
) -> dict[str, str]:
    """Where the instruction comes from, for the metadata."""
    trace, key = found.trace, found.key
    begin = seen.transcript.begin
    assert begin is not None
    program = begin.program_crc32
    facts = {
        "bpte": __version__,
        "from": name,
        "program_crc32": "" if program is None else f"{program:#010x}",
        "method": _method(bundle, key),
        "case": describe.place(key),
        "instruction": f"{trace.chain}:{trace.instruction}",
        "operator": trace.operator or trace.kind,
        "module": trace.module or "",
        "source": trace.source or "",
        "fault": fault,
        "target": _where(seen),
        "untraced": " ".join(f"{chain}:{index}" for chain, index in untraced),
    }
    return {_MANIFEST + name: text for name, text in facts.items() if text}


# --- Whether it fails as it did -------------------------------------------------------------------


def _check(
    target: Request,
    alone: Path,
    before: Mapping[int, Output],
    where: str,
    on_note: Notes,
) -> None:
    """Raises ``ReduceError`` unless the cut-out instruction comes out as it did in its program."""
    request = replace(
        target, bundle=alone, method=None, case=None, trace_rtol=None, trace_atol=None
    )
    run = _run(request, on_note)
    (case,) = run.transcript.cases
    if case.verdict is Verdict.ERROR:
        raise ReduceError(State.NOT_RUN, f"alone it does not run {where}: {describe.error(case)}")
    for output, result in before.items():
        if output >= len(case.outputs):
            raise ReduceError(State.CONTRADICTORY, f"output {output} {where}: it has no such")
        now = case.outputs[output]
        if _shown(now) != _shown(result):
            raise ReduceError(
                State.NOT_RUN,
                f"alone it does not come out {where} as in its program: output {output} is "
                f"{describe.describe_output(now)}, it was {describe.describe_output(result)}",
            )


def _shown(output: Output) -> tuple[object, ...]:
    """What of a comparison must be the same."""
    first = None if output.first is None else output.first.index
    return output.verdict, output.reason, first
