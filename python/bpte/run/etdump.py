# SPDX-License-Identifier: BSD-3-Clause
"""A run as an ETDump, which ExecuTorch's Inspector reads: the times of instructions, and those of
their values and of the outputs that were fetched.

Written as executorch/devtools/etdump/etdump_schema_flatcc.fbs has it: size-prefixed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bpte.format.flatbuffer import Shape, Writer
from bpte.format.scalar_type import ScalarType, from_name
from bpte.run.judge import Run
from bpte.run.kept import KeptOutput
from bpte.run.outcome import State
from bpte.run.protocol_keys import InstructionTime
from bpte.run.records import CaseKey
from bpte.text import printable

#: The runs whose records can be relied on.
JUDGED = (State.PASSED, State.MISMATCH, State.NOT_RUN)
#: The name that ExecuTorch gives to the event of a whole execution.
EXECUTE = "Method::execute"
#: The element types that the Inspector reads; with another it reads nothing of the file.
READABLE = frozenset(
    {
        *(ScalarType.BYTE, ScalarType.CHAR, ScalarType.SHORT, ScalarType.INT, ScalarType.LONG),
        *(ScalarType.HALF, ScalarType.FLOAT, ScalarType.DOUBLE, ScalarType.BOOL),
        ScalarType.UINT16,
    }
)

# The tables, by their fields' numbers.
_ROOT = Shape([(0, "I"), (1, "I")])  # version, run_data
_RUN = Shape([(0, "I"), (1, "i"), (3, "I")])  # name, bundled_input_index, events
_PROFILED = Shape([(0, "I")])  # profile_event
_DEBUGGED = Shape([(2, "I")])  # debug_event
# name, chain_index, instruction_id, start_time, end_time
_PROFILE = Shape([(0, "I"), (1, "i"), (2, "i"), (6, "Q"), (7, "Q")])
# chain_index, instruction_id, debug_entry, name
_DEBUG = Shape([(0, "Q"), (1, "i"), (2, "I"), (5, "I")])
_VALUE_FIELDS = {"tensor": 1, "int": 3, "double": 5, "bool": 6}
_VALUE_NUMBERS = {"tensor": 5, "int": 1, "double": 4, "bool": 2}
_SCALARS = {"int": Shape([(0, "q")]), "double": Shape([(0, "d")]), "bool": Shape([(0, "?")])}
_TENSOR = Shape([(0, "b"), (1, "I"), (2, "I"), (3, "q")])  # scalar_type, sizes, strides, offset
_OUTPUT_FIELD = 7


class EtdumpError(Exception):
    """The run cannot be written as an ETDump; the message says why."""


class Etdump(NamedTuple):
    """What the Inspector takes: `etdump_path`, and `debug_buffer_path` if there are values."""

    data: bytes
    values: bytes
    #: Values that the Inspector does not read, and that are left out.
    left_out: int


@dataclass
class _Profiled:
    name: str
    chain: int
    instruction: int
    start: int
    end: int


@dataclass
class _Valued:
    """A value of an instruction, or an output of the run: its instruction is -1."""

    name: str
    chain: int
    instruction: int
    value: KeptOutput


@dataclass
class _RunData:
    name: str
    index: int
    events: list[_Profiled | _Valued] = field(default_factory=list)


def etdump(run: Run) -> Etdump:
    """Raises EtdumpError: when the run did not end by its verdicts, or has nothing to show."""
    if run.state not in JUDGED:
        raise EtdumpError(f"the run did not end by its verdicts ({run.state.words})")
    runs = list(_runs(run))
    values = [each.value for data in runs for each in data.events if isinstance(each, _Valued)]
    left_out = sum(not _is_readable(value) for value in values)
    for data in runs:
        data.events = [
            each
            for each in data.events
            if not isinstance(each, _Valued) or _is_readable(each.value)
        ]
    runs = [each for each in runs if each.events]
    if not runs:
        raise EtdumpError("the run reported neither times of instructions nor values")
    try:
        encoded, buffer = _encode(runs)
    except struct.error as error:
        raise EtdumpError(f"a number does not fit an ETDump: {error}") from None
    return Etdump(encoded, buffer, left_out)


def _runs(run: Run) -> Iterator[_RunData]:
    """Of each case or step: the executions whose times were taken, and what was fetched in the last
    of them. The Inspector puts executions alike together, and wants outputs in one of them."""
    times, dumped = _times(run), _dumped(run)
    for case in run.transcript.cases:
        key = CaseKey.of(case)
        name = printable(case.method) + ("" if key.step is None else f", step {key.step}")
        found = [_RunData(name, key.case, events) for events in times.get(key, ())]
        outputs = [_Valued("", 0, -1, value) for value in run.kept.get(key, ())]
        if fetched := [*dumped.get(key, ()), *outputs]:
            found = found or [_RunData(name, key.case)]
            found[-1].events.extend(fetched)
        yield from found


def _times(run: Run) -> dict[CaseKey, list[list[_Profiled | _Valued]]]:
    """The events of each execution, from 0 on. When an instruction began is not reported: they
    stand one after another."""
    stepped: dict[tuple[CaseKey, int], list[InstructionTime]] = {}
    for time in run.transcript.times:
        stepped.setdefault((CaseKey.of(time), time.run), []).append(time)
    whole: dict[tuple[CaseKey, int], list[int]] = {}
    for each in run.transcript.executions:
        whole.setdefault((CaseKey.of(each), each.run), []).append(each.time)
    found: dict[CaseKey, list[list[_Profiled | _Valued]]] = {}
    for (key, number), times in stepped.items():
        if len(whole.get((key, number), ())) != 2:
            continue  # an execution that failed
        at_once, _ = whole[key, number]
        events: list[_Profiled | _Valued] = [_Profiled(EXECUTE, 0, -1, 0, at_once)]
        start = 0
        for time in times:
            name, end = printable(time.operator or time.kind), start + time.time
            events.append(_Profiled(name, time.chain, time.instruction, start, end))
            start = end
        found.setdefault(key, []).append(events)
    return found


def _dumped(run: Run) -> dict[CaseKey, list[_Valued]]:
    found: dict[CaseKey, list[_Valued]] = {}
    for number, value in run.dumped.items():
        trace = run.transcript.traces[number]
        if trace.operation is not None:  # an ETDump has no place for what is inside of a delegate
            continue
        name = printable(trace.operator or trace.kind)
        event = _Valued(name, trace.chain, trace.instruction, value)
        found.setdefault(CaseKey.of(trace), []).append(event)
    return found


def _is_readable(value: KeptOutput) -> bool:
    if value.kind == "tensor":
        return from_name(value.dtype or "") in READABLE
    # flatc writes others as JSON does not have them.
    return value.kind != "double" or math.isfinite(float(value.value or 0))


def _encode(runs: Sequence[_RunData]) -> tuple[bytes, bytes]:
    """The file, and the bytes of its tensors. Raises struct.error."""
    writer = Writer(b"ED00", root=4)
    values = bytearray()
    root = writer.table(4, _ROOT, 0, 0)
    first = writer.vector(root + _ROOT.slots[1], len(runs), 4)
    for number, run in enumerate(runs):
        at = writer.table(first + 4 * number, _RUN, 0, run.index, 0)
        writer.string(at + _RUN.slots[0], run.name)
        events = writer.vector(at + _RUN.slots[2], len(run.events), 4)
        for index, event in enumerate(run.events):
            if isinstance(event, _Profiled):
                _put_profiled(writer, events + 4 * index, event)
            else:
                _put_valued(writer, events + 4 * index, event, values)
    struct.pack_into("<I", writer.buffer, 0, len(writer.buffer) - 4)
    return bytes(writer.buffer), bytes(values)


def _put_profiled(writer: Writer, slot: int, event: _Profiled) -> None:
    holder = writer.table(slot, _PROFILED, 0)
    numbers = (event.chain, event.instruction, event.start, event.end)
    at = writer.table(holder + _PROFILED.slots[0], _PROFILE, 0, *numbers)
    writer.string(at + _PROFILE.slots[0], event.name)


def _put_valued(writer: Writer, slot: int, event: _Valued, values: bytearray) -> None:
    holder = writer.table(slot, _DEBUGGED, 0)
    at = writer.table(holder + _DEBUGGED.slots[0], _DEBUG, event.chain, event.instruction, 0, 0)
    writer.string(at + _DEBUG.slots[3], event.name)
    value = event.value
    is_output = [(_OUTPUT_FIELD, "I")] * (event.instruction < 0)
    shape = Shape([(0, "b"), (_VALUE_FIELDS[value.kind], "I"), *is_output])
    numbers = (_VALUE_NUMBERS[value.kind], 0, *[0] * len(is_output))
    entry = writer.table(at + _DEBUG.slots[2], shape, *numbers)
    if is_output:
        writer.table(entry + shape.slots[2], _SCALARS["bool"], True)
    if value.kind == "tensor":
        _put_tensor(writer, entry + shape.slots[1], value, values)
    else:
        writer.table(entry + shape.slots[1], _SCALARS[value.kind], value.value)


def _put_tensor(writer: Writer, slot: int, value: KeptOutput, values: bytearray) -> None:
    """Dense and in the order of its dimensions, as the Inspector takes every tensor to be."""
    scalar_type = from_name(value.dtype or "")
    assert scalar_type is not None  # it is readable
    at = writer.table(slot, _TENSOR, scalar_type, 0, 0, len(values))
    strides = [math.prod(value.sizes[i + 1 :]) for i in range(len(value.sizes))]
    for place, numbers in zip(_TENSOR.slots[1:3], (value.sizes, strides), strict=True):
        first = writer.vector(at + place, len(numbers), 8, 8)
        struct.pack_into(f"<{len(numbers)}q", writer.buffer, first, *numbers)
    values += value.array().tobytes()
    values += bytes(-len(values) % 16)
